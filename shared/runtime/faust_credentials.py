"""What Faust's own consumer is told about how it is let in: the same as every other client of ours."""

from __future__ import annotations

from faust.auth import SASLCredentials, SSLCredentials

from shared.runtime.kafka_security import Protocol, Security


def faust_credentials(security: Security) -> SASLCredentials | SSLCredentials | None:
    """Return Faust's words for it; None where nobody asks who is calling and all is plain."""
    if security.protocol is Protocol.PLAINTEXT:
        return None
    context = security.context()
    if security.mechanism is None:
        return SSLCredentials(context)
    return SASLCredentials(
        username=security.user,
        password=security.password(),
        ssl_context=context,
        mechanism=security.mechanism.value,
    )
