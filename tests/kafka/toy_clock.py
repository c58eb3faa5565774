"""Runs a clock for the toy services: `python -m tests.kafka.toy_clock JSON`, where JSON holds the plan's settings."""

import json
import os
import sys

from services.clock.app import ClockSettings, create_clock, run_clock
from shared.engine.conductor import Plan, PlannedSilence, Simulation
from shared.runtime.settings import settings_from
from tests.shared.engine.toy import POLICY

if __name__ == "__main__":
    given = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
    interval_ms = given.pop("interval_ms", 100)
    poll_seconds = given.pop("poll_seconds", 0.005)
    settings = settings_from(os.environ)
    if "simulation" in given:
        simulation = given["simulation"]
        silences = tuple(PlannedSilence(*planned) for planned in simulation.pop("silences", ()))
        given["simulation"] = Simulation(**simulation, silences=silences)
    given = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    plan = Plan(settings.loan_partitions, settings.borrower_partitions, **{"loan_groups": ("reminder",), **given})
    clock = ClockSettings(plan=plan, policy=POLICY, interval_ms=interval_ms, poll_seconds=poll_seconds)
    run_clock(create_clock(settings, clock))
