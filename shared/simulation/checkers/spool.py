"""Recorded topics, spooled to a file once, so that logs of any size are judged piece by piece in bounded memory.

The file is an ordinary SQLite database in a folder of the caller's. What stays in memory is named: some numbers per
loan and person (`Households`), one number per partition, and the chapter that is being judged.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import msgspec

from shared.contract.codec import Envelope, Rejected
from shared.contract.outreach import OUTREACH, PermitGranted
from shared.contract.recorded import Recorded
from shared.contract.ticks import BORROWER_CLOCK, LOAN_CLOCK, PROBE_AT, DeploymentStamped, Tick
from shared.contract.topics import DEAD_LETTERS, SERVICES, TOPICS
from shared.engine.progress import Progress, decode_progress
from shared.engine.quarantine import SERVICE_HEADER
from shared.engine.store import PROGRESS_KEY
from shared.simulation.checkers.households import Households, others_named, subject_of, subject_of_letter
from shared.simulation.checkers.spool_rows import DIGITS_MAX, Said, TickSeen, author, clock_of
from shared.simulation.checkers.standing import Share, Standing
from shared.simulation.log import CHANGELOG

ROWS_AT_ONCE: Final = 500
CACHE_KIB: Final = 16 * 1024
_TOPICS: Final = tuple(TOPICS)
_NUMBERS: Final = {topic: number for number, topic in enumerate(_TOPICS)}
_CLOCKS: Final = (LOAN_CLOCK, BORROWER_CLOCK)

_TABLES: Final = """
PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE;
CREATE TABLE records (topic INTEGER, partition INTEGER, offset INTEGER, key BLOB, value BLOB, headers BLOB,
  appended_ms INTEGER, subject INTEGER, at INTEGER, service TEXT, source INTEGER, digest BLOB);
CREATE TABLE changelog (service TEXT, partition INTEGER, key BLOB, value BLOB, PRIMARY KEY (service, partition, key));
CREATE TABLE ticks (clock TEXT, partition INTEGER, at INTEGER, offset INTEGER, policy TEXT, appended_ms INTEGER,
  silent INTEGER, changed INTEGER, PRIMARY KEY (clock, partition, at)) WITHOUT ROWID;
CREATE TABLE barriers (topic TEXT, partition INTEGER, barrier INTEGER, at INTEGER,
  PRIMARY KEY (topic, partition, barrier)) WITHOUT ROWID;
CREATE TABLE chapter (subject INTEGER PRIMARY KEY);
"""
_INDEXES: Final = """
CREATE INDEX places ON records (topic, partition, offset);
CREATE INDEX subjects ON records (subject) WHERE subject IS NOT NULL;
CREATE INDEX authors ON records (service, source, topic, partition, offset) WHERE service IS NOT NULL;
"""
_RECORD: Final = "topic, partition, offset, key, value, headers, appended_ms"


class Spool:
    """Everything on the topics of one deployment. `take` each record, partition by partition in order, then `seal`."""

    def __init__(self, file: Path | str) -> None:
        self._database = sqlite3.connect(file, isolation_level=None)
        self._database.executescript(_TABLES)
        self._database.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        self._database.execute("BEGIN")
        self._rows: list[tuple[Any, ...]] = []
        self._last_at: dict[tuple[str, int], int] = {}
        self._last_silent: dict[tuple[str, int], tuple[str, ...]] = {}
        self._last_barrier: dict[tuple[str, int], int] = {}
        self.households = Households()
        self.stamp: Recorded | None = None
        self.stamped: DeploymentStamped | None = None
        self.records = 0
        self._standing: Standing | None = None

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    # --- filling

    def take(self, record: Recorded) -> None:
        """Take one record; one of a topic that is none of ours is left aside."""
        if record.topic.endswith(CHANGELOG):
            self._take_changelog(record)
        elif record.topic == DEAD_LETTERS:
            self._take_dead_letter(record)
        elif record.topic in TOPICS:
            self._take_event(record)
        else:
            return
        self.records += 1
        if len(self._rows) >= ROWS_AT_ONCE:
            self._write()

    def seal(self) -> None:
        """End the filling: from now on it is read."""
        self._write()
        self._database.execute("COMMIT")
        self._database.executescript(_INDEXES)

    def _take_changelog(self, record: Recorded) -> None:
        place = (record.topic.removesuffix(CHANGELOG), record.partition, record.key)
        if record.value is None:
            self._database.execute("DELETE FROM changelog WHERE service = ? AND partition = ? AND key = ?", place)
        elif record.key is not None:
            self._database.execute("INSERT OR REPLACE INTO changelog VALUES (?, ?, ?, ?)", (*place, record.value))

    def _take_dead_letter(self, record: Recorded) -> None:
        service = (dict(record.headers).get(SERVICE_HEADER) or b"").decode(errors="replace")
        partition = (record.key or b"").split(b"/")[1:2]
        source = int(partition[0]) if partition and partition[0].isdigit() and len(partition[0]) <= DIGITS_MAX else -1
        self._add(record, subject_of_letter(record.key, record.headers), None, (service, source))

    def _take_event(self, record: Recorded) -> None:
        subject = subject_of(record.topic, record.key)
        decoded = record.decode()
        if isinstance(decoded, Rejected):
            self._add(record, None if record.topic in _CLOCKS else subject, None, None)
            return
        if isinstance(decoded.data, Tick):
            self._take_tick(record, decoded.data)
            subject = None
        elif isinstance(decoded.data, DeploymentStamped):
            self.stamp, self.stamped = record, decoded.data
        if subject is not None:
            self.households.link((subject, *others_named(decoded.data)))
        at = record.appended_ms if decoded.time_ms is None else decoded.time_ms
        self._add(record, subject, at, author(decoded.source))

    def _take_tick(self, record: Recorded, tick: Tick) -> None:
        """Note a tick that advances time, and each barrier that it moves."""
        place = (record.topic, record.partition)
        if tick.at <= self._last_at.get(place, PROBE_AT):
            return
        self._last_at[place] = tick.at
        changed = tick.silent != self._last_silent.get(place, ())
        self._last_silent[place] = tick.silent
        row = (*place, tick.at, record.offset, tick.policy, record.appended_ms, bool(tick.silent), changed)
        self._database.execute("INSERT INTO ticks VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        for topic, barrier in tick.barriers.items():
            if clock_of(topic) == record.topic and barrier > self._last_barrier.get((topic, record.partition), 0):
                self._last_barrier[topic, record.partition] = barrier
                moved = (topic, record.partition, barrier, tick.at)
                self._database.execute("INSERT INTO barriers VALUES (?, ?, ?, ?)", moved)

    def _add(self, record: Recorded, subject: bytes | None, at: int | None, by: tuple[str, int] | None) -> None:
        number = None if subject is None else self.households.number(subject)
        if number is not None:
            self.households.saw(number, record.appended_ms if at is None else at)
        digest = None if by is None else _digest(record)
        headers = msgspec.msgpack.encode(record.headers) if record.headers else None
        place = (_NUMBERS[record.topic], record.partition, record.offset)
        what = (record.key, record.value, headers, record.appended_ms)
        self._rows.append((*place, *what, number, at, *(by or (None, None)), digest))

    def _write(self) -> None:
        self._database.executemany("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", self._rows)
        self._rows.clear()

    # --- topics

    def each(self, topic: str, partition: int | None = None, below: int | None = None) -> Iterator[Recorded]:
        """Yield the records of a topic (or of one partition, below an offset), partition by partition, in order."""
        query, arguments = f"SELECT {_RECORD} FROM records WHERE topic = ?", [_NUMBERS[topic]]  # noqa: S608 - own words
        if partition is not None:
            query, arguments = f"{query} AND partition = ?", [*arguments, partition]
        if below is not None:
            query, arguments = f"{query} AND offset < ?", [*arguments, below]
        return map(_recorded, self._database.execute(f"{query} ORDER BY topic, partition, offset", arguments))

    def count(self, topic: str, partition: int, below: int) -> int:
        """Return how many records of a partition lie below an offset."""
        query = "SELECT COUNT(*) FROM records WHERE topic = ? AND partition = ? AND offset < ?"
        return int(self._database.execute(query, (_NUMBERS[topic], partition, below)).fetchone()[0])

    def policies(self) -> list[str]:
        """Return the policies that ticks name."""
        return [name for (name,) in self._database.execute("SELECT DISTINCT policy FROM ticks ORDER BY policy")]

    def ticks(self) -> Iterator[TickSeen]:
        """Yield every valid tick of both clocks."""
        query = "SELECT clock, partition, at, offset, appended_ms FROM ticks"
        return (TickSeen(*row) for row in self._database.execute(query))

    def was_silent(self, after_ms: int, before_ms: int) -> bool:
        """Whether the broker, after it had appended something, appended nothing of anybody's between two instants."""
        everything = "SELECT appended_ms FROM ticks UNION ALL SELECT appended_ms FROM records"
        query = f"SELECT MAX(appended_ms) FROM ({everything}) WHERE appended_ms < ?"  # noqa: S608
        (newest,) = self._database.execute(query, (before_ms,)).fetchone()
        return newest is not None and newest <= after_ms

    # --- services

    def standing(self) -> Standing:
        """Return how far each share stood; raise `UnusableProgress` where this build cannot read it."""
        if self._standing is None:
            shares = {(service, part): decode_progress(value) for service, part, value in self.progresses(PROGRESS_KEY)}
            unapplied = {share: self._unapplied_from(share[1], progress) for share, progress in shares.items()}
            bounds = {share: at for share, at in unapplied.items() if at is not None}
            self._standing = Standing(shares, bounds, self._left_from(shares))
        return self._standing

    def _left_from(self, shares: Mapping[Share, Progress]) -> dict[Share, int]:
        """Return from which tick on the words of each share are left out: later ones, and what may rest on such."""
        left: dict[Share, int] = {}
        found = {share: progress.at + 1 for share, progress in shares.items()}
        while found:
            left |= found
            found = {}
            for topic, partition, offset in (place for share in left for place in self._said_from(share, left[share])):
                for _, _, at in self._met(topic, partition, offset):
                    readers = [(reader, partition) for reader in TOPICS[topic].readers]
                    found |= {it: min(at, found.get(it, at)) for it in readers if at < left.get(it, at + 1)}
        return left

    def _said_from(self, share: Share, at: int) -> Iterator[tuple[str, int, int]]:
        """Yield topic, partition and offset of the first record of each partition that a share wrote from a tick on."""
        query = "SELECT topic, partition, MIN(offset) FROM records WHERE service = ? AND source = ? AND at >= ? "
        for topic, partition, offset in self._database.execute(query + "GROUP BY topic, partition", (*share, at)):
            yield _TOPICS[topic], partition, offset

    def _unapplied_from(self, partition: int, progress: Progress) -> int | None:
        """Return the first tick that covers a record which the share has not applied; None where there is none."""
        query = "SELECT MIN(offset) FROM records WHERE topic = ? AND partition = ? AND offset >= ?"
        found = []
        for topic, offset in progress.offsets.items():
            (unread,) = self._database.execute(query, (_NUMBERS[topic], partition, offset)).fetchone()
            if unread is not None:
                found += [at for _, _, at in self._met(topic, partition, unread)]
        return min(found, default=None)

    def progresses(self, key: bytes) -> list[tuple[str, int, bytes]]:
        """Return service, partition and value of a key that each changelog has."""
        query = "SELECT service, partition, value FROM changelog WHERE key = ? ORDER BY service, partition"
        return [row for row in self._database.execute(query, (key,)) if row[0] in SERVICES]

    def has_changelogs(self) -> bool:
        """Whether there are changelogs at all."""
        return self._database.execute("SELECT 1 FROM changelog LIMIT 1").fetchone() is not None

    def states(self, service: str, partition: int) -> Iterator[tuple[bytes, bytes]]:
        """Yield key and value of everything that a changelog holds at last, by key."""
        query = "SELECT key, value FROM changelog WHERE service = ? AND partition = ? ORDER BY key"
        return iter(self._database.execute(query, (service, partition)))

    def authors(self) -> list[tuple[str, int, str, int]]:
        """Return the service and partition that wrote, and topic and partition that were written to."""
        query = "SELECT DISTINCT service, source, topic, partition FROM records WHERE service IS NOT NULL"
        return [
            (service, source, _TOPICS[topic], to)
            for service, source, topic, to in sorted(self._database.execute(query))
        ]

    def said(self, service: str, source: int, topic: str, partition: int, *, once: bool = False) -> Iterator[Said]:
        """Yield what one partition of a service wrote to a partition, in order; `once`: repetitions left out."""
        place = (service, source, _NUMBERS[topic], partition)
        where = "service = ? AND source = ? AND topic = ? AND partition = ?"
        again: dict[bytes, bool] = {}
        if once:
            query = f"SELECT digest FROM records WHERE {where} GROUP BY digest HAVING COUNT(*) > 1"  # noqa: S608
            again = {digest: False for (digest,) in self._database.execute(query, place)}
        query = f"SELECT offset, at, key, value, digest FROM records WHERE {where} ORDER BY offset"  # noqa: S608
        for offset, at, key, value, digest in self._database.execute(query, place):
            if not again.get(digest):
                yield Said(topic, partition, offset, at, key, value)
            if digest in again:
                again[digest] = True

    def letters(self) -> Iterator[tuple[bytes | None, str, int]]:
        """Yield, of each record that was buried, the dead letter's key, by whom, and how many times."""
        query = "SELECT key, service, COUNT(*) FROM records WHERE topic = ? GROUP BY key, service ORDER BY key, service"
        return iter(self._database.execute(query, (_NUMBERS[DEAD_LETTERS],)))

    # --- chapters

    def chapter(self, subjects: Iterable[int], *, lapsing: tuple[str, ...] = (), from_at: int = 0) -> list[Recorded]:
        """Return a log of its own: all records about some subjects, the ticks that they met, and the stamp.

        Of the `lapsing` topics those before `from_at` are left out.
        """
        self._database.execute("DELETE FROM chapter")
        self._database.executemany("INSERT INTO chapter VALUES (?)", ((number,) for number in subjects))
        gone = ", ".join(str(_NUMBERS[topic]) for topic in lapsing)
        query = (
            f"SELECT {_RECORD}, at, service, source FROM records WHERE subject IN (SELECT subject FROM chapter) "  # noqa: S608
            f"AND (topic NOT IN ({gone}) OR at IS NULL OR at >= ?) ORDER BY topic, partition, offset"
        )
        met: set[tuple[str, int, int]] = set()
        found: list[Recorded] = []
        for *row, at, service, source in self._database.execute(query, (from_at,)):
            if service in SERVICES and at is not None and self.standing().is_left_out((service, source), at):
                continue
            record = _recorded(row)
            found.append(record)
            met |= self._met(record.topic, record.partition, record.offset)
            if service in SERVICES and at is not None:
                met.add((BORROWER_CLOCK if service == SERVICES[-1] else LOAN_CLOCK, source, at))
        met |= self._met_while_open(found, sorted(at for clock, _, at in met if clock == LOAN_CLOCK))
        ticks = [tick for place in sorted(met) for tick in self._tick(*place)]
        return [*([] if self.stamp is None else [self.stamp]), *ticks, *found]

    def _met(self, topic: str, partition: int, offset: int) -> set[tuple[str, int, int]]:
        """Return clock, partition and instant of the tick at which a record became known, if it did."""
        query = "SELECT at FROM barriers WHERE topic = ? AND partition = ? AND barrier > ? ORDER BY barrier LIMIT 1"
        found = self._database.execute(query, (topic, partition, offset)).fetchone()
        return set() if found is None else {(clock_of(topic), partition, found[0])}

    def _met_while_open(self, found: Iterable[Recorded], known: Sequence[int]) -> set[tuple[str, int, int]]:
        """Return the gate's ticks by which an open permit must have been withdrawn, were its reason gone.

        For each instant at which a fact about loans became known while a permit was open: the first tick from then on,
        and where pairs were silent those at which others were, until none was.
        """
        met: set[tuple[str, int, int]] = set()
        for record in found:
            read = record.decode() if record.topic == OUTREACH else None
            if isinstance(read, Envelope) and isinstance(read.data, PermitGranted):
                granted = bisect_right(known, record.appended_ms if read.time_ms is None else read.time_ms)
                for at in known[granted : bisect_left(known, read.data.valid_until_ms)]:
                    met |= {
                        (BORROWER_CLOCK, record.partition, tick) for tick in self._until_heard(record.partition, at)
                    }
        return met

    def _until_heard(self, partition: int, at: int) -> Iterator[int]:
        query = (
            "SELECT at, silent FROM ticks WHERE clock = ? AND partition = ? AND at >= ? "
            "AND (changed OR NOT silent OR at = ?) ORDER BY at"
        )
        first = "SELECT MIN(at) FROM ticks WHERE clock = ? AND partition = ? AND at >= ?"
        (begin,) = self._database.execute(first, (BORROWER_CLOCK, partition, at)).fetchone()
        for tick, silent in self._database.execute(query, (BORROWER_CLOCK, partition, at, begin)):
            yield tick
            if not silent:
                return

    def _tick(self, clock: str, partition: int, at: int) -> Iterator[Recorded]:
        query = "SELECT offset FROM ticks WHERE clock = ? AND partition = ? AND at = ?"
        for (offset,) in self._database.execute(query, (clock, partition, at)):
            lies = (_NUMBERS[clock], partition, offset)
            where = "topic = ? AND partition = ? AND offset = ?"
            yield from map(
                _recorded,
                self._database.execute(f"SELECT {_RECORD} FROM records WHERE {where}", lies),  # noqa: S608 - own words
            )


@contextmanager
def spooled(records: Iterable[Recorded] | None = None, *, in_memory: bool = False) -> Iterator[Spool]:
    """Spool records into a temporary folder, which is removed at the end; with None the caller fills and seals it."""
    with nullcontext("") if in_memory else TemporaryDirectory(prefix="duecourse-check-") as folder:
        spool = Spool(":memory:" if in_memory else Path(folder) / "topics.sqlite")
        try:
            if records is not None:
                for record in records:
                    spool.take(record)
                spool.seal()
            yield spool
        finally:
            spool.close()


def _digest(record: Recorded) -> bytes:
    hashed = blake2b(record.key or b"", digest_size=12)
    hashed.update(b"\0" + (record.value or b""))
    return hashed.digest()


def _recorded(row: Iterable[Any]) -> Recorded:
    topic, partition, offset, key, value, headers, appended_ms = row
    read = () if headers is None else tuple((name, text) for name, text in msgspec.msgpack.decode(headers))
    return Recorded(_TOPICS[topic], partition, offset, key, value, read, appended_ms)
