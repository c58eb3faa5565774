"""`duecourse quarantine`: what it refuses, and what it says when nobody carries it out."""

import pytest

from shared.contract.loans import DUE_DATES
from shared.contract.ticks import BORROWER_CLOCK, CONTROL, LOAN_CLOCK, FactQuarantined
from shared.runtime.records import Deployment
from tests.services.cli.conftest import Run
from tests.services.cli.topic_set import put_example, records


@pytest.mark.kafka
def test_a_mistake_is_one_sentence_and_nothing_is_written(deployment: Deployment, run: Run) -> None:
    """A topic that the service does not read, a partition or a fact that is not there, an empty reason: exit code 2."""
    mistakes = {
        ("reminder", "lending.borrowers", "0", "0", "why"): "reminder does not read lending.borrowers.",
        ("reminder", DUE_DATES, "9", "0", "why"): "has 4 partitions, 0 to 3.",
        ("reminder", DUE_DATES, "0", "5", "why"): "ends at 0: there is nothing at 5 yet.",
        ("reminder", DUE_DATES, "0", "0", ""): "The reason is not usable",
        ("reminder", LOAN_CLOCK, "0", "0", "why"): "a tick is passed by for one key only.",
        ("reminder", BORROWER_CLOCK, "0", "0", "why"): "reminder does not read collections.borrower-clock.",
    }
    for (*place, reason), sentence in mistakes.items():
        code, _, said = run("quarantine", *place, "--reason", reason, deployment=deployment)
        assert (code, sentence in said) == (2, True), said
    assert len(records(deployment, [CONTROL])) == 1, "the stamp alone"


@pytest.mark.kafka
def test_while_no_service_starts_the_word_is_kept(deployment: Deployment, run: Run) -> None:
    """The fact is named on the control topic with reason and operator; exit code 1 says that it waits."""
    _, partition, offset = put_example(deployment, "lending.loan.opened.v1").split("/")
    place = ("reminder", DUE_DATES, partition, offset)
    options = ("--reason", "crashes it", "--operator", "ann", "--wait", "0.2")
    code, _, said = run("quarantine", *place, *options, deployment=deployment)
    found = [record.decode() for record in records(deployment, [CONTROL])]
    assert code == 1
    assert "It does so at its next start" in said
    assert [e.data for e in found if isinstance(e.data, FactQuarantined)] == [
        FactQuarantined(
            service="reminder",
            topic=DUE_DATES,
            partition=int(partition),
            offset=int(offset),
            reason="crashes it",
            operator="ann",
        )
    ]
