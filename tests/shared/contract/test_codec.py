"""What the codec takes, what it refuses and why, and that it writes the same bytes for the same event."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from shared.contract import codec
from shared.contract.base import AMOUNT_MINOR_MAX, Amounts
from shared.contract.catalogue import EVENTS
from shared.contract.codec import (
    UNREADABLE_BECAUSE,
    UNREADABLE_HEADER,
    DeadReason,
    Envelope,
    Rejected,
    decode,
    encode,
    key_of,
)
from shared.contract.examples import EXAMPLES, example
from shared.contract.loans import BoardedInstalment, LoanBoarded
from shared.contract.repayments import REPAYMENTS
from shared.runtime import decompression, tolerant_parsing
from tests.kafka.canaries import plant, require_none

REPAYMENT = example("lending.repayment.received.v1")
VALUE = encode(REPAYMENT)
KEY = b"loan-7"


def spoilt(old: str, new: str) -> bytes:
    """Return the repayment's bytes with one piece of text replaced; the piece must be there."""
    assert old.encode() in VALUE
    return VALUE.replace(old.encode(), new.encode(errors="surrogatepass"), 1)


def with_attributes(**attributes: object) -> bytes:
    """Return the repayment with attributes replaced, or removed if None."""
    document = json.loads(VALUE) | attributes
    return json.dumps({name: value for name, value in document.items() if value is not None}).encode()


AMOUNT = '"amount_minor":100000,"currency"'
REFUSED: dict[str, tuple[DeadReason, bytes | None, bytes | None]] = {
    "no value": (DeadReason.EMPTY, KEY, None),
    "empty value": (DeadReason.EMPTY, KEY, b""),
    "257 KiB": (DeadReason.TOO_LARGE, KEY, VALUE + b" " * (257 * 1024)),
    "no key": (DeadReason.NO_KEY, None, VALUE),
    "empty key": (DeadReason.NO_KEY, b"", VALUE),
    "key not UTF-8": (DeadReason.KEY_NOT_TEXT, b"\xff\xfe", VALUE),
    "key of 257 bytes": (DeadReason.KEY_NOT_TEXT, b"k" * 257, VALUE),
    "key of another loan": (DeadReason.KEY_MISMATCH, b"loan-8", VALUE),
    "key with a space": (DeadReason.KEY_MISMATCH, b"loan-7 ", VALUE),
    "garbage": (DeadReason.NOT_JSON, KEY, b"garbage"),
    "half of it": (DeadReason.NOT_JSON, KEY, VALUE[: len(VALUE) // 2]),
    "two of it": (DeadReason.NOT_JSON, KEY, VALUE + VALUE),
    "not UTF-8": (DeadReason.NOT_JSON, KEY, VALUE.replace(b"pay-1001", b"pay-\xff")),
    "byte order mark": (DeadReason.NOT_JSON, KEY, b"\xef\xbb\xbf" + VALUE),
    "UTF-16": (DeadReason.NOT_JSON, KEY, VALUE.decode().encode("utf-16")),
    "lone surrogate": (DeadReason.NOT_JSON, KEY, spoilt("pay-1001", "\\ud800")),
    "raw surrogate": (DeadReason.NOT_JSON, KEY, spoilt("pay-1001", "\ud800")),
    "NaN": (DeadReason.NOT_JSON, KEY, spoilt(AMOUNT, '"amount_minor":NaN,"currency"')),
    "Infinity": (DeadReason.NOT_JSON, KEY, spoilt(AMOUNT, '"amount_minor":Infinity,"currency"')),
    "a number of 5,000 digits": (DeadReason.NOT_JSON, KEY, spoilt(AMOUNT, f'"amount_minor":{"9" * 5000},"currency"')),
    "17 levels": (DeadReason.TOO_DEEP, KEY, b'{"a":' + b"[" * 16 + b"]" * 16 + b"}"),
    "100,000 levels": (DeadReason.TOO_DEEP, KEY, b"[" * 100_000),
    "amount twice": (DeadReason.DUPLICATE_JSON_KEY, KEY, spoilt(AMOUNT, f'"amount_minor":5,{AMOUNT}')),
    "amount twice, escaped": (DeadReason.DUPLICATE_JSON_KEY, KEY, spoilt(AMOUNT, f'"\\u0061mount_minor":5,{AMOUNT}')),
    "type twice": (DeadReason.DUPLICATE_JSON_KEY, KEY, spoilt('"specversion"', '"id":"other","specversion"')),
    "a list": (DeadReason.NOT_CLOUDEVENT, KEY, b"[" + VALUE + b"]"),
    "a text": (DeadReason.NOT_CLOUDEVENT, KEY, b'"hello"'),
    "plain data": (DeadReason.NOT_CLOUDEVENT, KEY, json.dumps(json.loads(VALUE)["data"]).encode()),
    "no id": (DeadReason.NOT_CLOUDEVENT, KEY, with_attributes(id=None)),
    "no source": (DeadReason.NOT_CLOUDEVENT, KEY, with_attributes(source=None)),
    "number as type": (DeadReason.NOT_CLOUDEVENT, KEY, with_attributes(type=5)),
    "id of 201": (DeadReason.NOT_CLOUDEVENT, KEY, with_attributes(id="x" * 201)),
    "CloudEvents 0.3": (DeadReason.NOT_CLOUDEVENT, KEY, with_attributes(specversion="0.3")),
    "XML": (DeadReason.NOT_CLOUDEVENT, KEY, with_attributes(datacontenttype="application/xml")),
    "time without offset": (DeadReason.NOT_CLOUDEVENT, KEY, with_attributes(time="2024-02-18T04:00:00")),
    "time of the year 9999": (DeadReason.NOT_CLOUDEVENT, KEY, with_attributes(time="9999-12-31T23:59:59Z")),
    "time of the year 1": (DeadReason.NOT_CLOUDEVENT, KEY, with_attributes(time="0001-01-01T00:00:00+14:00")),
    "time as a number": (DeadReason.NOT_CLOUDEVENT, KEY, with_attributes(time=1_708_228_800)),
    "structure as extension": (DeadReason.NOT_CLOUDEVENT, KEY, with_attributes(shop={"a": 1})),
    "long extension": (DeadReason.NOT_CLOUDEVENT, KEY, with_attributes(shop="x" * 1025)),
    "unknown type": (DeadReason.UNKNOWN_TYPE, KEY, with_attributes(type="lending.loan.sold.v1")),
    "newer version": (DeadReason.UNSUPPORTED_VERSION, KEY, with_attributes(type="lending.repayment.received.v2")),
    "another topic's": (DeadReason.WRONG_TOPIC, KEY, encode(example("lending.loan.opened.v1"))),
    "no data": (DeadReason.INVALID_DATA, KEY, with_attributes(data=None)),
    "data in base64": (DeadReason.INVALID_DATA, KEY, with_attributes(data=None, data_base64="e30=")),
    "data as text": (DeadReason.INVALID_DATA, KEY, with_attributes(data="{}")),
    "unknown field": (DeadReason.INVALID_DATA, KEY, spoilt(AMOUNT, f'"colour":"blue",{AMOUNT}')),
    "an empty id": (DeadReason.INVALID_DATA, KEY, spoilt('"pay-1001"', '""')),
    "an id of 65": (DeadReason.INVALID_DATA, KEY, spoilt('"pay-1001"', f'"{"p" * 65}"')),
    "an id with a space": (DeadReason.INVALID_DATA, KEY, spoilt('"pay-1001"', '"pay 1001"')),
    "an id with a newline": (DeadReason.INVALID_DATA, KEY, spoilt('"pay-1001"', '"pay-1001\\n"')),
    "a currency nobody lends in": (DeadReason.INVALID_DATA, KEY, spoilt('"CNY"', '"XAU"')),
    "a small currency": (DeadReason.INVALID_DATA, KEY, spoilt('"CNY"', '"cny"')),
    "a word outside the list": (DeadReason.INVALID_DATA, KEY, spoilt('"principal"', '"capital"')),
    "257 allocations": (
        DeadReason.INVALID_DATA,
        KEY,
        with_attributes(
            data={**json.loads(VALUE)["data"], "allocations": json.loads(VALUE)["data"]["allocations"] * 129}
        ),
    ),
    **{
        f"money {text}": (DeadReason.INVALID_DATA, KEY, spoilt(AMOUNT, f'"amount_minor":{text},"currency"'))
        for text in ("3.0", "1e2", "1E+2", "0.1", '"1"', "true", "null", "0", "-5", "[1]", str(10**15 + 1), "9" * 400)
    },
    **{
        f"date {text}": (DeadReason.INVALID_DATA, KEY, spoilt('"2024-02-18"', text))
        for text in (
            '"9999-12-31"',
            '"1989-12-31"',
            '"2023-02-29"',
            '"2024-2-18"',
            '"20240218"',
            '"1707523200"',
            "1707523200",
            '"2024-02-18T00:00:00"',
            '"2024-W07-7"',
            '"２０２４-02-18"',
        )
    },
}


@pytest.mark.parametrize("fault", REFUSED)
def test_each_fault_has_its_reason(fault: str) -> None:
    """Each unreadable or impossible record is rejected with the reason that fits, and the detail quotes no value."""
    reason, key, value = REFUSED[fault]
    found = decode(REPAYMENTS, key, value)
    assert isinstance(found, Rejected)
    assert found.reason is reason
    assert 0 < len(found.detail) <= 300
    assert "pay-1001" not in found.detail
    assert "loan-8" not in found.detail


def test_what_a_reader_could_not_take_apart_is_refused_by_name() -> None:
    """Whoever fetches marks such a record by its first header; a header of this name further behind means nothing."""
    mark = (UNREADABLE_HEADER, b"a number in the record has no end")
    found = decode(REPAYMENTS, KEY, VALUE, (mark,))
    assert found == Rejected(DeadReason.UNREADABLE_RECORD, "a number in the record has no end")
    assert isinstance(decode(REPAYMENTS, KEY, VALUE, (("other", b""), mark)), Envelope)


def test_what_readers_say_is_what_may_be_said() -> None:
    """Each text with which the readers refuse is on the codec's list, and nothing else is."""
    raised = set()
    for module in (tolerant_parsing, decompression):
        text = Path(module.__file__).read_text()
        raised |= set(re.findall(r'(?:_Broken|NotOpened)\(\s*"([^"]+)"', text))
        raised |= set(re.findall(r'yield unreadable\([^"\n]*"([^"]+)"', text))
        assert not re.search(r'(?:_Broken|NotOpened)\(f"', text)
    assert raised == UNREADABLE_BECAUSE


def test_a_detail_repeats_nothing_that_a_producer_wrote() -> None:
    """Canaries in values, names of fields, keys, headers: no detail of a refusal holds one."""
    refused = [
        (record, found)
        for record in plant().records
        if isinstance(found := decode(record.topic, record.key, record.value, record.headers), Rejected)
    ]
    assert len(refused) > 300
    require_none({f"{number} {found.reason}": found.detail for number, (_, found) in enumerate(refused)})
    assert {found.detail for _, found in refused if "(unknown)" in found.detail} == {
        "data.(unknown): Extra inputs are not permitted"
    }


def test_every_reason_of_the_codec_is_reached() -> None:
    """The table and the test above leave out no reason that the codec's code names."""
    named = set(re.findall(r"DeadReason\.([A-Z_]+)", Path(codec.__file__).read_text()))
    assert {reason.name for reason, _, _ in REFUSED.values()} | {"UNREADABLE_RECORD"} == named
    assert len(named) == 14


@pytest.mark.parametrize("event_type", EVENTS)
def test_round_trip(event_type: str) -> None:
    """Every event is read back as it was written, on each of its topics, and written again with the same bytes."""
    envelope = replace(example(event_type), subject="x", replaces="lending.repayments/0/1")
    key = key_of(envelope.data)
    for topic in envelope.data.TOPICS:
        found = decode(topic, key.encode() if key else None, encode(envelope))
        assert found == envelope
        assert encode(found) == encode(envelope)


def test_bytes_are_canonical() -> None:
    """Output has sorted keys, no spaces, no escapes of letters, and leaves out what is absent."""
    assert (
        encode(replace(example("lending.loan.closed.v1"), id="\u00fc", time_ms=None))
        == (
            '{"data":{"closed_on":"2024-03-01","loan_id":"loan-7","reason":"settled"},"datacontenttype":"application/json",'
            '"id":"\u00fc","source":"/harbour-bank/core-banking","specversion":"1.0","type":"lending.loan.closed.v1"}'
        ).encode()
    )
    assert b'"time":"2024-02-18T04:00:00.000Z"' in VALUE


def test_bytes_do_not_depend_on_the_hash_seed() -> None:
    """Two processes with different hash seeds write the same bytes for every example."""
    program = (
        "from shared.contract.examples import EXAMPLES, example\nfrom shared.contract.codec import encode\n"
        "print([encode(example(kind)) for kind in EXAMPLES])"
    )
    written = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(written) == 1
    assert len(written.pop()) > 10_000


@pytest.mark.parametrize(
    "value",
    [
        json.dumps(json.loads(VALUE), indent=4).encode(),
        json.dumps(dict(reversed(json.loads(VALUE).items()))).encode(),
        VALUE.replace(b"loan-7", b"\\u006coan-7"),
        with_attributes(shop="7", count=3, flag=True),
        with_attributes(datacontenttype=None),
        VALUE.replace(
            b'"datacontenttype":"application/json"', b'"datacontenttype":null,"subject":null,"replaces":null'
        ),
        with_attributes(datacontenttype="application/json; charset=UTF-8"),
        with_attributes(time="2024-02-18T12:00:00+08:00"),
        b"\n\t " + VALUE + b"\r\n",
    ],
)
def test_spelling_does_not_matter(value: bytes) -> None:
    """White space, order, escapes, extensions and offsets change nothing of what was said."""
    found = decode(REPAYMENTS, KEY, value)
    assert isinstance(found, Envelope)
    assert (found.data, found.id) == (REPAYMENT.data, REPAYMENT.id)
    assert found.time_ms == REPAYMENT.time_ms


def test_bounds_are_inclusive() -> None:
    """What lies exactly on a bound is taken: the largest amount, the first and last day, sixteen levels, 256 KiB."""
    largest = spoilt(AMOUNT, f'"amount_minor":{AMOUNT_MINOR_MAX},"currency"')
    assert isinstance(decode(REPAYMENTS, KEY, largest), Envelope)
    for day in ("1990-01-01", "2099-12-31", "2024-02-29"):
        assert isinstance(decode(REPAYMENTS, KEY, spoilt("2024-02-18", day)), Envelope)
    for instant, taken in (("2099-12-31T23:59:59.999Z", True), ("2100-01-01T00:00:00.000Z", False)):
        found = decode(REPAYMENTS, KEY, spoilt("2024-02-18T04:00:00.000Z", instant))
        assert isinstance(found, Envelope) is taken
    padded = VALUE + b" " * (codec.VALUE_BYTES_MAX - len(VALUE))
    assert isinstance(decode(REPAYMENTS, KEY, padded), Envelope)
    assert decode(REPAYMENTS, KEY, padded + b" ").reason is DeadReason.TOO_LARGE
    deep = decode(REPAYMENTS, KEY, b'{"a":' + b"[" * 15 + b"]" * 15 + b"}")
    assert deep.reason is DeadReason.NOT_CLOUDEVENT
    brackets = decode(REPAYMENTS, KEY, with_attributes(shop='"' + "[{" * 500))
    assert isinstance(brackets, Envelope)


def test_the_largest_loan_fits() -> None:
    """A boarded loan with every list full stays below the largest value."""
    boarded = EXAMPLES["lending.loan.boarded.v1"]
    assert isinstance(boarded, LoanBoarded)
    full = Amounts(**dict.fromkeys(Amounts.model_fields, AMOUNT_MINOR_MAX))
    instalment = BoardedInstalment(instalment_id="i" * 64, due_date=date(2024, 2, 29), unpaid=full)
    large = boarded.model_copy(update={"instalments": (instalment,) * 600, "months_filed": boarded.months_filed * 84})
    value = encode(replace(example("lending.loan.boarded.v1"), data=large))
    assert 100_000 < len(value) < codec.VALUE_BYTES_MAX
    assert isinstance(decode("lending.due-dates", KEY, value), Envelope)


def test_topics_without_a_key_take_any() -> None:
    """Where no subject is the key, the key is not looked at."""
    tick = encode(example("collections.clock.ticked.v1"))
    for key in (None, b"", b"\xff"):
        assert isinstance(decode("collections.loan-clock", key, tick), Envelope)
