import asyncio

from aiokafka.errors import CommitFailedError
from faust.types import TP

from shared.engine.progress import Progress
from shared.runtime.crash_points import CrashPoints
from shared.runtime.reporter import Reporter

TOPICS = {"facts": "x.facts", "clock": "x.clock"}


def progress(at, n=1):
    """Return progress at a tick."""
    return Progress(n, at, at + 1, {"facts": at + 2}, 0, "", "", {})


def reporter(commit):
    """Return a reporter that commits by calling."""
    return Reporter(commit, "clock", TOPICS, CrashPoints({}))


async def test_one_commit_reports_all_partitions_with_their_newest_progress():
    """Offsets of all inputs, and `at@n` as metadata of the clock's."""
    commits = []

    async def commit(offsets):
        commits.append(offsets)

    reports = reporter(commit)
    reports.note(0, progress(5))
    reports.note(0, progress(6, 2))
    reports.note(1, progress(5))
    assert await reports.report()
    assert commits == [
        {
            TP("x.clock", 0): (7, "6@2"),
            TP("x.facts", 0): (8, ""),
            TP("x.clock", 1): (6, "5@1"),
            TP("x.facts", 1): (7, ""),
        }
    ]


async def test_a_report_that_failed_is_repeated_with_newer_news():
    """A report is not the truth: losing one costs nothing but time."""
    commits = []

    async def commit(offsets):
        commits.append(offsets)
        if len(commits) == 1:
            reports.note(0, progress(9))
            raise CommitFailedError

    reports = reporter(commit)
    reports.note(0, progress(5))
    reports.note(1, progress(5))
    assert not await reports.report()
    assert await reports.report()
    assert commits[1][TP("x.clock", 0)] == (10, "9@1")
    assert commits[1][TP("x.clock", 1)] == (6, "5@1")


async def test_a_partition_is_settled_when_its_report_has_landed():
    """A transaction never flies together with a report of the same partition."""
    gate = asyncio.Event()

    async def commit(offsets):
        await gate.wait()

    reports = reporter(commit)
    reports.note(0, progress(5))
    flying = asyncio.create_task(reports.report())
    await asyncio.sleep(0)
    await reports.settled(1)
    waiting = asyncio.create_task(reports.settled(0))
    await asyncio.sleep(0)
    assert not waiting.done()
    gate.set()
    await flying
    await waiting
    assert reports.reports == 1
