"""Which ports a broker gets."""

from itertools import chain, repeat

import pytest

from shared.runtime.local_kafka import network
from shared.runtime.local_kafka.network import LOOPBACK, PORT_LOWEST, free_port, free_ports


def test_ports_chosen_together_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens on any of them yet, and still none is chosen twice."""
    dice = chain([7, 7, 7, 8], repeat(9))
    monkeypatch.setattr(network.secrets, "randbelow", lambda _: next(dice))
    monkeypatch.setattr(network, "port_is_free", lambda port, host: True)
    assert free_ports(3) == (PORT_LOWEST + 7, PORT_LOWEST + 8, PORT_LOWEST + 9)


@pytest.mark.parametrize("lowest", [1024, PORT_LOWEST])
def test_where_the_system_hands_out_nearly_all_ports_one_of_them_is_taken(
    monkeypatch: pytest.MonkeyPatch, lowest: int
) -> None:
    """A machine may give any port to outgoing connections: a broker comes up there all the same."""
    monkeypatch.setattr(network, "_ephemeral_lowest", lambda: lowest)
    assert PORT_LOWEST <= free_port(LOOPBACK) < 2**16
