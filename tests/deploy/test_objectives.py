"""Symptoms and causes, as Prometheus judges them over hours: a budget wakes somebody only where no cause has."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.monitoring.rules import CAUSE_KNOWN, RECORDED_EVERY_SECONDS, as_yaml
from deploy.monitoring.sources import DEPLOY
from shared.contract.topics import CLOCK, SERVICES

STEP = RECORDED_EVERY_SECONDS
DOZES = " ".join(f"{at}x3" for at in range(0, 7200, 4 * STEP))
"""The newest tick of a gate that stands still for a minute and a half, again and again."""
FIRING = 'count(ALERTS{{alertname="{}", alertstate="firing"}}) or vector(0)'
FRESH = FIRING.format("ObjectiveFreshBurnsFast")
KNOWN = FIRING.format(CAUSE_KNOWN)
STANDS_STILL = FIRING.format("GateStandsStill")
WAKES = (
    'count(ALERTS{alertname="ObjectiveFreshBurnsFast", alertstate="firing"}'
    f' unless on (slo, window) ALERTS{{alertname="{CAUSE_KNOWN}", alertstate="firing"}}) or vector(0)'
)


@dataclass(frozen=True)
class Night:
    """The ticks of a gate, one for every half minute, and what is expected of queries at an instant in minutes."""

    ticks: str
    expected: Sequence[tuple[str, float, int]]


def judged(folder: Path, night: Night) -> subprocess.CompletedProcess[str]:
    """Let promtool play a night over the rules that production has."""
    series = {
        'duecourse_tick_timestamp_seconds{stage="borrower", partition="0", service="rate_limiter"}': night.ticks,
        'duecourse_build_info{service="rate_limiter", build="1"}': "1x240",
        **{f'duecourse_ready{{service="{name}"}}': "1x240" for name in (*SERVICES, CLOCK)},
    }
    content = {
        "rule_files": [str(path) for kind in ("rules", "alerts") for path in (DEPLOY / "prometheus" / kind).glob("*")],
        "evaluation_interval": f"{STEP}s",
        "tests": [
            {
                "interval": f"{STEP}s",
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "promql_expr_test": [
                    {
                        "expr": query,
                        "eval_time": f"{round(minute * 60)}s",
                        "exp_samples": [{"labels": "{}", "value": value}],
                    }
                    for query, minute, value in night.expected
                ],
            }
        ],
    }
    file = folder / "night.yml"
    file.write_text(as_yaml(content, "one night"))
    return subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True, check=False)


def outage(minutes: int) -> str:
    """A gate that stands still from its fifth minute on, for so many, and is well afterwards."""
    back = (5 + minutes) * 60
    return (
        f"0+{STEP}x{5 * 60 // STEP - 1} {5 * 60 - STEP}x{minutes * 60 // STEP - 1} {back}+{STEP}x{240 - back // STEP}"
    )


NIGHTS = {
    "half a minute of a young deployment wakes nobody": Night(
        f"0x1 60+{STEP}x240", [(FRESH, minute, 0) for minute in range(1, 60)]
    ),
    "a symptom without a cause that is known wakes somebody": Night(
        DOZES,
        [(STANDS_STILL, minute, 0) for minute in range(1, 60)]
        + [(KNOWN, minute, 0) for minute in range(1, 60)]
        + [(WAKES, 3, 0), (WAKES, 10, 2)],
    ),
    "a cause that has woken somebody keeps its symptom silent, then and while the windows remember": Night(
        outage(10),
        [(STANDS_STILL, 10, 1), (STANDS_STILL, 18, 0), (FRESH, 12, 2), (FRESH, 18, 2), (FRESH, 60, 0)]
        + [(WAKES, half / 2, 0) for half in range(2, 180)],
    ),
    "a symptom that stays after its cause is healed wakes somebody": Night(
        outage(10).rsplit(" ", 1)[0] + " " + " ".join(f"{at}x3" for at in range(900, 7200, 4 * STEP)),
        [(STANDS_STILL, 10, 1), (STANDS_STILL, 18, 0), (WAKES, 20, 0), (WAKES, 25, 1)],
    ),
}


@pytest.mark.promtool
@pytest.mark.parametrize("night", NIGHTS.values(), ids=NIGHTS.keys())
def test_a_symptom_pages_only_where_no_cause_has(tmp_path: Path, night: Night) -> None:
    """Causes come first, keep their symptoms silent until those have passed, and hide nothing that stays."""
    done = judged(tmp_path, night)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUCCESS" in done.stdout


@pytest.mark.promtool
def test_a_night_that_is_not_as_expected_is_noticed(tmp_path: Path) -> None:
    """The judge of the nights can say no."""
    done = judged(tmp_path, Night(DOZES, [(KNOWN, 10, 1)]))
    assert done.returncode != 0
    assert CAUSE_KNOWN in done.stdout + done.stderr
