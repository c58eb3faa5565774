"""The floors are not only drawn: an import that breaks them is found."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.tree import ROOT

BREACHES = {
    "kernel-above": ("shared/kernel/breach.py", "import shared.domain"),
    "kernel-packages": ("shared/kernel/breach.py", "import pydantic"),
    "contract-packages": ("shared/contract/breach.py", "import msgspec"),
    "domain-clock": ("shared/domain/breach.py", "import time"),
    "engine-dice": ("shared/engine/breach.py", "import random"),
    "engine-loop": ("shared/engine/breach.py", "import asyncio"),
    "simulation-runtime": ("shared/simulation/breach.py", "import shared.runtime"),
    "core-faust": ("services/invented/core.py", "import faust"),
    "state-log": ("services/invented/state.py", "import structlog"),
    "processor-runtime": ("services/invented/processor.py", "import shared.runtime"),
    "service-service": ("services/invented/app.py", "import services.other"),
    "shared-services": ("shared/runtime/breach.py", "import services.other"),
}


def lint(tree: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()", "--no-cache"]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)


@pytest.fixture
def empty_house(tmp_path: Path) -> Path:
    """The floors without what stands on them."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    floors = ("contract", "domain", "engine", "kernel", "runtime", "simulation")
    rooms = [
        "services",
        "services/cli",
        "services/invented",
        "services/other",
        "shared",
        *(f"shared/{f}" for f in floors),
    ]
    for room in rooms:
        (tmp_path / room).mkdir()
        (tmp_path / room / "__init__.py").touch()
    return tmp_path


def test_an_empty_house_keeps_its_floors(empty_house: Path) -> None:
    """Where nobody imports anything, nothing is broken."""
    answer = lint(empty_house)
    assert answer.returncode == 0, answer.stdout
    assert "0 broken" in answer.stdout


@pytest.mark.parametrize("breach", list(BREACHES))
def test_a_breach_is_found(empty_house: Path, breach: str) -> None:
    """An import that a floor, a service or a core may not have is reported."""
    file, statement = BREACHES[breach]
    (empty_house / file).write_text(f"{statement}\n")
    answer = lint(empty_house)
    assert answer.returncode == 1, answer.stdout
    assert "BROKEN" in answer.stdout


def test_the_command_line_may_put_services_together(empty_house: Path) -> None:
    """The one place under services that may import the others' apps, and the runtime."""
    (empty_house / "services/invented/app.py").write_text("import shared.runtime\n")
    (empty_house / "services/cli/run.py").write_text("import services.invented.app\nimport shared.runtime\n")
    answer = lint(empty_house)
    assert answer.returncode == 0, answer.stdout
