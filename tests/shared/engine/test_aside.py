"""Keys put aside: for so many hours, and until their own dead letter is discarded."""

import pytest

from shared.contract.arrangements import ARRANGEMENTS, DeadLetterDiscarded
from shared.contract.ticks import LOAN_CLOCK, FactQuarantined
from shared.engine.aside import KeysAside
from shared.engine.deployment import passing_by
from shared.engine.processor import Fact
from shared.engine.progress import birth
from tests.shared.engine.toy import HOUR_MS, LOANS, START_MS, deployment

HOURS = 2
ENDS_MS = START_MS + HOURS * HOUR_MS


@pytest.fixture
def keys():
    """Return a partition's keys, of which one was put aside at a tick at offset 7."""
    word = FactQuarantined(
        service="reminder",
        topic=LOAN_CLOCK,
        partition=0,
        offset=7,
        key="L1",
        hours=HOURS,
        reason="crashes",
        operator="ann",
    )
    found = KeysAside(passing_by(deployment(), frozenset({word})), LOAN_CLOCK, 0, birth(LOANS.reads, 0, {}, ""))
    assert found.put("L2", 7, START_MS) is None
    assert found.put("L1", 7, START_MS) == f"{LOAN_CLOCK}/0/7/L1"
    return found


def test_a_key_is_put_aside_for_its_hours_and_no_longer(keys):
    """At their end it may be woken again, and its neighbours could be all the time."""
    assert [keys.until("L1", at) for at in (START_MS, ENDS_MS - 1, ENDS_MS)] == [ENDS_MS, ENDS_MS, None]
    assert keys.until("L2", START_MS) is None
    assert (list(keys.kept(ENDS_MS - 1)), keys.kept(ENDS_MS)) == (["L1"], {})


def test_only_the_discard_of_its_own_dead_letter_lets_it_be_woken(keys):
    """Another letter about the same loan may be discarded meanwhile: that says nothing of this one."""
    for coordinates, until in ((f"{LOAN_CLOCK}/0/6/L1", ENDS_MS), (f"{LOAN_CLOCK}/0/7/L1", None)):
        said = DeadLetterDiscarded(loan_id="L1", coordinates=coordinates, reason="repaired")
        keys.release(Fact(ARRANGEMENTS, "L1", "an-id", "/operator", said))
        assert keys.until("L1", START_MS) == until
