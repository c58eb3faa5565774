"""Certificates made for one test session with the command openssl: an authority, and what it has signed."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-sha256")
OF_AUTHORITY = ("basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign")
DAYS = 2


@dataclass(frozen=True)
class Certificate:
    """A certificate with its key, in PEM, and both in one file as Kafka's brokers want them."""

    certificate: Path
    key: Path
    both: Path


def openssl(*arguments: object) -> None:
    """Run the command; what it says is shown only when it fails."""
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


class Authority:
    """A certificate authority of its own in a folder."""

    def __init__(self, folder: Path, name: str = "tests") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.certificate, self._key = folder / "ca.pem", folder / "ca.key"
        extensions = [part for extension in OF_AUTHORITY for part in ("-addext", extension)]
        openssl(
            "req", "-x509", *CURVE, "-nodes", "-keyout", self._key, "-out", self.certificate, "-days", DAYS,
            "-subj", f"/CN=authority of {name}", *extensions,
        )  # fmt: skip

    def sign(self, name: str, subject_names: str = "", *, days: int = DAYS, password: str = "") -> Certificate:
        """Make a key and a certificate: of a server where it has subject names (`IP:127.0.0.1`), else of a client."""
        base = self.folder / name
        certificate, key, request, kind = (base.with_suffix(f".{end}") for end in ("pem", "key", "csr", "ext"))
        secret = ("-passout", f"pass:{password}") if password else ("-nodes",)
        openssl("req", "-new", *CURVE, *secret, "-keyout", key, "-out", request, "-subj", f"/CN={name}")
        usage = f"serverAuth\nsubjectAltName={subject_names}" if subject_names else "clientAuth"
        kind.write_text(
            "authorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\nkeyUsage=critical,digitalSignature\n"
            f"extendedKeyUsage={usage}\n"
        )
        openssl(
            "x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self._key, "-CAcreateserial",
            "-days", days, "-extfile", kind, "-out", certificate,
        )  # fmt: skip
        key.chmod(0o600)
        both = base.with_suffix(".both")
        both.write_text(key.read_text() + certificate.read_text())
        return Certificate(certificate, key, both)
