"""What each reason of a dead letter means, and what helps: the same words in the catalogue and on the terminal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from shared.contract.codec import KEY_BYTES_MAX, NESTING_MAX, VALUE_BYTES_MAX, DeadReason

_CORRECT: Final = "correct it at the producer and send it again, or replay it with `--value`"
_SEND_SMALLER: Final = "send it in parts; the original was kept only up to 64 KiB"


@dataclass(frozen=True, slots=True)
class Remedy:
    """A reason in words: what was wrong with the record, and what puts it right."""

    meaning: str
    help: str


REMEDIES: Final[dict[DeadReason, Remedy]] = {
    DeadReason.UNREADABLE_RECORD: Remedy(
        "Its bytes on the wire are no record: lengths that lie, or a compressed batch that comes to more than 16 MiB.",
        "find its producer: no usual client writes such bytes; send what was meant again, or discard it",
    ),
    DeadReason.TOO_LARGE: Remedy(f"The value has more than {VALUE_BYTES_MAX // 1024} KiB.", _SEND_SMALLER),
    DeadReason.EMPTY: Remedy("The record has no value.", "find its producer: nothing here is deleted by tombstones"),
    DeadReason.NO_KEY: Remedy("The record has no key.", "set the key at the producer; replay with `--fix-key`"),
    DeadReason.KEY_NOT_TEXT: Remedy(
        f"The key is not UTF-8, or longer than {KEY_BYTES_MAX} bytes.",
        "send keys as plain text, not as JSON, Avro or numbers; replay with `--fix-key`",
    ),
    DeadReason.NOT_JSON: Remedy("The value is not JSON, or not UTF-8, or holds NaN or a lone surrogate.", _CORRECT),
    DeadReason.TOO_DEEP: Remedy(f"The value is nested deeper than {NESTING_MAX} levels.", _CORRECT),
    DeadReason.DUPLICATE_JSON_KEY: Remedy("An object has the same key twice: it could be read in two ways.", _CORRECT),
    DeadReason.NOT_CLOUDEVENT: Remedy("The envelope is not that of a CloudEvent 1.0 with JSON data.", _CORRECT),
    DeadReason.UNKNOWN_TYPE: Remedy("No event of the catalogue has this type.", "look for a misspelt type"),
    DeadReason.UNSUPPORTED_VERSION: Remedy(
        "The type is known, this version of it is not.", "replay it once the services are upgraded"
    ),
    DeadReason.WRONG_TOPIC: Remedy("The event belongs on another topic.", "send it there; discard this one"),
    DeadReason.INVALID_DATA: Remedy("A field is missing, unknown, of another type, or out of bounds.", _CORRECT),
    DeadReason.KEY_MISMATCH: Remedy(
        "The key and the data name different subjects.",
        "find out which is right; replay with `--fix-key` if the data are",
    ),
    DeadReason.MISROUTED_KEY: Remedy(
        "The record lies in a partition where its key does not belong.",
        "set the deployment's partitioner at the producer, then replay: that puts it right",
    ),
    DeadReason.CONFLICTING_DUPLICATE: Remedy(
        "A fact with the same business key and revision said something else before.",
        "find out which is right; say the right one with a higher revision or another id, discard this one",
    ),
    DeadReason.BEFORE_HORIZON: Remedy(
        "It is about something so old that it was folded into totals.", "correct it in the lender's books; discard it"
    ),
    DeadReason.UNKNOWN_LOAN: Remedy(
        "No loan of this id was opened or boarded.", "publish the loan's terms, then replay"
    ),
    DeadReason.CURRENCY_MISMATCH: Remedy("The currency is not the loan's.", _CORRECT),
    DeadReason.AMOUNT_IMPOSSIBLE: Remedy("The amount cannot be true of this loan.", _CORRECT),
    DeadReason.DATE_IMPOSSIBLE: Remedy("The date cannot be true of this loan.", _CORRECT),
    DeadReason.BOUND_EXCEEDED: Remedy(
        "The loan or person has as many of these as can be kept.", "look for a producer that makes new ids in a loop"
    ),
    DeadReason.QUARANTINED: Remedy(
        "An operator took it out of the way.", "replay it once the services are upgraded, or discard it"
    ),
}
"""Every reason, in the order of `DeadReason`."""
