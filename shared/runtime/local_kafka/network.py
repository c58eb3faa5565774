"""Ports for a broker on this machine, and the question whether a broker answers on one."""

import secrets
import socket
import struct
from pathlib import Path
from typing import Final

from shared.runtime.local_kafka.errors import LocalKafkaError

LOOPBACK: Final = "127.0.0.1"
PORT_LOWEST: Final = 15_000
PORTS: Final = 65_536
PORT_TRIES_MAX: Final = 200
ANSWER_TIMEOUT_SECONDS: Final = 1.0
METADATA_REQUEST: Final = 3
METADATA_VERSION: Final = 1
NO_TOPICS: Final = 0


def free_port(host: str = LOOPBACK) -> int:
    """Choose a free port on an address of this machine, below those that the system hands to outgoing connections.

    Below, because a client that retries while its broker is down could otherwise be given the broker's own port,
    connect to itself and keep the broker from coming back. Where the system hands out those as well, any will do.

    Raises:
        LocalKafkaError: None of many was free.
    """
    highest = _ephemeral_lowest()
    if highest <= PORT_LOWEST:
        highest = PORTS
    for _ in range(PORT_TRIES_MAX):
        port = PORT_LOWEST + secrets.randbelow(highest - PORT_LOWEST)
        if port_is_free(port, host):
            return port
    raise LocalKafkaError(f"No free port was found at {host}.", f"Free some between {PORT_LOWEST} and {highest}.")


def free_ports(count: int, host: str = LOOPBACK) -> tuple[int, ...]:
    """Choose so many free ports, all different: until somebody listens there, each may be chosen again.

    Raises:
        LocalKafkaError: None of many was free.
    """
    found: list[int] = []
    while len(found) < count:
        port = free_port(host)
        if port not in found:
            found.append(port)
    return tuple(found)


def port_is_free(port: int, host: str = LOOPBACK) -> bool:
    """Tell whether a server could listen on this port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def broker_answers(port: int, host: str = LOOPBACK) -> bool:
    """Ask for metadata of no topic; True once the answer names a broker, which it does from when it can be used."""
    return brokers_known(port, host) > 0


def brokers_known(port: int, host: str = LOOPBACK) -> int:
    """Return how many brokers of its cluster a broker knows of; 0 where none answers."""
    request = struct.pack(">hhihi", METADATA_REQUEST, METADATA_VERSION, 1, -1, NO_TOPICS)
    try:
        with socket.create_connection((host, port), timeout=ANSWER_TIMEOUT_SECONDS) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            head = connection.recv(12, socket.MSG_WAITALL)
    except OSError:
        return 0
    if len(head) < 12:
        return 0
    _, _, brokers = struct.unpack(">iii", head)
    return int(brokers)


def _ephemeral_lowest() -> int:
    """Return the first port that the system gives to outgoing connections."""
    try:
        return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    except FileNotFoundError:
        return 32_768
