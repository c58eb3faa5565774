"""Recording rules, alerts and their tests, as Prometheus and promtool read them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from io import StringIO
from typing import Any

from ruamel.yaml import YAML

from deploy.monitoring.sources import Alert, Case, Drill, Objective, load_alerts, load_objectives

WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
RECORDED_EVERY_SECONDS = 30
BURNS = (
    ("page", 14.4, "5m", "1h"),
    ("page", 6.0, "30m", "6h"),
    ("ticket", 3.0, "2h", "1d"),
    ("ticket", 1.0, "6h", "3d"),
)
"""Severity, how many times too fast the budget burns, short and long window: the usual four."""
PATIENCE = {"page": "4m", "ticket": "15m"}
"""A symptom lets its cause speak first: the slowest alert on a cause, GateStandsStill, needs three minutes and more."""
OBJECTIVE = "Objective"
CAUSE_KNOWN = "CauseKnown"
SHORT_SECONDS = 10 * RECORDED_EVERY_SECONDS
SLOW_HASTE = 96
"""A drill has minutes: two hours of a slow burn become 75 seconds there, three days 45 minutes."""
SETTLING_MINUTES = 2
"""What a cause left behind is counted when it is worked off, which may be a little after the cause itself was over."""
LONG_MINUTES = 180
RUNBOOKS = "https://github.com/duecourse/duecourse/blob/main/deploy/runbooks"
ERRORS = "duecourse:slo_errors:ratio_rate"
FRESH = "duecourse:slo_holds:bool"
SEEN = "duecourse:seen:bool"
SEEN_SHARE = "duecourse:seen:share"


def recording_rules(objectives: Sequence[Objective]) -> dict[str, Any]:
    """Return the recording rules: error ratios by window, the objective, and what is left of the budget."""
    seen = {"record": SEEN, "expr": "count(max_over_time(duecourse_build_info[1d])) > bool 0"}
    rules: list[dict[str, Any]] = [seen, *_share_rules(WINDOWS)]
    for objective in objectives:
        labels = {"slo": objective.name}
        if objective.holds:
            rules.append({"record": FRESH, "expr": objective.holds, "labels": labels})
        rules += _ratio_rules(objective, WINDOWS)
        rules.append(
            {"record": "duecourse:slo_objective:ratio", "expr": f"vector({objective.objective})", "labels": labels}
        )
        left = f'1 - avg_over_time({ERRORS}5m{{slo="{objective.name}"}}[30d]) / (1 - {objective.objective})'
        rules.append({"record": "duecourse:slo_budget_left:ratio", "expr": left, "labels": labels})
    group = {"name": "duecourse-objectives", "interval": f"{RECORDED_EVERY_SECONDS}s", "rules": rules}
    return {"groups": [group]}


def window_rules(objectives: Sequence[Objective], windows: Iterable[str], every: str) -> list[dict[str, Any]]:
    """Return what is recorded of other windows than ours, for who reads the objectives over such `every` so often."""
    chosen = sorted(windows, key=_seconds)
    ratios = [rule for objective in objectives for rule in _ratio_rules(objective, chosen, every)]
    return [*_share_rules(chosen), *ratios]


def _share_rules(windows: Iterable[str]) -> list[dict[str, Any]]:
    """Return which share of each window the deployment has been known for; a blackout of less than a day is known."""
    return [
        {
            "record": SEEN_SHARE + window,
            "expr": f"clamp_max(count_over_time({SEEN}[{window}]) / {_seconds(window) // RECORDED_EVERY_SECONDS}, 1)",
        }
        for window in windows
    ]


def _ratio_rules(objective: Objective, windows: Iterable[str], every: str = "") -> list[dict[str, Any]]:
    labels = {"slo": objective.name}
    return [
        {"record": ERRORS + window, "expr": _ratio(objective, window, every), "labels": labels} for window in windows
    ]


def _ratio(objective: Objective, window: str, every: str = "") -> str:
    """Return the share of a window that failed; what holds is looked at `every` so often where a window is short.

    What is unknown of the window counts as good: else the first minutes of a deployment would stand for its hour, and
    a restart would spend a budget that it does not touch.
    """
    if objective.holds:
        recorded = f'{FRESH}{{slo="{objective.name}"}}[{window}]'
        is_short = every and _seconds(window) <= SHORT_SECONDS
        failed = f"(1 - avg_over_time({f'({objective.holds})[{window}:{every}]' if is_short else recorded}))"
    else:
        bad, total = (text.replace("WINDOW", window) for text in (objective.bad, objective.total))
        failed = f"(({bad}) / ({total} > 0))"
    return f"{failed} * on () {SEEN_SHARE}{window}"


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


def every_alert() -> tuple[Alert, ...]:
    """Return the alerts that people wrote, and those that follow from the objectives."""
    written, objectives = load_alerts(), load_objectives()
    return (*written, *burn_alerts(objectives), cause_alert(written, objectives))


def burn_alerts(objectives: Sequence[Objective]) -> tuple[Alert, ...]:
    """Return two alerts for each objective: one that pages, one that can wait until morning."""
    return tuple(_burn_alert(objective, severity) for objective in objectives for severity in ("page", "ticket"))


def _burn_alert(objective: Objective, severity: str) -> Alert:
    budget = round(1 - objective.objective, 6)
    chosen = [burn for burn in BURNS if burn[0] == severity]
    selector = f'{{slo="{objective.name}"}}'
    expression = "\nor ".join(_burns(objective.name, budget, *burn[1:]) for burn in chosen)
    _, factor, short, _ = chosen[0]
    slowly = replace(objective.drill, hasten=SLOW_HASTE)
    bad = {f"{ERRORS}{window}{selector}": f"{min(1.0, budget * factor * 2)}x300" for window in WINDOWS}
    brief = {**dict.fromkeys(bad, "0x300"), f"{ERRORS}5m{selector}": "1x300", f"{ERRORS}2h{selector}": "1x300"}
    return Alert(
        name=f"{OBJECTIVE}{objective.name.capitalize()}{'BurnsFast' if severity == 'page' else 'BurnsSlowly'}",
        severity=severity,
        expression=expression,
        lasting=PATIENCE[severity],
        summary=f"{{{{ $value | humanizePercentage }}}} fail: {objective.sentence[0].lower()}{objective.sentence[1:]}",
        impact=f"The promise to lenders ({objective.objective:.1%} in 30 days) will be missed at this rate.",
        queries=(
            f"duecourse:slo_budget_left:ratio{selector}",
            "histogram_quantile(0.99, sum by (le, action) (rate(duecourse_fact_to_action_seconds_bucket[5m])))",
            "topk(5, max by (behind, partition) (duecourse_clock_pair_behind_seconds))",
        ),
        causes=(
            "one that no alert knows: beside one that an alert knows, and shortly after it, this alert wakes nobody",
            "less capacity than facts",
        ),
        mitigate=("add instances up to the number of partitions", "throttle imports"),
        fix=("`duecourse doctor --broker HOST:PORT`", "compare epoch and commit durations on the worker dashboard"),
        reads=(
            "Below 0 the promise of these 30 days is already missed.",
            "Which kind of answer is slow: all mean the clock or the broker, one means the service that gives it.",
            "Which loan service is behind on which partition, by how many seconds: the clock sees the dead as well.",
        ),
        verify="The error ratio of five minutes is below the budget.",
        tell="Lenders, when the budget is spent.",
        fires=(Case(series=bad, at="90m", labels={"slo": objective.name, "window": short}),),
        silent=(Case(series=brief, at="90m"),),
        drill=objective.drill if severity == "page" else slowly,
    )


def _burns(slo: str, budget: float, factor: float, short: str, long: str) -> str:
    """Return when a budget burns so fast over both windows; the label tells which, for what inhibits it."""
    over = " and ".join(f'{ERRORS}{window}{{slo="{slo}"}} > {factor} * {budget}' for window in (short, long))
    return _labelled(over, "window", short)


def _labelled(expression: str, label: str, value: str) -> str:
    return f'label_replace({expression}, "{label}", "{value}", "", "")'


def cause_alert(alerts: Sequence[Alert], objectives: Sequence[Objective]) -> Alert:
    """Return what keeps alerts on symptoms silent beside a cause that somebody was woken for, and shortly after it."""
    known = [
        _labelled(_labelled(_fired(causes, _minutes(short) + SETTLING_MINUTES), "slo", objective.name), "window", short)
        for objective in objectives
        if (causes := "|".join(alert.name for alert in alerts if objective.name in alert.burns))
        for severity, _, short, _ in BURNS
        if severity == "page"
    ]
    cause, slo = next((alert.name, alert.burns[0]) for alert in alerts if alert.burns)
    series = {f'ALERTS{{alertname="{cause}",alertstate="firing"}}': "1x9 _x30"}
    return Alert(
        name=CAUSE_KNOWN,
        severity="none",
        expression="\nor ".join(known),
        lasting="0m",
        summary="Somebody was woken for what burns the budget of {{ $labels.slo }}.",
        impact=(
            "None. While it fires, the objective of its label `slo` wakes nobody over its short `window`: the page on"
            " the cause says more."
        ),
        queries=('ALERTS{alertname="CauseKnown"}', 'ALERTS{severity="page"}', "duecourse:slo_errors:ratio_rate5m"),
        causes=("an alert on a cause fires, or did so until minutes ago",),
        mitigate=("nothing to do here: see the alert on the cause",),
        fix=("if it stays without such an alert, look at Prometheus' rules",),
        verify="It ends by itself, a window and two minutes after the cause; a symptom that is left wakes somebody.",
        tell="Nobody.",
        fires=(Case(series=series, at="15m", labels={"slo": slo, "window": "5m"}),),
        silent=(Case(series=series, at="20m"),),
        drill=Drill(fault="stop clock", heal="start clock", within="2m"),
    )


def _fired(causes: str, minutes: int) -> str:
    return f'max(max_over_time(ALERTS{{alertname=~"{causes}", alertstate="firing"}}[{minutes}m]))'


def _minutes(window: str) -> int:
    return _seconds(window) // 60


def _seconds(window: str) -> int:
    return int(window[:-1]) * {"s": 1, "m": 60, "h": 3600, "d": 86_400}[window[-1]]


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
    return _minutes(at) > LONG_MINUTES


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
