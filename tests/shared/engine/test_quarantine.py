from shared.contract.codec import Envelope, encode
from shared.contract.recorded import Recorded
from shared.contract.ticks import CONTROL, FactQuarantined
from shared.contract.topics import DEAD_LETTERS
from shared.engine.dead_letters import dead_letter
from shared.engine.quarantine import facts_among, quarantined, wakes_among

PLACES = [("lending.due-dates", 0, 7), ("lending.due-dates", 0, 8), ("lending.due-dates", 1, 7)]


def asked(place, service="reminder"):
    """Return an operator's word as a record."""
    topic, partition, offset = place
    event = FactQuarantined(
        service=service, topic=topic, partition=partition, offset=offset, reason="crash", operator="somebody"
    )
    return Recorded(CONTROL, 0, 0, None, encode(Envelope("id", "/operator", event.TYPE, event)))


def asked_for_key(place, key, hours=72):
    """Return an operator's word about a wake as a record."""
    topic, partition, offset = place
    event = FactQuarantined(
        service="reminder", topic=topic, partition=partition, offset=offset, key=key, hours=hours, reason="crash",
        operator="somebody",
    )  # fmt: skip
    return Recorded(CONTROL, 0, 0, None, encode(Envelope("id", "/operator", event.TYPE, event)))


def buried(place, service="reminder", reason="quarantined"):
    """Return a service's dead letter as a record."""
    topic, partition, offset = place
    original = Recorded(topic, partition, offset, b"L1", b"{}")
    output = dead_letter(original.coordinates, original, service, 1, reason)
    return Recorded(DEAD_LETTERS, 0, 0, output.key, output.value, output.headers)


def test_only_what_was_asked_and_carried_out_counts():
    """A word that came too late, somebody else's dead letter, and one for another reason change no fold."""
    records = [asked(place) for place in PLACES]
    records += [buried(PLACES[0]), buried(PLACES[1], "escalation"), buried(PLACES[2], reason="not_json")]
    records += [Recorded(CONTROL, 0, 1, None, b"{"), buried(("lending.repayments", 0, 1))]
    assert facts_among(quarantined(records, "reminder")) == {PLACES[0]}
    assert quarantined(records, "escalation") == frozenset()


def test_of_several_words_about_one_wake_the_longest_counts():
    """Said twice, in either order, and carried out once; the wake of another key at that tick is another matter."""
    place = ("collections.loan-clock", 2, 7)
    words = [asked_for_key(place, "L1", 72), asked_for_key(place, "L1", 500), asked_for_key(place, "L2")]
    tick = Recorded("collections.loan-clock", 2, 7, b"L1", b"{}")
    letter = dead_letter("collections.loan-clock/2/7/L1", tick, "reminder", 1, "quarantined")
    done = Recorded(DEAD_LETTERS, 0, 0, letter.key, letter.value, letter.headers)
    for order in (words, words[::-1]):
        assert wakes_among(quarantined([*order, done], "reminder")) == {(2, 7, "L1"): 500}
        assert facts_among(quarantined([*order, done], "reminder")) == frozenset()
