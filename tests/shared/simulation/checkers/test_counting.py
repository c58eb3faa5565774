"""What a cap counts where a fact about a contact is missing: the side that disturbs a person less."""

from __future__ import annotations

from dataclasses import replace

from shared.contract.base import Amounts, Channel
from shared.contract.outcomes import Outcome, OutreachOutcome
from shared.contract.outreach import PermitGranted, PermittedLoan
from shared.contract.requests import ContactClass
from shared.domain.packs import Cap, Per, Unit
from shared.kernel.ids import derive_id
from shared.simulation.checkers.counting import count_within, counts, is_about
from shared.simulation.checkers.person import Contact, Knowledge
from tests.shared.simulation.stage import policy

AT = 1_707_919_200_000
NOBODY = Knowledge(AT, ())
PERMIT = PermitGranted(
    borrower_id="ann",
    permit_id=derive_id("permit"),
    lender_id="lender",
    contact_class=ContactClass.HUMAN_CALL,
    channel=Channel.CALL,
    contact_point_id="phone",
    template="call",
    loans=(
        PermittedLoan(
            request_id=derive_id("wish"),
            loan_id="loan",
            step="human_call/1",
            currency="CNY",
            amount_due_minor=1,
            amounts=Amounts(principal_minor=1),
        ),
    ),
    valid_from_ms=AT,
    valid_until_ms=AT + 1,
    rules=("hours",),
    policy="0" * 16,
)


def _cap(per: Per, unit: Unit) -> Cap:
    caps = [cap for pack in policy().packs.packs for cap in pack.caps]
    return next(cap for cap in caps if cap.per is per and cap.unit is unit and Channel.CALL in cap.blocks)


def _told(outcome: Outcome) -> OutreachOutcome:
    return OutreachOutcome(
        borrower_id="ann", outcome_id=f"o-{outcome}", outcome=outcome, occurred_ms=AT, channel=Channel.CALL
    )


def _call(*outcomes: Outcome, permitted: bool = True) -> Contact:
    permit = PERMIT if permitted else None
    told = tuple(_told(outcome) for outcome in outcomes)
    return Contact(permit, AT, AT, AT + 1, Channel.CALL, "phone", "lender", ("loan",), None, told)


def test_a_permitted_call_without_news_may_have_been_a_conversation() -> None:
    """Until somebody says otherwise it counts as one (T-42); silence and failure say otherwise."""
    pause = _cap(Per.PERSON, Unit.CONVERSATION)
    assert counts(pause, _call(), NOBODY)
    assert counts(pause, _call(Outcome.ATTEMPTED), NOBODY)
    assert counts(pause, _call(Outcome.ATTEMPTED, Outcome.CONVERSATION), NOBODY)
    for otherwise in (Outcome.NO_ANSWER, Outcome.BOUNCED, Outcome.WRONG_NUMBER, Outcome.NOT_ATTEMPTED):
        assert not counts(pause, _call(otherwise), NOBODY)
    assert not counts(pause, _call(Outcome.ATTEMPTED, permitted=False), NOBODY)


def test_a_contact_that_names_nothing_counts_for_all() -> None:
    """One of others without number, loan or lender may have been any; what it names narrows it."""
    unnamed = replace(_call(permitted=False), point=None, lender_id=None, loan_ids=())
    assert is_about(Per.CONTACT_POINT, unnamed, "phone", "lender")
    assert is_about(Per.LENDER, unnamed, "lender", "lender")
    assert is_about(Per.LOAN, unnamed, "loan", "lender")
    named = _call(permitted=False)
    assert is_about(Per.LOAN, named, "loan", "lender")
    assert not is_about(Per.LOAN, named, "other-loan", "lender")
    assert not is_about(Per.LOAN, replace(named, loan_ids=(), lender_id="other"), "loan", "lender")
    assert not is_about(Per.CONTACT_POINT, named, "other-phone", "lender")


def test_a_contact_lies_in_every_window_that_it_touches() -> None:
    """The fourteenth of February in Shanghai: windows that end or begin there hold it, their neighbours do not."""
    day = 19_767
    assert count_within([_call()], range(day, day + 1), "Asia/Shanghai") == 1
    assert count_within([_call()], range(day - 6, day + 1), "Asia/Shanghai") == 1
    assert count_within([_call()], range(day - 7, day), "Asia/Shanghai") == 0
    assert count_within([_call()], range(day + 1, day + 8), "Asia/Shanghai") == 0
