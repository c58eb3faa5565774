"""How a client is let in by Kafka: TLS, a certificate of its own, a user with a password; and what is wrong with that.

No secret is kept here. What must stay secret lies in files that settings name, and is read when a client is made.
"""

from __future__ import annotations

import ssl
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

USER_CHARACTERS_MAX: Final = 256


class Protocol(StrEnum):
    """How bytes travel (plain or TLS), and whether a user with a password says who is calling; Kafka's own names."""

    PLAINTEXT = "PLAINTEXT"
    SSL = "SSL"
    SASL_PLAINTEXT = "SASL_PLAINTEXT"
    SASL_SSL = "SASL_SSL"

    @property
    def has_tls(self) -> bool:
        """Whether the broker proves who it is, and nobody between can read."""
        return self in {Protocol.SSL, Protocol.SASL_SSL}

    @property
    def has_sasl(self) -> bool:
        """Whether the client says who it is by user and password."""
        return self in {Protocol.SASL_PLAINTEXT, Protocol.SASL_SSL}


class Mechanism(StrEnum):
    """How a password is proved: `PLAIN` sends it, the others never do."""

    PLAIN = "PLAIN"
    SCRAM_SHA_256 = "SCRAM-SHA-256"
    SCRAM_SHA_512 = "SCRAM-SHA-512"


@dataclass(frozen=True, slots=True, kw_only=True)
class Security:
    """What a client needs to be let in. Files are PEM; passwords are the first line of a file of their own.

    Without `ca_file` the system's certificate authorities are trusted. `certificate_file` and `key_file` are the
    client's own, for brokers that want one.
    """

    protocol: Protocol = Protocol.PLAINTEXT
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    key_password_file: Path | None = None
    mechanism: Mechanism | None = None
    user: str = ""
    password_file: Path | None = None

    def contradiction(self) -> str | None:
        """Return what does not go together, in words of the settings; None when all does. Opens no file."""
        return next(_contradictions(self), None)

    def unusable_file(self) -> str | None:
        """Return which file is not what it must be, and why; None when all can be used."""
        try:
            for name, file in (("tls_key_file", self.key_file), ("tls_key_password_file", self.key_password_file)):
                _require_private(name, file)
            self.password()
            self.context()
        except UnusableSecurity as problem:
            return str(problem)
        return None

    def password(self) -> str:
        """Return the user's password; empty without SASL."""
        return _secret("sasl_password_file", self.password_file) if self.protocol.has_sasl else ""

    def context(self) -> ssl.SSLContext | None:
        """Return what checks the broker's certificate and name, and shows our own; None without TLS."""
        if not self.protocol.has_tls:
            return None
        try:
            context = ssl.create_default_context(cafile=None if self.ca_file is None else str(self.ca_file))
        except OSError as error:  # of which an SSLError is one
            why = _why(error, "holds no certificate in PEM")
            raise UnusableSecurity(f"tls_ca_file {self.ca_file} {why}") from error
        if self.certificate_file is not None:
            self._show_certificate(context, self.certificate_file)
        return context

    def client_arguments(self) -> dict[str, Any]:
        """Return what aiokafka's clients are to be told, secrets included."""
        if self.protocol is Protocol.PLAINTEXT:
            return {}
        told: dict[str, Any] = {"security_protocol": self.protocol.value, "ssl_context": self.context()}
        if self.mechanism is not None:
            told |= {
                "sasl_mechanism": self.mechanism.value,
                "sasl_plain_username": self.user,
                "sasl_plain_password": self.password(),
            }
        return told

    def _show_certificate(self, context: ssl.SSLContext, certificate: Path) -> None:
        # Without a password of ours, OpenSSL would ask the terminal for that of an encrypted key.
        password = _secret("tls_key_password_file", self.key_password_file) if self.key_password_file else ""
        try:
            context.load_cert_chain(certificate, self.key_file, password=lambda: password)
        except OSError as error:
            what = f"tls_certificate_file {certificate} and tls_key_file {self.key_file}"
            why = _why(error, "are no pair in PEM, or the key wants another password")
            raise UnusableSecurity(f"{what}: {why}") from error


@dataclass(frozen=True, slots=True)
class Access:
    """Where the brokers are (`host:port`, several with commas), and how one is let in."""

    broker: str
    security: Security = field(default_factory=Security)


class UnusableSecurity(Exception):
    """A file cannot be used; the text names the setting and the file, never what is in it."""


def _contradictions(of: Security) -> Iterator[str]:
    protocol = of.protocol
    tls = {
        "tls_ca_file": of.ca_file,
        "tls_certificate_file": of.certificate_file,
        "tls_key_file": of.key_file,
        "tls_key_password_file": of.key_password_file,
    }
    sasl = {"sasl_mechanism": of.mechanism, "sasl_user": of.user, "sasl_password_file": of.password_file}
    for given, allowed, kind in ((tls, protocol.has_tls, "TLS"), (sasl, protocol.has_sasl, "SASL")):
        for name, value in given.items():
            if value and not allowed:
                yield f"{name} is given, but security_protocol {protocol} has no {kind}"
    for name, value in sasl.items():
        if protocol.has_sasl and not value:
            yield f"security_protocol {protocol} needs {name}"
    if (of.certificate_file is None) is not (of.key_file is None):
        yield "tls_certificate_file and tls_key_file go together, and one is missing"
    if of.key_password_file is not None and of.key_file is None:
        yield "tls_key_password_file is given, but no tls_key_file"
    if protocol is Protocol.SASL_PLAINTEXT and of.mechanism is Mechanism.PLAIN:
        yield "sasl_mechanism PLAIN over SASL_PLAINTEXT would send the password in the clear: take SASL_SSL, or SCRAM"
    if len(of.user) > USER_CHARACTERS_MAX or not of.user.isprintable():
        yield f"sasl_user must be up to {USER_CHARACTERS_MAX} printable characters"


def _secret(name: str, file: Path | None) -> str:
    """Return the first line of a file that only its owner and group may read; without its end, which editors add."""
    if file is None:
        raise UnusableSecurity(f"{name} is missing")
    _require_private(name, file)
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise UnusableSecurity(f"{name} {file} {_why(error, '')}") from error
    except UnicodeDecodeError:
        raise UnusableSecurity(f"{name} {file} is not text in UTF-8") from None  # the error would show what it read
    if not lines or not lines[0]:
        raise UnusableSecurity(f"{name} {file} begins with no password")
    return lines[0]


def _require_private(name: str, file: Path | None) -> None:
    if file is None:
        return
    try:
        mode = file.stat().st_mode
    except OSError as error:
        raise UnusableSecurity(f"{name} {file} {_why(error, '')}") from error
    if stat.S_ISREG(mode) and mode & stat.S_IROTH:
        raise UnusableSecurity(f"{name} {file} can be read by everybody on this machine: chmod o-rwx it")


def _why(error: OSError, otherwise: str) -> str:
    """Return why a file was refused: by the system, or for what is in it."""
    if isinstance(error, ssl.SSLError):
        return otherwise
    return f"cannot be read ({error.strerror})"
