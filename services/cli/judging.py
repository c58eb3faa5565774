"""From topics to verdicts: spool what the source holds, see that it can be judged, judge it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from services.cli.errors import UserError
from services.cli.processors import PROCESSORS
from services.cli.sources import Source, topology_from
from shared.engine.epoch import Deployment
from shared.engine.progress import UnusableProgress
from shared.simulation.checkers import PROMISES, Build, Period, Policies, Spool, Verdict, check_spool, spooled
from shared.simulation.log import RECORDED


@dataclass(frozen=True, slots=True)
class Judged:
    """What was read, and what the checkers say of it."""

    spool: Spool
    verdicts: tuple[Verdict, ...]


@contextmanager
def judged(
    source: Source, policies: Policies, period: Period | None = None, promises: Sequence[str] = PROMISES
) -> Iterator[Judged]:
    """Read everything, changelogs included, and judge it; raise `UserError` where it cannot be judged."""
    with spooled() as spool:
        try:
            source.each(spool.take, RECORDED)
            spool.seal()
        except OSError as error:
            raise UserError(
                f"{source} cannot be spooled in {tempfile.gettempdir()}: {error}.",
                "It takes as much space as the topics; name a larger place with TMPDIR.",
            ) from error
        _require(spool, source, policies)
        deployment = Deployment(topology_from(spool.stamped), policies.known)
        build = Build(PROCESSORS, deployment)
        try:
            verdicts = check_spool(spool, build, period=period, promises=promises)
        except UnusableProgress as error:
            raise UserError(
                f"A changelog of {source} is of another build: {error}.", "Check it with that build."
            ) from error
        yield Judged(spool, verdicts)


def _require(spool: Spool, source: Source, policies: Policies) -> None:
    """A recording is folded again with the policies that were in force; others would prove nothing."""
    if not spool.has_changelogs():
        raise UserError(
            f"{source} holds no changelogs, and without them nobody can say what the services hold.",
            "Record the topics with their changelogs, or let the services run first.",
        )
    unknown = [name for name in spool.policies() if name not in policies.known]
    if unknown:
        raise UserError(
            f"The ticks name policy {', '.join(unknown)}, given is {', '.join(policies.known)}.",
            "Give every policy that was in force: --policy FOLDER --policy FOLDER.",
        )
