"""Each promise's checker, shown builds and shells that break that promise."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.shared.simulation.checkers.mutants import MUTANTS, PAGE, Mutant, page, recorded
from tests.shared.simulation.stage import play


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.title)
def test_a_mistake_is_caught_by_its_checker_and_those_the_page_names(mutant: Mutant) -> None:
    """The promise that is broken is found broken, and nobody else is accused than the page says."""
    caught = mutant.caught_by()
    assert mutant.promise in caught
    assert caught == recorded()[mutant.title]


def test_every_promise_has_three_mutants() -> None:
    """No checker goes with less than three mistakes of different kinds to catch."""
    counts = Counter(mutant.promise for mutant in MUTANTS)
    assert set(counts) == {f"P{number}" for number in range(1, 9)}
    assert min(counts.values()) >= 3
    assert len({mutant.title for mutant in MUTANTS}) == len(MUTANTS)


def test_the_page_is_generated() -> None:
    """The page lists these mutants, in its own words, and nothing was written into it by hand."""
    assert PAGE.read_text() == page(recorded())


def test_nothing_tried_is_a_failure() -> None:
    """A world without a day shows nothing, and says so."""
    verdicts = play(loans=2, days=0).verdicts()
    assert [verdict.promise for verdict in verdicts if verdict.cases == 0]
    assert not any(verdict.kept for verdict in verdicts if verdict.cases == 0)
