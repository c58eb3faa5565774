"""How many partitions each topic of a deployment has, and where a key belongs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shared.kernel.partitioning import Partitioner, partition_of


@dataclass(frozen=True, slots=True)
class Topology:
    """The fixed partition counts of a deployment, by logical topic, and its one partitioner."""

    partitions: Mapping[str, int]
    partitioner: Partitioner = Partitioner.MURMUR2

    def partition_of(self, topic: str, key: bytes) -> int:
        """Return the partition of `topic` where records with this key lie."""
        return partition_of(key, self.partitions[topic], self.partitioner)

    def explains(self, topic: str, key: bytes, partition: int) -> Partitioner | None:
        """Return the partitioner that would have put `key` on `partition`, if there is one."""
        count = self.partitions[topic]
        return next((p for p in Partitioner if partition_of(key, count, p) == partition), None)
