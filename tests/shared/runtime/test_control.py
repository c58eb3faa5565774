from types import SimpleNamespace

from shared.contract.base import Channel
from shared.contract.codec import Envelope, encode
from shared.contract.ticks import (
    DeploymentStamped,
    FactQuarantined,
    OutreachMode,
    OutreachSwitched,
    PolicyActivated,
    Switch,
    TimeMode,
)
from shared.engine.quarantine import facts_among
from shared.runtime.control import Control, folded


def said(*events):
    """Return records of the control topic."""
    return [
        SimpleNamespace(key=None, value=encode(Envelope(f"c{i}", "/operator", e.TYPE, e)), headers=())
        for i, e in enumerate(events)
    ]


def switch(mode, channel=None, lender=None):
    """Return an operator's word."""
    return OutreachSwitched(
        switch=Switch(mode=mode, channel=channel, lender_id=lender), reason="test", operator="somebody"
    )


def test_the_newest_word_of_each_scope_is_in_force():
    """A channel stopped and started again is not mentioned any more; other scopes stay."""
    control = folded(
        said(
            switch(OutreachMode.STOPPED, Channel.SMS),
            switch(OutreachMode.SHADOW, lender="LND"),
            switch(OutreachMode.STARTED, Channel.SMS),
            switch(OutreachMode.STOPPED),
        )
    )
    assert control.switches == (
        Switch(mode=OutreachMode.STOPPED),
        Switch(mode=OutreachMode.SHADOW, lender_id="LND"),
    )


def test_the_first_stamp_stands_and_the_last_policy_counts():
    """A topic set keeps its kind of time for ever; the policy in force is the one named last; garbage is ignored."""
    stamp = DeploymentStamped(mode=TimeMode.WALL, loan_partitions=4, borrower_partitions=4)
    other = DeploymentStamped(mode=TimeMode.SIMULATED, loan_partitions=4, borrower_partitions=4)
    policies = [PolicyActivated(policy=p, reason="test", operator="somebody") for p in ("a1", "b2")]
    records = said(stamp, policies[0], other, policies[1])
    records.insert(2, SimpleNamespace(key=b"k", value=b"{", headers=()))
    control = folded(records, Control())
    assert (control.stamp, control.policy) == (stamp, "b2")


def test_a_quarantined_fact_concerns_its_service_alone():
    """Each service is told of its own facts, once however often the operator said so."""
    mine = FactQuarantined(service="reminder", topic="t", partition=1, offset=7, reason="crash", operator="somebody")
    control = folded(said(mine, mine, mine.model_copy(update={"service": "escalation", "offset": 8})))
    assert facts_among(control.quarantined("reminder")) == {("t", 1, 7)}
    assert facts_among(control.quarantined("escalation")) == {("t", 1, 8)}
    assert control.quarantined("rate_limiter") == frozenset()
