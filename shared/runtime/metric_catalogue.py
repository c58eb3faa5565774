"""Every metric that a process of ours exposes: name, kind, labels, meaning, and how many series it may have.

Dashboards, rules and alerts name metrics; a test resolves each of their names here. No label ever holds an id, a key,
an offset or a text: label values come from closed vocabularies, or are partitions of this deployment.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

PREFIX: Final = "duecourse_"
SERIES_MAX: Final = 2_000
"""Of one process with sixteen partitions, buckets of histograms included."""
PARTITIONS_FOR_BUDGET: Final = 16

FAST_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
ACTION_SECONDS: Final = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 300.0, 3600.0, 86400.0)
"""Bounds include every threshold of an SLO: 10 s for actions, 15 s for exposure."""
LONG_SECONDS: Final = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)


class Kind(StrEnum):
    """What a metric is to Prometheus."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Process(StrEnum):
    """Who exposes a metric."""

    SERVICE = "service"
    GATE = "rate_limiter"
    LOANS = "loan services"
    LADDER = "escalation"
    BUREAU = "credit_report"
    CLOCK = "clock"
    AUDITOR = "auditor"


@dataclass(frozen=True, slots=True, eq=False)
class Metric:
    """One metric. Each series also carries `service`. `starts_at_zero`: every label set exists from the first scrape.

    A failure first seen at 1 would never make `increase()` rise: so whatever counts failures starts at zero.
    """

    name: str
    kind: Kind
    text: str
    labels: tuple[str, ...]
    of: tuple[Process, ...]
    series_max: int
    buckets: tuple[float, ...] = ()
    starts_at_zero: bool = False

    @property
    def full_name(self) -> str:
        """The name on the wire."""
        return PREFIX + self.name


_CATALOGUE: list[Metric] = []


def _add(metric: Metric) -> Metric:
    _CATALOGUE.append(metric)
    return metric


def _counter(
    name: str, text: str, *labels: str, of: tuple[Process, ...], series: int = 1, zero: bool = False
) -> Metric:
    return _add(Metric(name, Kind.COUNTER, text, labels, of, series, starts_at_zero=zero or not labels))


def _gauge(name: str, text: str, *labels: str, of: tuple[Process, ...], series: int = 1, zero: bool = False) -> Metric:
    return _add(Metric(name, Kind.GAUGE, text, labels, of, series, starts_at_zero=zero))


def _histogram(
    name: str, text: str, *labels: str, of: tuple[Process, ...], buckets: tuple[float, ...], sets: int = 1
) -> Metric:
    series = sets * (len(buckets) + 3)
    return _add(Metric(name, Kind.HISTOGRAM, text, labels, of, series, buckets, starts_at_zero=True))


_ALL: Final = (Process.SERVICE, Process.CLOCK, Process.AUDITOR)
_SERVICE: Final = (Process.SERVICE,)
_GATE: Final = (Process.GATE,)
_LOANS: Final = (Process.LOANS,)
_LADDER: Final = (Process.LADDER,)
_BUREAU: Final = (Process.BUREAU,)
_CLOCK: Final = (Process.CLOCK,)
_AUDITOR: Final = (Process.AUDITOR,)

# --- every process

BUILD = _gauge("build_info", "Always 1; which build this process runs.", "build", of=_ALL)
LOG_LINES = _counter("log_lines_total", "Lines logged, by level.", "level", of=_ALL, series=5, zero=True)
LOG_LINES_CUT = _counter("log_lines_cut_total", "Lines not logged, because there were too many of their kind.", of=_ALL)
READY = _gauge("ready", "1 while /readyz says yes, 0 while it gives a reason.", of=_ALL)

# --- a service: ticks and epochs

TICK_INSTANT = _gauge(
    "tick_timestamp_seconds",
    "Instant that the newest applied tick tells: its age is how far behind a partition's decisions are.",
    "stage", "partition", of=_SERVICE, series=16,
)  # fmt: skip
TICK_APPLIED = _gauge(
    "tick_applied_timestamp_seconds", "True time at which the newest tick was applied.", "stage", "partition",
    of=_SERVICE, series=16,
)  # fmt: skip
TICKS = _counter("ticks_total", "Ticks applied.", of=_SERVICE)
TICKS_IGNORED = _counter("ticks_ignored_total", "Ticks that did not advance time.", of=_SERVICE)
EPOCH_SECONDS = _histogram(
    "epoch_duration_seconds", "Of one transaction: computation, commit and local write.", of=_SERVICE,
    buckets=FAST_SECONDS,
)  # fmt: skip
COMMIT_SECONDS = _histogram(
    "commit_duration_seconds", "Of one commit: from the first send until Kafka and the local store have it.",
    of=_SERVICE, buckets=FAST_SECONDS,
)  # fmt: skip
TRANSACTIONS = _counter("transactions_total", "Transactions committed.", of=_SERVICE)
FACTS = _counter(
    "facts_total", "Records applied, found to be duplicates, or dead, by topic.", "topic", "verdict", of=_SERVICE,
    series=24, zero=True,
)  # fmt: skip
DEAD_LETTERS = _counter(
    "dead_letters_total", "Records that could not be applied, by topic and reason.", "topic", "reason", of=_SERVICE,
    series=160, zero=True,
)  # fmt: skip
WAKES = _counter("wakes_total", "Keys looked at because their instant had come.", of=_SERVICE)
SKIPS = _counter("skips_total", "Due steps that led to nothing, by reason.", "reason", of=_SERVICE, series=24)
OUTPUTS = _counter("outputs_total", "Records published.", "topic", of=_SERVICE, series=4, zero=True)
POLICY = _gauge("policy_info", "Always 1; the policy that the newest applied tick names.", "policy", of=_SERVICE)
FACT_TO_ACTION = _histogram(
    "fact_to_action_seconds",
    "From the broker's append of the newest fact that caused an action to the broker's confirmation of the action.",
    "action", of=_SERVICE, buckets=ACTION_SECONDS, sets=6,
)  # fmt: skip
STAGE_CHANGES = _counter("stage_changes_total", "Moves on the ladder.", "move", of=_LADDER, series=3, zero=True)
REPORT_CHANGES = _counter(
    "report_changes_total", "Months filed, corrected, withdrawn or held.", "action", of=_BUREAU, series=4, zero=True
)

# --- a service: inputs

LAG_RECORDS = _gauge(
    "lag_records", "Records of an input that lie in the log and are not applied yet.", "topic", "partition",
    of=_SERVICE, series=96,
)  # fmt: skip
LAG_SECONDS = _gauge(
    "lag_seconds", "Age of the oldest record that waits in memory, by the broker's append time; 0 where none waits.",
    "topic", "partition", of=_SERVICE, series=96,
)  # fmt: skip
OFFSET = _gauge(
    "applied_offset", "Next offset of an input that is not applied yet: while it stands still, nothing moves.",
    "topic", "partition", of=_SERVICE, series=96,
)  # fmt: skip
QUEUED = _gauge("queued_records", "Records read and waiting in memory.", "partition", of=_SERVICE, series=16)
PAUSED = _gauge("paused_inputs", "Topic-partitions not read because their queue is full.", of=_SERVICE)
WAITING_SECONDS = _gauge(
    "waiting_seconds", "How long a partition has waited for records or a policy; 0 while it waits for the next tick.",
    "partition", "what", of=_SERVICE, series=32,
)  # fmt: skip

# --- a service: ownership, recovery, disk, the process itself

PARTITIONS = _gauge("partitions_owned", "Partitions that this process owns.", of=_SERVICE)
REBALANCES = _counter("rebalances_total", "Assignments taken up.", of=_SERVICE)
REBALANCE_SECONDS = _histogram(
    "rebalance_duration_seconds", "From the loss of the old assignment to work on the new one.", of=_SERVICE,
    buckets=LONG_SECONDS,
)  # fmt: skip
RECOVERED = _counter("recovered_records_total", "Changelog records restored into the local store.", of=_SERVICE)
RECOVERY_REMAINING = _gauge(
    "recovery_remaining_records", "Changelog records still to be restored.", "partition", of=_SERVICE, series=16
)
RECOVERY_SECONDS = _histogram(
    "recovery_duration_seconds", "From the fence to the end of the changelogs.", of=_SERVICE, buckets=LONG_SECONDS
)
ENDS = _counter(
    "process_ends_total", "How the processes of this instance ended, by reason, as noted on its disk.", "reason",
    of=_SERVICE, series=24, zero=True,
)  # fmt: skip
REPORTS = _counter(
    "progress_reports_total", "Reports of progress to the group.", "outcome", of=_SERVICE, series=2, zero=True
)
STORE_ENTRIES = _gauge("store_entries", "Keys kept, as counted by the newest census.", of=_SERVICE)
STORE_BYTES = _gauge("store_bytes", "Bytes of the local store on disk.", of=_SERVICE)
DISK_FREE = _gauge("disk_free_bytes", "Free bytes of the disk that holds the local store.", of=_SERVICE)
DISK_SIZE = _gauge("disk_size_bytes", "Size of the disk that holds the local store.", of=_SERVICE)
LOOP_LAG = _histogram(
    "event_loop_lag_seconds", "How late the event loop woke a sleeper.", of=_SERVICE, buckets=FAST_SECONDS
)

# --- a service: the census, counted slowly from the local store

CENSUS_AT = _gauge("census_timestamp_seconds", "When the newest census was complete.", of=_SERVICE)
LOANS = _gauge("loans", "Open loans by rung of the ladder.", "stage", of=_LADDER, series=8, zero=True)
LOANS_IN_DOUBT = _gauge(
    "loans_in_doubt", "Loans left alone because a fact about them could not be read.", of=_LADDER, zero=True
)
OVERDUE = _gauge(
    "overdue_amount", "What borrowers owe and should have paid, in whole units of the currency, for reading only.",
    "currency", "bucket", of=_LADDER, series=160,
)  # fmt: skip
PENDING = _gauge(
    "requests_pending", "Wishes for contact that wait at the gate.", "contact_class", of=_GATE, series=6, zero=True
)
PERMITS_OPEN = _gauge("permits_open", "Permits that may still be used.", "channel", of=_GATE, series=7, zero=True)
NOTICES_NEAR_DEADLINE = _gauge(
    "notices_near_deadline", "Statutory notices that wait and become pointless within 48 hours.", of=_GATE, zero=True
)
MONTHS_HELD = _gauge("report_months_held", "Months of loans that are held back from the bureau.", of=_BUREAU, zero=True)

# --- the gate

DECISIONS = _counter(
    "outreach_decisions_total", "Decisions of the gate; `rule` is the first that blocked, `none` where none did.",
    "channel", "decision", "rule", of=_GATE, series=180,
)  # fmt: skip
BLOCKED_BY = _counter(
    "blocked_by_rule_total", "How often each rule blocked: a deferral counts for every rule that it names.", "rule",
    of=_GATE, series=64, zero=True,
)  # fmt: skip
PERMITS = _counter(
    "permits_total", "Permits granted, by class of contact.", "contact_class", of=_GATE, series=6, zero=True
)
BREACHES = _counter(
    "breaches_total", "Contacts that became known and exceeded a rule, most often made by others.", "rule", of=_GATE,
    series=64, zero=True,
)  # fmt: skip
CAPACITY_USED = _gauge(
    "channel_capacity_used_ratio", "Largest share of a channel's permits per tick that one partition used lately.",
    "channel", of=_GATE, series=7, zero=True,
)  # fmt: skip
EXPOSURE = _histogram(
    "exposure_seconds",
    "From the append of the fact that took a reason away to the last instant at which its permit could be used.",
    of=_GATE, buckets=ACTION_SECONDS,
)  # fmt: skip

# --- the clock

CLOCK_TICKS = _counter("clock_ticks_total", "Ticks written.", "stage", of=_CLOCK, series=2, zero=True)
CLOCK_NEWEST = _gauge("clock_tick_timestamp_seconds", "Instant of the newest tick known.", "stage", of=_CLOCK, series=2)
CLOCK_WRITTEN = _gauge(
    "clock_tick_written_timestamp_seconds", "True time at which the newest tick was written.", "stage", of=_CLOCK,
    series=2,
)  # fmt: skip
SILENT_PAIRS = _gauge("clock_silent_pairs", "Pairs of service and partition left behind.", of=_CLOCK)
PAIR_BEHIND = _gauge(
    "clock_pair_behind_seconds", "How far a pair's newest applied tick is behind the newest tick.",
    "behind", "partition", of=_CLOCK, series=64,
)  # fmt: skip
CLOCK_DISAGREES = _gauge("clock_disagrees", "1 while no tick is written because clocks disagree.", of=_CLOCK)
BROKER_SILENT = _counter("clock_broker_errors_total", "Questions that the broker did not answer.", of=_CLOCK)
OUTREACH_MODE = _gauge(
    "outreach_restricted", "Operators' switches in force that stop outreach or put it in shadow mode.", "mode",
    of=_CLOCK, series=2, zero=True,
)  # fmt: skip

# --- the auditor

VIOLATIONS = _gauge(
    "promise_violations", "Violations of each promise that the newest audit of the topics found; must be 0.",
    "promise", of=_AUDITOR, series=8, zero=True,
)  # fmt: skip
CASES = _gauge(
    "promise_cases", "Cases in which the newest audit looked for violations.", "promise", of=_AUDITOR, series=8
)
AUDIT_AT = _gauge("audit_timestamp_seconds", "When the newest audit was complete.", of=_AUDITOR)
AUDIT_SECONDS = _gauge("audit_duration_seconds", "How long the newest audit took.", of=_AUDITOR)
AUDITS_FAILED = _counter("audits_failed_total", "Audits that could not be made.", of=_AUDITOR)
CONTACTS_PER_PERSON = _gauge(
    "contacts_per_person", "Contacts of a person in seven local days, over all loans and channels.", "spread",
    of=_AUDITOR, series=3,
)  # fmt: skip
CONTACTS_CAP = _gauge("contacts_per_person_cap", "What the policy allows in seven local days.", of=_AUDITOR)
CONTACTS_MADE = _gauge("contacts_made", "Contacts made since the log began.", of=_AUDITOR)
CONTACTS_EXEMPT = _gauge("contacts_exempt", "Of them, statutory notices, which no cap counts.", of=_AUDITOR)
NEAR_MISSES = _gauge(
    "contacts_near_quiet_hours", "Permits that may be used within ten minutes of the end of allowed hours.", of=_AUDITOR
)
AFTER_PAYMENT = _gauge("attempts_after_payment", "Contacts about money that had been paid.", of=_AUDITOR)
PAYMENT_CHANCES = _gauge("payment_chances", "Cases in which somebody paid what was being asked for.", of=_AUDITOR)
CURED = _gauge("loans_cured", "Loans that were overdue and are not.", of=_AUDITOR)
CURED_WITHOUT_HUMAN = _gauge("loans_cured_without_call", "Of them, those that no person ever called.", of=_AUDITOR)

CATALOGUE: Final[tuple[Metric, ...]] = tuple(_CATALOGUE)
"""All metrics, in the order in which they are explained."""


def metrics_of(service: str) -> tuple[Metric, ...]:
    """Return the metrics of a process: `clock`, `auditor`, or one of the four services."""
    roles = {
        "clock": {Process.CLOCK},
        "auditor": {Process.AUDITOR},
        "rate_limiter": {Process.SERVICE, Process.GATE},
        "escalation": {Process.SERVICE, Process.LOANS, Process.LADDER},
        "credit_report": {Process.SERVICE, Process.LOANS, Process.BUREAU},
    }.get(service, {Process.SERVICE, Process.LOANS})
    return tuple(metric for metric in CATALOGUE if roles.intersection(metric.of))
