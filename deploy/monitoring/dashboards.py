"""The dashboards in the shape that Grafana wants, built by its own library from `boards.py`."""

from __future__ import annotations

import json
from typing import Any

from grafana_foundation_sdk.builders import common, prometheus, stat, timeseries
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.common import StackingMode

from deploy.monitoring.boards import BOARDS, Board, Panel
from deploy.monitoring.rules import RUNBOOKS

SOURCE = model.DataSourceRef(type_val="prometheus", uid="$datasource")
WIDTH = 24
TALL, SMALL = 8, 4


def dashboards() -> dict[str, Any]:
    """Return each dashboard as Grafana's JSON, by name."""
    return {board.name: json.loads(json.dumps(_dashboard(board), cls=JSONEncoder)) for board in BOARDS}


def _dashboard(board: Board) -> model.Dashboard:
    made = (
        build.Dashboard(board.title).uid(f"duecourse-{board.name}").description(board.text).tags(["duecourse"])
        .readonly().refresh("10s").time("now-1h", "now").timezone("browser")
        .with_variable(build.DatasourceVariable("datasource").label("Source").type("prometheus"))
        .with_variable(_variable("job", "label_values(duecourse_build_info, job)"))
        .with_variable(_variable("instance", 'label_values(duecourse_build_info{job=~"$job"}, instance)'))
        .annotation(_annotation("Rebalances", "changes(duecourse_rebalances_total[1m]) > 0", "orange"))
        .annotation(_annotation("Builds", "count by (build) (duecourse_build_info unless duecourse_build_info offset 5m)", "blue"))
        .link(build.DashboardLink("Runbooks").type(model.DashboardLinkType.LINK).url(f"{RUNBOOKS}/README.md").target_blank(True))
        .link(build.DashboardLink("duecourse").type(model.DashboardLinkType.DASHBOARDS).tags(["duecourse"]).as_dropdown(True))
    )  # fmt: skip
    y, number = 0, 0
    for title, panels in board.rows:
        made = made.with_row(build.Row(title).grid_pos(model.GridPos(h=1, w=WIDTH, x=0, y=y)))
        y, x, height = y + 1, 0, 0
        for panel in panels:
            number += 1
            size = SMALL if all(one.kind == "figure" for one in panels) else TALL
            if x + panel.width > WIDTH:
                x, y = 0, y + height
            height = size
            made = made.with_panel(_panel(panel, number, model.GridPos(h=size, w=panel.width, x=x, y=y)))
            x += panel.width
        y += height
    return made.build()


def _variable(name: str, query: str) -> build.QueryVariable:
    return (
        build.QueryVariable(name).label(name.capitalize()).datasource(SOURCE).query(query)
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED).multi(True).include_all(True).all_value(".+")
    )  # fmt: skip


def _annotation(name: str, query: str, colour: str) -> build.AnnotationQuery:
    return build.AnnotationQuery().name(name).datasource(SOURCE).expr(query).enable(True).icon_color(colour)


def _panel(panel: Panel, number: int, place: model.GridPos) -> Any:
    made: Any = stat.Panel() if panel.kind == "figure" else timeseries.Panel()
    made = (
        made.id(number).title(panel.title).description(panel.text).unit(panel.unit).datasource(SOURCE).grid_pos(place)
    )
    for query, legend in panel.queries:
        made = made.with_target(
            prometheus.Dataquery().expr(query).legend_format(legend or panel.title).datasource(SOURCE)
        )
    if panel.stacked:
        made = made.fill_opacity(40).stacking(common.StackingConfig().mode(StackingMode.NORMAL))
    return made.thresholds(_thresholds(panel))


def _thresholds(panel: Panel) -> build.ThresholdsConfig:
    steps = [model.Threshold(value=None, color="green")]
    if panel.red_from is not None:
        steps.append(model.Threshold(value=panel.red_from, color="red"))
    if panel.red_below is not None:
        steps = [model.Threshold(value=None, color="red"), model.Threshold(value=panel.red_below, color="green")]
    return build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps)
