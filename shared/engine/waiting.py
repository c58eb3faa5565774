"""Why a partition stands still: said by the loop, watched and told by the shell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why a loop cannot go on: for a tick, for a topic's records below `offset`, or for a policy that it lacks."""

    what: str
    topic: str = ""
    offset: int = 0
    policy: str = ""


WAITING_FOR_TICK: Final = "tick"
WAITING_FOR_RECORDS: Final = "records"
WAITING_FOR_POLICY: Final = "policy"
