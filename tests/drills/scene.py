"""What a fault is put into, and what it may leave there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

from shared.runtime.local_kafka import LocalKafka
from shared.runtime.records import Deployment
from tests.drills.traffic import House, gateways, until_cancelled


@dataclass
class Scene:
    """A running deployment, its broker, and what a fault left in it; `stack` undoes what a drill that broke off did."""

    house: House
    broker: LocalKafka
    stack: ExitStack
    left: dict[str, Any] = field(default_factory=dict)
    gateways: asyncio.Task[None] | None = None

    @property
    def deployment(self) -> Deployment:
        """Where its topics lie."""
        return Deployment(self.house.settings.broker, self.house.settings.prefix)

    def go_on(self, work: Coroutine[Any, Any, None]) -> None:
        """Let a fault go on by itself until `end_background`."""
        self.left["background"] = asyncio.create_task(work)


Act = Callable[[Scene], Awaitable[None]]


def stop(name: str) -> Act:
    """End a process as an operator would, and leave it down."""

    async def act(scene: Scene) -> None:
        scene.house.down.add(name)
        await asyncio.to_thread(scene.house.members[name].end)

    return act


def start(name: str) -> Act:
    """Start it again."""

    async def act(scene: Scene) -> None:
        scene.house.down.discard(name)
        if not scene.house.members[name].runs:
            scene.house.members[name].start()

    return act


async def end_background(scene: Scene) -> None:
    """End what a fault has left running."""
    task = scene.left.pop("background")
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def silence_gateways(scene: Scene) -> None:
    """Let all gateways go away, and nobody say what became of permits."""
    if scene.gateways is not None:
        await until_cancelled(scene.gateways)


async def bring_gateways_back(scene: Scene) -> None:
    """Start them again; they act on the permits that they find."""
    scene.gateways = asyncio.create_task(gateways(scene.house.settings))
