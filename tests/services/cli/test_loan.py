"""`duecourse loan try`: the worked examples, the schemas, and files that are not what they should be."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from services.cli import main
from services.cli.loan_schemas import FOLDER, INPUT_FILE, OUTPUT_FILE, documents

EXAMPLES = sorted((FOLDER / "examples").glob("*.jsonl"))
OPENED = (
    '{"type":"lending.loan.opened.v1","data":{"loan_id":"loan-1","terms":{"lender_id":"l","currency":"CNY",'
    '"obligors":[{"borrower_id":"b","role":"borrower"}],"product":"term","accounting_zone":"Asia/Shanghai",'
    '"jurisdiction":"CN"}}}'
)
PAID = (
    '{"type":"lending.repayment.received.v1","data":{"loan_id":"loan-1","payment_id":"p","amount_minor":5,'
    '"currency":"CNY","value_date":"2024-03-10"}}'
)


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int | str, str, str]:
    """Exit code, standard output and standard error of `duecourse loan try`."""
    with pytest.raises(SystemExit) as left:
        main(["loan", "try", *map(str, arguments)])
    captured = capsys.readouterr()
    return left.value.code or 0, captured.out, captured.err


def schema(name: str) -> Draft202012Validator:
    document = json.loads((FOLDER / name).read_text())
    Draft202012Validator.check_schema(document)
    return Draft202012Validator(document)


def expected(example: Path) -> tuple[Any, str]:
    """The expected output beside the example, and the date for which it stands."""
    document = json.loads(example.with_suffix(".json").read_text())
    first = document[0] if isinstance(document, list) else document
    return document, first["as_of"]


def test_there_are_ten_worked_examples() -> None:
    """Each example has lines and an expected output, and stands in the page with its date."""
    page = (FOLDER.parent / "loan-try.md").read_text()
    told = dict(re.findall(r"\(loan-try/examples/([\w-]+)\.jsonl\) \| (\S+) \|", page))
    assert told == {example.stem: expected(example)[1] for example in EXAMPLES}
    assert len(told) == 10


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_worked_example(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The example's lines give the committed output."""
    document, as_of = expected(example)
    code, out, _ = run(capsys, example, "--as-of", as_of)
    assert (code, json.loads(out)) == (0, document)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_order_and_repetition_of_lines_do_not_matter(
    example: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Backwards, and every line twice, the loans owe the same; only a refusal depends on what came first."""
    document, as_of = expected(example)
    lines = example.read_text().splitlines()
    shuffled = tmp_path / "shuffled.jsonl"
    shuffled.write_text("\n".join([*reversed(lines), "", *lines]))
    _, out, _ = run(capsys, shuffled, "--as-of", as_of)
    told = {"instalments", "days_past_due", "treatment_days", "bucket", "amount_overdue", "oldest_overdue_date"}
    for before, after in zip(loans(document), loans(json.loads(out)), strict=True):
        assert {name: after[name] for name in told} == {name: before[name] for name in told}


def loans(document: Any) -> list[dict[str, Any]]:
    return document if isinstance(document, list) else [document]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_examples_keep_to_the_schemas(example: Path) -> None:
    """Every line and every output of the examples is valid in the eyes of a validator that is not ours."""
    lines = [json.loads(line) for line in example.read_text().splitlines()]
    assert [error.message for line in lines for error in schema(INPUT_FILE).iter_errors(line)] == []
    assert list(schema(OUTPUT_FILE).iter_errors(expected(example)[0])) == []


def test_schemas_are_in_step_with_the_models() -> None:
    """What is kept in the repository is what the models say."""
    assert {name: (FOLDER / name).read_text() for name in documents()} == documents()


def test_contact_basis_counts_money_once_it_is_known(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A payment valued after the date silences demands on the contact basis, and not the books."""
    file = tmp_path / "facts.jsonl"
    scheduled = (
        '{"type":"lending.instalment.scheduled.v1","data":{"loan_id":"loan-1","instalment_id":"i",'
        '"due_date":"2024-03-01","amounts":{"principal_minor":5}}}'
    )
    file.write_text(f"{OPENED}\n{scheduled}\n{PAID}")
    found = {}
    for basis in ("books", "contact"):
        _, out, _ = run(capsys, file, "--as-of", "2024-03-05", "--basis", basis)
        found[basis] = json.loads(out)["days_past_due"]
    assert found == {"books": 4, "contact": 0}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "line 2: not_json"),
        ("[]", "line 2: not_json"),
        ("[" * 100_000, "line 2: not_json"),
        ("\udcff", "line 2: not_json"),
        ('{"data":{}}', "line 2: unknown_type"),
        (PAID.replace("received.v1", "received.v9"), "line 2: unknown_type"),
        ('{"type":"lending.borrower.ceased.v1","data":{}}', "line 2: wrong_topic"),
        (PAID.replace('"amount_minor":5', '"amount_minor":5.5'), "line 2: invalid_data: data.amount_minor"),
        (PAID.replace('"amount_minor":5', '"amount_minor":0'), "line 2: invalid_data: data.amount_minor"),
        (PAID.replace("2024-03-10", "2023-02-29"), "line 2: invalid_data: data.value_date"),
        (PAID.replace('"amount_minor":5', '"amount_minor":5,"amount_minor":6'), "line 2: duplicate_json_key"),
        (PAID.replace('"loan_id":"loan-1",', ""), "line 2: invalid_data: data.loan_id"),
        (PAID.replace('"loan-1"', '"not an id"'), "line 2: invalid_data: data.loan_id"),
        (PAID.replace('"loan-1"', '"\\ud800"'), "line 2: "),
        ('{"type":"lending.repayment.received.v1"}', "line 2: invalid_data"),
        (PAID.replace('{"type"', '{"specversion":"0.3","type"'), "line 2: not_cloudevent"),
    ],
)
def test_a_wrong_line_is_named(line: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line that is no fact gives exit code 2, its number and the reason, no output and no traceback."""
    file = tmp_path / "facts.jsonl"
    file.write_bytes(f"{OPENED}\n{line}".encode(errors="surrogateescape"))
    code, out, err = run(capsys, file, "--as-of", "2024-03-05")
    assert (code, out) == (2, "")
    assert told in err
    assert "Traceback" not in err


def test_every_wrong_line_is_named_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All wrong lines are found in one run; beyond twenty they are counted."""
    file = tmp_path / "facts.jsonl"
    file.write_text("\n".join([OPENED, *["{"] * 25]))
    code, _, err = run(capsys, file, "--as-of", "2024-03-05")
    assert (code, err.count("not_json")) == (2, 20)
    assert "and 5 more" in err
    assert "25 lines are" in err


@pytest.mark.parametrize("arguments", [["no-such-file"], ["--as-of", "yesterday"], []])
def test_wrong_calls_are_told(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A missing file, date or option is one sentence and exit code 2."""
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err


@pytest.mark.parametrize(("content", "as_of"), [("\n\n", "2024-03-05"), (OPENED, "1980-01-01")])
def test_nothing_to_say_is_told(content: str, as_of: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file without facts, or a date outside all business, is an error of the caller."""
    file = tmp_path / "facts.jsonl"
    file.write_text(content)
    code, out, err = run(capsys, file, "--as-of", as_of)
    assert (code, out) == (2, "")
    assert err.startswith("duecourse: ")


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A mark at the file's start and Windows line ends are no errors; facts without terms wait."""
    file = tmp_path / "facts.jsonl"
    file.write_bytes(b"\xef\xbb\xbf" + PAID.encode() + b"\r\n")
    code, out, _ = run(capsys, file, "--as-of", "2024-03-05")
    document = json.loads(out)
    assert (code, document["currency"], document["waiting"]) == (0, None, [{"fact_id": "line-1", "reason": "no_terms"}])


def test_an_unusable_policy_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder that holds no policy is one sentence and exit code 2."""
    file = tmp_path / "facts.jsonl"
    file.write_text(OPENED)
    code, _, err = run(capsys, file, "--as-of", "2024-03-05", "--policy", tmp_path)
    assert code == 2
    assert err.startswith("duecourse: The policy cannot be used")
