"""What a broker answers when it knows who asks, and does not let them."""

from __future__ import annotations

from typing import Final

from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)

from shared.runtime.stop import StopReason

ACCESS_DENIED: Final[tuple[type[KafkaError], ...]] = (
    TopicAuthorizationFailedError,
    GroupAuthorizationFailedError,
    ClusterAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)


def reason_of_error(error: Exception, otherwise: StopReason) -> StopReason:
    """Return why to stop after an error of the broker: denied access is never a doubt, however often one restarts."""
    return StopReason.ACCESS_DENIED if isinstance(error, ACCESS_DENIED) else otherwise
