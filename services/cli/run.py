"""`duecourse run SERVICE`: one process of one service, until it is told to end."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import click

from services.cli.deployment_options import deployment_options, given_settings, stamped_settings
from services.cli.errors import UserError
from services.clock.app import ClockSettings, create_clock, run_clock
from shared.contract.ticks import TimeMode
from shared.contract.topics import CLOCK, LOAN_SERVICES, SERVICES
from shared.domain.policy import Policy, load_policy
from shared.domain.policy_errors import PolicyError
from shared.engine.conductor import Plan, PlannedSilence, Simulation
from shared.kernel.zones import MINUTE_MS, SECOND_MS, parse_instant
from shared.runtime.application import run_app
from shared.runtime.log_lines import configure
from shared.runtime.settings import Settings
from shared.runtime.stop import stop

DISTRIBUTION: Final = "duecourse"


class Instant(click.ParamType):
    """An RFC 3339 moment, e.g. 2024-02-10T00:00:00Z."""

    name = "INSTANT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return epoch milliseconds."""
        if isinstance(value, int):
            return value
        try:
            return parse_instant(value)
        except ValueError:
            self.fail(f"{value!r} is not a moment like 2024-02-10T00:00:00Z", param, ctx)


class Silence(click.ParamType):
    """A rehearsed outage: SERVICE,FROM,UNTIL."""

    name = "SERVICE,FROM,UNTIL"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> PlannedSilence:
        """Return the outage."""
        if isinstance(value, PlannedSilence):
            return value
        parts = value.split(",")
        if len(parts) != 3 or parts[0] not in LOAN_SERVICES:
            self.fail(f"{value!r} is not like escalation,2024-03-01T00:00:00Z,2024-03-01T06:00:00Z", param, ctx)
        return PlannedSilence(parts[0], *(Instant().convert(part, param, ctx) for part in parts[1:]))


_CLOCK_OPTIONS: Final = (
    click.option("--from", "start_at", type=Instant(), help="Simulated time: the first tick."),
    click.option("--until", "end_at", type=Instant(), help="Simulated time: the last tick; then the clock ends."),
    click.option("--step-minutes", type=click.IntRange(1, 1440), default=60, show_default=True),
    click.option(
        "--lenders", "loan_participants", multiple=True, metavar="NAME", help="Simulators that answer stage 1."
    ),
    click.option("--gateways", "borrower_participants", multiple=True, metavar="NAME", help="... that answer stage 2."),
    click.option(
        "--silence", "silences", type=Silence(), multiple=True, help="A rehearsed outage, as part of the story."
    ),
    click.option(
        "--gate-on", "loan_groups", multiple=True, type=click.Choice(LOAN_SERVICES), help="Default: all three."
    ),
    click.option("--interval-ms", type=click.IntRange(50, 60_000), default=1000, show_default=True, help="True time."),
    click.option("--poll-ms", type=click.IntRange(1, 1000), default=20, show_default=True),
)


def _clock_options(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_CLOCK_OPTIONS):
        function = option(function)
    return function


@click.command()
@click.argument("service", type=click.Choice([*SERVICES, CLOCK]))
@deployment_options
@click.option("--instance", help="Name of this process among those of its service; restarts under it are quick.")
@click.option("--data", "data_directory", type=click.Path(file_okay=False), help="Where local stores live.")
@click.option("--policy", "policies", type=click.Path(exists=True, file_okay=False, path_type=Path), multiple=True,
              help="Folder of a policy; of several, the clock begins with the first.")  # fmt: skip
@click.option("--health", "health_address", metavar="HOST:PORT", help="Where /livez, /readyz and /metrics answer.")
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]))
@click.option("--boarded", is_flag=True, default=None, help="First start on topics whose history is cut off.")
@_clock_options
def command(service: str, policies: tuple[Path, ...], **given: Any) -> None:
    """Run one process of SERVICE. What is not said comes from DUECOURSE_... variables and the topic set's stamp."""
    of_clock = {
        parameter: given.pop(parameter)
        for parameter in (
            "start_at",
            "end_at",
            "step_minutes",
            "loan_participants",
            "borrower_participants",
            "silences",
            "loan_groups",
            "interval_ms",
            "poll_ms",
        )
    }
    known = _load(policies)
    settings = _settings_or_stop(service, **given, build=version(DISTRIBUTION))
    if service == CLOCK:
        run_clock(create_clock(settings, _clock_settings(settings, known[0].hash, **of_clock)))
        return
    app = import_module(f"services.{service}.app")
    run_app(app.create_app(settings, {policy.hash: policy for policy in known}))


def _settings_or_stop(service: str, **given: Any) -> Settings:
    """Return the settings; where the broker does not let us in, stop as a service does: by name, in its log."""
    try:
        return stamped_settings(**given)
    except UserError as error:
        if error.reason is None:
            raise
        told = given_settings(**given)
        configure(json=told.log_json, level=told.log_level, service=service)
        stop(error.reason, error.problem.removesuffix("."))


def _load(directories: tuple[Path, ...]) -> list[Policy]:
    try:
        return [load_policy(directory) for directory in directories or (None,)]
    except PolicyError as error:
        raise UserError(f"The policy cannot be used: {error}.") from error


def _clock_settings(settings: Settings, policy: str, **given: Any) -> ClockSettings:
    simulation = None
    if settings.mode is TimeMode.SIMULATED:
        if given["start_at"] is None or given["end_at"] is None:
            raise UserError("Simulated time needs a first and a last tick.", "Give --from and --until.")
        step_ms = given["step_minutes"] * MINUTE_MS
        simulation = Simulation(given["start_at"], given["end_at"], step_ms, tuple(given["silences"]))
    plan = Plan(
        settings.loan_partitions,
        settings.borrower_partitions,
        loan_groups=tuple(given["loan_groups"]) or LOAN_SERVICES,
        loan_participants=tuple(given["loan_participants"]),
        borrower_participants=tuple(given["borrower_participants"]),
        simulation=simulation,
    )
    poll_seconds = given["poll_ms"] / SECOND_MS
    return ClockSettings(plan=plan, policy=policy, interval_ms=given["interval_ms"], poll_seconds=poll_seconds)
