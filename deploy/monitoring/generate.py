"""Write everything that follows from the sources: `python -m deploy.monitoring.generate [--check]`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from deploy.monitoring.dashboards import dashboards
from deploy.monitoring.rules import alert_rules, as_yaml, every_alert, recording_rules, rule_tests
from deploy.monitoring.runbooks import drills, index, runbook
from deploy.monitoring.sources import DEPLOY, load_objectives, load_outcomes

ALERTS = "../alerts/duecourse.yml"
FROM = "Generated from deploy/alerts.toml and deploy/slo.toml by `make monitoring`; edits here are lost."


def documents() -> dict[Path, str]:
    """Return every generated file, by its path under deploy/."""
    objectives, alerts = load_objectives(), every_alert()
    found = {
        Path("prometheus/rules/objectives.yml"): as_yaml(recording_rules(objectives), FROM),
        Path("prometheus/alerts/duecourse.yml"): as_yaml(alert_rules(alerts), FROM),
        Path("prometheus/tests/alerts_test.yml"): as_yaml(rule_tests(alerts, ALERTS, long=False), FROM),
        Path("prometheus/tests/long_alerts_test.yml"): as_yaml(rule_tests(alerts, ALERTS, long=True), FROM),
        Path("runbooks/README.md"): index(alerts),
        Path("drills.md"): drills(alerts, load_outcomes()),
    }
    found |= {Path(f"runbooks/{alert.name}.md"): runbook(alert) for alert in alerts}
    found |= {
        Path(f"grafana/dashboards/{name}.json"): json.dumps(content, indent=2, sort_keys=True) + "\n"
        for name, content in dashboards().items()
    }
    return found


def stale() -> list[str]:
    """Return the files that are missing, differ, or no longer follow from the sources."""
    wanted = documents()
    differing = [
        str(path)
        for path, text in wanted.items()
        if not (DEPLOY / path).is_file() or (DEPLOY / path).read_text() != text
    ]
    kept = {
        path.relative_to(DEPLOY)
        for folder in ("runbooks", "grafana/dashboards")
        for path in (DEPLOY / folder).glob("*")
    }
    return sorted([*differing, *(str(path) for path in kept - wanted.keys())])


def main(arguments: list[str]) -> int:
    """Write the files, or with --check say which would change."""
    if "--check" in arguments:
        for path in stale():
            print(f"deploy/{path} is stale: make monitoring")  # noqa: T201 - it is a command
        return bool(stale())
    for path, text in documents().items():
        (DEPLOY / path).parent.mkdir(parents=True, exist_ok=True)
        (DEPLOY / path).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
