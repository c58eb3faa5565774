"""The portfolio and the lenders: pure functions of the seed, whose every word the contract takes."""

from collections import Counter
from datetime import date

from shared.contract.base import Amounts
from shared.contract.codec import Envelope, decode
from shared.contract.loans import LoanBoarded
from shared.contract.people import BorrowerOptedOut
from shared.contract.repayments import RepaymentReceived, RepaymentReversed
from shared.kernel.zones import DAY_MS, HOUR_MS
from shared.simulation.lender import Lender
from shared.simulation.log import Publication
from shared.simulation.portfolio import START_MS, Paying, build_portfolio, schedule_of


def _said(seed: int, loans: int = 300, days: int = 60) -> list[Publication]:
    lender = Lender(seed, build_portfolio(seed, loans, days))
    return [said for at in range(START_MS, START_MS + days * DAY_MS, HOUR_MS) for said in lender.answer(at)]


def test_one_seed_one_portfolio_and_one_course_of_events() -> None:
    """The same seed gives the same records in the same order, another seed gives others."""
    assert _said(1, 40) == _said(1, 40)
    assert _said(1, 40) != _said(2, 40)


def test_the_contract_takes_every_word() -> None:
    """Each record that a lender publishes is readable on its topic under its key."""
    said = _said(3)
    assert len(said) > 1500
    for one in said:
        assert isinstance(decode(one.topic, one.key, one.value, one.headers), Envelope)


def test_everything_that_ought_to_happen_does() -> None:
    """Late value dates, returned payments, boarded loans, refusals and repetitions all occur in sixty days."""
    events = [decode(one.topic, one.key, one.value, one.headers) for one in _said(3)]
    data = [event.data for event in events if isinstance(event, Envelope)]
    kinds = Counter(type(event) for event in data)
    assert min(kinds[kind] for kind in (RepaymentReversed, LoanBoarded, BorrowerOptedOut)) > 0
    assert len({event.id for event in events if isinstance(event, Envelope)}) < len(events)
    late = [event for event in data if isinstance(event, RepaymentReceived)]
    assert len({event.currency for event in late}) == 4


def test_most_pay_on_time_and_some_stop() -> None:
    """Of a thousand loans about seven in ten pay on time, and one in fourteen stops."""
    ways = Counter(account.paying for account in build_portfolio(5, 1000, 60).accounts)
    assert 650 < ways[Paying.ON_TIME] < 750
    assert 40 < ways[Paying.STOPS] < 110


def test_t07_a_due_day_of_31_keeps_its_nominal_day() -> None:
    """Due on the 31st means the last day of short months, the leap day included, and never drifts."""
    schedule = schedule_of("loan", 31, Amounts(principal_minor=100), 60)
    assert [due.due_date for due in schedule] == [date(2024, 2, 29), date(2024, 3, 31), date(2024, 4, 30)]
