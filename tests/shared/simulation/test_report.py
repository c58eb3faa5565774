"""The report's numbers, and the world without a gate."""

from shared.contract.outreach import PermitGranted
from shared.contract.requests import ContactRequested
from shared.simulation.counterfactual import without_gate
from shared.simulation.report import Spread, report
from tests.shared.simulation.stage import PROCESSORS, policy, whole_story


def test_a_spread_names_median_p99_and_largest() -> None:
    """Of 1 to 200 they are 101, 199 and 200; of nothing, zeros."""
    assert Spread.of(range(1, 201)) == Spread(101, 199, 200)
    assert Spread.of([]) == Spread(0, 0, 0)


def test_the_report_adds_up() -> None:
    """Wishes cover what was merged and permitted, nobody got more than the cap, nobody was dunned after paying."""
    chronicle = whole_story().chronicle
    found = report(chronicle, policy().packs, whole_story().verdicts())
    assert found.contacts_wanted == len(chronicle.of(ContactRequested))
    assert found.contacts_wanted >= len(chronicle.of(PermitGranted)) + found.contacts_merged
    assert found.loans == 12 + 15
    assert found.days == 60
    assert found.contacts_merged >= 6
    assert 0 < found.contacts_per_person.largest <= found.contacts_per_person_max == 5
    assert found.chances_to_dun_after_payment > 0
    assert found.attempts_after_payment == 0
    assert 0 < found.cured_without_human <= found.cured
    assert min(found.reports_filed, found.reports_corrected, found.dead_letters) > 0
    assert found.kept


def test_the_same_run_gives_the_same_report() -> None:
    """The report is a function of the topics."""
    chronicle, verdicts = whole_story().chronicle, whole_story().verdicts()
    assert report(chronicle, policy().packs, verdicts) == report(chronicle, policy().packs, verdicts)


def test_without_the_gate_people_are_contacted_more_and_rules_fall() -> None:
    """The counterfactual finds contacts beyond caps and outside hours that the gate prevented."""
    found = without_gate(whole_story().scenario, PROCESSORS, policy())
    real = report(whole_story().chronicle, policy().packs, ())
    assert found.contacts_per_person.largest > real.contacts_per_person.largest
    assert found.beyond_caps > 0
    assert found.outside_hours_or_against_will > 0
