"""What waits at the gate, and what was let through and may still be used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from services.rate_limiter.state import Borrower
from shared.contract.requests import ContactClass
from shared.domain.policy import Policy
from shared.engine.census import Counted
from shared.kernel.zones import HOUR_MS

NEAR_MS: Final = 48 * HOUR_MS


def count(state: Borrower, now: int, _policy: Policy) -> Iterator[Counted]:
    """Count one borrower's wishes and permits."""
    for request in state.pending:
        yield Counted("requests_pending", (request.contact_class.value,))
        if request.contact_class is ContactClass.STATUTORY_NOTICE and request.not_after_ms - now < NEAR_MS:
            yield Counted("notices_near_deadline")
    for contact in state.contacts:
        if contact.is_open(now):
            yield Counted("permits_open", (contact.channel.value,))
