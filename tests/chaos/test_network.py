"""The faults of the network do what their names say, and nothing of them stays."""

import os
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from shared.runtime.local_kafka.process import OwnedProcess
from tests.chaos.network import BRIDGE, SPACE, Network, Space, remove_leftovers

pytestmark = pytest.mark.namespaces
ASK = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=60) as connection:
    for seconds in sys.stdin:
        connection.settimeout(float(seconds))
        connection.sendall(b"x" * int(sys.argv[3]))
        try:
            print("heard" if connection.recv(5, socket.MSG_WAITALL) == b"heard" else "closed", flush=True)
        except TimeoutError:
            print("silence", flush=True)
        except ConnectionError:
            print("reset", flush=True)
"""
SIZE = 20_000
SILENCE_SECONDS = 0.5
"""What was silent for so long is silent; what is to be heard may take its time, as a busy machine does."""
HEARD_SECONDS = 60.0
ASKED_MAX = 200
"""One question in two meets a loss of a fifth: so many do not all get through unharmed."""


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

    def __init__(self, space: Space, server: Server) -> None:
        arguments = [*map(str, server.server_address), str(SIZE)]
        command = [*space.prefix, sys.executable, "-c", ASK, *arguments]
        self.popen = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, seconds: float = HEARD_SECONDS) -> str:
        self.popen.stdin.write(f"{seconds}\n")
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
            assert client.ask(SILENCE_SECONDS) == "silence"
            deadline = time.monotonic() + HEARD_SECONDS
            while heard and server.heard == before and time.monotonic() < deadline:
                time.sleep(0.01)
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
            assert (client.ask(SILENCE_SECONDS), unharmed.ask()) == ("silence", "heard")
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
    with Client(space, server) as client:
        assert client.ask() == "heard"
        space.slow_down(128)
        began = time.monotonic()
        assert client.ask() == "heard"
        assert time.monotonic() - began > SIZE * 8 / 128_000 * 0.7, "a link of 128 kbit/s is no faster than that"
        assert space.packets_hit() > 0
        space.heal()
        space.lose(0.2)
        asked = 0
        while space.packets_hit() == 0 and asked < ASKED_MAX:
            assert client.ask() == "heard"
            asked += 1
        assert space.packets_hit() > 0
        assert {client.ask() for _ in range(5)} == {"heard"}


def test_what_a_dead_process_left_behind_is_removed() -> None:
    """Bridge, namespace and whoever still runs in it go when the next network is built; nobody else's are touched."""
    crash = """
import os, subprocess, sys
from tests.chaos.network import Network
network = Network().__enter__()
inside = [*network.space().prefix, "sh", "-c", "echo inside; exec sleep 600"]
child = subprocess.Popen(inside, stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
os._exit(1)
"""
    with Network() as mine:
        mine.space()
        died = subprocess.Popen([sys.executable, "-c", crash], stdout=subprocess.PIPE, text=True)
        output, _ = died.communicate()
        child = OwnedProcess.of(int(output))
        assert child is not None
        assert died.pid in remove_leftovers()
        for name, listing in ((f"{BRIDGE}{{}}n", ["ip", "-o", "link"]), (f"{SPACE}{{}}-", ["ip", "netns", "list"])):
            listed = subprocess.run(listing, capture_output=True, text=True, check=True).stdout
            assert name.format(died.pid) not in listed
            assert name.format(os.getpid()) in listed
        assert remove_leftovers() == ()
        assert child.wait(HEARD_SECONDS)
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    assert mine.spaces[0].name not in listed
