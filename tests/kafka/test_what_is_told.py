"""No personal data anywhere but in the topics: canaries in every field of every event, and in none of what is told.

One deployment of the real services on a real broker, traces on, is looked at from all sides.
"""

import asyncio
import re
from dataclasses import dataclass

import pytest

from shared.contract.loans import DUE_DATES
from shared.contract.outreach import OUTREACH
from shared.contract.ticks import TimeMode
from shared.contract.topics import DEAD_LETTERS, SERVICES
from shared.runtime.pseudonyms import Pseudonyms
from shared.runtime.records import Deployment, read_records
from shared.runtime.stop import StopReason
from tests.kafka.canaries import CANARY, LOAN, PERSON, flow, outsiders, plant, record_of, require_none, sightings
from tests.kafka.collector import Collector, Told
from tests.kafka.leaky_service import (
    fails_in_a_thread,
    forgets_a_task,
    logs,
    logs_by_library,
    prints,
    raises,
    says,
)
from tests.kafka.real_house import RealHouse

pytestmark = pytest.mark.kafka

KEY = "the key of this deployment"
BEGIN, END = "2024-02-10T00:00:00Z", "2024-02-13T12:00:00Z"


@dataclass(frozen=True)
class Run:
    """What is left of a run when all processes have ended."""

    logs: dict[str, str]
    lines: dict[str, list[dict]]
    answers: dict[str, str]
    doctor: str
    checked: str
    dead: list
    permits: list
    spans: list[Told]
    traces: str
    exits: dict[str, int]


async def run(kafka, folder):
    """Publish everything before the first tick, let a week pass, ask everybody everything, and end."""
    with Collector() as collector:
        extra = {"DUECOURSE_LOG_KEY": KEY, **collector.environment}
        async with RealHouse(kafka, "canaries", folder, extra) as house:
            await house.publish([*plant().records, *(record_of(e, f"CANARY-f{n}") for n, e in enumerate(flow()))])
            house.start_all(BEGIN, END)
            assert await house.ended("clock") == 0, house.log("clock")[-2000:]
            answers = {k: v for name in SERVICES for k, v in (await house.answers(name)).items()}
            _, doctor = await house.command("doctor", "--import", "1000")
            exits = await house.stop()
            _, checked = await house.command("check")
            place = Deployment(house.settings.broker, house.settings.prefix)
            dead = [record async for record in read_records(place, [DEAD_LETTERS])]
            permits = [record async for record in read_records(place, [OUTREACH])]
            lines = {name: house.lines(name) for name in house.processes}
            return Run(
                house.logs(), lines, answers, doctor, checked, dead, permits, collector.spans,
                "\n".join(collector.text), exits,
            )  # fmt: skip


@pytest.fixture(scope="module")
def told(kafka, tmp_path_factory):
    """The one run that all these tests look at."""
    return asyncio.run(run(kafka, tmp_path_factory.mktemp("canaries")))


def test_every_text_of_every_event_is_planted():
    """Each field of each event that others write carries a canary, in accepted records or in refused ones."""
    plan = plant()
    assert {event.TYPE for event in outsiders()} == {event_type for event_type, _ in plan.fields}
    assert len(plan.fields) > 80
    assert len(plan.kept) > 40
    assert all(CANARY in (record.value or b"").decode("utf-8", "replace").lower() or record.value is None
               or CANARY in record.value.decode("utf-16", "replace").lower() for record in plan.records)  # fmt: skip


def test_the_run_was_worth_looking_at(told):
    """Facts were applied, refused for many reasons, and led to a permit for a person named by a canary."""
    metrics = "".join(told.answers.values())
    facts = sum(int(n) for n in re.findall(r'duecourse_facts_total\{[^}]*verdict="applied"\} (\d+)', metrics))
    assert facts > 40
    reasons = {dict(record.headers)["duecourse-reason"] for record in told.dead}
    assert len(reasons) > 8
    assert len(told.dead) > 300
    assert any(record.key == PERSON.encode() for record in told.permits)
    assert told.exits == {**dict.fromkeys(SERVICES, 0), "clock": 0}


def test_no_canary_in_any_log(told):
    """Whatever a process wrote, to standard output or error, from start to end."""
    assert set(told.logs) == {f"{name}.log" for name in (*SERVICES, "clock")}
    assert all(len(lines) > 1 for lines in told.lines.values())
    require_none(told.logs)


def test_every_line_of_a_log_is_one_json_object(told):
    """No library, warning or traceback goes past the log."""
    for name, text in told.logs.items():
        assert len(text.splitlines()) == len(told.lines[name.removesuffix(".log")]), name


def test_no_canary_in_metrics_and_health(told):
    """What anybody may ask for without a password."""
    assert len(told.answers) == 4 * len(SERVICES)
    require_none(told.answers)


def test_no_canary_in_what_an_operator_is_told(told):
    """The doctor's findings and advice."""
    assert "lag" in told.doctor
    require_none({"doctor": told.doctor})


def test_no_canary_in_what_we_say_of_dead_letters(told):
    """Reason, detail and coordinates quote nothing; the original's own key and headers are kept beside its bytes."""
    own = {
        f"{record.coordinates} {name}": (value or b"").decode(errors="replace")
        for record in told.dead
        for name, value in record.headers
        if name != "duecourse-key" and not name.startswith("original-")
    }
    assert len(own) > 5 * 300
    require_none(own)
    require_none({str(n): record.key.decode() for n, record in enumerate(told.dead)})


def test_no_canary_in_traces(told):
    """Names, attributes, resources: everything that was sent to the collector."""
    assert len(told.spans) > 200
    require_none({"spans": told.traces})


def test_a_decision_names_people_so_that_only_the_key_leads_back(told):
    """The same loan has the same name in the lines of all services, and it is that of the `pseudonym` command."""
    name = Pseudonyms(KEY).of(LOAN)
    seen = {s for s, lines in told.lines.items() for line in lines if line.get("loan_ref") == name}
    assert {"reminder", "rate_limiter"} <= seen


def test_a_permit_leads_back_to_the_lenders_record_by_links(told):
    """Permit, request, fact: each span is linked to, or a child of, the one before it, through both stages."""
    spans = {(span.trace_id, span.span_id): span for span in told.spans}
    permit = next(
        span
        for span in told.spans
        if span.attributes.get("duecourse.event_type", "").startswith("collections.permit.granted")
        and span.attributes["duecourse.borrower_ref"] == Pseudonyms(KEY).of(PERSON)
    )
    assert (permit.service, permit.name) == ("duecourse-rate_limiter", f"publish {OUTREACH}")
    read = next(spans[link] for link in permit.links)
    assert (read.service, read.name) == ("duecourse-rate_limiter", "process collections.reminders")
    request = spans[read.trace_id, read.parent]
    assert (request.service, request.name) == ("duecourse-reminder", "publish collections.reminders")
    causes = [spans[link] for link in request.links if link in spans]
    assert {(cause.service, cause.name) for cause in causes} == {("duecourse-reminder", f"process {DUE_DATES}")}


def test_published_events_carry_their_context_in_a_header_only(told):
    """Values are the same with traces on and off: what a fold without traces says is what lies on the topics."""
    for record in told.permits:
        assert dict(record.headers)["traceparent"].startswith(b"00-")
        assert b"traceparent" not in (record.value or b"")
    (line,) = re.findall(r"P8[^\n]*", told.checked)
    assert re.search(r"\b0 / [1-9]", line), told.checked


async def broken_build(kafka, folder, faults, code=None):
    """Run a reminder with faults over the flow; return what it wrote."""
    name = f"broken-{faults[0].__name__.replace('_', '-')}"
    async with RealHouse(kafka, name, folder, {"DUECOURSE_LOG_KEY": KEY}, TimeMode.WALL) as house:
        await house.publish([record_of(event, f"CANARY-{n}") for n, event in enumerate(flow())])
        house.start("clock", "services.cli", "run", "clock", "--gate-on", "reminder")
        house.start("broken", "tests.kafka.leaky_service", *(fault.__name__ for fault in faults))
        if code is None:
            await house.said("broken", "epoch")
            await house.stop()
        else:
            assert await house.ended("broken") == code
        return house.logs()["broken.log"], house.lines("broken")


async def test_a_core_that_quotes_what_it_cannot_bear_tells_nothing(kafka, tmp_path):
    """Class, cause, place, the fact's coordinates and what to do: all but the message, which holds the fact."""
    text, lines = await broken_build(kafka, tmp_path, [raises], StopReason.CORE_CRASHED.code)
    (broken,) = [line for line in lines if line["event"] == "broken invariant"]
    (stopped,) = [line for line in lines if line["event"] == "stopped"]
    assert (broken["error"], broken["causes"]) == ("ValueError", ["KeyError"])
    assert broken["frames"][-1].endswith(" raises")
    assert f"{DUE_DATES}/" in stopped["detail"]
    assert "quarantine" in stopped["advice"]
    require_none({"broken.log": text})


async def test_what_a_careless_build_hands_to_the_log_is_left_out(kafka, tmp_path):
    """Unknown fields, arguments of libraries' lines, forgotten tasks, threads that fail: each said, none quoted."""
    text, lines = await broken_build(kafka, tmp_path, [logs, logs_by_library, forgets_a_task, fails_in_a_thread])
    assert any(line.get("left_out") == ["loan_id", "payload"] for line in lines)
    assert any(line.get("logger") == "library" for line in lines)
    assert any(line["event"] == "uncaught error" and line["error"] == "ValueError" for line in lines)
    require_none({"broken.log": text})


async def test_a_build_that_gets_a_fact_past_the_redaction_is_caught_by_the_search(kafka, tmp_path):
    """Printed, or written into the constant of a line: the search fails, and names the file and the line."""
    text, _ = await broken_build(kafka, tmp_path, [prints, says])
    with pytest.raises(AssertionError, match=r"broken\.log:\d+: printed"):
        require_none({"broken.log": text})
    assert any("said" in seen for seen in sightings({"broken.log": text}))


def test_the_search_finds_what_is_there():
    """A canary in any case, in any line of any place, is named with the place and the line."""
    places = {"a.log": "fine\nof Zoë CaNaRy", "b": "fine"}
    assert sightings(places) == ["a.log:2: of Zoë CaNaRy"]
    assert sightings({**places, "a.log": "fine"}) == []
