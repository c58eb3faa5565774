"""What the harness counts and prints."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

import tests.chaos.cells  # noqa: F401 - registers all cells
from shared.contract.ticks import TimeMode
from shared.runtime.crash_points import CrashPoint
from tests.chaos.__main__ import never_tried
from tests.chaos.cell import CELLS, chosen, name_of, volley_of
from tests.chaos.ground import GROUNDS
from tests.chaos.ledger import Ledger, add_counts, machine, read_ledger, record
from tests.chaos.round import Outcome
from tests.chaos.table import PAGE, lines, page, where_and_when
from tests.chaos.verdict import Judged


def outcome_of(met: dict[str, int], failures: list[tuple[str, str]], tried: dict[str, int]) -> Outcome:
    """Return a round as it would have ended."""
    names = tuple(met)
    return Outcome(7, TimeMode.WALL, names, Path(), met=Counter(met), failures=failures, judged=Judged(tried, ()))


def test_the_table_has_a_row_for_every_cell_and_nobody_else():
    """Whoever registers a cell finds it in the table, met or not."""
    rows = [line.split("`")[1] for line in lines(Ledger("9.9")) if line.startswith("| `")]
    assert sorted(rows) == sorted(CELLS)


def test_the_page_tells_what_was_counted():
    """The page of the matrix is the one that the recorded counts make."""
    assert PAGE.read_text(encoding="utf-8") == page(read_ledger())


def test_every_crash_point_has_a_cell():
    """No named step of the commit sequence is left out."""
    assert {f"die-{point.value.replace('_', '-')}" for point in CrashPoint} <= set(CELLS)


def test_every_cell_says_what_it_does_and_where_it_is_played():
    """A cell without a sentence, a way to heal, a kind of time or a known ground is no cell."""
    silent = [one.name for one in CELLS.values() if not (one.does.endswith(".") and one.heals and one.modes)]
    assert silent == []
    assert {one.ground for one in CELLS.values()} <= set(GROUNDS)


def test_counts_add_up_over_runs(tmp_path):
    """What two runs met is one sum in the file; a failure of nobody in particular is everybody's."""
    file = tmp_path / "counts.json"
    record([outcome_of({"zombie": 2}, [], {"P1": 5})], file)
    record([outcome_of({"zombie": 1, "told-to-end": 1}, [("verdict", "P2")], {"P1": 1})], file)
    ledger = read_ledger(file)
    assert vars(ledger.of("zombie")) == {"met": 3, "clean": 2, "failures": 1, "last_seed": 7}
    assert vars(ledger.of("told-to-end")) == {"met": 1, "clean": 0, "failures": 1, "last_seed": 7}
    assert ledger.tried == {"P1": 6}
    assert ledger.rounds == 2


def test_counts_from_elsewhere_are_added_to_ours(tmp_path):
    """What two copies of the sources recorded is one sum; cells that only one of them met are kept."""
    ours, theirs = tmp_path / "ours.json", tmp_path / "theirs.json"
    record([outcome_of({"zombie": 2}, [], {"P1": 5})], ours)
    record([outcome_of({"zombie": 1, "told-to-end": 1}, [("verdict", "P2")], {"P6": 1})], theirs)
    add_counts(theirs, ours)
    ledger = read_ledger(ours)
    assert vars(ledger.of("zombie")) == {"met": 3, "clean": 2, "failures": 1, "last_seed": 7}
    assert ledger.of("told-to-end").met == 1
    assert (ledger.rounds, ledger.tried) == (2, {"P1": 5, "P6": 1})


def test_a_strike_that_fails_takes_nothing_from_its_neighbours(tmp_path):
    """What was met before it in the same round is clean where the verdict is; the cell itself loses the round."""
    file = tmp_path / "counts.json"
    record([outcome_of({"zombie": 2, "told-to-end": 1}, [("told-to-end", "outstayed its grace")], {"P1": 5})], file)
    ledger = read_ledger(file)
    assert (ledger.of("zombie").clean, ledger.of("zombie").failures) == (2, 0)
    assert (ledger.of("told-to-end").clean, ledger.of("told-to-end").failures) == (0, 1)


def test_the_ledger_knows_when_and_under_which_load(tmp_path):
    """Rounds of two runs are summed: from the first beginning to the last end, the load weighed by time."""
    file = tmp_path / "counts.json"
    for ended, seconds, load in ((1_000_000.0, 120.0, 4.0), (1_000_600.0, 60.0, 1.0)):
        record([replace(outcome_of({"zombie": 1}, [], {}), ended=ended, seconds=seconds, load=load)], file)
    played = read_ledger(file).played
    assert (played.rounds, played.seconds, played.load_seconds) == (2, 180.0, 540.0)
    assert (played.first, played.last) == ("1970-01-12 13:44", "1970-01-12 13:56")
    assert played.machines == [machine()]
    told = " ".join(where_and_when(played, rounds=3))
    assert "2 rounds took 3 minutes in sum" in told
    assert "a load average of 3.0" in told
    assert "Of 1 earlier rounds" in told


def test_counts_of_another_kafka_are_not_ours(tmp_path):
    """What was met on another version proves nothing on this one."""
    file = tmp_path / "counts.json"
    record([outcome_of({"zombie": 2}, [], {})], file)
    file.write_text(json.dumps({**json.loads(file.read_text()), "kafka": "0.0"}))
    assert read_ledger(file).cells == {}


def test_a_promise_that_nobody_tried_is_named():
    """A run that found nothing to judge a promise by does not pass for one that kept it."""
    assert never_tried([outcome_of({}, [], {"P1": 1, "P2": 0})]) == ["P2", "P3", "P4", "P5", "P6", "P7", "P8"]


def test_a_name_that_no_cell_has_is_refused():
    """A misspelt cell is told, not left out."""
    with pytest.raises(ValueError, match="zombi"):
        chosen(["zombie", "zombi"])


def test_faults_of_different_processes_go_together():
    """Two services and the clock can be struck at once; each such volley is read back from its name."""
    volley = volley_of([CELLS["zombie"], CELLS["clock-killed"], CELLS["two-clocks"], CELLS["disk-full"]], 3)
    assert name_of(volley) == "zombie+clock-killed+disk-full"
    assert chosen([name_of(volley)]) == [volley]


@pytest.mark.parametrize(
    "names",
    [
        "two-clocks+clock-killed",
        "rolling-restart+kill-at-any-moment",
        "foreign-store+wiped-store+zombie+limiter-dead-in-mid-transaction",
        "broker-paused+told-to-end-without-a-broker",
        "open-transaction+lender-dead-in-mid-transaction",
        "down-for-long+open-transaction",
    ],
)
def test_faults_of_the_same_process_are_refused_together(names):
    """Two faults of one clock, five victims of four services, or a broken ground under another fault prove nothing."""
    with pytest.raises(ValueError, match="strike the same"):
        chosen([names])


def test_a_volley_that_fails_takes_all_its_cells_down():
    """Nobody can tell which of several faults broke a deployment: none of them was survived, nor any met beside."""
    met = {"zombie": 1, "clock-killed": 1, "told-to-end": 1}
    assert outcome_of(met, [("zombie+clock-killed", "no end")], {}).blamed == {"zombie", "clock-killed"}
