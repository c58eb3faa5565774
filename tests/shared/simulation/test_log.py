"""Topics in memory."""

from shared.contract.repayments import REPAYMENTS
from shared.kernel.partitioning import Partitioner, partition_of
from shared.simulation.log import MemoryLog, Publication


def test_a_key_lies_on_its_partition_unless_its_sender_errs() -> None:
    """The deployment's partitioner decides, or whoever names a partition."""
    log = MemoryLog(4, 3)
    right = log.publish(Publication(REPAYMENTS, b"loan-1", b"x"), 7)
    wrong = log.publish(Publication(REPAYMENTS, b"loan-1", b"x", (), 3 - right.partition), 7)
    assert right.partition == partition_of(b"loan-1", 4, Partitioner.MURMUR2)
    assert wrong.partition == 3 - right.partition
    assert right.appended_ms == 7


def test_markers_take_offsets_that_hold_no_record() -> None:
    """After a transaction the next record lies one further, and reading goes by offset, not by count."""
    log = MemoryLog(1, 1)
    log.append(REPAYMENTS, 0, b"a", b"1", (), 0)
    log.mark(REPAYMENTS, 0)
    log.append(REPAYMENTS, 0, b"b", b"2", (), 0)
    assert [record.offset for record in log.read(REPAYMENTS, 0, 0)] == [0, 2]
    assert [record.offset for record in log.read(REPAYMENTS, 0, 1)] == [2]
    assert log.end(REPAYMENTS, 0) == 3


def test_without_markers_offsets_are_dense() -> None:
    """A log that is to be copied to a broker record by record has no gaps."""
    log = MemoryLog(1, 1, markers=False)
    log.append(REPAYMENTS, 0, b"a", b"1", (), 0)
    log.mark(REPAYMENTS, 0)
    assert log.end(REPAYMENTS, 0) == 1
