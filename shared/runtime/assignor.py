"""Who of a service gets which partitions: Faust's assignor, but never by half of what the broker has to say."""

from __future__ import annotations

from typing import Any

from faust.assignor.partition_assignor import PartitionAssignor

from shared.runtime.stop import StopReason, stop


class WholeAssignor(PartitionAssignor):  # type: ignore[misc]
    """Assigns only where the partitions of every subscribed topic are known.

    A broker that is just coming up names itself and none of its topics. Faust leaves out topics that it does not
    know, so that nobody of the service got anything, until the client asked for metadata again minutes later.
    """

    def assign(self, cluster: Any, member_metadata: Any) -> Any:
        """Return the assignment of all members; stop where a topic has no partitions, as far as this one knows."""
        subscribed = {topic for member in member_metadata.values() for topic in member.subscription}
        unknown = sorted(topic for topic in subscribed if not cluster.partitions_for_topic(topic))
        if unknown:
            stop(StopReason.DOUBT, f"the broker has not told yet which partitions there are of {', '.join(unknown)}")
        return super().assign(cluster, member_metadata)
