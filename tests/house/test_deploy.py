"""What is shipped: the wheel, the lock, the image's compose file and the broker's version."""

import json
import re
import subprocess
import sys
import tomllib
import zipfile
from dataclasses import fields
from importlib import resources
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator
from packaging.requirements import Requirement
from ruamel.yaml import YAML

from shared.runtime.settings import VARIABLE_PREFIX, Settings
from tests.house.tree import ROOT, tracked_files

LOCK = ROOT / "deploy" / "requirements.lock"
NOT_OURS = {"kafka", "prometheus", "alertmanager", "grafana"}
"""Containers of other people's images."""


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def locked_versions() -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==([^\s;]+)", LOCK.read_text(), flags=re.MULTILINE))


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = YAML(typ="safe").load(ROOT / "docker-compose.yml")
    return loaded


def test_the_wheel_holds_the_two_packages_and_nothing_else(tmp_path: Path) -> None:
    """What is installed is services and shared, every module and every data file of them."""
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("duecourse-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"services", "shared"}
    assert {str(path) for path in tracked_files() if path.parts[0] in {"services", "shared"}} <= names
    assert {"services/py.typed", "shared/py.typed"} <= names


def test_the_lock_names_no_source_and_hashes_everything() -> None:
    """The lock says what, never where from, and pip can verify each file of it."""
    text = LOCK.read_text()
    assert "://" not in text
    assert "index-url" not in text
    entries = re.split(r"\n(?=[a-z])", text.strip())
    assert len(entries) > 40
    assert [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_the_lock_satisfies_the_project() -> None:
    """Every requirement of the project, its tools included, is met by the version in the lock."""
    stated = project()["project"]
    requirements = [Requirement(text) for text in (*stated["dependencies"], *stated["optional-dependencies"]["dev"])]
    locked = locked_versions()
    unmet = [
        str(r) for r in requirements if not r.specifier.contains(locked.get(r.name.lower(), "0"), prereleases=True)
    ]
    assert unmet == []


def test_the_compose_file_is_valid() -> None:
    """docker-compose.yml follows the Compose specification's schema."""
    folder = resources.files("check_jsonschema") / "builtin_schemas" / "vendor"
    schema = json.loads((folder / "compose-spec.json").read_text())
    assert [error.message for error in Draft7Validator(schema).iter_errors(compose())] == []


def test_the_compose_file_runs_every_service_from_one_image() -> None:
    """Each service has a container of the one image, started by its name once the topics are made."""
    containers = compose()["services"]
    ours = {name: container for name, container in containers.items() if name not in {*NOT_OURS, "topics"}}
    assert set(ours) == {"auditor", "clock", "credit_report", "escalation", "rate_limiter", "reminder"}
    for name, container in ours.items():
        assert container["command"][:2] == (["check", "--every-minutes"] if name == "auditor" else ["run", name])
        assert container["depends_on"] == {"topics": {"condition": "service_completed_successfully"}}
    assert len({container["image"] for container in [*ours.values(), containers["topics"]]}) == 1


def test_the_compose_file_sets_what_can_be_set() -> None:
    """Each variable of a container of ours is a setting."""
    known = {f"{VARIABLE_PREFIX}{field.name.upper()}" for field in fields(Settings)}
    given = {name for key, c in compose()["services"].items() if key not in NOT_OURS for name in c["environment"]}
    assert "DUECOURSE_BROKER" in given
    assert given <= known


def test_one_version_of_kafka_everywhere() -> None:
    """The broker of the tests and that of the compose file are of one version."""
    pom = (ROOT / "deploy" / "pom.xml").read_text()
    version = re.search(r"<kafka.version>(.+)</kafka.version>", pom)
    assert version is not None
    assert compose()["services"]["kafka"]["image"] == f"apache/kafka:{version.group(1)}"


def test_one_version_of_duecourse_everywhere() -> None:
    """The image carries the version of the project."""
    assert compose()["services"]["clock"]["image"] == f"duecourse:{project()['project']['version']}"


def test_what_the_compose_file_mounts_is_there() -> None:
    """Prometheus, Alertmanager and Grafana find their configuration, rules and dashboards; each service is scraped."""
    containers = compose()["services"]
    mounted = [volume.split(":")[0] for name in NOT_OURS for volume in containers[name].get("volumes", ())]
    folders = [ROOT / source for source in mounted if source.startswith("./")]
    assert len(folders) == 4
    assert [str(folder) for folder in folders if not any(folder.rglob("*.*"))] == []
    scraped = YAML(typ="safe").load(ROOT / "deploy/prometheus/prometheus.yml")["scrape_configs"][0]["static_configs"]
    targets = {target.split(":")[0] for target in scraped[0]["targets"]}
    assert targets == set(containers) - NOT_OURS - {"topics"}
