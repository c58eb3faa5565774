"""What commands that talk to a broker share: the two options, and errors told as one sentence."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import click

from services.cli.errors import UserError
from shared.runtime.kafka_security import Access, Security, UnusableSecurity
from shared.runtime.knocking import why_refused
from shared.runtime.records import BrokerProblem, Deployment, NoAnswer
from shared.runtime.settings import UnusableSettings, security_from

SECURITY_ADVICE: Final = "docs/security.md lists the variables, DUECOURSE_SECURITY_PROTOCOL and so on."
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


def given_security() -> Security:
    """Return how the broker lets us in, by `DUECOURSE_...` variables; what cannot be used is told to the user."""
    try:
        security = security_from(os.environ)
    except UnusableSettings as error:
        raise UserError(f"{error}.", SECURITY_ADVICE) from error
    if (problem := security.unusable_file()) is not None:
        raise UserError(f"{problem}.", SECURITY_ADVICE)
    return security


def quiet_client() -> None:
    """Keep what Kafka's client says about its own retries off a terminal: commands say themselves what went wrong."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


def talk(broker: str, prefix: str, work: Callable[[Deployment], Coroutine[Any, Any, T]]) -> T:
    """Run a command's work against a deployment; a missing broker or topic is the user's to put right."""
    quiet_client()
    deployment = Deployment(broker, prefix, given_security())
    with told_to_the_user(deployment.access):
        return asyncio.run(work(deployment))


@contextmanager
def told_to_the_user(access: Access) -> Iterator[None]:
    """Turn a broker's problem into the user's; where no broker answers, find out whether one refuses us."""
    try:
        yield
    except NoAnswer as problem:
        refusal = asyncio.run(why_refused(access))
        if refusal is None:
            raise UserError(problem.problem, problem.advice) from problem
        advice = refusal.reason.advice
        raise UserError(f"{refusal.problem}.", f"{advice[0].upper()}{advice[1:]}.", refusal.reason) from problem
    except UnusableSecurity as problem:
        raise UserError(f"{problem}.", SECURITY_ADVICE) from problem
    except BrokerProblem as problem:
        raise UserError(problem.problem, problem.advice, problem.reason) from problem


def printable(text: str) -> str:
    """Return the text with every control character replaced: what strangers wrote must not steer the terminal."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
