"""What tests on a real broker may ask for."""

import zlib

import pytest


@pytest.fixture
def own_name(request: pytest.FixtureRequest) -> str:
    """A name for the topics of this test alone, the same in every run: what a house publishes follows from its name."""
    return f"t{zlib.crc32(request.node.nodeid.encode()):08x}"
