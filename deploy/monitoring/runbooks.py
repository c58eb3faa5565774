"""Runbooks of one shape: who has read one finds the way in all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from deploy.monitoring.sources import Alert, Outcome

HEADINGS = (
    "What fires", "What borrowers and lenders notice", "First three queries", "Likely causes", "Mitigate", "Fix",
    "How to verify", "Whom to tell",
)  # fmt: skip


def runbook(alert: Alert) -> str:
    """Return the page of one alert."""
    bodies = (
        f"`{' '.join(alert.expression.split())}` for {alert.lasting}, severity {alert.severity}.",
        alert.impact,
        _queries(alert),
        _list(alert.causes),
        _list(alert.mitigate),
        _list(alert.fix),
        alert.verify,
        alert.tell,
    )
    parts = [f"## {heading}\n\n{body}\n" for heading, body in zip(HEADINGS, bodies, strict=True)]
    return f"# {alert.name}\n\n" + "\n".join(parts)


def _queries(alert: Alert) -> str:
    """Return the queries as they are pasted, and below what each answer means."""
    block = "```\n" + "\n".join(alert.queries) + "\n```"
    return "\n".join(
        [block, *([""] if alert.reads else []), *(f"{n}. {text}" for n, text in enumerate(alert.reads, 1))]
    )


def _list(items: Sequence[str]) -> str:
    return "\n".join(f"- {item[0].upper()}{item[1:]}" if item[0].isalpha() else f"- {item}" for item in items)


def index(alerts: Sequence[Alert]) -> str:
    """Return the list of all runbooks, those that page first."""
    order = {"page": 0, "ticket": 1, "none": 2}
    rows = [
        f"| [{alert.name}]({alert.name}.md) | {alert.severity} | {alert.impact} |"
        for alert in sorted(alerts, key=lambda it: (order[it.severity], it.name))
    ]
    head = "# Runbooks\n\nOne page per alert, all of one shape. They follow from `alerts.toml` and `slo.toml`.\n"
    head += (
        "HOST:PORT is a broker. What `duecourse run` starts is restarted by whatever runs it: in the compose file by\n"
    )
    head += "`docker compose restart SERVICE`. The overview dashboard's first rows say who is woken and who works.\n\n"
    return (
        head
        + "| alert | severity | what borrowers and lenders notice |\n| --- | --- | --- |\n"
        + "\n".join(rows)
        + "\n"
    )


HEALED_BY: Final = {
    "wait": "nothing: it ends by itself",
    "abort transaction": "`kafka-transactions.sh abort`, or the producer ends it",
    "end the crash loop": "whatever makes the process end is taken away; the process manager starts it",
    "step the clock back": "the machine's time is put right",
    "full speed": "the import ends, or instances are added",
    "discard dead letters": "`duecourse dead-letters discard COORDINATES --broker HOST:PORT --reason TEXT`",
    "install the policy": "`duecourse run SERVICE --policy FOLDER --broker HOST:PORT`, with the policy in force",
    "gateways speak again": "the gateways are started again",
    "start outreach": "`duecourse outreach start --broker HOST:PORT --reason TEXT`",
    "end the other build": "the roll-out is finished or rolled back",
    "the broker runs smoothly": "the broker gets its processor or disk back",
    "the clock ticks every second": "`duecourse run clock --broker HOST:PORT`, with the interval that it has by itself",
    "contact points are given": "the lender publishes contact points",
    "the producer is stopped": "the producer is stopped",
    "credit_report gets a larger disk": "`duecourse run credit_report --data ROOMY --broker HOST:PORT`",
    "large answers pass": "the path to the broker lets large packets pass again",
    "the broker keeps offsets of groups": "the broker keeps the offsets of groups again",
    "start auditor": "`duecourse check --every-minutes 60 --broker HOST:PORT --health HOST:PORT`",
}
_HEAD: Final = """# Drills

One row per alert: a fault that `python -m tests.drills` puts into a running system (Kafka, six processes, lenders,
gateways, Prometheus, Alertmanager, a pager), the query that shows it, what heals it, and how the newest run of the row
ended: after how many seconds Alertmanager had told the pager (or the tickets), of how many it may take, and after how
many more, from the cure on, the alert was over. A row passes when that happened, the query had an answer meanwhile, and
nothing else at all paged until the cure had worked. Rules are evaluated every five seconds.

Alerts on objectives count like all others. A cause that wakes somebody keeps the objectives that it burns from waking
them too, and until what it left has passed out of their short windows: `CauseKnown` fires as long, and Alertmanager
inhibits by it. Where no cause has an alert, the objective pages alone: `a producer loses its mind` and `the clock ticks
slowly`, thirty-seven seconds from tick to tick, are such faults; the second burns three objectives, and they page
together. An hour of which minutes are known counts as an hour: what is unknown of it was good.

*Hastened* by N: windows and patience of this alert's rule were N times shorter (never below 20 s), expression and
thresholds unchanged, what is recorded for it included; a rule that pages is hastened in its own drill only.
`due dates on one day` finds a quiet week before it: Prometheus began with a history of sixty permits an hour. The house
has the default policy and one product more, whose bureau waits for a late month four days instead of ten: a notice that
comes too late within 48 hours needs no week of drills then. *Not run*: not since objectives count, or never.
Where no fault is safe or quick enough, the row says what stands in; every alert has rule tests.

"""


def drills(alerts: Sequence[Alert], outcomes: Mapping[str, Outcome]) -> str:
    """Return the table of drills."""
    heading = (
        "| alert | fault | hastened | shown by | healed by | told after | over after | paged beside it | verdict |"
    )
    rows = [_drill(alert, outcomes.get(alert.name)) for alert in alerts]
    return _HEAD + "\n".join([heading, "| --- " * 9 + "|", *rows]) + "\n"


def _drill(alert: Alert, outcome: Outcome | None) -> str:
    drill = alert.drill
    shown = f"`{alert.queries[0].replace('|', '&#124;')}`"
    heal = HEALED_BY.get(drill.heal) or f"`duecourse run {drill.heal.removeprefix('start ')} --broker HOST:PORT`"
    fault = f"{drill.fault} ({drill.pages} pages)" if drill.pages else drill.fault
    cells = [alert.name, fault, f"{drill.hasten} times" if drill.hasten > 1 else "", shown, heal]
    if outcome is None:
        return f"| {' | '.join([*cells, '', '', '', 'not run'])} |"
    told = f"{outcome.told} s of {drill.within}" if outcome.told is not None else "never"
    over = (
        f"{outcome.over} s"
        if outcome.over is not None
        else "stays"
        if drill.stays
        else "not awaited"
        if alert.severity == "none"
        else "never"
    )
    verdict = "pass" if outcome.passed else "FAIL"
    return f"| {' | '.join([*cells, told, over, ', '.join(outcome.beside) or 'nothing', verdict])} |"
