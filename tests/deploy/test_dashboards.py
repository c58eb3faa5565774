"""Dashboards: what a linter of Grafana's would say, and that every query names what exists."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from deploy.monitoring.dashboards import BOARDS, dashboards
from deploy.monitoring.rules import metric_names
from shared.runtime.metric_catalogue import CATALOGUE, Kind

BUILT = dashboards()
UNITS = {"short", "s", "ops", "percentunit", "bytes"}


def panels(name: str) -> Iterator[dict[str, Any]]:
    """The panels of a dashboard, rows apart."""
    yield from (panel for panel in BUILT[name]["panels"] if panel["type"] != "row")


NAMES = [board.name for board in BOARDS]


@pytest.mark.parametrize("name", NAMES)
def test_a_dashboard_is_provisioned_not_edited(name: str) -> None:
    """It has a stable id, cannot be edited, refreshes, links to runbooks, and takes its data source from a variable."""
    built = BUILT[name]
    assert built["uid"] == f"duecourse-{name}"
    assert built["editable"] is False
    assert built["refresh"]
    assert {link["title"] for link in built["links"]} == {"Runbooks", "duecourse"}
    variables = {variable["name"]: variable for variable in built["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    assert all(variables[one]["refresh"] == 2 for one in ("job", "instance"))


@pytest.mark.parametrize("name", NAMES)
def test_every_panel_explains_itself(name: str) -> None:
    """Title, sentence, unit, a templated source and at least one query with a legend; ids differ, nothing overlaps."""
    found = list(panels(name))
    assert len(found) >= 12
    assert len({panel["id"] for panel in found}) == len(found)
    for panel in found:
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
        assert panel["datasource"]["uid"] == "$datasource"
        assert panel["targets"]
        for target in panel["targets"]:
            assert target["expr"]
            assert target["legendFormat"]
            assert target["datasource"]["uid"] == "$datasource"
    places = [(p["gridPos"]["x"], p["gridPos"]["y"], p["gridPos"]["w"]) for p in found]
    assert len(set(places)) == len(places)
    assert all(x + width <= 24 for x, _, width in places)


@pytest.mark.parametrize("name", NAMES)
def test_every_query_selects_and_rates_as_it_should(name: str) -> None:
    """Queries name known metrics, select job and instance, and see counters by `rate` over Grafana's own interval."""
    kinds = {metric.full_name: metric.kind for metric in CATALOGUE}
    for panel in panels(name):
        for target in panel["targets"]:
            query = target["expr"]
            assert metric_names(query) - kinds.keys() == set(), query
            for one in re.findall(r"duecourse_\w+(\{[^}]*\})?", query):
                assert 'job=~"$job"' in one, query
                assert 'instance=~"$instance"' in one, query
            for counter in [metric for metric in metric_names(query) if kinds[metric] is Kind.COUNTER]:
                assert re.search(rf"(rate|increase)\({counter}", query), query
            for window in re.findall(r"rate\([^[]*\[([^]]+)\]", query):
                assert window == "$__rate_interval", query


def test_promises_come_first() -> None:
    """The overview begins with what must never happen, beside whether somebody is being woken."""
    rows = [panel["title"] for panel in BUILT["overview"]["panels"] if panel["type"] == "row"]
    assert rows[0] == "Promises"
    top = min(panel["gridPos"]["y"] for panel in panels("overview"))
    first = [panel["targets"][0]["expr"] for panel in panels("overview") if panel["gridPos"]["y"] == top]
    assert any("duecourse_promise_violations" in query for query in first)
