"""The README's blocks are executed as they stand: a deployment on a real broker, and a look into what the demo kept."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from services.cli.processors import PROCESSORS
from shared.domain.policy import load_policy
from shared.engine.epoch import Deployment
from shared.runtime.log_directory import write_log
from shared.simulation.scenario import build_scenario
from shared.simulation.world import Setting

pytestmark = pytest.mark.kafka

README = Path(__file__).parents[2] / "README.md"
BLOCK = re.compile(r"^```\n(?P<block>.*?)^```$", re.MULTILINE | re.DOTALL)
SECONDS_MAX = 120


def _block_with(text: str) -> list[list[str]]:
    """The commands of the block that contains `text`, without the program's name."""
    blocks = [match["block"] for match in BLOCK.finditer(README.read_text(encoding="utf-8"))]
    (block,) = [block for block in blocks if text in block]
    return [shlex.split(line)[1:] for line in block.splitlines() if line]


def _duecourse(words: list[str]) -> list[str]:
    return [sys.executable, "-m", "services.cli", *words]


def _wait_for(path: Path, text: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while text not in path.read_text(errors="replace"):
        assert process.poll() is None, path.read_text(errors="replace")
        assert time.monotonic() < deadline, path.read_text(errors="replace")
        time.sleep(0.1)


def test_a_deployment_comes_up_as_the_readme_says(kafka: str, tmp_path: Path) -> None:
    """Topics, clock and the four services start with the README's own lines, go to work, and end when asked to."""
    commands = [[kafka if word == "HOST:9092" else word for word in words] for words in _block_with("run reminder")]
    environment = {**os.environ, "DUECOURSE_PREFIX": "readme", "DUECOURSE_DATA_DIRECTORY": str(tmp_path / "data")}
    create, *runs = commands
    subprocess.run(_duecourse(create), check=True, env=environment, timeout=SECONDS_MAX)
    running = []
    try:
        for words in runs:
            log = tmp_path / f"{words[1]}.log"
            with log.open("wb") as out:
                process = subprocess.Popen(_duecourse(words), stdout=out, stderr=subprocess.STDOUT, env=environment)
            running.append((words[1], process, log))
        assert [name for name, *_ in running] == ["clock", "reminder", "escalation", "credit_report", "rate_limiter"]
        for name, process, log in running:
            _wait_for(log, "at work" if name == "clock" else "partitions at work", process)
    finally:
        for _, process, _ in running:
            process.send_signal(signal.SIGTERM)
        codes = {name: process.wait(SECONDS_MAX) for name, process, _ in running}
    assert {name: code for name, code in codes.items() if code not in (0, -signal.SIGTERM)} == {}


def test_one_can_look_into_what_the_demo_kept(tmp_path: Path) -> None:
    """`explain` and `check` read the recorded topics without Kafka, `simulate` needs nothing at all."""
    policy, setting = load_policy(), Setting(40)
    scenario = build_scenario(7, 20, setting)
    world = scenario.world(PROCESSORS, Deployment(setting.topology(), {policy.hash: policy}))
    world.run()
    write_log(tmp_path / ".demo" / "log", world.log)
    for words in _block_with("explain --log"):
        done = subprocess.run(
            _duecourse(words), cwd=tmp_path, capture_output=True, text=True, check=False, timeout=10 * SECONDS_MAX
        )
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        assert done.stdout.strip(), words
