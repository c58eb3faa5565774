"""How far each partition of each service stood when its changelog was read: a log may grow while it is judged.

Changelogs are read first, one after the other. What a service said after that is left for the next time, and so is what
others decided once they knew of it; and nobody is accused of not having answered a fact that he had not applied yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.engine.progress import Progress

Share = tuple[str, int]
"""A service and one of its partitions."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Progress by share, and the tick from which on a share has not applied everything. Unknown shares: no bound.

    `left_from` is the tick from which on what a share said is no evidence yet: said after its changelog had been read,
    or when it may have known of something that is left out. It goes by what ticks cover: the gate, at a tick, may know
    what another service said at a later one, while that tick was on its way.
    """

    progress: Mapping[Share, Progress] = field(default_factory=dict)
    unapplied_from: Mapping[Share, int] = field(default_factory=dict)
    left_from: Mapping[Share, int] = field(default_factory=dict)

    def is_later(self, share: Share, at: int) -> bool:
        """Whether what was said at a tick was said after the changelog had been read."""
        return share in self.progress and at > self.progress[share].at

    def is_left_out(self, share: Share, at: int) -> bool:
        """Whether what was said at a tick is no evidence yet, for what it rests on may be missing."""
        return at >= self.left_from.get(share, at + 1)

    def is_buried_later(self, share: Share, topic: str, offset: int) -> bool:
        """Whether the dead letter of a record was written after the changelog had been read."""
        return share in self.progress and offset >= self.progress[share].offsets.get(topic, 0)

    def has_applied(self, share: Share, at: int) -> bool:
        """Whether nothing that should have been known at a tick was still to be applied, and the answer is evidence."""
        return at < min(self.unapplied_from.get(share, at + 1), self.left_from.get(share, at + 1))
