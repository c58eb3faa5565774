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

    def misrouted(self, topic: str, key: bytes, partition: int) -> str | None:
        """Return what is wrong with `key` on that partition of `topic`; None where it lies as it should."""
        right = self.partition_of(topic, key)
        if right == partition:
            return None
        other = self.explains(topic, key, partition)
        why = f"{other.value} would explain it" if other is not None else "no known partitioner explains it"
        return f"belongs on partition {right} by this deployment; {why}"

    def explains(self, topic: str, key: bytes, partition: int) -> Partitioner | None:
        """Return the partitioner that would have put `key` on `partition`, if there is one."""
        count = self.partitions[topic]
        return next((p for p in Partitioner if partition_of(key, count, p) == partition), None)
