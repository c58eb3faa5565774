import pytest

from services.clock.pacing import EXPECTED_MS_MAX, Pacing, Stage


def after(*took_ms, poll_seconds=0.002):
    """Return the pacing of a clock whose stage-1 ticks were answered after so long, with one just written at 0."""
    pacing = Pacing(poll_seconds)
    for took in took_ms:
        pacing.asked(Stage.LOAN, 0)
        pacing.answered(took)
    pacing.asked(Stage.LOAN, 0)
    return pacing


def test_the_first_question_comes_when_most_of_the_usual_time_has_passed():
    """Nobody is asked who cannot have answered; from then on the pauses are a tenth of the usual time."""
    pacing = after(*[100] * 200)
    assert pacing.pause_seconds(0) == pytest.approx(0.06, abs=0.001)
    assert pacing.pause_seconds(40) == pytest.approx(0.02, abs=0.001)
    assert pacing.pause_seconds(70) == pacing.pause_seconds(500) == pytest.approx(0.01, abs=0.001)


def test_a_single_long_answer_hardly_slows_the_next_one():
    """A service that was down for a minute says nothing of the next tick; a quick answer is taken up at once."""
    usual = after(*[10] * 200).pause_seconds(0)
    assert after(*[10] * 200, 60_000).pause_seconds(0) <= usual + 0.05 * EXPECTED_MS_MAX / 1000
    assert after(*[100] * 200, 10, 10, 10).pause_seconds(0) < 0.02


def test_stages_are_expected_apart_and_pauses_are_never_shorter_than_the_setting():
    """What stage 1 takes says nothing of stage 2."""
    pacing = after(*[100] * 200)
    pacing.asked(Stage.BORROWER, 0)
    assert pacing.pause_seconds(0) == 0.002
    assert Pacing(0.005).pause_seconds(0) == 0.005
