"""A case holds what concerns one person or one loan, and nothing of anybody else."""

from __future__ import annotations

import pytest

from services.cli.explain.case import Case, case_of
from services.cli.explain.command import recomputed
from services.cli.explain.telling import lines_of, next_steps, shorten, silences
from services.cli.processors import PROCESSORS
from services.cli.sources import topology_of
from shared.contract.outreach import PermitGranted
from shared.contract.recorded import Recorded
from shared.domain.policy import load_policy
from shared.engine.epoch import Deployment
from shared.simulation.scenario import build_scenario
from shared.simulation.world import Setting

FORGETS = "s01-forgets"


@pytest.fixture(scope="module")
def records() -> list[Recorded]:
    """Fifteen simulated days of the twelve people and a few loans."""
    policy = load_policy()
    setting = Setting(15)
    scenario = build_scenario(3, 12, setting)
    world = scenario.world(PROCESSORS, Deployment(setting.topology(), {policy.hash: policy}))
    world.run()
    return list(world.log)


@pytest.fixture(scope="module")
def someone(records: list[Recorded]) -> str:
    """A person who was granted at least one contact."""
    for record in records:
        envelope = record.decode() if record.topic == "collections.outreach" else None
        if isinstance(getattr(envelope, "data", None), PermitGranted):
            return envelope.data.borrower_id
    raise AssertionError("nobody was granted a contact")


def _case(records: list[Recorded], **about: str) -> Case:
    return case_of(records, **about)


def test_a_person_has_all_the_loans_and_no_other_person(records: list[Recorded], someone: str) -> None:
    """The case of a person holds events under that key or of those loans only (T-28)."""
    case = _case(records, borrower=someone)
    assert case.borrowers == {someone}
    keys = {entry.record.key.decode() for entry in case.entries if entry.record.key is not None}
    assert keys <= {someone, *case.loans}
    assert any(isinstance(entry.data, PermitGranted) for entry in case.entries)


def test_a_loan_has_its_people_and_only_contacts_about_it(records: list[Recorded], someone: str) -> None:
    """Permits about other loans of the same person do not show up in a loan's case."""
    loan = min(_case(records, borrower=someone).loans)
    case = _case(records, loan=loan)
    assert someone in case.borrowers
    for entry in case.entries:
        if isinstance(entry.data, PermitGranted):
            assert loan in {permitted.loan_id for permitted in entry.data.loans}


def test_lines_are_in_the_order_in_which_things_became_known(records: list[Recorded], someone: str) -> None:
    """A story is told from its beginning to its end, and a short one keeps the order."""
    lines = lines_of(_case(records, borrower=someone))
    assert [line.known_ms for line in lines] == sorted(line.known_ms for line in lines)
    short = shorten(lines, 6)
    assert len(short) <= 6
    assert [lines.index(line) for line in short] == sorted(lines.index(line) for line in short)
    assert any("PERMIT" in line.text for line in short)


def test_what_is_recomputed_is_what_was_published(records: list[Recorded], someone: str) -> None:
    """The rules, run again over the log alone, publish as much about the person as the topics hold (P7)."""
    case = _case(records, borrower=someone)
    found = recomputed(case, records, topology_of(records), load_policy())
    gate = next(r for r, processor in zip(found, PROCESSORS, strict=True) if processor.name == "rate_limiter")
    outreach = sum(r.topic == "collections.outreach" and r.key == someone.encode() for r in records)
    echoes = sum(
        r.topic == "collections.loan-contacts" and r.key is not None and r.key.decode() in case.loans for r in records
    )
    assert sum(look.published for look in gate.looks) == outreach + echoes
    assert not any(r.lacking for r in found)


def test_nothing_is_told_without_a_reason(records: list[Recorded], someone: str) -> None:
    """Each look that led to nothing names its reason; what is open is told, or that nothing is."""
    case = _case(records, borrower=someone)
    found = recomputed(case, records, topology_of(records), load_policy())
    assert all(line.text for line in silences(found))
    assert next_steps(case, found)


def test_a_policy_that_is_not_at_hand_is_named(records: list[Recorded], someone: str) -> None:
    """Without the policy that the ticks name nothing is computed again, and the caller is told which one lacks."""
    case = _case(records, borrower=someone)
    policy = load_policy()
    other = type(policy)(policy.packs, policy.strategy, policy.reporting, policy.calendars, "0" * 16)
    found = recomputed(case, records, topology_of(records), other)
    assert all(r.lacking == {policy.hash} for r in found if r.looks == ())
    assert any(r.lacking for r in found)
