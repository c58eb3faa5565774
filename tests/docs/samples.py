"""The code blocks of a guide, by the name that stands in a comment before each."""

import os
import re
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"
_SAMPLE = re.compile(r"<!-- sample: (\S+) -->\n```\w+\n(.*?)\n```\n", re.DOTALL)


def samples(guide: str) -> dict[str, str]:
    """Return the named code blocks of a guide."""
    return dict(_SAMPLE.findall((DOCS / guide).read_text(encoding="utf-8")))


def run_sample(guide: str, name: str, directory: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a sample as it stands, in its own process and directory: Python, or shell for anything else."""
    text = samples(guide)[name]
    is_python = "import " in text
    command = [sys.executable, "-c", text] if is_python else ["bash", "-euo", "pipefail", "-c", text]
    path = os.pathsep.join([str(directory), str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(
        command,
        cwd=directory,
        env={**os.environ, "PATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
