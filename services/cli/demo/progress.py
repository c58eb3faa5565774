"""What a person sees while sixty days pass: the simulated moment, the pace, and what just happened on stage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from shared.kernel.zones import format_instant


class Screen:
    """The demo's terminal. Off a terminal it prints plain lines, one per simulated day."""

    def __init__(self, console: Console, start_ms: int, step_ms: int, steps: int) -> None:
        self._console = console
        self._start_ms = start_ms
        self._step_ms = step_ms
        self._steps = steps
        self._progress = Progress(
            TextColumn("{task.fields[moment]}"),
            BarColumn(bar_width=30),
            TextColumn("{task.completed:>5}/{task.total} hours"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None
        self._day = ""

    def say(self, text: str) -> None:
        """Tell what is going on behind the curtain."""
        self._console.print(text, highlight=False, markup=False)

    def happened(self, at: int, text: str) -> None:
        """Tell what just happened on stage, at which simulated moment."""
        self.say(f"  {_moment(at)}  {text}")

    def reached(self, at: int) -> None:
        """Show that all have answered the tick at that instant."""
        done = (at - self._start_ms) // self._step_ms + 1
        if self._task is not None:
            self._progress.update(self._task, completed=done, moment=_moment(at))
        day = _moment(at)[:10]
        if not self._console.is_terminal and day != self._day:
            self.say(f"  {day}  {done}/{self._steps} hours")
        self._day = day

    @contextmanager
    def running(self) -> Iterator[None]:
        """Show the bar while the days pass."""
        with self._progress:
            self._task = self._progress.add_task("days", total=self._steps, moment=_moment(self._start_ms))
            yield


def _moment(at: int) -> str:
    return format_instant(at)[:16].replace("T", " ")
