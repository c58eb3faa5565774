"""Java, and Kafka's jars: found or fetched once, then shared by every broker of this checkout."""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from shared.runtime.local_kafka.errors import LocalKafkaError
from shared.runtime.local_kafka.files import exclusive_lock

CHECKOUT: Final = Path(__file__).resolve().parents[3]
JAVA_VERSION_MINIMUM: Final = 17


def find_java() -> str:
    """Return the path of a Java that can run the broker: that of JAVA_HOME, else the first on the path.

    Raises:
        LocalKafkaError: There is none, or it is too old.
    """
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=str(Path(home) / "bin")) if home else None
    java = java or shutil.which("java")
    if java is None:
        raise LocalKafkaError(
            "Java is not installed, and Kafka runs on it.", "Install a JDK or JRE of version 17 or newer."
        )
    answer = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    version = re.search(r'version "(\d+)', answer.stderr + answer.stdout)
    if version is None or int(version.group(1)) < JAVA_VERSION_MINIMUM:
        found = version.group(1) if version else "of an unknown version"
        raise LocalKafkaError(
            f"Kafka needs Java 17 or newer, and {java} is {found}.", "Install one, or point JAVA_HOME to it."
        )
    return java


def kafka_classpath() -> str:
    """Return the classpath of a broker and its admin tools; fetches the jars with Maven when this checkout has none.

    Promise: callers at the same time, in this checkout or another, wait for one another and get complete sets of jars.

    Raises:
        LocalKafkaError: Maven is missing or could not resolve the jars, or this is no checkout.
    """
    pom = CHECKOUT / "deploy" / "pom.xml"
    if not pom.is_file():
        raise LocalKafkaError(
            "The list of Kafka's jars, deploy/pom.xml, comes with a checkout of duecourse only.",
            "Run this from a checkout, or use a broker of your own.",
        )
    libraries = CHECKOUT / ".kafka" / "libs" / hashlib.sha256(pom.read_bytes()).hexdigest()[:12]
    if not libraries.is_dir():
        _fetch(pom, libraries)
    return str(libraries / "*")


def _fetch(pom: Path, libraries: Path) -> None:
    """Let Maven copy the jars aside, and put them in place with one rename."""
    maven = shutil.which("mvn")
    if maven is None:
        raise LocalKafkaError(
            "Maven is not installed, and Kafka's jars come by it.", "Install Maven (the command mvn)."
        )
    libraries.parent.mkdir(parents=True, exist_ok=True)
    # Maven's own cache is shared by all checkouts of a person, and old versions of Maven do not lock it.
    with exclusive_lock(Path.home() / ".m2" / "duecourse.lock"):
        if libraries.is_dir():
            return
        with tempfile.TemporaryDirectory(dir=libraries.parent, prefix="fetching-") as aside:
            command = [maven, "-q", "-B", "--strict-checksums", "-f", str(pom), "dependency:copy-dependencies"]
            copied = subprocess.run(
                [*command, "-DincludeScope=runtime", f"-DoutputDirectory={aside}/libs"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            if copied.returncode != 0:
                reason = next((line for line in copied.stdout.splitlines() if "ERROR" in line), "it did not say why")
                raise LocalKafkaError(
                    f"Maven could not fetch Kafka's jars: {reason[:300]}", f"Try it by hand: {' '.join(command)}"
                )
            Path(aside, "libs").rename(libraries)
