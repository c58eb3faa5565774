"""Recording rules, alerts and their tests, as Prometheus and promtool read them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from io import StringIO
from typing import Any

from ruamel.yaml import YAML

from deploy.monitoring.sources import Alert, Case, Objective

WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
BURNS = (
    ("page", 14.4, "5m", "1h", "2m"),
    ("page", 6.0, "30m", "6h", "5m"),
    ("ticket", 3.0, "2h", "1d", "15m"),
    ("ticket", 1.0, "6h", "3d", "30m"),
)
"""Severity, how many times too fast the budget burns, short and long window, and for how long: the usual four."""
LONG_MINUTES = 180
RUNBOOKS = "https://github.com/duecourse/duecourse/blob/main/deploy/runbooks"
ERRORS = "duecourse:slo_errors:ratio_rate"
FRESH = "duecourse:slo_holds:bool"


def recording_rules(objectives: Sequence[Objective]) -> dict[str, Any]:
    """Return the recording rules: error ratios by window, the objective, and what is left of the budget."""
    rules: list[dict[str, Any]] = []
    for objective in objectives:
        labels = {"slo": objective.name}
        if objective.holds:
            rules.append({"record": FRESH, "expr": objective.holds, "labels": labels})
        rules += [
            {"record": ERRORS + window, "expr": _ratio(objective, window), "labels": labels} for window in WINDOWS
        ]
        rules.append(
            {"record": "duecourse:slo_objective:ratio", "expr": f"vector({objective.objective})", "labels": labels}
        )
        left = f'1 - avg_over_time({ERRORS}5m{{slo="{objective.name}"}}[30d]) / (1 - {objective.objective})'
        rules.append({"record": "duecourse:slo_budget_left:ratio", "expr": left, "labels": labels})
    return {"groups": [{"name": "duecourse-objectives", "interval": "30s", "rules": rules}]}


def _ratio(objective: Objective, window: str) -> str:
    if objective.holds:
        return f'1 - avg_over_time({FRESH}{{slo="{objective.name}"}}[{window}])'
    bad, total = (text.replace("WINDOW", window) for text in (objective.bad, objective.total))
    return f"({bad}) / ({total} > 0)"


def alert_rules(alerts: Sequence[Alert]) -> dict[str, Any]:
    """Return the alerts, each with its runbook by construction."""
    return {"groups": [{"name": "duecourse-alerts", "interval": "15s", "rules": [_rule(alert) for alert in alerts]}]}


def _rule(alert: Alert) -> dict[str, Any]:
    return {
        "alert": alert.name,
        "expr": " ".join(alert.expression.split()),
        "for": alert.lasting,
        **({"keep_firing_for": alert.keeps} if alert.keeps else {}),
        "labels": {"severity": alert.severity},
        "annotations": {
            "summary": alert.summary,
            "impact": alert.impact,
            "queries": "\n".join(alert.queries),
            "runbook_url": f"{RUNBOOKS}/{alert.name}.md",
        },
    }


def burn_alerts(objectives: Sequence[Objective]) -> tuple[Alert, ...]:
    """Return two alerts for each objective: one that pages, one that can wait until morning."""
    return tuple(_burn_alert(objective, severity) for objective in objectives for severity in ("page", "ticket"))


def _burn_alert(objective: Objective, severity: str) -> Alert:
    budget = round(1 - objective.objective, 6)
    chosen = [burn for burn in BURNS if burn[0] == severity]
    selector = f'{{slo="{objective.name}"}}'
    expression = "\nor ".join(
        f"({ERRORS}{short}{selector} > {factor} * {budget} and {ERRORS}{long}{selector} > {factor} * {budget})"
        for _, factor, short, long, _ in chosen
    )
    name = f"Objective{objective.name.capitalize()}{'BurnsFast' if severity == 'page' else 'BurnsSlowly'}"
    factor = chosen[0][1]
    bad = {f"{ERRORS}{window}{selector}": f"{min(1.0, budget * factor * 2)}x300" for window in WINDOWS}
    brief = {**dict.fromkeys(bad, "0x300"), f"{ERRORS}5m{selector}": "1x300", f"{ERRORS}2h{selector}": "1x300"}
    return Alert(
        name=name,
        severity=severity,
        expression=expression,
        lasting=chosen[0][4],
        summary=f"{{{{ $value | humanizePercentage }}}} fail: {objective.sentence[0].lower()}{objective.sentence[1:]}",
        impact=f"The promise to lenders ({objective.objective:.1%} in 30 days) will be missed at this rate.",
        queries=(
            f"duecourse:slo_budget_left:ratio{selector}",
            "histogram_quantile(0.99, sum by (le, action) (rate(duecourse_fact_to_action_seconds_bucket[5m])))",
            "topk(5, duecourse_lag_seconds)",
        ),
        causes=("one of the causes that have alerts of their own: look at those first", "less capacity than facts"),
        mitigate=("add instances up to the number of partitions", "throttle imports"),
        fix=("`duecourse doctor --broker HOST:PORT`", "compare epoch and commit durations on the worker dashboard"),
        reads=(
            "Below 0 the promise of these 30 days is already missed.",
            "Which kind of answer is slow: all mean the clock or the broker, one means the service that gives it.",
            "Who is behind, on which topic and partition: that pair's service is the place to look.",
        ),
        verify="The error ratio of five minutes is below the budget.",
        tell="Lenders, when the budget is spent.",
        fires=(Case(series=bad, at="90m", labels={"slo": objective.name}),),
        silent=(Case(series=brief, at="90m"),),
        undrilled="The alerts on causes are drilled; a budget burns for an hour before anybody is woken.",
    )  # fmt: skip


def rule_tests(alerts: Sequence[Alert], rule_file: str, *, long: bool) -> dict[str, Any]:
    """Return promtool's test file: for each alert every case that fires and every silent one.

    `long` cases look hours or days ahead, and are evaluated every quarter of an hour: a week of minutes takes minutes.
    """
    return {
        "rule_files": [rule_file],
        "evaluation_interval": "15m" if long else "1m",
        "tests": [test for alert in alerts for test in _tests(alert, long=long)],
    }


def _tests(alert: Alert, *, long: bool) -> Iterator[dict[str, Any]]:
    for kind, cases in (("fires", alert.fires), ("silent", alert.silent if alert.severity != "none" else ())):
        for case in cases:
            if _is_long(case.at) is not long:
                continue
            series = [{"series": name, "values": values} for name, values in case.series.items()]
            # promtool would compare every label and annotation, and these hold values: ALERTS tells what fires.
            labels = "".join(f', {name}="{value}"' for name, value in sorted((case.labels or {}).items()))
            query = f'count(ALERTS{{alertname="{alert.name}", alertstate="firing"{labels}}}) or vector(0)'
            wanted = 1 if kind == "fires" else 0
            yield {
                "name": f"{alert.name} {kind}",
                "interval": "1m",
                "input_series": series,
                "promql_expr_test": [
                    {"expr": query, "eval_time": case.at, "exp_samples": [{"labels": "{}", "value": wanted}]}
                ],
            }


def _is_long(at: str) -> bool:
    return int(at[:-1]) * {"m": 1, "h": 60}[at[-1]] > LONG_MINUTES


def metric_names(expression: str) -> set[str]:
    """Return the names of our metrics in an expression, as the catalogue knows them."""
    found = re.findall(r"\bduecourse_[a-z0-9_]+", expression)
    return {re.sub(r"_(bucket|count|sum)$", "", name) if "_seconds_" in name else name for name in found}


def as_yaml(content: object, comment: str) -> str:
    """Return a document with a first line that says where it comes from."""
    writer = YAML()
    writer.width = 4096
    writer.indent(mapping=2, sequence=4, offset=2)
    out = StringIO()
    writer.dump(content, out)
    return f"# {comment}\n{out.getvalue()}"
