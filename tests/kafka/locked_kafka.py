"""A broker that asks who is calling: TLS with users, TLS with certificates, and doors that nobody should trust."""

from __future__ import annotations

from pathlib import Path

from shared.runtime.kafka_security import Mechanism, Protocol
from shared.runtime.local_kafka import LocalKafka
from tests.kafka.access_rules import AUTHORIZER
from tests.kafka.certificates import Authority, Certificate

HERE = "IP:127.0.0.1"
OPERATOR, TURNCOAT = "operator", "turncoat"
PROCESSES = ("clock", "reminder", "rate_limiter")
LIMITED = tuple(f"limited-{number}" for number in range(12))
"""Users who lack one right or the other."""
PLAIN_MODULE = "org.apache.kafka.common.security.plain.PlainLoginModule"
SCRAM_MODULE = "org.apache.kafka.common.security.scram.ScramLoginModule"
MECHANISMS = {
    Mechanism.PLAIN: PLAIN_MODULE,
    Mechanism.SCRAM_SHA_256: SCRAM_MODULE,
    Mechanism.SCRAM_SHA_512: SCRAM_MODULE,
}
USERS, MUTUAL, EXPIRED, ELSEWHERE, IN_THE_CLEAR, ONE_WAY = "USERS", "MUTUAL", "EXPIRED", "ELSEWHERE", "CLEAR", "ONE"
DOORS = {
    USERS: Protocol.SASL_SSL,
    MUTUAL: Protocol.SSL,
    EXPIRED: Protocol.SASL_SSL,
    ELSEWHERE: Protocol.SASL_SSL,
    IN_THE_CLEAR: Protocol.SASL_PLAINTEXT,
    ONE_WAY: Protocol.SASL_PLAINTEXT,
}
"""What each listener speaks, beside the plain one, which is the harness's own; one has a certificate that has run out,
one a certificate for another address, and one takes a single mechanism only."""


PASSWORDS = b"canary-password-of-"
"""How every password begins: nothing that is kept or said may hold it."""


def password_of(user: str) -> str:
    """Return a user's password on this broker."""
    return f"{PASSWORDS.decode()}{user}"


class LockedKafka:
    """The broker and everything that clients need: authority, certificates, password files, settings by door."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = Authority(folder / "certificates")
        self.stranger = Authority(folder / "stranger", "nobody")
        self.users = (OPERATOR, TURNCOAT, *PROCESSES, *LIMITED)
        self._withdrawn: set[str] = set()
        self._servers = {
            USERS: self.authority.sign("broker", HERE),
            MUTUAL: self.authority.sign("mutual", HERE),
            EXPIRED: self.authority.sign("expired", HERE, days=-1),
            ELSEWHERE: self.authority.sign("elsewhere", "DNS:kafka.example"),
        }
        self.broker = self._broker()

    def _broker(self) -> LocalKafka:
        return LocalKafka(
            self.folder / "kafka",
            die_with_starter=True,
            more=self._settings(),
            doors={name: protocol.value for name, protocol in DOORS.items()},
            users={user: password_of(user) for user in self.users},
        )

    def withdraw(self, *users: str) -> None:
        """Start the broker anew with other passwords for these users, where they use the mechanism PLAIN."""
        self.broker.stop()
        self._withdrawn.update(users)
        self.broker = self._broker()
        self.broker.start()

    def _settings(self) -> dict[str, object]:
        found: dict[str, object] = {
            "authorizer.class.name": AUTHORIZER,
            "super.users": f"User:ANONYMOUS;User:{OPERATOR};User:{TURNCOAT}",
            "sasl.enabled.mechanisms": ",".join(MECHANISMS),
        }
        for door, server in self._servers.items():
            found |= self._tls(f"listener.name.{door.lower()}.", server)
        mutual = f"listener.name.{MUTUAL.lower()}."
        found |= {
            f"{mutual}ssl.client.auth": "required",
            f"{mutual}ssl.principal.mapping.rules": "RULE:^CN=([^,]+).*$/$1/,DEFAULT",
        }
        for door in (USERS, EXPIRED, ELSEWHERE, IN_THE_CLEAR):
            found |= self._sasl(f"listener.name.{door.lower()}.")
        one = f"listener.name.{ONE_WAY.lower()}."
        found |= {**self._sasl(one), f"{one}sasl.enabled.mechanisms": Mechanism.SCRAM_SHA_512}
        return found

    def _tls(self, listener: str, server: Certificate) -> dict[str, object]:
        return {
            f"{listener}ssl.keystore.type": "PEM",
            f"{listener}ssl.keystore.location": server.both,
            f"{listener}ssl.truststore.type": "PEM",
            f"{listener}ssl.truststore.location": self.authority.certificate,
        }

    def _sasl(self, listener: str) -> dict[str, object]:
        known = {user: "another" if user in self._withdrawn else password_of(user) for user in self.users}
        users = " ".join(f'user_{user}="{password}"' for user, password in known.items())
        plain = f"{PLAIN_MODULE} required {users};"
        modules = {m: plain if m is Mechanism.PLAIN else f"{module} required;" for m, module in MECHANISMS.items()}
        return {f"{listener}{m.value.lower()}.sasl.jaas.config": module for m, module in modules.items()}

    def as_user(
        self, user: str = OPERATOR, mechanism: Mechanism = Mechanism.SCRAM_SHA_512, door: str = USERS
    ) -> dict[str, object]:
        """Return the settings of a client that says who it is by a password."""
        file = self.folder / f"{user}.password"
        file.write_text(f"{password_of(user)}\n")
        file.chmod(0o600)
        return {
            "broker": self.broker.door(door),
            "security_protocol": DOORS[door],
            "tls_ca_file": self.authority.certificate if DOORS[door].has_tls else None,
            "sasl_mechanism": mechanism,
            "sasl_user": user,
            "sasl_password_file": file,
        }

    def by_certificate(self, name: str = OPERATOR) -> dict[str, object]:
        """Return the settings of a client that says who it is by a certificate."""
        return {
            "broker": self.broker.door(MUTUAL),
            "security_protocol": Protocol.SSL,
            "tls_ca_file": self.authority.certificate,
            **self.certificate_of(self.authority, name),
        }

    @staticmethod
    def certificate_of(authority: Authority, name: str = OPERATOR) -> dict[str, object]:
        """Return the settings about a certificate that this authority has signed."""
        own = authority.sign(name)
        return {"tls_certificate_file": own.certificate, "tls_key_file": own.key}
