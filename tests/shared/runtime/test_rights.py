import pytest

from services.clock.core import BORROWER_INPUTS, LOAN_INPUTS
from services.credit_report.processor import PROCESSOR as CREDIT_REPORT
from services.escalation.processor import PROCESSOR as ESCALATION
from services.rate_limiter.processor import PROCESSOR as RATE_LIMITER
from services.reminder.processor import PROCESSOR as REMINDER
from shared.contract.ticks import BORROWER_CLOCK, CONTROL, LOAN_CLOCK
from shared.contract.topics import CLOCK, DEAD_LETTERS
from shared.runtime.rights import Kind, Operation, Right, rights_of
from shared.runtime.settings import Settings

SETTINGS = Settings(prefix="north")
PROCESSORS = (REMINDER, ESCALATION, CREDIT_REPORT, RATE_LIMITER)


def allowed(process: str, operation: Operation) -> set[str]:
    """Return the topics with which a process may do something."""
    rights = rights_of(SETTINGS, process)
    return {right.name for right in rights if (right.kind, right.operation) == (Kind.TOPIC, operation)}


@pytest.mark.parametrize("processor", PROCESSORS, ids=lambda processor: processor.name)
def test_a_service_may_do_what_its_processor_says(processor) -> None:
    """It reads its inputs and what it said itself, and writes its outputs, dead letters and changelog; no more."""
    changelog = SETTINGS.changelog(processor.name)
    written = {*map(SETTINGS.topic, (*processor.writes, DEAD_LETTERS)), changelog}
    assert allowed(processor.name, Operation.WRITE) == written
    inputs = {*map(SETTINGS.topic, (*processor.reads, processor.clock, CONTROL))}
    assert allowed(processor.name, Operation.READ) == written | inputs
    others = [right for right in rights_of(SETTINGS, processor.name) if right.kind is not Kind.TOPIC]
    assert others == [
        Right(Kind.GROUP, SETTINGS.group(processor.name), Operation.READ),
        Right(Kind.TRANSACTIONAL_ID, f"north.{processor.name}-", Operation.WRITE, prefixed=True),
    ]
    assert SETTINGS.transactional_id(processor.name, 3).startswith(others[1].name)


def test_the_clock_writes_ticks_and_looks_at_inputs() -> None:
    """It may write to its two topics only, and describe what barriers are about and who reports progress."""
    clocks = {SETTINGS.topic(LOAN_CLOCK), SETTINGS.topic(BORROWER_CLOCK)}
    assert allowed(CLOCK, Operation.WRITE) == clocks
    assert allowed(CLOCK, Operation.READ) == {*clocks, SETTINGS.topic(CONTROL)}
    assert allowed(CLOCK, Operation.DESCRIBE) == {*map(SETTINGS.topic, (*LOAN_INPUTS, *BORROWER_INPUTS))}
    groups = [right for right in rights_of(SETTINGS, CLOCK) if right.kind is Kind.GROUP]
    assert groups == [Right(Kind.GROUP, SETTINGS.group(p.name), Operation.DESCRIBE) for p in PROCESSORS]
