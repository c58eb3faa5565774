"""A log on disk, judged in portions or since an instant: the same verdicts as of the whole."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache

import pytest

from shared.contract.outreach import OUTREACH, PermitGranted
from shared.contract.recorded import Recorded
from shared.contract.requests import ContactRequested
from shared.contract.ticks import LOAN_CLOCK
from shared.contract.topics import SERVICES
from shared.engine.epoch import Deployment
from shared.kernel.zones import DAY_MS, HOUR_MS, format_instant
from shared.simulation import checkers
from shared.simulation.checkers import PROMISES, Build, Period, Verdict, check_spool, longest_window_ms, spooled
from shared.simulation.checkers.spool_rows import author
from shared.simulation.log import CHANGELOG
from tests.shared.simulation.checkers.mutants import MUTANTS
from tests.shared.simulation.stage import Played, play, policy, whole_story


def _build(played: Played) -> Build:
    deployment = Deployment(played.scenario.setting.topology(), {policy().hash: policy()})
    return Build(played.processors, deployment)


JUDGED_BY_CHAPTER = PROMISES[1:-1]


@cache
def _verdicts() -> tuple[Verdict, ...]:
    return whole_story().verdicts()


def _judge(played: Played, since: int | None = None, promises: Sequence[str] = JUDGED_BY_CHAPTER) -> dict[str, Verdict]:
    period = None if since is None else Period.since_instant(since, [policy()])
    with spooled(played.world.log) as spool:
        verdicts = check_spool(spool, _build(played), period=period, promises=promises)
        return {verdict.promise: verdict for verdict in verdicts}


def test_judged_in_portions_is_judged_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Household by household, the checkers try the same cases as with everything before them at once."""
    monkeypatch.setattr(checkers, "CHAPTER_RECORDS", 1)
    judged = _judge(whole_story(), promises=PROMISES)
    assert tuple(judged.values()) == _verdicts()
    assert all(verdict.kept for verdict in judged.values())


def test_an_interleaved_reading_is_the_same_log() -> None:
    """A broker gives its partitions in any order: verdicts do not depend on it."""
    records = list(whole_story().world.log)
    places: dict[tuple[str, int], list[Recorded]] = {}
    for record in records:
        places.setdefault((record.topic, record.partition), []).append(record)

    def in_turns() -> Iterator[Recorded]:
        logs = [iter(log) for _, log in sorted(places.items(), reverse=True)]
        while logs:
            for log in list(logs):
                record = next(log, None)
                if record is None:
                    logs.remove(log)
                else:
                    yield record

    with spooled(in_turns()) as spool:
        assert check_spool(spool, _build(whole_story())) == _verdicts()


def test_since_finds_what_rests_on_the_window_before() -> None:
    """Permits beyond a cap since an instant are found by contacts that lie before it, and only those are judged."""
    mutant = next(mutant for mutant in MUTANTS if mutant.title == "windows are a day short")
    played = play(loans=mutant.loans, days=mutant.days, processors=mutant.processors)
    granted = {entry.where: entry.at for entry in played.chronicle.of(PermitGranted)}
    everything = list(_judge(played, promises=["P3"])["P3"].violations)
    assert everything
    since = sorted(granted[violation.where] for violation in everything)[len(everything) // 2]
    found = _judge(played, since, ["P3"])["P3"]
    assert set(found.violations) == {violation for violation in everything if granted[violation.where] >= since}
    assert found.violations
    assert len(found.violations) < len(everything)


def test_since_accuses_nobody_of_what_it_did_not_read() -> None:
    """Judged from any day on, a run that kept its promises has kept them."""
    start, end = whole_story().scenario.setting.start_ms, whole_story().scenario.setting.end_ms
    for since in range(start + 9 * DAY_MS, end, 25 * DAY_MS):
        judged = _judge(whole_story(), since)
        assert [str(verdict) for verdict in judged.values() if verdict.violated] == []
        assert judged["P3"].cases > 0


def test_since_the_beginning_is_everything() -> None:
    """From the first tick on every case is tried; from beyond the last one none, and that is a failure."""
    everything, nothing = _judge(whole_story(), 0), _judge(whole_story(), whole_story().scenario.setting.end_ms + 1)
    assert {one.promise: one.cases for one in _verdicts()[1:-1]} == {p: v.cases for p, v in everything.items()}
    assert [promise for promise, verdict in nothing.items() if not verdict.cases] == ["P3", "P4", "P5", "P6", "P7"]
    assert not any(nothing[promise].kept for promise in ("P3", "P4", "P5", "P6", "P7"))


def test_the_window_that_is_read_back_is_the_policys() -> None:
    """It covers caps, notices and wishes of the policy in force, whichever is the longest, and a permit on top."""
    packs = policy().packs
    rules = policy().reporting.defaults
    assert longest_window_ms(policy()) > (rules.notice_lead_days + rules.decide_within_days) * DAY_MS
    longer = tuple(replace(pack, caps=tuple(replace(cap, days=90) for cap in pack.caps)) for pack in packs.packs)
    assert longest_window_ms(replace(policy(), packs=replace(packs, packs=longer))) > 90 * DAY_MS


def test_a_thousand_households_take_no_more_memory_than_one_portion(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is held while judging is one portion, however many there are."""
    monkeypatch.setattr(checkers, "CHAPTER_RECORDS", 100)
    with spooled(whole_story().world.log) as spool:
        parts = sum(1 for _ in checkers.chapters(spool))
        assert parts > 10
        tracemalloc.start()
        whole = len(spool.chapter(number for part in spool.households.chapters(10**9) for number in part))
        at_once = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        largest = max(len(list(chapter.everything())) for chapter in checkers.chapters(spool))
        in_portions = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert largest < whole / 3
    assert in_portions < at_once


def test_records_of_strange_topics_and_sources_are_left_aside() -> None:
    """A file that is none of ours, and a source that only looks like ours, change nothing."""
    assert author("/duecourse/reminder/3") == ("reminder", 3)
    strange = ("/duecourse/clock", "/duecourse/nobody/1", "/duecourse/reminder/x", "/duecourse/reminder/9999999999999")
    assert [author(source) for source in strange] == [None] * 4
    with spooled([Recorded("notes", 0, 0, b"k", b"v")]) as spool:
        assert spool.records == 0


def test_a_topic_is_read_back_as_it_was() -> None:
    """Key, value, headers, offsets and times come out of the spool as they went in."""
    log = [record for record in whole_story().world.log if record.topic in {OUTREACH, LOAN_CLOCK}]
    with spooled(whole_story().world.log) as spool:
        assert [*spool.each(OUTREACH), *spool.each(LOAN_CLOCK)] == log


def test_a_log_that_grew_while_it_was_read_accuses_nobody() -> None:
    """Changelogs as they were some days or ticks ago, all else as it is now: every promise was tried and kept."""
    end = whole_story().scenario.setting.end_ms
    for ago in (HOUR_MS, 5 * HOUR_MS, 11 * DAY_MS):
        records = (
            record
            for record in whole_story().world.log
            if not record.topic.endswith(CHANGELOG) or record.appended_ms <= end - ago
        )
        with spooled(records) as spool:
            verdicts = check_spool(spool, _build(whole_story()))
        assert [(str(verdict), verdict.violations) for verdict in verdicts if not verdict.kept] == []


@pytest.mark.parametrize("first", SERVICES)
def test_changelogs_that_were_read_one_after_the_other_accuse_nobody(first: str) -> None:
    """What a service decided after an answer of another, whose changelog had been read before that, names its cause."""
    end = whole_story().scenario.setting.end_ms

    def was_read(record: Recorded) -> bool:
        days = 12 if record.topic == first + CHANGELOG else 1
        return not record.topic.endswith(CHANGELOG) or record.appended_ms <= end - days * DAY_MS

    with spooled(record for record in whole_story().world.log if was_read(record)) as spool:
        verdicts = check_spool(spool, _build(whole_story()))
    assert [(str(verdict), verdict.violations[:3]) for verdict in verdicts if verdict.violated] == []
    assert all(verdict.cases for verdict in verdicts if verdict.promise != "P6")


def test_a_permit_on_a_request_of_a_later_tick_is_left_for_the_next_audit() -> None:
    """In true time the gate knows what was said while its tick was written: by the request's place, not its instant."""
    story = whole_story()
    permit = story.chronicle.of(PermitGranted)[-1]
    wanted = {loan.request_id for loan in permit.data.loans}
    request = next(entry for entry in story.chronicle.of(ContactRequested) if entry.data.request_id in wanted)
    service = request.source.split("/")[2]
    later = json.loads(request.record.value or b"") | {"time": format_instant(permit.at + HOUR_MS)}
    moved = replace(request.record, value=json.dumps(later).encode())

    def was_read(record: Recorded) -> bool:
        return record.topic != service + CHANGELOG or record.appended_ms <= permit.at

    log = (moved if record == request.record else record for record in story.world.log if was_read(record))
    with spooled(log) as spool:
        verdicts = check_spool(spool, _build(story), promises=["P5", "P7"])
    assert [(str(verdict), verdict.violations[:3]) for verdict in verdicts if not verdict.kept] == []


def test_what_a_stopped_service_had_said_is_still_judged() -> None:
    """A service that stopped days ago is judged by what it had said until then, not by what it would have to say."""
    stopped = whole_story().scenario.setting.end_ms - 20 * DAY_MS

    def is_there(record: Recorded) -> bool:
        ours = record.topic in {"credit_report" + CHANGELOG, "collections.credit-reports"}
        return not ours or record.appended_ms <= stopped

    with spooled(record for record in whole_story().world.log if is_there(record)) as spool:
        verdicts = {verdict.promise: verdict for verdict in check_spool(spool, _build(whole_story()))}
    assert verdicts["P6"].violated == 0
    assert verdicts["P6"].cases > 0
