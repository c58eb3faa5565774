"""The twelve people."""

import pytest

from shared.simulation.endings import Tale
from shared.simulation.scenario import unlike_told
from shared.simulation.story import Character, characters
from tests.shared.simulation.stage import twenty_days, whole_story


@pytest.mark.parametrize("who", characters(), ids=lambda who: who.borrower_id)
def test_each_story_ends_as_it_must(who: Character) -> None:
    """Over sixty days the services bring each of the twelve to the end that is told."""
    assert list(who.ending(Tale(whole_story().chronicle, who.borrower_id))) == []


def test_every_promise_is_tried_and_kept_over_sixty_days() -> None:
    """Two cut-offs of the bureau and both clock changes lie inside: no checker is left without cases."""
    assert [str(verdict) for verdict in whole_story().verdicts() if not verdict.kept] == []


def test_an_ending_can_be_missed() -> None:
    """After twenty days the climber has not reached a person's review: endings do not hold by themselves."""
    assert "s12-misses-all" in unlike_told(twenty_days().chronicle, characters())


def test_there_are_twelve_people_with_ids_of_their_own() -> None:
    """Ids of people and loans are unique."""
    told = characters()
    loans = [account.loan_id for who in told for account in who.accounts]
    assert len({who.borrower_id for who in told}) == 12
    assert len(set(loans)) == len(loans)
