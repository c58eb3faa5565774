"""The faults of the network do what their names say, and nothing of them stays."""

import os
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from tests.chaos.network import Network, Space, remove_leftovers

pytestmark = pytest.mark.namespaces
ASK = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=10) as connection:
    connection.settimeout(float(sys.argv[4]))
    for line in sys.stdin:
        connection.sendall(b"x" * int(sys.argv[3]))
        try:
            print("heard" if connection.recv(5, socket.MSG_WAITALL) == b"heard" else "closed", flush=True)
        except TimeoutError:
            print("silence", flush=True)
        except ConnectionError:
            print("reset", flush=True)
"""
SIZE = 20_000


class Answerer(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        try:
            while self.request.recv(SIZE, 0x100):
                self.server.heard += 1
                self.request.sendall(b"heard")
        except ConnectionError:
            self.server.resets += 1


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    heard = 0
    resets = 0


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    with Network() as network:
        yield network


@pytest.fixture
def server(network: Network) -> Iterator[Server]:
    with Server((network.host, 0), Answerer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


class Client:
    """A connection from inside a namespace that is opened once and asked as often as one likes."""

    def __init__(self, space: Space, server: Server, seconds: float = 0.5) -> None:
        arguments = [*map(str, server.server_address), str(SIZE), str(seconds)]
        command = [*space.prefix, sys.executable, "-c", ASK, *arguments]
        self.popen = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self) -> str:
        self.popen.stdin.write("\n")
        self.popen.stdin.flush()
        return self.popen.stdout.readline().strip()

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        self.popen.kill()
        self.popen.communicate()


def test_one_way_and_both_ways(network: Network, server: Server) -> None:
    """What is dropped on its way out never arrives; what is dropped on its way in was heard; healed, all arrives."""
    space = network.space()
    for fault, heard in ((space.drop_incoming, True), (space.drop_outgoing, False), (space.partition, False)):
        with Client(space, server) as client:
            assert client.ask() == "heard"
            before = server.heard
            fault()
            assert client.ask() == "silence"
            assert (server.heard > before) is heard
            assert space.packets_hit() > 0
            space.heal()
    with Client(space, server) as client:
        assert client.ask() == "heard"


def test_a_port_narrows_a_fault_to_one_broker(network: Network, server: Server) -> None:
    """Another server stays within reach."""
    space = network.space()
    with Server((network.host, 0), Answerer) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        with Client(space, server) as client, Client(space, other) as unharmed:
            assert (client.ask(), unharmed.ask()) == ("heard", "heard")
            space.partition(server.server_address[1])
            assert (client.ask(), unharmed.ask()) == ("silence", "heard")
        other.shutdown()


def test_connections_are_reset(network: Network, server: Server) -> None:
    """A connection that was open is broken, at both ends, and a new one works as soon as the fault is over."""
    space = network.space()
    with Client(space, server) as client:
        assert client.ask() == "heard"
        space.reset()
        assert client.ask() == "reset"
        space.heal()
    with Client(space, server) as client:
        assert client.ask() == "heard"


def test_a_slow_link_and_a_lossy_link(network: Network, server: Server) -> None:
    """What took no time takes long; what gets lost is sent again and arrives."""
    space = network.space()
    with Client(space, server, seconds=20) as client:
        assert client.ask() == "heard"
        space.slow_down(128)
        began = time.monotonic()
        assert client.ask() == "heard"
        assert time.monotonic() - began > SIZE * 8 / 128_000 * 0.7, "a link of 128 kbit/s is no faster than that"
        assert space.packets_hit() > 0
        space.heal()
        space.lose(0.2)
        assert {client.ask() for _ in range(5)} == {"heard"}
        assert space.packets_hit() > 0


def test_what_a_dead_process_left_behind_is_removed() -> None:
    """Bridge, namespace and whoever still runs in it go when the next network is built; nobody else's are touched."""
    crash = """
import os, subprocess, sys
from tests.chaos.network import Network
network = Network().__enter__()
child = subprocess.Popen([*network.space().prefix, "sleep", "600"], stdout=subprocess.DEVNULL)
print(child.pid, flush=True)
os._exit(1)
"""
    with Network() as mine:
        mine.space()
        died = subprocess.Popen([sys.executable, "-c", crash], stdout=subprocess.PIPE, text=True)
        output, _ = died.communicate()
        assert died.pid in remove_leftovers()
        for listing in (["ip", "-o", "link"], ["ip", "netns", "list"]):
            listed = subprocess.run(listing, capture_output=True, text=True, check=True).stdout
            assert str(died.pid) not in listed
            assert str(os.getpid()) in listed
        assert remove_leftovers() == ()
        with pytest.raises(ProcessLookupError):
            _wait_until_gone(int(output))
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    assert mine.spaces[0].name not in listed


def _wait_until_gone(pid: int) -> None:
    for _ in range(100):
        os.kill(pid, 0)
        time.sleep(0.05)
