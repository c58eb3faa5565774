"""Faults of what a deployment stands on and lives from: broker, disk, producers, the machine's scheduler."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from shared.contract.repayments import REPAYMENTS
from shared.runtime.records import publisher
from tests.drills.scene import Act, Scene, bring_gateways_back, end_background, silence_gateways, start, stop

STANDS_SECONDS, RUNS_SECONDS = 4.0, 4.0
"""A broker that stutters: long enough for a commit to be slow, too short for a session to end."""
SMALL_DISK_BYTES = 256 << 20
LEFT_FREE = 0.03
JUNK_SECONDS = 0.2
FILTERED_GROUP = 54_321
PASSING_BYTES = "20:50000"
"""What a start asks for gets through, and a changelog of some hundred loans does not."""
GROUP_OFFSETS = "__consumer_offsets"


async def stutter(scene: Scene) -> None:
    """Let the broker stand still for seconds, again and again."""

    async def go_on() -> None:
        try:
            while True:
                await asyncio.to_thread(scene.broker.pause)
                await asyncio.sleep(STANDS_SECONDS)
                await asyncio.to_thread(scene.broker.resume)
                await asyncio.sleep(RUNS_SECONDS)
        finally:
            scene.broker.resume()

    scene.go_on(go_on())


async def publish_junk(scene: Scene) -> None:
    """Let a producer publish what nobody can read, of loans that nobody knows, for ever."""

    async def go_on() -> None:
        number = 0
        async with publisher(scene.deployment) as sender:
            while True:
                number += 1
                await sender.send(REPAYMENTS, f"l-junk-{number}".encode(), b"{")
                await asyncio.sleep(JUNK_SECONDS)

    scene.go_on(go_on())


def small_disk(name: str) -> Act:
    """Give a process a small disk of its own, and fill it up to the last few hundredths."""

    async def act(scene: Scene) -> None:
        disk = scene.house.members[name].disk
        await stop(name)(scene)
        disk.mkdir(parents=True, exist_ok=True)
        size = f"size={SMALL_DISK_BYTES}"
        await asyncio.to_thread(subprocess.run, ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(disk)], check=True)
        scene.stack.callback(_detach, disk)
        await start(name)(scene)
        await asyncio.to_thread(_fill, disk / "somebody-elses")

    return act


def _fill(file: Path) -> None:
    usage = shutil.disk_usage(file.parent)
    with file.open("wb") as out:
        os.posix_fallocate(out.fileno(), 0, int(usage.free - usage.total * LEFT_FREE))


def _detach(disk: Path) -> None:
    """Take a disk away, whoever still uses it; nothing where it is gone already."""
    with suppress(FileNotFoundError):
        subprocess.run(["umount", "--lazy", str(disk)], stderr=subprocess.DEVNULL, check=False)


def large_disk(name: str) -> Act:
    """Move the process to a disk with room; it recovers there what it has missed."""

    async def act(scene: Scene) -> None:
        await stop(name)(scene)
        await asyncio.to_thread(_detach, scene.house.members[name].disk)
        await start(name)(scene)

    return act


def lose_large_answers(name: str) -> Act:
    """Lose a process's disk, and then what is large of the broker's answers to it, as on a path for small packets.

    Heartbeats pass, and so it keeps its partitions; its changelog never comes.
    """

    async def act(scene: Scene) -> None:
        member = scene.house.members[name]
        await stop(name)(scene)
        scene.house.wipe(name)
        member.group = FILTERED_GROUP
        for rule in _filters(scene):
            await asyncio.to_thread(_filter, "-A", rule)
            scene.stack.callback(_filter, "-D", rule)
        await start(name)(scene)

    return act


async def let_large_answers_pass(scene: Scene) -> None:
    """Repair the path."""
    for rule in _filters(scene):
        await asyncio.to_thread(_filter, "-D", rule)


def _filters(scene: Scene) -> Sequence[tuple[str, ...]]:
    """Return the rules: whose connections are meant, and what is lost on them. A length of 0 stands for a huge one."""
    port, mark = scene.deployment.broker.rpartition(":")[2], str(FILTERED_GROUP)
    asks = ("OUTPUT", "-o", "lo", "-p", "tcp", "--dport", port, "-m", "owner", "--gid-owner", mark)
    answers = ("OUTPUT", "-o", "lo", "-p", "tcp", "--sport", port, "-m", "connmark", "--mark", mark)
    return (
        ("mangle", *asks, "-j", "CONNMARK", "--set-mark", mark),
        ("filter", *answers, "-m", "length", "!", "--length", PASSING_BYTES, "-j", "DROP"),
    )


def _filter(how: str, rule: tuple[str, ...]) -> None:
    """Add a rule to the machine's filter, or take it away again; one that is gone already may be taken away."""
    table, *rest = rule
    command = ["iptables", "--wait", "-t", table, how, *rest]
    subprocess.run(command, stderr=subprocess.DEVNULL, check=how == "-A")


async def lose_reports(scene: Scene) -> None:
    """Let the broker keep no offsets of groups: it takes no record that is as large as they are."""
    await silence_gateways(scene)  # they report their progress as services do, and would give up
    await _configure(scene, "100")


async def keep_reports(scene: Scene) -> None:
    """Let it keep them again."""
    await _configure(scene, "1048588")
    await bring_gateways_back(scene)


async def _configure(scene: Scene, bytes_max: str) -> None:
    wanted = {"cleanup.policy": "compact", "max.message.bytes": bytes_max}
    admin = AIOKafkaAdminClient(bootstrap_servers=scene.deployment.broker)
    await admin.start()
    try:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, GROUP_OFFSETS, wanted)])
    finally:
        await admin.close()


SURROUNDINGS: dict[str, Act] = {
    "the broker stutters": stutter,
    "the broker runs smoothly": end_background,
    "a producer loses its mind": publish_junk,
    "the producer is stopped": end_background,
    "the disk of credit_report fills": small_disk("credit_report"),
    "credit_report gets a larger disk": large_disk("credit_report"),
    "large answers to escalation are lost": lose_large_answers("escalation"),
    "large answers pass": let_large_answers_pass,
    "the broker keeps no offsets of groups": lose_reports,
    "the broker keeps offsets of groups": keep_reports,
}
