"""What commands that talk to a broker share: the two options, and errors told as one sentence."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import click

from services.cli.errors import UserError
from shared.runtime.records import BrokerProblem, Deployment

T = TypeVar("T")
_Function = TypeVar("_Function", bound=Callable[..., Any])

_broker = click.option(
    "--broker",
    required=True,
    envvar="DUECOURSE_BROKER",
    metavar="HOST:PORT",
    help="Address of a Kafka broker; DUECOURSE_BROKER if not given.",
)
_prefix = click.option(
    "--prefix",
    default="",
    envvar="DUECOURSE_PREFIX",
    help="Prefix of the deployment's topics; DUECOURSE_PREFIX if not given.",
)


def broker_options(function: _Function) -> _Function:
    """Give a command the options `--broker` and `--prefix`."""
    return _broker(_prefix(function))


def talk(broker: str, prefix: str, work: Callable[[Deployment], Coroutine[Any, Any, T]]) -> T:
    """Run a command's work against a deployment; a missing broker or topic is the user's to put right."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        return asyncio.run(work(Deployment(broker, prefix)))
    except BrokerProblem as problem:
        raise UserError(problem.problem, problem.advice) from problem


def printable(text: str) -> str:
    """Return the text with every control character replaced: what strangers wrote must not steer the terminal."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
