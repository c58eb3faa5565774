"""One seed's whole setting: portfolio, the twelve people, what is sent by mistake; for the simulation and the demo."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from shared.contract.repayments import REPAYMENTS, RepaymentReceived
from shared.engine.epoch import Deployment
from shared.engine.processor import Processor
from shared.kernel.partitioning import Partitioner, partition_of
from shared.kernel.zones import DAY_MS, HOUR_MS, local_date
from shared.simulation.checkers.chronicle import Chronicle
from shared.simulation.desk import publication
from shared.simulation.endings import Tale
from shared.simulation.faults import Faults
from shared.simulation.gateway import Gateway
from shared.simulation.lender import Lender, Scripted
from shared.simulation.log import Publication
from shared.simulation.portfolio import Account, Paying, Portfolio, build_portfolio
from shared.simulation.story import Character, characters
from shared.simulation.world import Setting, World


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything outside duecourse, for one seed; `lender()` and `gateway()` begin anew each time."""

    seed: int
    setting: Setting
    portfolio: Portfolio
    characters: tuple[Character, ...]
    script: tuple[Scripted, ...]

    def lender(self) -> Lender:
        """Return the lenders at their beginning."""
        setting = self.setting
        return Lender(self.seed, self.portfolio, start_ms=setting.start_ms, step_ms=setting.step_ms, script=self.script)

    def gateway(self) -> Gateway:
        """Return the gateways at their beginning."""
        return Gateway(self.seed, self.portfolio, step_ms=self.setting.step_ms)

    def world(
        self, processors: Sequence[Processor[Any]], deployment: Deployment, faults: Faults | None = None
    ) -> World:
        """Return a world in memory, before its first tick."""
        return World(self.setting, processors, deployment, self.lender(), self.gateway(), faults)


def build_scenario(seed: int, loans: int, setting: Setting, *, mistakes: bool = True) -> Scenario:
    """Return `loans` loans drawn from the seed, the twelve people's on top, and, if asked, two records gone astray."""
    drawn = build_portfolio(seed, loans, setting.days)
    told = characters()
    people = (*drawn.people, *(character.person for character in told))
    accounts = (*drawn.accounts, *(account for character in told for account in character.accounts))
    script = tuple(one for character in told for one in character.script)
    if mistakes:
        script = (*script, *_mistakes(drawn.accounts, setting))
    return Scenario(seed, setting, Portfolio.of(people, accounts), told, script)


def _mistakes(accounts: Sequence[Account], setting: Setting) -> Iterator[Scripted]:
    """Yield a repayment that is no JSON and one on the wrong partition, on the fifth day, where there is a loan."""
    at = setting.start_ms + 5 * DAY_MS + 3 * HOUR_MS
    late = [account for account in accounts if account.paying is not Paying.ON_TIME]
    if len(late) < 2:
        return
    garbled, misrouted = late[0], late[1]
    yield Scripted(at, Publication(REPAYMENTS, garbled.loan_id.encode(), b'{"specversion": "1.0", "type": "lend'))
    event = RepaymentReceived(
        loan_id=misrouted.loan_id,
        payment_id=f"{misrouted.loan_id}-astray",
        amount_minor=100,
        currency=misrouted.terms.currency,
        value_date=misrouted.schedule[0].due_date,
    )
    yield Scripted(at, _impossible(late[-1], setting))
    right = publication(event, f"{misrouted.loan_id}-astray", f"/lenders/{misrouted.terms.lender_id}", at)
    assert right.key is not None
    home = partition_of(right.key, setting.loan_partitions, Partitioner.MURMUR2)
    wrong = (home + 1) % setting.loan_partitions
    yield Scripted(at, Publication(right.topic, right.key, right.value, right.headers, wrong))


def _impossible(account: Account, setting: Setting) -> RepaymentReceived:
    """Return a repayment that can be read and cannot be: it is in a currency of another loan."""
    other = next(currency for currency in ("CNY", "USD") if currency != account.terms.currency)
    return RepaymentReceived(
        loan_id=account.loan_id,
        payment_id=f"{account.loan_id}-impossible",
        amount_minor=100,
        currency=other,
        value_date=local_date(setting.start_ms, account.terms.accounting_zone),
    )


def unlike_told(chronicle: Chronicle, told: Sequence[Character]) -> dict[str, tuple[str, ...]]:
    """Return, by person, what of the stories did not end as it must; empty when all did."""
    found = {who.borrower_id: tuple(who.ending(Tale(chronicle, who.borrower_id))) for who in told}
    return {name: problems for name, problems in found.items() if problems}
