"""Disks that are lost, cut short, swapped, foreign or full, and a changelog that is compacted."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from random import Random
from signal import SIGKILL, SIGTERM
from time import monotonic

from shared.engine.progress import decode_progress
from shared.engine.store import PROGRESS_KEY
from shared.runtime.records import Deployment, read_records
from shared.runtime.stop import StopReason
from shared.simulation.log import changelog_of
from tests.chaos.cell import Group, NotMet, cell
from tests.chaos.cells.process import require_code
from tests.chaos.member import Member
from tests.chaos.system import PARTITIONS, START_SECONDS, System, at_work

RECOVERS = "it recovers from the changelog"
SMALL_DISK_MIB = 40
FULL_SECONDS, FILL_AGAIN_SECONDS = 40.0, 0.1
COMPACTED_SECONDS = 90.0


@cell(Group.DISK, heals=RECOVERS)
async def wiped_store(system: System, dice: Random) -> None:
    """One service loses its disk, after a clean end or as by a power cut."""
    member = system.pick(dice)
    await system.down(member, dice.choice((SIGTERM, SIGKILL)))
    member.wipe()
    member.start()


@cell(Group.DISK, heals=RECOVERS)
async def truncated_store(system: System, dice: Random) -> None:
    """Files of a store that was left clean are cut off somewhere, as by a disk that lied about its writes."""
    member = await left_clean(system, dice)
    for store in stores_of(member):
        victim = dice.choice(sorted(p for p in store.rglob("*") if p.is_file() and p.stat().st_size > 1))
        os.truncate(victim, dice.randrange(victim.stat().st_size))
    member.start()


@cell(Group.DISK, heals=RECOVERS)
async def swapped_stores(system: System, dice: Random) -> None:
    """The stores of two partitions, left clean, change places."""
    member = await left_clean(system, dice)
    first, second = stores_of(member)[:2]
    aside = first.with_name("aside")
    first.rename(aside)
    second.rename(first)
    aside.rename(second)
    member.start()


@cell(Group.DISK, heals=RECOVERS, victims=2)
async def foreign_store(system: System, dice: Random) -> None:
    """A store that was left clean is replaced by the one that another service left."""
    member, other = system.pick(dice), system.pick(dice)
    for one in (member, other):
        require_code(0, await system.down(one, SIGTERM))
    for mine, theirs in zip(stores_of(member), stores_of(other), strict=False):
        shutil.rmtree(mine)
        shutil.copytree(theirs, mine)
    member.start()
    other.start()


@cell(
    Group.DISK,
    heals="there is space again, and a supervisor has started it again",
    codes=frozenset({StopReason.DISK_UNUSABLE.code}),
)
async def disk_full(system: System, dice: Random) -> None:
    """The disk of a service fills up to the last byte while it works; later there is space again."""
    if os.geteuid() != 0:
        raise NotMet("only root can mount a small disk")
    member = system.pick(dice)
    require_code(0, await system.down(member, SIGTERM))
    member.disk.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK_MIB}m", "tmpfs", str(member.disk)]
    await asyncio.to_thread(subprocess.run, mount, check=True)
    try:
        member.start()
        await system.until(lambda: at_work(member), START_SECONDS, f"{member.name} at work on a small disk")
        met = await filled(system, member)
        (member.disk / "ballast").unlink(missing_ok=True)
        await system.until(lambda: member.runs and at_work(member), START_SECONDS, f"{member.name} at work again")
        require_code(0, await system.down(member, SIGTERM))
    finally:
        member.wanted = False
        if member.runs:
            await member.end(SIGKILL)
        await asyncio.to_thread(subprocess.run, ["umount", "--lazy", str(member.disk)], check=True)
    member.start()
    if not met:
        raise NotMet("it never needed the disk while it was full")


async def filled(system: System, member: Member) -> bool:
    """Fill the disk, let the process meet it, and keep it full until it has ended by itself, or for a while.

    What a database has reserved it can still write: so the process is killed once, and must find room for a new one.
    """
    ends, until = len(member.ends) + 2, monotonic() + FULL_SECONDS
    fill(member)
    await member.end(SIGKILL)
    while len(member.ends) < ends and monotonic() < until:
        fill(member)
        await asyncio.sleep(FILL_AGAIN_SECONDS)
        assert not system.problems, "\n".join(system.problems)
    return len(member.ends) >= ends


def fill(member: Member) -> None:
    """Take every byte that is left on its disk."""
    with suppress(OSError), (member.disk / "ballast").open("ab", buffering=0) as ballast:
        while ballast.write(bytes(1 << 16)):
            pass


@cell(Group.DISK, heals=RECOVERS)
async def compacted_changelog(system: System, dice: Random) -> None:
    """A service loses its disk when its changelog, in small segments, has been compacted under its feet."""
    member = system.pick(dice)
    await system.until(lambda: is_compacted(system, member.service), COMPACTED_SECONDS, "the changelog is compacted")
    await system.down(member, SIGKILL)
    member.wipe()
    member.start()


async def is_compacted(system: System, service: str) -> bool:
    """Whether records of progress are gone from a changelog: each transaction has written one, and counts them."""
    place = Deployment(system.ground.address, system.settings.prefix)
    seen: dict[int, list[bytes]] = {p: [] for p in range(PARTITIONS)}
    async for record in read_records(place, [changelog_of(service)]):
        if record.key == PROGRESS_KEY and record.value is not None:
            seen[record.partition].append(record.value)
    return any(values and len(values) < decode_progress(values[-1]).n for values in seen.values())


async def left_clean(system: System, dice: Random) -> Member:
    """End a service as an operator does, so that it will trust its disk at the next start."""
    member = system.pick(dice)
    await system.until(lambda: at_work(member), START_SECONDS, f"{member.name} at work")
    require_code(0, await system.down(member, SIGTERM))
    return member


def stores_of(member: Member) -> list[Path]:
    """Return the folders of a service's databases, one per partition."""
    found = sorted({path.parent for path in member.disk.rglob("CURRENT")})
    if len(found) < PARTITIONS:
        raise NotMet(f"there are {len(found)} stores")
    return found
