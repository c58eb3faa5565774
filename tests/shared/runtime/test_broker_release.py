"""Which release a broker runs, told from the features that it says it supports."""

from __future__ import annotations

from io import BytesIO

import pytest

from shared.runtime.broker_release import METADATA_VERSION, NEWER, ApiVersionsAnswer, release_of, supported
from shared.runtime.examination import broker_version

ANSWER = bytes.fromhex(
    "0000"  # no error
    "02" "0012" "0000" "0004" "00"  # one request: 18, versions 0 to 4
    "00000000"  # not throttled
    "03"  # three tags: features supported, the epoch of those in force, those in force
    "00" "2a" "03"  # 42 bytes, two features
    "11" + b"metadata.version".hex() + "0007" "001d" "00"
    "0e" + b"kraft.version".hex() + "0000" "0001" "00"
    "01" "08" "0000000000000007"
    "02" "01" "01"
)  # fmt: skip
"""The bytes of an answer as a broker of 4.2 gives them, shortened to one request and two features."""


def test_the_features_of_an_answer_are_read() -> None:
    """Names and highest levels come from the tag of supported features, whatever other tags there are."""
    answer = ApiVersionsAnswer.decode(BytesIO(ANSWER))
    assert supported(answer.tags) == {METADATA_VERSION: 29, "kraft.version": 1}
    assert release_of(supported(answer.tags)) == "4.2"
    assert supported({}) == {}


@pytest.mark.parametrize(
    ("level", "release"),
    [(0, "older than 3.3"), (7, "3.3"), (22, "4.0"), (25, "4.0"),
     (27, "4.1"), (28, "4.2"), (29, "4.2"), (30, "4.3"), (33, NEWER)],
)  # fmt: skip
def test_a_level_belongs_to_the_release_that_has_it(level: int, release: str) -> None:
    """A level between two releases' highest ones belongs to the newer."""
    assert release_of({METADATA_VERSION: level}) == release


@pytest.mark.parametrize(
    ("found", "line", "to_do"),
    [
        ({1: "4.2"}, "Kafka 4.2 on 1", ""),
        ({1: "4.2", 3: "4.2", 2: "4.1"}, "Kafka 4.1 on 2; 4.2 on 1, 3", "finish the brokers' upgrade"),
        ({1: "4.3"}, "Kafka 4.3 on 1", "drops the markers"),
        ({1: "3.9", 2: "4.2"}, "Kafka 3.9 on 1; 4.2 on 2", "was not tried"),
        ({1: NEWER}, "Kafka newer than 4.3 on 1", "run 4.1 or 4.2"),
    ],
)  # fmt: skip
def test_brokers_that_lose_markers_or_were_never_tried_are_something_to_do(
    found: dict[int, str], line: str, to_do: str
) -> None:
    """Well is a release that was tried, the same on all brokers."""
    finding = broker_version(found)
    assert (finding.found, finding.is_well) == (line, not to_do)
    assert to_do in finding.advice
