"""The judge as a process: what it counts besides the promises."""

from collections import Counter
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from services.cli.audit import audit_of, exempt_contacts, near_misses
from services.cli.sources import Source
from shared.runtime.log_directory import write_log
from shared.simulation.report import Spread, report
from tests.shared.simulation.stage import policy, twenty_days


def test_an_audit_counts_in_portions_what_a_report_counts_at_once(tmp_path: Path) -> None:
    """Contacts, cures and chances of an audit of a folder are those of the whole run; no promise was broken."""
    played = twenty_days()
    write_log(tmp_path, played.world.log)
    audit = audit_of(Source(tmp_path, None, ""), policy())
    whole = report(played.chronicle, policy().packs, ())
    found = audit.conduct
    assert Spread.of_counts(found.in_a_week) == whole.contacts_per_person
    assert found.made == whole.contacts_made > 0
    assert found.exempt == exempt_contacts(played.chronicle)
    assert found.near_misses == near_misses(played.chronicle, policy().packs)
    assert found.chances_after_payment == whole.chances_to_dun_after_payment > 0
    assert found.attempts_after_payment == whole.attempts_after_payment
    assert (found.cured, found.cured_without_human) == (whole.cured, whole.cured_without_human)
    assert {verdict.promise for verdict in audit.verdicts if verdict.violated} == set()


@given(st.lists(st.integers(0, 9), max_size=300))
def test_a_spread_of_counts_is_that_of_the_values(values: list[int]) -> None:
    """Median, p99 and largest of many equal values need only their counts."""
    ordered = sorted(values) or [0]
    p99 = ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]
    assert Spread.of_counts(Counter(values)) == Spread(ordered[len(ordered) // 2], p99, ordered[-1])
