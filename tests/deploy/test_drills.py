"""The drills' own tools: what they hasten, and what they leave alone."""

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from deploy.monitoring.rules import every_alert
from services.cli.processors import PROCESSORS
from services.rate_limiter.census import count
from services.rate_limiter.processor import PROCESSOR as GATE
from shared.contract.base import Event
from shared.contract.codec import Rejected
from shared.contract.outreach import OUTREACH, PermitGranted
from shared.domain.policy import Policy, load_policy
from shared.engine.epoch import Deployment
from shared.engine.state import StateCodec
from shared.engine.store import STATE_PREFIX
from shared.kernel.zones import DAY_MS, HOUR_MS, MINUTE_MS, parse_instant, to_local
from shared.simulation.log import MemoryLog, Publication, changelog_of
from shared.simulation.world import Setting, World
from tests.drills.haste import hastened, write_rules
from tests.drills.history import QUIET_HOURS, remember_quiet_hours
from tests.drills.lending import (
    HURRIED,
    UNREACHABLE,
    contact_points,
    due_today,
    house_policy,
    late_loans,
    said,
    where_it_is_day,
)

ALERTS = every_alert()


@pytest.mark.parametrize(
    ("written", "quicker"),
    [
        ("10m", "60s"),
        ("30s", "20s"),
        ("increase(failures_total[2h]) > 3", "increase(failures_total[720s]) > 3"),
        ("free offset 2h", "free offset 720s"),
        ("quantile(0.9, rate(seconds_bucket[15s])) > 2", "quantile(0.9, rate(seconds_bucket[15s])) > 2"),
        (
            'duecourse:slo_errors:ratio_rate6h{slo="silence"} > 3',
            'duecourse:slo_errors:ratio_rate2160s{slo="silence"} > 3',
        ),
        ('label_replace(errors:rate5m > 1, "window", "5m", "", "")',) * 2,
    ],
)
def test_hastening_shortens_windows_and_patience_alone(written: str, quicker: str) -> None:
    """Ranges, offsets and durations become ten times shorter, not below 20 s; names, labels and thresholds stay."""
    assert hastened(written, 10) == quicker


def rules_of(folder: Path, name: str) -> dict[str, dict[str, str]]:
    """Return the rules of a written file, by what they are called; recorded ones may share a name."""
    groups = YAML(typ="safe").load((folder / f"{name}.rules.yml").read_text())["groups"]
    return {rule.get("alert") or rule["record"]: rule for group in groups for rule in group["rules"]}


def test_what_pages_is_hastened_in_its_own_drill_only(tmp_path: Path) -> None:
    """Beside the drill of another alert a page takes its real time; tickets are hastened all the time."""
    page, ticket = "ObjectiveSilenceBurnsFast", "ObjectiveSilenceBurnsSlowly"
    write_rules(tmp_path, ALERTS, ())
    before = rules_of(tmp_path, "alerts")
    write_rules(tmp_path, ALERTS, [page])
    after = rules_of(tmp_path, "alerts")
    assert (before[page]["for"], after[page]["for"]) == ("4m", "40s")
    assert before[ticket] == after[ticket]
    assert after[ticket]["for"] == "20s"


def test_every_window_that_a_hastened_rule_reads_is_recorded(tmp_path: Path) -> None:
    """A rule over a window that nobody records would never fire."""
    write_rules(tmp_path, ALERTS, [alert.name for alert in ALERTS])
    asked = set(
        re.findall(
            r"duecourse:slo_errors:\w+", " ".join(rule["expr"] for rule in rules_of(tmp_path, "alerts").values())
        )
    )
    recorded = rules_of(tmp_path, "hastened").keys()
    assert len(asked) > 5
    assert asked <= recorded


@pytest.mark.promtool
def test_prometheus_accepts_what_was_hastened(tmp_path: Path) -> None:
    """The rules of a drill are rules."""
    write_rules(tmp_path, ALERTS, [alert.name for alert in ALERTS])
    command = ["promtool", "check", "rules", *map(str, tmp_path.glob("*.rules.yml"))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.promtool
def test_prometheus_begins_with_quiet_hours(tmp_path: Path) -> None:
    """What is given to it is what it would have seen itself: a permit every minute, until shortly before now."""
    now = parse_instant("2026-03-01T12:00:00Z") // 1000
    remember_quiet_hours(tmp_path, now)
    (tmp_path / "wal").mkdir()
    command = ["promtool", "tsdb", "dump", '--match={__name__="duecourse_permits_total"}', str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    values = [(int(line.split()[-1]) // 1000, float(line.split()[-2])) for line in done.stdout.splitlines()]
    assert len(values) == QUIET_HOURS * 60 - 15
    assert max(values)[0] < now - 800
    assert [value for _, value in sorted(values)] == [float(number) for number in range(len(values))]


@pytest.mark.parametrize("day", ["2026-01-15", "2026-07-15"])
def test_somewhere_it_is_always_day(day: str) -> None:
    """Drills that need somebody who may be reached find them at any hour, in winter and in summer."""
    midnight = parse_instant(f"{day}T00:00:00Z")
    places = {where_it_is_day(now)[0]: now for now in range(midnight, midnight + DAY_MS, HOUR_MS // 4)}
    assert len(places) > 2
    assert all(10 <= to_local(now, place).hour < 20 for place, now in places.items())


def test_the_house_of_drills_has_the_default_policy_and_a_bureau_in_a_hurry(tmp_path: Path) -> None:
    """Nothing but one product is added: a month of it must be decided a day after its waiting time."""
    policy, default = load_policy(house_policy(tmp_path / "policy")), load_policy()
    hurried = policy.reporting.rules(HURRIED, "")
    assert hurried.decide_within_ms - hurried.waiting_ms == DAY_MS
    assert policy.reporting.rules("term", "") == default.reporting.rules("term", "")
    assert policy.packs == default.packs


class Outside:
    """Lenders and gateways who say what they are told to, at the tick of their choice, and nothing else."""

    def __init__(self, events: dict[int, Sequence[Event]] | None = None) -> None:
        self._events = events or {}
        self._ticks = 0

    def hear(self, _records: object) -> None:
        """Listen, and do nothing about it."""

    def answer(self, _at: int) -> list[Publication]:
        """Say what is due at this tick."""
        self._ticks += 1
        return [said(event) for event in self._events.get(self._ticks, ())]


def played(start: int, policy: Policy, events: dict[int, Sequence[Event]]) -> tuple[World, list[int]]:
    """Return a world of ticks ten minutes apart, and how many notices were near their deadline after each."""
    setting = Setting(days=1, start_ms=start, step_ms=10 * MINUTE_MS, loan_partitions=1, borrower_partitions=1)
    deployment = Deployment(setting.topology(), {policy.hash: policy})
    world = World(setting, PROCESSORS, deployment, Outside(events), Outside())  # type: ignore[arg-type]
    seen: list[int] = []
    world.run(lambda at: seen.append(near_their_deadline(world.log, at, policy)))
    return world, seen


def near_their_deadline(log: MemoryLog, at: int, policy: Policy) -> int:
    """Count as the gate's census does, from what it keeps."""
    codec = StateCodec(GATE.state, GATE.upgrades)
    kept = {record.key or b"": record.value for record in log.read(changelog_of(GATE.name), 0, 0)}
    values = [value for key, value in kept.items() if value is not None and key.startswith(STATE_PREFIX)]
    states = [codec.decode(value)[0] for value in values]
    return sum(it.amount for state in states for it in count(state, at, policy) if it.what == "notices_near_deadline")


@pytest.mark.parametrize("start", ["2026-11-23T08:00:00Z", "2026-12-31T12:30:00Z", "2027-01-01T17:00:00Z"])
def test_late_loans_of_unreachable_people_bring_notices_near_their_deadline(tmp_path: Path, start: str) -> None:
    """On any day of a month each has one at least until contact points are given, and none afterwards."""
    policy, now = load_policy(house_policy(tmp_path / "policy")), parse_instant(start)
    place = where_it_is_day(now)
    _, seen = played(now, policy, {1: late_loans(now, place), 4: contact_points(place)})
    assert min(seen[2:4]) >= len(UNREACHABLE)
    assert seen[6] == 0


def test_due_dates_on_one_day_bring_a_permit_for_each_person(tmp_path: Path) -> None:
    """Nobody of a surge waits for another day or for somebody else's permit."""
    policy, now = load_policy(house_policy(tmp_path / "policy")), parse_instant("2026-11-23T08:00:00Z")
    people = 40
    world, _ = played(now, policy, {1: due_today(now, where_it_is_day(now), people)})
    early = [it.decode() for it in world.log.read(OUTREACH, 0, 0) if it.appended_ms <= now + HOUR_MS // 2]
    found = [it.data for it in early if not isinstance(it, Rejected)]
    assert len({it.borrower_id for it in found if isinstance(it, PermitGranted)}) == people
