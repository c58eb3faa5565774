"""Draw the dashboards without Grafana, from their own JSON and a live Prometheus.

Grafana's server is not needed to see what an operator will see: panels, places, units and legends are taken from the
JSON, values from Prometheus, and a headless browser makes the picture. The drawing is ours, not Grafana's.
"""

from __future__ import annotations

import argparse
import html
import json
import math
import subprocess
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deploy.monitoring.dashboards import dashboards

COLUMN, ROW_UNIT = 66, 30
WIDTH = 24 * COLUMN
SERIES_MAX = 12
NAME_MAX = 40
LETTER = 6
LINES = 4
COLOURS = (
    "#5794f2", "#73bf69", "#f2495c", "#ff9830", "#b877d9", "#fade2a", "#8ab8ff", "#96d98d", "#ff7383", "#ffb357",
    "#ca95e5", "#37872d",
)  # fmt: skip
Curve = tuple[str, list[tuple[float, float]]]


def bound(expression: str) -> str:
    """Return an expression with the dashboard's variables set: everything, over a minute."""
    return expression.replace("$__rate_interval", "1m").replace("$job", ".+").replace("$instance", ".+")


def curves(prometheus: str, panel: dict[str, Any], minutes: float) -> list[Curve]:
    """Return what a panel shows."""
    found: list[Curve] = []
    end = time.time()  # noqa: TID251 - a picture is drawn now
    for target in panel["targets"]:
        asked = {"query": bound(target["expr"]), "start": end - minutes * 60, "end": end, "step": max(2, minutes * 0.6)}
        url = f"{prometheus}/api/v1/query_range?{urllib.parse.urlencode(asked)}"
        with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - the caller names the server
            result = json.load(answer)["data"]["result"]
        for series in result:
            values = [(float(at), float(value)) for at, value in series["values"] if value not in {"NaN", "+Inf"}]
            found.append((_legend(target["legendFormat"], series["metric"]), values))
    return found


def _legend(form: str, labels: dict[str, str]) -> str:
    for name, value in labels.items():
        form = form.replace(f"{{{{{name}}}}}", value)
    return " ".join(part for part in form.split() if not part.startswith("{{")) or "value"


def page(board: dict[str, Any], prometheus: str, minutes: float) -> tuple[str, int, list[str]]:
    """Return a dashboard as a page, its height, and the titles of panels that show nothing."""
    boxes, height, empty = [], 0, []
    for panel in board["panels"]:
        place = panel["gridPos"]
        x, y = place["x"] * COLUMN, 50 + place["y"] * ROW_UNIT
        w, h = place["w"] * COLUMN - 8, place["h"] * ROW_UNIT - 8
        height = max(height, y + h + 16)
        style = f"left:{x + 4}px;top:{y}px;width:{w}px;height:{h}px"
        if panel["type"] == "row":
            boxes.append(f'<div class="row" style="{style}">{html.escape(panel["title"])}</div>')
            continue
        found = curves(prometheus, panel, minutes)
        if not any(values for _, values in found):
            empty.append(panel["title"])
        draw = _figure if panel["type"] == "stat" else _chart
        body = draw(panel, found, w, h - 26)
        boxes.append(f'<div class="panel" style="{style}"><b>{html.escape(panel["title"])}</b>{body}</div>')
    head = (
        "<style>body{background:#111217;color:#ccccdc;font:12px sans-serif;margin:0}"
        ".panel{position:absolute;background:#181b1f;border:1px solid #2c3235;overflow:hidden}b{padding:4px 8px;"
        "display:block;font-weight:500}.row{position:absolute;font-size:15px}h1{font-size:18px;margin:12px}</style>"
    )
    title = f"<h1>{html.escape(board['title'])}</h1>"
    return f"<!doctype html><meta charset=utf-8>{head}{title}{''.join(boxes)}", height, empty


def _text(value: float, unit: str, like: float | None = None) -> str:
    """Return a value with its unit, in the unit that fits the value or, on an axis, its top."""
    if unit == "percentunit":
        return f"{_digits(value * 100)}%"
    if unit == "bytes":
        return f"{_digits(value / 2**20)} MiB"
    if unit == "s":
        return f"{_digits(value * 1000)} ms" if abs(value if like is None else like) < 1 else f"{_digits(value)} s"
    divisor, name = next(((d, n) for least, d, n in _SHORT if abs(value) >= least), (1, ""))
    return f"{_digits(value / divisor)}{name}" + ("/s" if unit == "ops" else "")


_SHORT = ((1e9, 1e9, " Bil"), (1e6, 1e6, " Mil"), (1e4, 1e3, " K"))
"""Large numbers as Grafana shortens them: from which value on, divided by what, and its name."""


def _digits(value: float) -> str:
    """Return three digits of a number, all of those before the point, and never an exponent."""
    if value == 0 or math.isnan(value):
        return f"{value:g}"
    places = max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _figure(panel: dict[str, Any], found: Sequence[Curve], width: int, height: int) -> str:
    defaults = panel["fieldConfig"]["defaults"]
    shown = [(name, values[-1][1]) for name, values in found if values] or [("", float("nan"))]
    cells = []
    for name, value in shown:
        reached = [
            step for step in defaults["thresholds"]["steps"] if step.get("value") is None or value >= step["value"]
        ]
        colour = {"green": "#73bf69", "red": "#f2495c"}[reached[-1]["color"]]
        label = html.escape(name if len(shown) > 1 else "")
        cells.append(
            f'<td style="text-align:center"><div style="color:{colour};font-size:{20 if len(shown) > 2 else 30}px">'
            f"{_text(value, defaults['unit']) if not math.isnan(value) else 'no data'}</div>{label}</td>"
        )
    return f'<table style="width:{width}px;height:{height - 8}px"><tr>{"".join(cells)}</tr></table>'


def _chart(panel: dict[str, Any], found: Sequence[Curve], width: int, height: int) -> str:
    unit = panel["fieldConfig"]["defaults"]["unit"]
    found = sorted((one for one in found if one[1]), key=lambda one: -one[1][-1][1])[:SERIES_MAX]
    if not found:
        return '<div style="padding:20px">no data</div>'
    labels = [f"{name[:NAME_MAX]}  {_text(values[-1][1], unit)}" for name, values in found]
    stacked = panel["fieldConfig"]["defaults"].get("custom", {}).get("stacking", {}).get("mode") == "normal"
    bands = _stacked(found) if stacked else [(values, []) for _, values in found]
    points = [point for over, _ in bands for point in over]
    first, last = min(at for at, _ in points), max(at for at, _ in points)
    step = _round_step(max(value for _, value in points) / LINES)
    left, right = 62, min(20 + LETTER * max(map(len, labels)), width // 2)
    w, h = width - left - right, height - 30

    def at(moment: float, value: float) -> str:
        share = max(0.0, value) / (step * LINES)
        return f"{left + (moment - first) / max(last - first, 1) * w:.1f},{8 + h - share * h:.1f}"

    drawn = []
    for line in range(LINES + 1):
        y = 8 + h - line * h / LINES
        drawn.append(f'<line x1="{left}" x2="{left + w}" y1="{y}" y2="{y}" stroke="#2c3235"/>')
        drawn.append(_label(left - 4, y + 4, _text(step * line, unit, like=step * LINES), "end"))
    for moment in (first, (first + last) / 2, last):
        x = float(at(moment, 0).split(",")[0])
        drawn.append(_label(x, h + 24, time.strftime("%H:%M", time.gmtime(moment)), "middle"))
    for number, ((over, under), label) in enumerate(zip(bands, labels, strict=True)):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(at(*point) for point in over)
        if under:
            area = " ".join([path, *(at(*point) for point in reversed(under))])
            drawn.append(f'<polygon points="{area}" fill="{colour}" fill-opacity="0.4"/>')
        drawn.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        drawn.append(_label(left + w + 8, 18 + number * 14, label, "start", colour))
    return f'<svg width="{width}" height="{height}">{"".join(drawn)}</svg>'


def _label(x: float, y: float, text: str, anchor: str, colour: str = "#8e8e99") -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="{colour}" font-size="10">{html.escape(text)}</text>'


def _stacked(found: Sequence[Curve]) -> list[tuple[list[tuple[float, float]], list[tuple[float, float]]]]:
    """Return each curve's upper and lower edge, the first one lowest; a value that is missing counts as nothing."""
    moments = sorted({moment for _, values in found for moment, _ in values})
    below, bands = dict.fromkeys(moments, 0.0), []
    for _, values in found:
        above = dict(below)
        for moment, value in values:
            above[moment] += value
        bands.append((sorted(above.items()), sorted(below.items())))
        below = above
    return bands


def _round_step(least: float) -> float:
    """Return the smallest of 1, 2, 2.5 and 5 times a power of ten that is not below; 0.25 where all is zero."""
    if least <= 0:
        return 0.25
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= least * 0.999)


def draw(name: str, document: str, height: int, folder: Path, chromium: str) -> None:
    """Make the picture of a page."""
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / f"{name}.html"
        source.write_text(document)
        command = [
            chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", f"--user-data-dir={scratch}/profile", "--hide-scrollbars",
            f"--window-size={WIDTH},{height}", f"--screenshot={folder / f'dashboard-{name}.png'}", source.as_uri(),
        ]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True, timeout=120)


def main() -> None:
    """Draw every dashboard, and say which panels show nothing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("prometheus", help="address of a Prometheus, e.g. http://127.0.0.1:9090")
    parser.add_argument("--folder", type=Path, default=Path("docs/pictures"))
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--chromium", default="chromium")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    for name, board in dashboards().items():
        document, height, empty = page(board, given.prometheus, given.minutes)
        draw(name, document, height, given.folder, given.chromium)
        print(f"{name}: nothing shown by {empty or 'none'}")  # noqa: T201 - it is a command


if __name__ == "__main__":
    main()
