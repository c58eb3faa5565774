"""Alerts, runbooks and objectives: complete, alike, and naming only what exists."""

import itertools
import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path

import click
import pytest
from ruamel.yaml import YAML

from deploy.monitoring.generate import documents, stale
from deploy.monitoring.rules import (
    CAUSE_KNOWN,
    RUNBOOKS,
    alert_rules,
    as_yaml,
    burn_alerts,
    every_alert,
    metric_names,
    recording_rules,
    rule_tests,
)
from deploy.monitoring.runbooks import HEADINGS, runbook
from deploy.monitoring.sources import DEPLOY, Alert, load_objectives
from services.cli import COMMANDS, duecourse
from shared.runtime.metric_catalogue import CATALOGUE, Kind
from tests.drills.faults import FAULTS
from tests.house.tree import ROOT

OBJECTIVES = load_objectives()
ALERTS = every_alert()
NAMES = {metric.full_name for metric in CATALOGUE}
COMMAND = re.compile(r"`(duecourse [^`]+)`")


def texts(alert: Alert) -> str:
    """Everything that the runbook says."""
    return runbook(alert)


def test_generated_files_follow_from_their_sources() -> None:
    """Rules, runbooks, drills and dashboards in the repository are those that the generator writes."""
    assert len(documents()) > 30
    assert stale() == []


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_an_alert_leads_to_its_runbook(alert: Alert) -> None:
    """Whoever is woken finds summary, impact, three queries and a page of the usual shape behind the link."""
    (rule,) = [r for r in alert_rules(ALERTS)["groups"][0]["rules"] if r["alert"] == alert.name]
    page = Path(str(rule["annotations"]["runbook_url"]).replace(RUNBOOKS, str(DEPLOY / "runbooks")))
    headings = re.findall(r"^## (.+)$", page.read_text(), re.MULTILINE)
    assert tuple(headings) == HEADINGS
    assert len(rule["annotations"]["queries"].splitlines()) == 3
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["impact"]


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_an_alert_names_only_metrics_that_exist(alert: Alert) -> None:
    """Expressions, first queries and test series resolve in the catalogue, or in our own recording rules."""
    series = [name for case in (*alert.fires, *alert.silent) for name in case.series]
    named = metric_names("\n".join((alert.expression, *alert.queries, *series)))
    assert named - NAMES == set()
    labels = {metric.full_name: {"service", "instance", "job", "le", *metric.labels} for metric in CATALOGUE}
    for name, given in re.findall(
        r"(duecourse_\w+)\{([^}]*)\}", "\n".join((alert.expression, *alert.queries, *series))
    ):
        base = next(iter(metric_names(name)))
        assert (
            set(re.findall(r"(\w+)\s*[=!]~?\"?", given)) & {"topic", "reason", "partition", "stage", "rule"}
            <= labels[base]
        )


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_a_runbook_names_only_commands_that_exist(alert: Alert) -> None:
    """Each command of a runbook is one of the program's, with options that it has."""
    for line in COMMAND.findall(texts(alert)):
        _, *words = shlex.split(line)
        assert words[0] in COMMANDS, line
        command: click.Command = duecourse
        context = click.Context(duecourse)
        while isinstance(command, click.Group):
            found = command.get_command(context, words.pop(0))
            assert found is not None, line
            command = found
        options = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options, line


def test_every_counter_of_an_alert_starts_at_zero() -> None:
    """An alert on the increase of a counter fires at the very first failure: the series was there before."""
    watched = {
        metric.full_name: metric
        for alert in ALERTS
        for metric in CATALOGUE
        if metric.kind is Kind.COUNTER and f"increase({metric.full_name}" in alert.expression
    }
    assert len(watched) >= 5
    assert {name for name, metric in watched.items() if not metric.starts_at_zero} == set()


def test_every_drill_names_a_fault_and_a_cure_that_exist() -> None:
    """The table of drills can be run, a row for each alert."""
    assert {name for alert in ALERTS for name in (alert.drill.fault, alert.drill.heal)} - FAULTS.keys() == set()


def test_every_budget_that_a_cause_burns_exists() -> None:
    """What causes are said to burn are objectives, and exactly those are kept silent beside a cause."""
    named = {name for alert in ALERTS for name in alert.burns}
    assert named
    assert named <= {objective.name for objective in OBJECTIVES}
    (known,) = [alert for alert in ALERTS if alert.name == CAUSE_KNOWN]
    assert set(re.findall(r'"slo", "(\w+)"', known.expression)) == named


def test_a_page_that_inhibits_another_is_over_no_sooner_than_that() -> None:
    """Of cause and consequence the cause goes on firing for longer: else the cure of both wakes somebody once more."""
    keeps = {alert.name: int((alert.keeps or "0m").removesuffix("m")) for alert in ALERTS if alert.severity == "page"}
    rules = YAML(typ="safe").load((DEPLOY / "alertmanager/alertmanager.yml").read_text())["inhibit_rules"]
    pairs = [
        (cause, consequence)
        for rule in rules
        for cause, consequence in itertools.product(_named(rule["source_matchers"]), _named(rule["target_matchers"]))
        if cause in keeps and consequence in keeps
    ]
    assert ("ClockDisagrees", "ClockStopped") in pairs
    assert [pair for pair in pairs if keeps[pair[0]] < keeps[pair[1]]] == []


def _named(matchers: list[str]) -> list[str]:
    (names,) = [text for text in matchers if text.startswith("alertname")]
    return names.partition('"')[2].rstrip('"').split("|")


def test_alerts_have_each_a_case_that_fires_and_one_that_stays_silent() -> None:
    """No alert goes untested."""
    names = {test["name"] for long in (False, True) for test in rule_tests(ALERTS, "x", long=long)["tests"]}
    assert {f"{alert.name} fires" for alert in ALERTS} <= names
    assert {f"{alert.name} silent" for alert in ALERTS if alert.severity != "none"} <= names


def test_objectives_record_every_window_that_their_alerts_read() -> None:
    """A burn-rate alert never asks for a window that nobody records."""
    recorded = {rule["record"] for rule in recording_rules(OBJECTIVES)["groups"][0]["rules"]}
    asked = set(re.findall(r"duecourse:\w+:\w+", "\n".join(alert.expression for alert in burn_alerts(OBJECTIVES))))
    assert asked
    assert asked <= recorded
    assert {objective.name for objective in OBJECTIVES} == {
        entry["name"] for entry in tomllib.loads((DEPLOY / "slo.toml").read_text())["slos"]
    }


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run one of Prometheus' tools."""
    return subprocess.run(command, cwd=DEPLOY, capture_output=True, text=True, check=False)


@pytest.mark.promtool
def test_promtool_accepts_the_rules() -> None:
    """The rules are valid, and no lint complains."""
    done = run("promtool", "check", "rules", "--lint=all", "--lint-fatal", *_rules())
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.promtool
def test_promtool_sees_every_alert_fire_and_stay_silent() -> None:
    """Each alert fires on the series that it is for and on no others."""
    done = run("promtool", "test", "rules", *map(str, sorted((DEPLOY / "prometheus/tests").glob("*.yml"))))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.promtool
def test_promtool_notices_an_alert_that_does_not_fire(tmp_path: Path) -> None:
    """The rule tests can fail: with a threshold out of reach they do."""
    shutil.copytree(DEPLOY / "prometheus", tmp_path / "prometheus")
    alerts = tmp_path / "prometheus/alerts/duecourse.yml"
    alerts.write_text(
        alerts.read_text().replace("duecourse_promise_violations) > 0", "duecourse_promise_violations) > 9")
    )
    cases = tmp_path / "prometheus/tests/alerts_test.yml"
    of_promises = [alert for alert in ALERTS if alert.name == "PromiseBroken"]
    cases.write_text(as_yaml(rule_tests(of_promises, "../alerts/duecourse.yml", long=False), "one alert"))
    done = run("promtool", "test", "rules", str(cases))
    assert done.returncode != 0
    assert "PromiseBroken" in done.stdout + done.stderr


@pytest.mark.promtool
def test_promtool_accepts_the_configuration(tmp_path: Path) -> None:
    """Prometheus would start with the compose file's configuration."""
    config = (DEPLOY / "prometheus/prometheus.yml").read_text().replace("/etc/prometheus", str(DEPLOY / "prometheus"))
    (tmp_path / "prometheus.yml").write_text(config)
    done = run("promtool", "check", "config", str(tmp_path / "prometheus.yml"))
    assert done.returncode == 0, done.stdout + done.stderr


def _rules() -> list[str]:
    found = [*(DEPLOY / "prometheus/rules").glob("*.yml"), *(DEPLOY / "prometheus/alerts").glob("*.yml")]
    assert len(found) == 2
    assert DEPLOY.parent == ROOT
    return sorted(map(str, found))
