"""The drills, with a real Kafka, Prometheus, Alertmanager and a pager: `python -m tests.drills [--only FAULT ...]`.

Each fault is put into one running system; every alert drilled by it must have reached the pager (or the tickets) within
its time, its first query must show something, nothing else may page until the cure has worked, and then it must end.
Outcomes go to standard output, with `--record` also to deploy/drills.toml, from which deploy/drills.md follows; exit
code 1 when a row fails.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path
from time import monotonic, time

from deploy.monitoring.rules import CAUSE_KNOWN, OBJECTIVE, every_alert
from deploy.monitoring.sources import Alert, Outcome, save_outcomes
from shared.runtime.local_kafka import LocalKafka
from shared.runtime.local_kafka.network import free_port
from shared.runtime.settings import Settings
from shared.runtime.topics import TopicAdmin
from tests.drills.faults import FAULTS
from tests.drills.haste import seconds_of
from tests.drills.history import remember_quiet_hours
from tests.drills.lending import house_policy
from tests.drills.scene import Scene, silence_gateways
from tests.drills.traffic import House, Lenders, gateways, until_cancelled
from tests.drills.watch import HISTORY, Watch, start_watch, until

WARM_SECONDS = 30.0
READY_FOR = "90s"
CALM_SECONDS = 400.0
INHIBITS = f'ALERTS{{alertname="{CAUSE_KNOWN}", alertstate="firing", window="5m"}}'
FORGOTTEN_SECONDS = 500.0
"""A cause that is over inhibits an objective's page for seven minutes more."""
RECEIVERS = {"page": "page", "ticket": "ticket"}


Keep = Callable[[str, Outcome], None]


async def drill(alerts: Sequence[Alert], scene: Scene, watch: Watch, keep: Keep) -> list[asyncio.Task[None]]:
    """Put one fault in, wait for its alerts, cure it, and return what is still to be awaited of each row."""
    drills = {alert.name: alert.drill for alert in alerts}
    fault, heal = next((drill.fault, drill.heal) for drill in drills.values())
    await _prepare(alerts, watch)
    began = monotonic()
    say(f"fault: {fault}")
    await FAULTS[fault](scene)
    told = await asyncio.gather(*(_told(alert, watch, began) for alert in alerts))
    shown = [await asyncio.to_thread(watch.shows, alert.queries[0]) for alert in alerts]
    await FAULTS[heal](scene)
    healed = monotonic()
    awaited = [alert for alert in alerts if _must_pass(alert)]
    over = dict(
        zip(
            [alert.name for alert in awaited],
            await asyncio.gather(*(_over(alert, watch, healed) for alert in awaited)),
            strict=True,
        )
    )
    beside = tuple(
        sorted(watch.pager.since(began, "page").keys() - drills.keys() - {it.pages for it in drills.values()})
    )
    return [
        asyncio.create_task(_outcome(alert, watch, healed, (after, shows, beside, over.get(alert.name)), keep))
        for alert, after, shows in zip(alerts, told, shown, strict=True)
    ]


def _must_pass(alert: Alert) -> bool:
    """Whether the next fault waits for the end of this alert: of a page, and of a burn that it might prolong."""
    return not alert.drill.stays and (alert.severity == "page" or alert.name.startswith(OBJECTIVE))


async def _prepare(alerts: Sequence[Alert], watch: Watch) -> None:
    """Hasten the rules, and let pass what an earlier fault has left: of these alerts, and what would inhibit them."""
    names = {alert.name for alert in alerts}
    told = {alert.name for alert in alerts if alert.severity in RECEIVERS}
    await asyncio.to_thread(watch.hasten, names)
    await until(lambda: told.isdisjoint(watch.active()), CALM_SECONDS)
    if any(name == CAUSE_KNOWN or name.startswith(OBJECTIVE) for name in names):
        await until(lambda: not watch.shows(INHIBITS), FORGOTTEN_SECONDS)


async def _told(alert: Alert, watch: Watch, began: float) -> int | None:
    """Return after how many seconds somebody was told; what is told to nobody only has to be held, by this cause."""

    def reached() -> bool:
        if alert.severity == "none":
            return alert.name in watch.active() and (alert.name != CAUSE_KNOWN or watch.shows(INHIBITS))
        return alert.name in watch.pager.since(began, RECEIVERS[alert.severity])

    after = await until(reached, seconds_of(alert.drill.within) - (monotonic() - began))
    return None if after is None else round(monotonic() - began)


async def _over(alert: Alert, watch: Watch, healed: float) -> int | None:
    """Return after how many seconds from the cure on the alert was over."""
    if alert.severity == "none" or alert.drill.stays:
        return None
    ended = await until(lambda: alert.name not in watch.active(), CALM_SECONDS)
    return None if ended is None else round(monotonic() - healed)


async def _outcome(
    alert: Alert, watch: Watch, healed: float, seen: tuple[int | None, bool, tuple[str, ...], int | None], keep: Keep
) -> None:
    told, shown, beside, over = seen
    over = over or await _over(alert, watch, healed)
    ends = over is not None or alert.severity == "none" or alert.drill.stays
    passed = told is not None and shown and ends and not beside
    outcome = Outcome(told=told, over=over, beside=beside, shown=shown, passed=passed)
    keep(alert.name, outcome)


async def run(only: Sequence[str], folder: Path, keep: Keep) -> None:
    """Run the drills that were asked for, by fault, and keep the outcome of each row as soon as it is known."""
    alerts = every_alert()
    groups = [list(group) for _, group in groupby(sorted(alerts, key=_order), key=_fault)]
    by_fault = {_fault(group[0]): group for group in groups}
    chosen = [by_fault[fault] for fault in only or by_fault]
    broker = LocalKafka(folder / "kafka", die_with_starter=True)
    with ExitStack() as stack:
        stack.callback(broker.stop)
        settings = Settings(broker=broker.start(), prefix="drill", loan_partitions=2, borrower_partitions=2)
        async with TopicAdmin(settings) as admin:
            await admin.create()
        house = House(settings, folder / "house", free_port(), house_policy(folder / "policy"))
        stack.callback(house.close)
        house.start()
        lasting = [member.port for name, member in house.members.items() if name not in house.down]
        remember_quiet_hours(folder / HISTORY, round(time()))
        watch = start_watch(folder, lasting, alerts, stack)
        scene = Scene(house, broker, stack, gateways=asyncio.create_task(gateways(settings)))
        tasks = [
            asyncio.create_task(Lenders(scene.deployment).run(first=50, per_second=1.0)),
            asyncio.create_task(mend(house)),
        ]
        await asyncio.sleep(WARM_SECONDS)
        await until(lambda: _is_warm(watch, len(lasting)), CALM_SECONDS)
        rows: list[asyncio.Task[None]] = []
        for group in chosen:
            rows += await drill(group, scene, watch, keep)
        await asyncio.gather(*rows)
        await silence_gateways(scene)
        await until_cancelled(*tasks)


def _is_warm(watch: Watch, processes: int) -> bool:
    """Whether every process has been ready for a while, and nothing pages."""
    ready = f"sum(min_over_time(duecourse_ready[{READY_FOR}])) == {processes}"
    return watch.shows(ready) and "page" not in watch.active().values()


def _fault(alert: Alert) -> str:
    return alert.drill.fault


def _order(alert: Alert) -> tuple[bool, str]:
    """What stays on record comes last; alerts of one fault come together."""
    return (alert.drill.stays, _fault(alert))


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def mend(house: House) -> None:
    """Start again what ended by itself, for ever."""
    while True:
        house.mend()
        await asyncio.sleep(1)


def main() -> int:
    """Run, print, and keep what came of it where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=[], metavar="FAULT", help="names of tests/drills/faults.py")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave logs and series there")
    parser.add_argument("--record", action="store_true", help="keep the outcomes in deploy/drills.toml")
    given = parser.parse_args()
    outcomes: dict[str, Outcome] = {}

    def keep(name: str, outcome: Outcome) -> None:
        say(f"{name}: {outcome}")
        outcomes[name] = outcome
        if given.record:
            save_outcomes({name: outcome})

    with tempfile.TemporaryDirectory() as scratch:
        asyncio.run(run(given.only, given.keep or Path(scratch), keep))
    failed = sorted(name for name, outcome in outcomes.items() if not outcome.passed)
    say(f"{len(outcomes) - len(failed)} of {len(outcomes)} rows passed" + (f"; failed: {failed}" if failed else ""))
    return bool(failed) or not outcomes


if __name__ == "__main__":
    sys.exit(main())
