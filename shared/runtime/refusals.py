"""What a broker answers when it knows who asks, and does not let them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaError,
    ProducerFenced,
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


def raise_most_telling(results: Iterable[object]) -> None:
    """Raise the error among these results that says most; nothing where there is none.

    When one partition of a transaction is refused, the broker refuses the others too, as no part of any transaction.
    """
    errors = [result for result in results if isinstance(result, BaseException)]
    for kinds in (ACCESS_DENIED, (ProducerFenced,), (BaseException,)):
        for error in errors:
            if isinstance(error, kinds):
                raise error
