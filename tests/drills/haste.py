"""Rules for those who have minutes: windows, offsets and patience of what is drilled, so many times shorter."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from pathlib import Path

from ruamel.yaml import YAML

from deploy.monitoring.rules import ERRORS, window_rules
from deploy.monitoring.sources import DEPLOY, Alert, load_objectives

EVALUATED_EVERY = "5s"
SHORTEST_SECONDS = 20
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION = re.compile(
    rf"(?<=\[)(\d+)([smhdw])|(?<=offset )(\d+)([smhdw])|(?<={ERRORS})(\d+)([smhdw])|^(\d+)([smhdw])$"
)
"""A window, an offset, a window that is recorded, or a patience; not a label's value that reads like one."""
_RECORDED = re.compile(rf"{ERRORS}(\d+s)")


def seconds_of(text: str) -> float:
    """Return the seconds of `3m` or `90s`."""
    return float(text[:-1]) * _UNITS[text[-1]]


def hastened(text: str, times: int) -> str:
    """Return an expression or a duration with every duration in it that many times shorter, but never below 20 s."""

    def shorter(found: re.Match[str]) -> str:
        number, unit = filter(None, found.groups())
        seconds = int(number) * _UNITS[unit]
        return found[0] if seconds <= SHORTEST_SECONDS else f"{max(SHORTEST_SECONDS, seconds // times)}s"

    return _DURATION.sub(shorter, text)


def write_rules(folder: Path, alerts: Iterable[Alert], drilled: Collection[str]) -> None:
    """Write the alerts as a drill needs them, and what is recorded for them.

    What pages is hastened only while it is drilled itself: in the drill of another alert it could page beside.
    """
    known = {alert.name: alert for alert in alerts}
    yaml = YAML()
    rules = yaml.load((DEPLOY / "prometheus/alerts/duecourse.yml").read_text())
    for group in rules["groups"]:
        group["interval"] = EVALUATED_EVERY
        for rule in group["rules"]:
            times = _times(known.get(rule["alert"]), drilled)
            if times > 1:
                rule["expr"], rule["for"] = (hastened(rule[part], times) for part in ("expr", "for"))
    windows = set(_RECORDED.findall(" ".join(rule["expr"] for group in rules["groups"] for rule in group["rules"])))
    ratios = window_rules(load_objectives(), windows, EVALUATED_EVERY)
    recorded = {"name": "duecourse-hastened", "interval": EVALUATED_EVERY, "rules": ratios}
    for name, content in (("alerts", rules), ("hastened", {"groups": [recorded]})):
        with (folder / f"{name}.rules.yml").open("w") as out:
            yaml.dump(content, out)


def _times(alert: Alert | None, drilled: Collection[str]) -> int:
    if alert is None or (alert.severity == "page" and alert.name not in drilled):
        return 1
    return alert.drill.hasten
