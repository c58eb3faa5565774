"""The simulated gateways keep the gateways' contract."""

from collections import defaultdict

from shared.contract.outcomes import Outcome, OutreachOutcome
from shared.contract.outreach import PermitGranted, PermitWithdrawn
from shared.simulation.faults import Faults
from tests.shared.simulation.stage import Played, play, whole_story


def _attempts(played: Played) -> dict[str, set[int]]:
    found: dict[str, set[int]] = defaultdict(set)
    for entry in played.chronicle.of(OutreachOutcome):
        if entry.data.outcome is Outcome.ATTEMPTED and entry.data.permit_id is not None:
            found[entry.data.permit_id].add(entry.data.occurred_ms)
    return found


def test_at_most_one_attempt_per_permit_inside_its_interval() -> None:
    """Each attempt lies on one permit, once, from its first instant and before its last."""
    permits = {entry.data.permit_id: entry.data for entry in whole_story().chronicle.of(PermitGranted)}
    attempts = _attempts(whole_story())
    assert len(attempts) > 50
    for permit_id, instants in attempts.items():
        (made,) = instants
        assert permits[permit_id].valid_from_ms <= made < permits[permit_id].valid_until_ms


def test_no_attempt_after_a_withdrawal_that_was_known() -> None:
    """A permit that is withdrawn before it was used is given back, not used."""
    played = play(loans=40, days=30, faults=Faults(1))
    attempts = _attempts(played)
    given_back = {
        entry.data.permit_id
        for entry in played.chronicle.of(OutreachOutcome)
        if entry.data.outcome is Outcome.NOT_ATTEMPTED
    }
    for entry in played.chronicle.of(PermitWithdrawn):
        assert all(made < entry.at for made in attempts.get(entry.data.permit_id, ()))
    assert given_back
    assert not given_back & attempts.keys()
