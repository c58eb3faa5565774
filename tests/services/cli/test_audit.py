"""The judge as a process: what it counts besides the promises."""

import json
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from services.cli.audit import Auditor, audit_of, exempt_contacts, near_misses
from services.cli.report_text import VIOLATIONS_SHOWN
from services.cli.sources import Source
from shared.contract.loans import LoanOpened
from shared.contract.outreach import OUTREACH, PermitGranted
from shared.contract.people import BorrowerProfile
from shared.contract.recorded import Recorded
from shared.contract.requests import ContactRequested
from shared.engine.store import STATE_PREFIX
from shared.runtime.log_directory import write_log
from shared.runtime.pseudonyms import Pseudonyms
from shared.simulation.checkers import Policies
from shared.simulation.log import changelog_of
from shared.simulation.report import Spread, report
from tests.shared.simulation.stage import Played, policy, twenty_days

KEY = "a key that all processes share"
POLICIES = Policies({policy().hash: policy()})


def test_an_audit_counts_in_portions_what_a_report_counts_at_once(tmp_path: Path) -> None:
    """Contacts, cures and chances of an audit of a folder are those of the whole run; no promise was broken."""
    played = twenty_days()
    write_log(tmp_path, played.world.log)
    audit = audit_of(Source(tmp_path, None, ""), POLICIES)
    whole = report(played.chronicle, policy().packs, ())
    found = audit.conduct
    assert Spread.of_counts(found.in_a_week) == whole.contacts_per_person
    assert found.made == whole.contacts_made > 0
    assert found.exempt == exempt_contacts(played.chronicle)
    assert found.near_misses == near_misses(played.chronicle, policy().packs)
    assert found.chances_after_payment == whole.chances_to_dun_after_payment > 0
    assert found.attempts_after_payment == whole.attempts_after_payment
    assert (found.cured, found.cured_without_human) == (whole.cured, whole.cured_without_human)
    assert {verdict.promise for verdict in audit.verdicts if verdict.violated} == set()


def test_an_audit_judges_the_promises_that_it_is_asked_for(tmp_path: Path) -> None:
    """After an upgrade P1 and P8 are left out: the others are judged, and people counted, all the same."""
    write_log(tmp_path, twenty_days().world.log)
    asked = ("P2", "P5")
    audit = audit_of(Source(tmp_path, None, ""), POLICIES, asked)
    assert tuple(verdict.promise for verdict in audit.verdicts) == asked
    assert all(verdict.cases for verdict in audit.verdicts)
    assert audit.conduct.made > 0


@pytest.mark.usefixtures("_one_key")
def test_the_auditor_goes_on_with_the_promises_that_it_was_started_with(tmp_path: Path) -> None:
    """By the command line: its line of each audit names those, and no other; `--since` is refused there."""
    write_log(tmp_path, twenty_days().world.log)
    command = [sys.executable, "-m", "services.cli", "check", "--log", str(tmp_path), "--every-minutes", "60"]
    with subprocess.Popen([*command, "--promise", "P5"], stdout=subprocess.PIPE, text=True) as auditor:
        assert auditor.stdout is not None
        line = next(json.loads(text) for text in auditor.stdout if '"audited"' in text)
        auditor.terminate()
    assert (set(line["cases"]), line["violated"]) == ({"P5"}, {})
    refused = subprocess.run([*command, "--since", "2024-01-01T00:00:00Z"], capture_output=True, text=True, check=False)
    assert (refused.returncode, "Leave --since out" in refused.stderr) == (2, True)


@given(st.lists(st.integers(0, 9), max_size=300))
def test_a_spread_of_counts_is_that_of_the_values(values: list[int]) -> None:
    """Median, p99 and largest of many equal values need only their counts."""
    ordered = sorted(values) or [0]
    p99 = ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]
    assert Spread.of_counts(Counter(values)) == Spread(ordered[len(ordered) // 2], p99, ordered[-1])


@pytest.fixture
def _one_key(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A deployment whose processes name people by one key; what the auditor set up for logs is let go."""
    monkeypatch.setenv("DUECOURSE_LOG_KEY", KEY)
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def _told(folder: Path, records: Iterable[Recorded]) -> tuple[str, dict[str, list[dict[str, Any]]]]:
    """Return what an auditor of these records writes, and its lines about broken promises by promise."""
    write_log(folder, records)
    out = StringIO()
    with redirect_stdout(out):
        Auditor(lambda: audit_of(Source(folder, None, ""), POLICIES), 60, "1").audit()
    found = defaultdict(list)
    for line in map(json.loads, out.getvalue().splitlines()):
        if line["event"] == "promise broken":
            found[line["promise"]].append(line)
    return out.getvalue(), found


def _forged(permit: Recorded, offset: int, permit_id: str, event_id: str, source: str = "") -> Recorded:
    """The permit once more, under other ids, as a foreign writer would put it at the end of the gate's topic."""
    document = json.loads(permit.value or b"")
    document |= {"id": event_id, "data": document["data"] | {"permit_id": permit_id}}
    document |= {"source": source} if source else {}
    return replace(permit, offset=offset, value=json.dumps(document).encode())


def _people_and_loans(played: Played) -> set[str]:
    people = {entry.data.borrower_id for entry in played.chronicle.of(BorrowerProfile)}
    return people | {entry.data.loan_id for entry in played.chronicle.of(LoanOpened)}


@pytest.mark.usefixtures("_one_key")
def test_a_broken_promise_is_told_with_its_place_and_without_names(tmp_path: Path) -> None:
    """Forged permits and a lost state lead to records and a pseudonym; nobody, and no foreign text, is named."""
    played = twenty_days()
    permit = next(entry for entry in played.chronicle.of(PermitGranted))
    log = list(played.world.log)
    place = (OUTREACH, permit.record.partition)
    end = 1 + max(record.offset for record in log if (record.topic, record.partition) == place)
    forged = [_forged(permit.record, end + n, f"forged-{n}", f"Jane Doe {n}") for n in range(VIOLATIONS_SHOWN + 3)]
    state = next(it for it in log if it.topic == changelog_of("reminder") and (it.key or b"").startswith(STATE_PREFIX))
    lost = replace(state, offset=10**6, value=None)
    out, found = _told(tmp_path, [*log, *forged, lost])
    assert {"P1", "P2", "P8"} <= found.keys()
    assert {f"{OUTREACH}/{permit.record.partition}/{end}"} <= {line["where"] for line in found["P2"]}
    assert all(len(lines) <= VIOLATIONS_SHOWN for lines in found.values())
    assert len(found["P2"]) == VIOLATIONS_SHOWN
    loan = (state.key or b"")[len(STATE_PREFIX) :].decode()
    (line,) = [line for line in found["P1"] if "about_ref" in line]
    assert (line["where"], line["about_ref"]) == (f"reminder/{state.partition}", Pseudonyms(KEY).of(loan))
    assert [name for name in (*_people_and_loans(played), "Jane Doe") if name in out] == []


@pytest.mark.usefixtures("_one_key")
def test_a_broken_promise_about_a_decision_of_ours_is_told_with_the_events_id(tmp_path: Path) -> None:
    """Where a request has gone from its topic, the permit that names it leads to the line of its decision."""
    played = twenty_days()
    permit = next(entry for entry in played.chronicle.of(PermitGranted))
    asked = {loan.request_id for loan in permit.data.loans}
    (gone, *_) = [entry for entry in played.chronicle.of(ContactRequested) if entry.data.request_id in asked]
    _, found = _told(tmp_path, (record for record in played.world.log if record != gone.record))
    leads = {(line["where"], line.get("id")) for line in found["P5"]}
    assert (permit.record.coordinates, permit.id) in leads


@pytest.mark.parametrize(
    "source",
    ["/rate_limiter/0", "x", "/duecourse/rate_limiter/x", "/duecourse/rate_limiter/²", "/duecourse/nobody/1", "urn:a"],
)
@pytest.mark.usefixtures("_one_key")
def test_what_a_stranger_wrote_on_our_topics_breaks_a_promise_and_no_audit(tmp_path: Path, source: str) -> None:
    """A decision whose source is none of our services is a violation with its place, whatever the source looks like."""
    played = twenty_days()
    permit = next(entry for entry in played.chronicle.of(PermitGranted))
    forged = _forged(permit.record, 10**6, "forged", "forged", source)
    _, found = _told(tmp_path, [*played.world.log, forged])
    assert forged.coordinates in {line["where"] for line in found["P7"]}
