"""Runbooks of one shape: who has read one finds the way in all."""

from __future__ import annotations

from collections.abc import Sequence

from deploy.monitoring.sources import Alert

HEADINGS = (
    "What fires", "What borrowers and lenders notice", "First three queries", "Likely causes", "Mitigate", "Fix",
    "How to verify", "Whom to tell",
)  # fmt: skip


def runbook(alert: Alert) -> str:
    """Return the page of one alert."""
    bodies = (
        f"`{' '.join(alert.expression.split())}` for {alert.lasting}, severity {alert.severity}.",
        alert.impact,
        "```\n" + "\n".join(alert.queries) + "\n```",
        _list(alert.causes),
        _list(alert.mitigate),
        _list(alert.fix),
        alert.verify,
        alert.tell,
    )
    parts = [f"## {heading}\n\n{body}\n" for heading, body in zip(HEADINGS, bodies, strict=True)]
    return f"# {alert.name}\n\n" + "\n".join(parts)


def _list(items: Sequence[str]) -> str:
    return "\n".join(f"- {item[0].upper()}{item[1:]}" if item[0].isalpha() else f"- {item}" for item in items)


def index(alerts: Sequence[Alert]) -> str:
    """Return the list of all runbooks, those that page first."""
    order = {"page": 0, "ticket": 1, "none": 2}
    rows = [
        f"| [{alert.name}]({alert.name}.md) | {alert.severity} | {alert.impact} |"
        for alert in sorted(alerts, key=lambda it: (order[it.severity], it.name))
    ]
    head = "# Runbooks\n\nOne page per alert, all of one shape. They follow from `alerts.toml` and `slo.toml`.\n\n"
    return (
        head
        + "| alert | severity | what borrowers and lenders notice |\n| --- | --- | --- |\n"
        + "\n".join(rows)
        + "\n"
    )


def drills(alerts: Sequence[Alert]) -> str:
    """Return the table of drills."""
    rows = [_drill(alert) for alert in alerts]
    head = (
        "# Drills\n\nOne row per alert: a fault that `python -m tests.drills` puts into a running system, the time\n"
        "within which the alert must reach Alertmanager, the query that shows it, and what heals it. Where no\n"
        "fault is safe or quick enough, the row says what stands in; every alert has rule tests.\n\n"
    )
    return (
        head
        + "| alert | fault | within | shown by | healed by |\n| --- | --- | --- | --- | --- |\n"
        + "\n".join(rows)
        + "\n"
    )


def _drill(alert: Alert) -> str:
    if alert.drill is None:
        return f"| {alert.name} | none | | | {alert.undrilled} |"
    shown = alert.queries[0].replace("|", "&#124;")
    return f"| {alert.name} | {alert.drill.fault} | {alert.drill.within} | `{shown}` | {alert.drill.heal} |"
