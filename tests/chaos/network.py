"""Network faults between processes of this machine: each worker in a namespace of its own, one bridge between them.

The brokers listen on the bridge's address, which only this machine knows; nothing is routed, so nothing leaves it.
Everything made here carries the number of the process that made it; what a dead process left behind is removed by the
next one that builds a network.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

TOOLS = ("ip", "iptables", "tc")
BRIDGE, LINK, SPACE = "dcb", "dcv", "duecourse-"
SUBNETS = tuple(f"10.231.{number}" for number in range(1, 255))
INSIDE = "inner"
_numbers = itertools.count(1)


class NetworkFault(RuntimeError):
    """A tool of the system refused; the text holds what it said."""


def why_not() -> str | None:
    """Return why networks cannot be built here, in words for a person; None where they can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        return f"{', '.join(missing)} missing: install iproute2 and iptables"
    return None


class Space:
    """One network namespace with one link to the bridge, and what can be done to that link.

    Faults add up until `heal` takes all of them away. A port narrows a fault to one broker.
    """

    def __init__(self, network: Network, address: str) -> None:
        self.network, self.address = network, address
        number = next(_numbers)
        self.name = f"{SPACE}{os.getpid()}-{number}"
        self._link = f"{LINK}{os.getpid()}n{number}"
        _run("ip", "netns", "add", self.name)
        _run("ip", "link", "add", self._link, "type", "veth", "peer", "name", INSIDE, "netns", self.name)
        _run("ip", "link", "set", self._link, "master", network.bridge, "up")
        for arguments in (
            ("addr", "add", f"{self.address}/24", "dev", INSIDE),
            ("link", "set", INSIDE, "up"),
            ("link", "set", "lo", "up"),
        ):
            _run("ip", "-n", self.name, *arguments)

    @property
    def prefix(self) -> tuple[str, ...]:
        """What to put before a command so that it runs in here, under the same process number."""
        return ("ip", "netns", "exec", self.name)

    def drop_outgoing(self, port: int | None = None) -> None:
        """Lose everything that is sent to the brokers; answers and acknowledgements still arrive."""
        self._rule("OUTPUT", "--dport", port, "-j", "DROP")

    def drop_incoming(self, port: int | None = None) -> None:
        """Lose everything that the brokers send; they hear everything and get no acknowledgement."""
        self._rule("INPUT", "--sport", port, "-j", "DROP")

    def partition(self, port: int | None = None) -> None:
        """Lose everything both ways."""
        self.drop_outgoing(port)
        self.drop_incoming(port)

    def reset(self, port: int | None = None) -> None:
        """Answer whatever is sent, by either side, with a reset of the connection."""
        # The resets themselves must pass: the one for our own side leaves by the way that it has just been refused.
        refuse = ("!", "--tcp-flags", "RST", "RST", "-j", "REJECT", "--reject-with", "tcp-reset")
        self._rule("OUTPUT", "--dport", port, *refuse)
        self._rule("INPUT", "--sport", port, *refuse)

    def lose(self, share: float) -> None:
        """Lose a share of all packets, chosen at random, either way."""
        for chain, side in (("OUTPUT", "--dport"), ("INPUT", "--sport")):
            dice = ("-m", "statistic", "--mode", "random", "--probability", str(share))
            self._rule(chain, side, None, *dice, "-j", "DROP")

    def slow_down(self, kilobits_per_second: int, *, queue_ms: int = 400) -> None:
        """Let so little through per second, either way; what waits for longer than the queue lasts is lost."""
        shape = ("root", "tbf", "rate", f"{kilobits_per_second}kbit", "burst", "4kb", "latency", f"{queue_ms}ms")
        _run("tc", "-n", self.name, "qdisc", "replace", "dev", INSIDE, *shape)
        _run("tc", "qdisc", "replace", "dev", self._link, *shape)

    def heal(self) -> None:
        """Take all faults away."""
        _run(*self.prefix, "iptables", "--wait", "-F")
        # There is none to delete where nothing was slow.
        _run("tc", "-n", self.name, "qdisc", "del", "dev", INSIDE, "root", check=False)
        _run("tc", "qdisc", "del", "dev", self._link, "root", check=False)

    def packets_hit(self) -> int:
        """Return how many packets the faults in force have met: none means that they met nobody."""
        listed = _run(*self.prefix, "iptables", "--wait", "-L", "-v", "-x", "-n")
        shaped = _run("tc", "-s", "-n", self.name, "qdisc", "show", "dev", INSIDE)
        slowed = sum(int(found) for found in re.findall(r"overlimits (\d+)", shaped))
        return slowed + sum(
            int(words[0]) for words in map(str.split, listed.splitlines()) if words and words[0].isdigit()
        )

    def _rule(self, chain: str, side: str, port: int | None, *rest: str) -> None:
        ports = ("-p", "tcp") if port is None else ("-p", "tcp", side, str(port))
        _run(*self.prefix, "iptables", "--wait", "-A", chain, *ports, *rest)


class Network:
    """A bridge with an address for brokers, and namespaces for workers; all gone when the block ends."""

    def __init__(self) -> None:
        self.bridge = f"{BRIDGE}{os.getpid()}n{next(_numbers)}"
        self.subnet = ""
        self.spaces: list[Space] = []
        self.spaces_by_name: dict[str, Space] = {}

    @property
    def host(self) -> str:
        """The address on which brokers are to listen."""
        return f"{self.subnet}.1"

    def space(self) -> Space:
        """Make one more namespace."""
        self.spaces.append(Space(self, f"{self.subnet}.{len(self.spaces) + 2}"))
        return self.spaces[-1]

    def wrap(self, name: str) -> list[str]:
        """Return what to put before the command of a process so that it runs behind a link of that name."""
        if name not in self.spaces_by_name:
            self.spaces_by_name[name] = self.space()
        return [*self.spaces_by_name[name].prefix]

    def __enter__(self) -> Self:
        reason = why_not()
        if reason is not None:
            raise NetworkFault(reason)
        remove_leftovers()
        taken = _run("ip", "-o", "-4", "addr")
        self.subnet = next(subnet for subnet in SUBNETS if f" {subnet}." not in taken)
        _run("ip", "link", "add", self.bridge, "type", "bridge")
        _run("ip", "addr", "add", f"{self.host}/24", "dev", self.bridge)
        _run("ip", "link", "set", self.bridge, "up")
        return self

    def __exit__(self, *_: object) -> None:
        _remove([space.name for space in self.spaces], [self.bridge])


def remove_leftovers() -> tuple[int, ...]:
    """Remove what processes that are dead now have left behind; return their numbers."""
    dead = tuple(sorted(pid for pid in set(_owners()) if not Path(f"/proc/{pid}").exists()))
    for pid in dead:
        names = re.findall(rf"\b{SPACE}{pid}-\d+", _run("ip", "netns", "list"))
        _remove(names, re.findall(rf"\b(?:{BRIDGE}|{LINK}){pid}n\d+", _run("ip", "-o", "link")))
    return dead


def _owners() -> Iterator[int]:
    for pattern, listed in (
        (rf"\b(?:{BRIDGE}|{LINK})(\d+)n\d+", _run("ip", "-o", "link")),
        (rf"\b{SPACE}(\d+)-\d+", _run("ip", "netns", "list")),
    ):
        yield from (int(found) for found in re.findall(pattern, listed))


def _remove(spaces: Iterable[str], links: Iterable[str]) -> None:
    """Remove namespaces, whoever still runs in them, and links."""
    for name in spaces:
        for worker in _run("ip", "netns", "pids", name).split():
            with suppress(ProcessLookupError):
                os.kill(int(worker), signal.SIGKILL)
        _run("ip", "netns", "del", name)
    for link in links:
        # The link of a namespace has gone with it, unless its last process is still ending.
        _run("ip", "link", "del", link, check=False)


def _run(*command: str, check: bool = True) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        raise NetworkFault(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
