"""The four dashboards as data: what each panel asks, what it means, and in which unit."""

from __future__ import annotations

from dataclasses import dataclass

ALL = 'job=~"$job", instance=~"$instance"'


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel: a figure (`stat`) or curves, its unit, its queries by legend. `red_from` colours figures."""

    title: str
    text: str
    unit: str
    queries: tuple[tuple[str, str], ...]
    kind: str = "curves"
    width: int = 8
    red_from: float | None = None
    red_below: float | None = None
    stacked: bool = False


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard: rows of panels."""

    name: str
    title: str
    text: str
    rows: tuple[tuple[str, tuple[Panel, ...]], ...]


def figure(title: str, text: str, unit: str, query: str, *, width: int = 4, **limits: float) -> Panel:
    """A panel that is one figure, or one per series."""
    label = query.partition(" by (")[2].partition(")")[0]
    legend = f"{{{{{label}}}}}" if label in {"promise", "slo", "service", "currency"} else ""
    return Panel(title, text, unit, ((query, legend),), "figure", width, **limits)


def curves(title: str, text: str, unit: str, *queries: tuple[str, str], width: int = 8, stacked: bool = False) -> Panel:
    """A panel of curves."""
    return Panel(title, text, unit, queries, width=width, stacked=stacked)


def m(name: str, more: str = "") -> str:
    """A metric of ours with the dashboard's selectors."""
    return f"duecourse_{name}{{{ALL}{', ' + more if more else ''}}}"


def of_service(expression: str) -> str:
    """What the client library tells of a process, with the service that it is."""
    return f"{expression} * on (job, instance) group_left (service) {m('build_info')}"


def per_second(name: str, by: str, more: str = "") -> str:
    """The rate of a counter."""
    return f"sum by ({by}) (rate({m(name, more)}[$__rate_interval]))"


def quantile(share: float, name: str, by: str, more: str = "") -> str:
    """A quantile of a histogram."""
    return f"histogram_quantile({share}, sum by (le, {by}) (rate({m(name + '_bucket', more)}[$__rate_interval])))"


GATE = 'service="rate_limiter"'
TICKS = 'topic=~"collections.(loan|borrower)-clock"'
OVERVIEW = Board(
    "overview", "duecourse: overview", "Promises first: is anybody harmed, is anybody waiting, and why.",
    (
        ("Promises", (
            figure("Waking somebody", "Alerts that page now; their runbooks are behind the link above.", "short",
                   'count(ALERTS{alertstate="firing", severity="page"} unless on (slo, window) ALERTS{alertname="CauseKnown", alertstate="firing"}) or vector(0)', width=4, red_from=1),
            figure("Promises violated", "Violations that the newest audit found. Anything but 0 pages: PromiseBroken.", "short",
                   f"sum by (promise) ({m('promise_violations')})", width=8, red_from=1),
            figure("Attempts after payment", "Contacts about money that had been paid: a gateway acted before the withdrawal reached it. 0 unless services lag; P5 says whether a promise broke.", "short",
                   f"sum({m('attempts_after_payment')})", width=4, red_from=1),
            figure("Age of the audit", "Time since the promises were last judged from the topics.", "s",
                   f"time() - max(max_over_time({m('audit_timestamp_seconds')}[1d]))", width=4, red_from=7200),
            figure("Outreach restricted", "Operators' switches in force that stop outreach or shadow it.", "short",
                   f"sum({m('outreach_restricted')})", width=4, red_from=1),
        )),
        ("Who works", (
            figure("Ready", "1 while an instance of the service says that it makes progress; 0 also when none was heard of for a minute.", "short",
                   f"max by (service) ({m('ready')}) or 0 * max by (service) (max_over_time({m('ready')}[1d]))", width=24, red_below=1.0),
        )),
        ("Objectives", (
            figure("Budget left, 30 days", "Share of each objective's error budget that is left; below 0 it is missed.", "percentunit",
                   "min by (slo) (duecourse:slo_budget_left:ratio)", width=10, red_below=0.0),
            curves("Errors against objectives", "Share of events that miss their objective, over five minutes.", "percentunit",
                   ("max by (slo) (duecourse:slo_errors:ratio_rate5m)", "{{slo}}"), width=14),
        )),
        ("Time", (
            curves("Age of the newest tick applied", "How far decisions are behind, by service and partition: the heartbeat, of those that fell silent too.", "s",
                   (f"time() - max by (service, partition) (max_over_time({m('tick_timestamp_seconds')}[1h]))", "{{service}} {{partition}}")),
            curves("Pairs behind the clock", "How far each loan service's partition is behind; beyond 5 s it is silent.", "s",
                   (f"max by (behind, partition) ({m('clock_pair_behind_seconds')})", "{{behind}} {{partition}}")),
            curves("Silent pairs", "Pairs left behind: their requests are deferred.", "short", (f"max({m('clock_silent_pairs')})", "silent")),
        )),
        ("Answers", (
            curves("Fact to action, 99th percentile", "From Kafka's append of a fact to Kafka's confirmation of what it caused.", "s",
                   (quantile(0.99, "fact_to_action_seconds", "action"), "{{action}}")),
            curves("Fact to action, median", "The same, for the half that is quicker.", "s",
                   (quantile(0.5, "fact_to_action_seconds", "action"), "{{action}}")),
            curves("Permits that outlived their reason", "From the fact that took a reason away to the last instant at which its permit could be used.", "s",
                   (quantile(0.99, "exposure_seconds", "service"), "99th percentile"), (quantile(0.5, "exposure_seconds", "service"), "median")),
        )),
        ("Outreach", (
            curves("Decisions", "What the gate decided, per second.", "ops", (per_second("outreach_decisions_total", "decision"), "{{decision}}"), stacked=True),
            curves("Blocked by rule", "Which rules stood against wishes.", "ops", (per_second("blocked_by_rule_total", "rule") + " > 0", "{{rule}}"), stacked=True),
            curves("Wishes waiting", "Requests that wait at the gate, by class.", "short", (f"sum by (contact_class) ({m('requests_pending')})", "{{contact_class}}"), stacked=True),
        )),
        ("Gateways", (
            curves("Permits open", "Permits that may still be used, by channel; one that only grows has a gateway that tells nothing.", "short",
                   (f"sum by (channel) ({m('permits_open')})", "{{channel}}"), stacked=True),
            curves("Outcomes told", "What gateways and agencies said of contacts, per second; none while permits are granted is GatewaysSilent.", "ops",
                   (per_second("facts_total", "verdict", GATE + ', topic="outreach.outcomes"'), "{{verdict}}"), stacked=True),
            curves("Permits that expired", "Ended without a word of their gateway, per second: each counts as a contact.", "ops",
                   (per_second("outreach_decisions_total", "decision", 'decision="expired"') + " or label_replace(vector(0), 'decision', 'expired', '', '')", "{{decision}}")),
        )),
        ("The book", (
            curves("Open loans by rung", "Counted by the census of the store.", "short", (f"sum by (stage) ({m('loans')})", "{{stage}}"), stacked=True),
            figure("Overdue by currency", "Whole units of each currency, for reading only.", "short", f"sum by (currency) ({m('overdue_amount')})", width=8),
            curves("Dead letters and doubt", "Records that could not be applied, per second, and loans left alone because of them.", "short",
                   (per_second("dead_letters_total", "reason", 'service=~"escalation|rate_limiter"') + " > 0", "{{reason}}"), (f"sum({m('loans_in_doubt')})", "loans in doubt")),
        )),
    ),
)  # fmt: skip
STREAM = Board(
    "stream", "duecourse: stream internals", "Epochs, transactions, lag, ownership and recovery.",
    (
        ("Inputs", (
            curves("Lag in seconds", "Age of the oldest record that waits in memory: which service and partition is late. Below 2 s is the wait for the next tick.", "s",
                   (f"max by (service, partition) ({m('lag_seconds')})", "{{service}} {{partition}}")),
            curves("Lag in records, five longest", "Records in the log that are not applied yet: which topic it is that waits.", "short",
                   (f"topk(5, sum by (service, topic) ({m('lag_records')}))", "{{service}} {{topic}}")),
            curves("Records applied", "By topic.", "ops", (per_second("facts_total", "topic"), "{{topic}}"), stacked=True),
        )),
        ("Epochs", (
            curves("Ticks applied", "One a second and partition in true time; more while catching up.", "ops", (per_second("ticks_total", "service"), "{{service}}")),
            curves("Epoch, 99th percentile", "Computation, commit and local write of one transaction.", "s", (quantile(0.99, "epoch_duration_seconds", "service"), "{{service}}")),
            curves("Commit, 99th percentile", "From the first send until Kafka and the local store have it.", "s", (quantile(0.99, "commit_duration_seconds", "service"), "{{service}}")),
        )),
        ("Transactions", (
            curves("Transactions", "Committed, per second.", "ops", (per_second("transactions_total", "service"), "{{service}}")),
            curves("Outputs", "Records published, per second.", "ops", (per_second("outputs_total", "topic"), "{{topic}}"), stacked=True),
            curves("Due steps that led to nothing", "Due steps that led to nothing, by reason.", "ops", (per_second("skips_total", "service, reason"), "{{service}} {{reason}}"), stacked=True),
        )),
        ("Queues", (
            curves("Queued records", "Read and waiting for their tick.", "short", (f"sum by (service) ({m('queued_records')})", "{{service}}")),
            curves("Paused inputs", "Not read because a queue is full.", "short", (f"sum by (service) ({m('paused_inputs')})", "{{service}}")),
            curves("Waiting", "For records or a policy; 0 while a partition waits for the next tick.", "s", (f"max by (service, partition, what) ({m('waiting_seconds')}) > 0 or max by (service) ({m('waiting_seconds')})", "{{service}} {{partition}} {{what}}")),
        )),
        ("Ownership and recovery", (
            curves("Partitions owned", "By service: the sum must be the topic set's.", "short", (f"sum by (service) ({m('partitions_owned')})", "{{service}}")),
            curves("Rebalances in 15 minutes", "Assignments taken up; one at a start, more than four are RebalanceStorm.", "short",
                   (f"round(sum by (service) (increase({m('rebalances_total')}[15m])))", "{{service}}")),
            curves("Records restored", "From changelogs, per second.", "ops", (per_second("recovered_records_total", "service"), "{{service}}")),
            curves("Ends of processes in an hour", "By service and reason; `none` while nothing ended.", "short",
                   (f"round(sum by (service, reason) (increase({m('process_ends_total')}[1h]))) > 0 or label_replace(vector(0), 'reason', 'none', '', '')", "{{service}} {{reason}}")),
            curves("Progress reports", "To the group, per second; failed ones make a pair look silent.", "ops", (per_second("progress_reports_total", "service, outcome"), "{{service}} {{outcome}}")),
            curves("Clock offsets applied", "Each line climbs by one a second and partition; one that lies flat stands still.", "short",
                   (f"max by (service, partition) ({m('applied_offset', TICKS)})", "{{service}} {{partition}}")),
        )),
    ),
)  # fmt: skip
WORKER = Board(
    "worker", "duecourse: worker", "One process: readiness, event loop, memory, disk, log.",
    (
        ("State", (
            curves("Ready", "1 while /readyz says yes.", "short", (m("ready"), "{{service}} {{instance}}")),
            figure("Builds", "How many builds run beside each other; one, but for a roll-out.", "short", f"count(count by (build) ({m('build_info')}))", width=4, red_from=2),
            figure("Policies", "How many policies ticks named lately.", "short", f"count(count by (policy) ({m('policy_info')}))", width=4, red_from=2),
            curves("Log lines", "Per second, by level.", "ops", (per_second("log_lines_total", "level"), "{{level}}"), stacked=True),
        )),
        ("Process", (
            curves("Processor time", "Seconds per second.", "percentunit", (of_service(f"rate(process_cpu_seconds_total{{{ALL}}}[$__rate_interval])"), "{{service}} {{instance}}")),
            curves("Memory", "Resident.", "bytes", (of_service(f"process_resident_memory_bytes{{{ALL}}}"), "{{service}} {{instance}}")),
            curves("Event loop, 99th percentile", "How late it woke a sleeper.", "s", (quantile(0.99, "event_loop_lag_seconds", "service"), "{{service}}")),
        )),
        ("Disk", (
            curves("Store", "Bytes of the local store.", "bytes", (m("store_bytes"), "{{service}} {{instance}}")),
            curves("Keys", "Kept, by the newest census.", "short", (m("store_entries"), "{{service}} {{instance}}")),
            curves("Disk free", "Share of the disk that holds the store.", "percentunit", (f"{m('disk_free_bytes')} / {m('disk_size_bytes')}", "{{service}} {{instance}}")),
        )),
        ("Interpreter", (
            curves("Open files", "Descriptors in use.", "short", (of_service(f"process_open_fds{{{ALL}}}"), "{{service}} {{instance}}")),
            curves("Garbage collections", "Of the oldest generation, per second.", "ops", (of_service(f'rate(python_gc_collections_total{{{ALL}, generation="2"}}[$__rate_interval])'), "{{service}} {{instance}}")),
            curves("Age of the census", "Time since all states were counted.", "s", (f"time() - {m('census_timestamp_seconds')}", "{{service}} {{instance}}")),
        )),
    ),
)  # fmt: skip
FAIRNESS = Board(
    "fairness", "duecourse: fairness", "Harm beside recovery: what people bear, and what lenders get.",
    (
        ("What people bear", (
            curves("Contacts per person in 7 days", "Over all loans and channels: median, 99th percentile, largest, and the cap.", "short",
                   (f"max by (spread) ({m('contacts_per_person')})", "{{spread}}"), (f"max({m('contacts_per_person_cap')})", "cap")),
            curves("Permits near quiet hours", "Permits that may be used within ten minutes of the end of allowed hours.", "short", (f"max({m('contacts_near_quiet_hours')})", "permits")),
            curves("Contacts exempt from caps", "Share of contacts that are statutory notices.", "percentunit", (f"max({m('contacts_exempt')}) / (max({m('contacts_made')}) > 0)", "notices")),
        )),
        ("Pay to silence", (
            curves("Attempts after payment", "Beside the number of cases in which somebody paid what was being asked for.", "short",
                   (f"max({m('attempts_after_payment')})", "attempts"), (f"max({m('payment_chances')})", "chances")),
            curves("Time to correct a report, 99th percentile", "From a late fact that helps to the correction of what was reported.", "s",
                   (quantile(0.99, "fact_to_action_seconds", "action", 'action="correction"') + " or label_replace(vector(0), 'action', 'none yet', '', '')", "{{action}}")),
            curves("Time to withdraw a permit, 99th percentile", "From a payment to the withdrawal of its permit.", "s",
                   (quantile(0.99, "fact_to_action_seconds", "action", 'action="permit_withdrawal"'), "{{action}}")),
        )),
        ("Deadlines", (
            curves("Notices near their deadline", "Statutory notices that wait and become pointless within 48 hours.", "short", (f"sum({m('notices_near_deadline')})", "notices")),
            curves("Months held back", "Months of loans that the bureau is not told yet, because notice, waiting time or clearance lack.", "short", (f"sum({m('report_months_held')})", "months")),
            curves("Breaches by others", "Contacts that became known and broke a rule, in an hour.", "short", (f"sum(increase({m('breaches_total')}[1h]))", "breaches")),
        )),
        ("What lenders get", (
            curves("Cured", "Loans that were overdue and are not; of them those that no person ever called.", "short",
                   (f"max({m('loans_cured')})", "cured"), (f"max({m('loans_cured_without_call')})", "without a call")),
            curves("Permits by class", "Granted, per second.", "ops", (per_second("permits_total", "contact_class"), "{{contact_class}}"), stacked=True),
            curves("Channel capacity used", "Largest share of a channel's permits per tick that one partition used.", "percentunit", (f"max by (channel) ({m('channel_capacity_used_ratio')})", "{{channel}}")),
        )),
    ),
)  # fmt: skip
BOARDS = (OVERVIEW, STREAM, WORKER, FAIRNESS)
