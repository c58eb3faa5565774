"""How a process ends when it must not go on: at once, with a reason, and with what to do about it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from typing import NoReturn

import structlog


class StopReason(Enum):
    """Why a process stopped itself: exit code, and what an operator does about it."""

    DOUBT = (70, "restart: the local store is wiped and recovered from the changelog")
    FENCED = (71, "restart to join again; if that repeats, two instances have one name: give each its own --instance")
    FENCE_FAILED = (72, "check that the broker and its transaction coordinator answer, then restart")
    TOPICS_WRONG = (73, "do what `duecourse topics check` says; `duecourse topics create` makes what is missing")
    WRONG_TIME = (74, "use the topic set of the right kind: wall and simulated time never mix")
    CHANGELOG_LOST = (75, "restore the changelog; if that is impossible, stop the service and run `duecourse rebuild`")
    HISTORY_LOST = (76, "restore the topic's history, or board the loans again")
    HISTORY_CUT = (77, "restore the topic's history, or start with boarded loans (setting `boarded`)")
    LOG_TRUNCATED = (78, "the broker has lost acknowledged records: restore the log before going on")
    HANGING_TRANSACTION = (79, "run `duecourse transactions find`, then complete or abort it; do not restart in a loop")
    STORE_IN_USE = (80, "give each instance a data directory and a name of its own")
    UNREADABLE_STATE = (81, "start the build that wrote it, or stop the service and run this one's `duecourse rebuild`")
    ASSERTIONS_OFF = (82, "start Python without -O: invariants are checked while running")
    PARTITIONS_CHANGED = (83, "create a new topic set: partition counts of a deployment never change")
    CORE_CRASHED = (84, "restart; if it stops here again, quarantine what it names, or start a build that can")
    ACCESS_DENIED = (86, "grant the rights that `duecourse topics rights` lists")
    DISK_UNUSABLE = (
        87,
        "make room on the data directory's disk, make it writable, or give another one with --data",
    )
    FOREIGN_DEPLOYMENT = (88, "take a prefix of your own, or correct DUECOURSE_DEPLOYMENT: `duecourse topics check`")
    REPLICATION_LOW = (85, "add replicas with kafka-reassign-partitions, set min.insync.replicas with kafka-configs")

    LOGIN_REFUSED = (89, "correct user, password file, mechanism or client certificate: docs/security.md")
    BROKER_UNTRUSTED = (90, "give the authority that signed the brokers' certificate, and the name that it holds")
    WRONG_PROTOCOL = (91, "give the protocol of that listener as DUECOURSE_SECURITY_PROTOCOL, or another --broker")

    def __init__(self, code: int, advice: str) -> None:
        self.code = code
        self.advice = advice


_farewells: list[Callable[[str], None]] = []


def before_stop(note: Callable[[str], None]) -> None:
    """Let `note` take down the reason, in lower case, before the process ends; it must be quick and must not raise."""
    _farewells.append(note)


def stop(reason: StopReason, detail: str) -> NoReturn:
    """End the process at once: no flush, no farewell to the group, nothing more may be written by it."""
    structlog.get_logger("stop").critical(
        "stopped", reason=reason.name.lower(), detail=detail, advice=reason.advice, exit_code=reason.code
    )
    for note in _farewells:
        with suppress(OSError):  # a full disk must not keep the process from ending
            note(reason.name.lower())
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(reason.code)
