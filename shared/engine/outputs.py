"""What a core says becomes a record: an event in its envelope, under an id that is derived and never random."""

from __future__ import annotations

from typing import Any, Final

from shared.contract.codec import Envelope, encode
from shared.engine.transaction import Headers, Output
from shared.kernel.ids import derive_id
from shared.kernel.step import Emit

OUTPUT_HEADERS: Final[Headers] = (("content-type", b"application/cloudevents+json; charset=utf-8"),)


def event_output(service: str, partition: int, cause: str, at: int, ordinal: int, emit: Emit) -> Output:
    """Return the record of the event that `service` says about the key `cause` at a tick, as its `ordinal`-th."""
    event: Any = emit.data
    event_id = derive_id(service, cause, at, event.TYPE, ordinal)
    value = encode(Envelope(event_id, f"/duecourse/{service}/{partition}", event.TYPE, event, time_ms=at))
    return Output(emit.key.encode(), value, OUTPUT_HEADERS, event_id)
