"""What `run` and `topics` share: the settings of a process, from options, variables and the topic set's stamp."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from services.cli.broker import broker_options, talk
from services.cli.errors import UserError
from shared.contract.ticks import TimeMode
from shared.kernel.partitioning import Partitioner
from shared.runtime.pseudonyms import deployment_key
from shared.runtime.records import stamp
from shared.runtime.settings import Settings, UnusableSettings, settings_from

_Function = TypeVar("_Function", bound=Callable[..., Any])

_DEPLOYMENT: Final = (
    click.option("--deployment", metavar="NAME", help="Name that the topics are stamped with; others refuse."),
    click.option("--mode", type=click.Choice([mode.value for mode in TimeMode]), help="True or simulated time."),
    click.option("--loan-partitions", type=click.IntRange(1, 4096), help="Partitions of all topics keyed by loan."),
    click.option("--borrower-partitions", type=click.IntRange(1, 4096), help="Of all topics keyed by borrower."),
    click.option("--partitioner", type=click.Choice([p.value for p in Partitioner]), help="Of every keyed topic."),
    click.option("--replication-factor", type=click.IntRange(1), help="Replicas of every topic; 3 in production."),
    click.option("--min-insync-replicas", type=click.IntRange(1), help="Replicas that must confirm; 2 in production."),
)


def deployment_options(function: _Function) -> _Function:
    """Give a command the options that describe a whole deployment, each with a `DUECOURSE_...` variable as well."""
    for option in reversed(_DEPLOYMENT):
        function = option(function)
    return broker_options(function)


def given_settings(**given: Any) -> Settings:
    """Return the settings of options and variables; a mistake is told to the user."""
    kinds = {"mode": TimeMode, "partitioner": Partitioner, "data_directory": Path, "policy_directory": Path}
    typed = {
        name: kinds[name](value) if name in kinds and value is not None else value for name, value in given.items()
    }
    try:
        settings = settings_from(os.environ, **typed)
        deployment_key(settings)
    except UnusableSettings as error:
        raise UserError(f"{error}.") from error
    return settings


def stamped_settings(**given: Any) -> Settings:
    """Return settings that agree with the topic set: what was not said is taken from its stamp."""
    settings = given_settings(**given)
    found = talk(settings.broker, settings.prefix, stamp)
    if found is None:
        raise UserError(
            f"The topics at {settings.broker} with prefix {settings.prefix!r} are not stamped.",
            "Make them with `duecourse topics create`.",
        )
    said = {name for name, value in given.items() if value is not None}
    said |= {name for name in Settings.__dataclass_fields__ if f"DUECOURSE_{name.upper()}" in os.environ}
    stamped: dict[str, Any] = {
        "mode": found.mode,
        "partitioner": Partitioner(found.partitioner),
        "loan_partitions": found.loan_partitions,
        "borrower_partitions": found.borrower_partitions,
    }
    return replace(settings, **{name: value for name, value in stamped.items() if name not in said})
