"""Every event that may concern a person has a sentence."""

import pytest

from services.cli.explain.phrases import Reader, phrase
from shared.contract.base import Event
from shared.contract.catalogue import EVENTS
from shared.contract.codec import key_of
from shared.contract.examples import EXAMPLES
from shared.contract.loans import InstalmentScheduled
from shared.contract.topics import TOPICS, Keyed

READER = Reader("Asia/Shanghai", {})
ABOUT_SOMEBODY = [
    event
    for event in EVENTS.values()
    if event.KEY is not None and any(TOPICS[topic].keyed is not Keyed.NONE for topic in event.TOPICS)
]


@pytest.mark.parametrize("event", ABOUT_SOMEBODY, ids=lambda event: event.TYPE)
def test_every_event_has_a_sentence(event: type[Event]) -> None:
    """No event of the catalogue that concerns a person or a loan is without one plain sentence on one line."""
    sentence = phrase(EXAMPLES[event.TYPE], READER)
    assert sentence
    assert "\n" not in sentence
    assert not sentence.endswith(".")


def test_amounts_are_told_in_the_loans_currency() -> None:
    """A reader who knows the loan's currency sees money, not minor units."""
    data = EXAMPLES[InstalmentScheduled.TYPE]
    told = phrase(data, Reader("UTC", {str(key_of(data)): "CNY"}))
    assert "CNY" in told
    assert "minor units" not in told
