"""Where a command reads topics from: a broker, or a folder into which they were recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from services.cli.broker import talk
from services.cli.errors import UserError
from shared.contract.codec import Envelope
from shared.contract.recorded import Recorded
from shared.contract.ticks import CONTROL, DeploymentStamped
from shared.contract.topics import TOPICS, Keyed
from shared.domain.policy import Policy, load_policy
from shared.domain.policy_errors import PolicyError
from shared.engine.topology import Topology
from shared.kernel.partitioning import Partitioner
from shared.runtime.log_directory import UnreadableLog, read_log
from shared.runtime.records import Deployment, read_compacted, read_records
from shared.simulation.checkers import Policies
from shared.simulation.log import CHANGELOG

Command = TypeVar("Command", bound=Callable[..., Any])
LOG_FOLDER = "log"


@dataclass(slots=True)
class Source:
    """Recorded topics, wherever they lie. `topology` is known once they were read."""

    log: Path | None
    broker: str | None
    prefix: str
    topology: Topology = field(default_factory=lambda: Topology({}))

    def __str__(self) -> str:
        """Name the place as the caller did."""
        return str(self.log) if self.log is not None else f"{self.broker}"

    def read(self) -> list[Recorded]:
        """Return every record of every topic; raise `UserError` when there are none to read."""
        records = self._from_folder(self.log) if self.log is not None else self._from_broker()
        self.topology = topology_of(records)
        return records

    def each(self, take: Callable[[Recorded], object], topics: Sequence[str]) -> None:
        """Hand over every record as it is read, those of a folder whatever their topic; nothing is kept."""
        if self.log is not None:
            for record in self._stored(self.log):
                take(record)
        else:
            talk(self._broker(), self.prefix, lambda deployment: _hand_over(deployment, topics, take))

    def _from_folder(self, folder: Path) -> list[Recorded]:
        return list(self._stored(folder))

    def _stored(self, folder: Path) -> Iterator[Recorded]:
        nested = folder / LOG_FOLDER
        try:
            yield from read_log(nested if nested.is_dir() else folder)
        except UnreadableLog as error:
            raise UserError(f"{error}.", "Name the folder of a demo, e.g. --log .demo.") from error

    def _from_broker(self) -> list[Recorded]:
        return talk(self._broker(), self.prefix, _read_all)

    def _broker(self) -> str:
        if self.broker is None:
            raise UserError("Say where the topics are.", "Use --log FOLDER or --broker HOST:PORT.")
        return self.broker


async def _read_all(deployment: Deployment) -> list[Recorded]:
    return [record async for record in read_records(deployment, tuple(TOPICS))]


async def _hand_over(deployment: Deployment, topics: Sequence[str], take: Callable[[Recorded], object]) -> None:
    """Changelogs first: what a service said up to there is on its topics by the time that those are read."""
    changelogs = [topic for topic in topics if topic.endswith(CHANGELOG)]
    others = [topic for topic in topics if topic not in changelogs]
    for reading in (read_compacted(deployment, changelogs), read_records(deployment, others)):
        async with aclosing(reading) as records:
            async for record in records:
                take(record)


def topology_of(records: list[Recorded]) -> Topology:
    """Return the partition counts and the partitioner with which the topic set was stamped."""
    for record in records:
        envelope = record.decode() if record.topic == CONTROL else None
        if isinstance(envelope, Envelope) and isinstance(envelope.data, DeploymentStamped):
            return topology_from(envelope.data)
    return topology_from(None)


def topology_from(stamp: DeploymentStamped | None) -> Topology:
    """Return the partition counts and the partitioner that a stamp names; raise `UserError` when there is none."""
    if stamp is None:
        raise UserError("The topics carry no stamp of a deployment.", "Make them with `duecourse topics create`.")
    counts = {Keyed.LOAN: stamp.loan_partitions, Keyed.BORROWER: stamp.borrower_partitions, Keyed.NONE: 1}
    partitions = {topic.name: counts[topic.keyed] for topic in TOPICS.values()}
    return Topology(partitions, Partitioner(stamp.partitioner))


def source_options(function: Command) -> Command:
    """Add `--log`, `--broker` and `--prefix`; the command is given a `source`."""

    @click.option("--log", type=click.Path(file_okay=False, path_type=Path), help="A folder of recorded topics.")
    @click.option("--broker", envvar="DUECOURSE_BROKER", metavar="HOST:PORT", help="A broker to read the topics from.")
    @click.option("--prefix", default="", envvar="DUECOURSE_PREFIX", help="Prefix of the deployment's topics.")
    @wraps(function)
    def with_source(log: Path | None, broker: str | None, prefix: str, **rest: object) -> object:
        return function(source=Source(log, broker, prefix), **rest)

    return with_source  # type: ignore[return-value]


def policy_option(function: Command) -> Command:
    """Add `--policy FOLDER`; the command is given the `policy` in it, or the default one."""

    @click.option(
        "--policy", "folder", type=click.Path(file_okay=False, path_type=Path), help="A folder of policy files."
    )
    @wraps(function)
    def with_policy(folder: Path | None, **rest: object) -> object:
        return function(policy=_loaded(folder), **rest)

    return with_policy  # type: ignore[return-value]


def policies_option(function: Command) -> Command:
    """Add a repeatable `--policy FOLDER`; the command is given the `policies` in them, or the default one."""

    @click.option(
        "--policy",
        "folders",
        multiple=True,
        type=click.Path(file_okay=False, path_type=Path),
        help="A folder of policy files; repeatable, every one that ticks name, the present one first.",
    )
    @wraps(function)
    def with_policies(folders: tuple[Path, ...], **rest: object) -> object:
        loaded = [_loaded(folder) for folder in folders or (None,)]
        return function(policies=Policies({policy.hash: policy for policy in loaded}), **rest)

    return with_policies  # type: ignore[return-value]


def _loaded(folder: Path | None) -> Policy:
    try:
        return load_policy(folder)
    except PolicyError as error:
        raise UserError(f"The policy cannot be used: {error}.") from error
