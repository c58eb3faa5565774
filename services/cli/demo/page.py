"""The demo's last word: twelve stories of six lines, and one screen that says what the sixty days amounted to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.cli.explain.case import case_of
from services.cli.explain.telling import lines_of, reader_of, shorten
from services.cli.report_text import report_lines
from shared.contract.recorded import Recorded
from shared.simulation.counterfactual import Counterfactual
from shared.simulation.report import Report
from shared.simulation.story import Character

REPORT_FILE: Final = "report.txt"
STORY_LINES: Final = 6
_TEXT_WIDTH_MAX: Final = 150


@dataclass(frozen=True, slots=True)
class Run:
    """How this one run went; the next one will differ."""

    seconds: float
    ticks: int
    own_exits: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Page:
    """The deterministic part is equal over runs, kills and disks; the run part is not."""

    report: Report
    without_gate: Counterfactual
    unlike_told: Mapping[str, Sequence[str]]
    stories: int
    run: Run

    @property
    def good(self) -> bool:
        """Whether every promise was tried and kept, and every story ended as it must."""
        return self.report.kept and not self.unlike_told

    def deterministic_lines(self) -> Iterator[str]:
        """Yield what two runs of one seed have in common."""
        yield from report_lines(self.report, self.without_gate)
        same = all(verdict.kept for verdict in self.report.verdicts if verdict.promise == "P8")
        yield f"same bytes as the fold: {'yes' if same else 'NO'}"
        if self.stories:
            yield f"stories that ended as they must: {self.stories - len(self.unlike_told)} of {self.stories}"
        for name, problems in sorted(self.unlike_told.items()):
            yield from (f"  {name}: {problem}" for problem in problems)

    def run_lines(self) -> Iterator[str]:
        """Yield what belongs to this run alone."""
        run = self.run
        yield f"{run.ticks:,} simulated hours in {run.seconds:.0f} s, {1000 * run.seconds / run.ticks:.0f} ms each"
        exits = ", ".join(f"{name} {count}" for name, count in run.own_exits.items())
        yield f"processes that ended by themselves and were started again: {exits or 'none'}"

    def closing_lines(self, directory: Path) -> Iterator[str]:
        """Yield three commands to try next."""
        yield "to look further:"
        yield f"  duecourse explain --log {directory} --borrower s12-misses-all"
        yield f"  duecourse check --log {directory}"
        yield "  duecourse simulate --seed 8 --days 20 --faults"

    def write(self, directory: Path) -> None:
        """Keep the report beside the log."""
        text = "\n".join(("# equal for every run of this seed", *self.deterministic_lines()))
        text += "\n".join(("\n\n# of this run alone", *self.run_lines())) + "\n"
        (directory / REPORT_FILE).write_text(text, encoding="utf-8")


def story_lines(records: Sequence[Recorded], characters: Sequence[Character]) -> Iterator[str]:
    """Yield each person's title and the six lines of `explain` that matter most."""
    for character in characters:
        case = case_of(records, borrower=character.borrower_id)
        reader = reader_of(case)
        yield ""
        yield f"{character.borrower_id}: {character.title}"
        for line in shorten(lines_of(case), STORY_LINES):
            yield f"  {reader.moment(line.known_ms)}  {line.who:<13} {line.text}"[:_TEXT_WIDTH_MAX]
