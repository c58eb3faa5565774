"""Every Python that duecourse supports: `python -m tests.pythons` makes an environment of each that is on this machine.

The environments hold what a simulation needs and nothing else, in the versions of the lock file.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENTS = ROOT / ".setup" / "pythons"
NEEDED = ("click", "msgspec", "pydantic", "python-dateutil", "tzdata")
_MARK = "Programming Language :: Python :: 3."


def supported() -> tuple[str, ...]:
    """The versions that the project names, as `3.11`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return tuple(f"3.{line.removeprefix(_MARK)}" for line in project["classifiers"] if line.startswith(_MARK))


def prepared() -> dict[str, Path]:
    """The interpreters that can run a simulation, this one among them, by version."""
    found = {version: ENVIRONMENTS / version / "bin" / "python" for version in supported()}
    found[f"{sys.version_info.major}.{sys.version_info.minor}"] = Path(sys.executable)
    return {version: python for version, python in found.items() if python.exists()}


def _candidates(version: str) -> Iterator[Path]:
    on_path = shutil.which(f"python{version}")
    if on_path is not None:
        yield Path(on_path)
    managed = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    yield from sorted(managed.glob(f"{version}*/bin/python"))


def _interpreter(version: str) -> Path | None:
    ask = "import sys; print('%d.%d' % sys.version_info[:2])"
    for python in _candidates(version):
        said = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=False).stdout.strip()
        if said == version:
            return python
    return None


def prepare(version: str) -> bool:
    """Make the environment of a version; False where this machine has no such Python."""
    python = _interpreter(version)
    if python is None:
        return False
    uv, target = Path(sys.executable).with_name("uv"), ENVIRONMENTS / version
    subprocess.run([uv, "venv", "--quiet", "--clear", "--python", python, target], check=True)
    lock = ROOT / "deploy" / "requirements.lock"
    install = [uv, "pip", "install", "--quiet", "--python", target / "bin" / "python", *NEEDED, "--constraint", lock]
    subprocess.run(install, check=True)
    return True


if __name__ == "__main__":
    for wanted in supported():
        if Path(sys.executable) == prepared().get(wanted) or prepare(wanted):
            sys.stdout.write(f"Python {wanted} is ready\n")
        else:
            sys.stderr.write(f"Python {wanted} is not on this machine: it is left out\n")
