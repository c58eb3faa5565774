"""From topics to verdicts: spool what the source holds, see that it can be judged, judge it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from services.cli.errors import UserError
from services.cli.processors import PROCESSORS
from services.cli.sources import Source, topology_from
from shared.domain.policy import Policy
from shared.engine.epoch import Deployment
from shared.engine.progress import UnusableProgress
from shared.simulation.checkers import PROMISES, Build, Period, Spool, Verdict, check_spool, spooled
from shared.simulation.log import RECORDED


@dataclass(frozen=True, slots=True)
class Judged:
    """What was read, and what the checkers say of it."""

    spool: Spool
    verdicts: tuple[Verdict, ...]


@contextmanager
def judged(
    source: Source, policy: Policy, period: Period | None = None, promises: Sequence[str] = PROMISES
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
        _require(spool, source, policy)
        deployment = Deployment(topology_from(spool.stamped), {policy.hash: policy})
        build = Build(PROCESSORS, deployment, policy.packs, policy.reporting, policy.calendars)
        try:
            verdicts = check_spool(spool, build, period=period, promises=promises)
        except UnusableProgress as error:
            raise UserError(
                f"A changelog of {source} is of another build: {error}.", "Check it with that build."
            ) from error
        yield Judged(spool, verdicts)


def _require(spool: Spool, source: Source, policy: Policy) -> None:
    """A recording is folded again with the policy that was in force; another one would prove nothing."""
    if not spool.has_changelogs():
        raise UserError(
            f"{source} holds no changelogs, and without them nobody can say what the services hold.",
            "Record the topics with their changelogs, or let the services run first.",
        )
    named = spool.policies()
    if named and named != [policy.hash]:
        raise UserError(
            f"The ticks name policy {', '.join(named)}, this one is {policy.hash}.",
            "Give the policy that was in force with --policy FOLDER.",
        )
