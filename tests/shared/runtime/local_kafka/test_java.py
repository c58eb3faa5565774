"""What the broker needs is found, fetched once, or named in one sentence."""

import os
from pathlib import Path

import pytest

from shared.runtime.local_kafka import LocalKafkaError, find_java, java, kafka_classpath


def executable(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def checkout_with_pom(root: Path) -> Path:
    (root / "deploy").mkdir(parents=True)
    (root / "deploy" / "pom.xml").write_text("<project/>")
    return root


def test_missing_java_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Java the error says so and what to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(LocalKafkaError, match="Java is not installed") as caught:
        find_java()
    assert "17" in caught.value.advice


def test_old_java_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Java that cannot run this Kafka is refused with its version, however old its way of counting is."""
    executable(tmp_path / "bin" / "java", """echo 'openjdk version "1.8.0_402"' >&2""")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(LocalKafkaError, match="needs Java 17 or newer"):
        find_java()


def test_java_home_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """JAVA_HOME wins over the path, as everywhere else."""
    wanted = executable(tmp_path / "bin" / "java", """echo 'openjdk version "21.0.2" 2024-01-16' >&2""")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert find_java() == str(wanted)


def test_missing_maven_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Maven, and without jars from before, the error says so."""
    monkeypatch.setattr(java, "CHECKOUT", checkout_with_pom(tmp_path / "checkout"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LocalKafkaError, match="Maven is not installed"):
        kafka_classpath()


def test_a_failing_maven_is_quoted_and_leaves_no_half_set_of_jars(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Maven could not do is in the error, and the next call begins anew."""
    checkout = checkout_with_pom(tmp_path / "checkout")
    executable(tmp_path / "bin" / "mvn", 'echo "[ERROR] no network today"; exit 1')
    monkeypatch.setattr(java, "CHECKOUT", checkout)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(LocalKafkaError, match="no network today"):
        kafka_classpath()
    assert list((checkout / ".kafka" / "libs").iterdir()) == []


def test_jars_are_fetched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first call runs Maven, the second finds what it brought; a new list of jars is a new set."""
    checkout = checkout_with_pom(tmp_path / "checkout")
    make_folder = """for word in "$@"; do case $word in -DoutputDirectory=*) mkdir -p "${word#*=}";; esac; done"""
    executable(tmp_path / "bin" / "mvn", f"echo call >> {tmp_path}/calls\n{make_folder}")
    monkeypatch.setattr(java, "CHECKOUT", checkout)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    first = kafka_classpath()
    assert kafka_classpath() == first
    assert (tmp_path / "calls").read_text().splitlines() == ["call"]
    (checkout / "deploy" / "pom.xml").write_text("<project></project>")
    assert kafka_classpath() != first


def test_an_installation_without_checkout_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the list of jars is not at hand, the error says where it comes from."""
    monkeypatch.setattr(java, "CHECKOUT", tmp_path)
    with pytest.raises(LocalKafkaError, match="comes with a checkout"):
        kafka_classpath()
