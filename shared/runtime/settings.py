"""What a process of a deployment is told: by variables (`DUECOURSE_...`) or by options of the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, get_args, get_type_hints

from shared.contract.ticks import TimeMode
from shared.contract.topics import TOPICS, Keyed, physical_name
from shared.engine.topology import Topology
from shared.kernel.partitioning import Partitioner
from shared.runtime.kafka_security import Access, Mechanism, Protocol, Security

VARIABLE_PREFIX: Final = "DUECOURSE_"
OF_SECURITY: Final = ("SECURITY_", "TLS_", "SASL_")
"""How the variables begin that say how a broker lets a client in."""
LOG_LEVELS: Final = ("debug", "info", "warning", "error")


class UnusableSettings(ValueError):
    """A setting is missing or impossible; the text names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one process. Partition counts, partitioner, prefix and mode are those of the whole deployment.

    `deployment` is its name, with which the topics are stamped; processes of another name, or topics without, refuse.

    `instance` names this process among those of its service and must not be shared; restarts under the same name keep
    its partitions for `session_timeout_seconds`. Empty: a new member at every start. `boarded` allows a first start on
    inputs whose history is cut off. `log_key`, or the content of `log_key_file`, is the secret under which log lines
    name people, the same in all processes; none: one of each process's own. `log_decisions_per_second` bounds the lines
    about single decisions, 0 writes none. `health_address` is `host:port`, port 0 for any free one, empty: none.

    `security_protocol`, `tls_...` and `sasl_...` say how the broker lets this process in; all secrets lie in files of
    their own (`kafka_security`).

    A commit that is not answered within `deadline_seconds` is in doubt; own records that stay invisible for
    `visible_seconds`, or a barrier beyond the end of a log for `truncated_seconds`, stop the process. Without progress
    for `refused_seconds` it asks whether the broker has ceased to let it in; a broker that is away is waited for.
    """

    broker: str = "127.0.0.1:9092"
    security_protocol: Protocol = Protocol.PLAINTEXT
    tls_ca_file: Path | None = None
    tls_certificate_file: Path | None = None
    tls_key_file: Path | None = None
    tls_key_password_file: Path | None = None
    sasl_mechanism: Mechanism | None = None
    sasl_user: str = ""
    sasl_password_file: Path | None = None
    prefix: str = ""
    deployment: str = ""
    mode: TimeMode = TimeMode.WALL
    loan_partitions: int = 4
    borrower_partitions: int = 4
    partitioner: Partitioner = Partitioner.MURMUR2
    replication_factor: int = 1
    min_insync_replicas: int = 1
    data_directory: Path = Path(".duecourse")
    policy_directory: Path | None = None
    instance: str = ""
    health_address: str = ""
    log_json: bool = True
    log_level: str = "info"
    log_key: str = field(default="", repr=False)
    log_key_file: Path | None = None
    log_decisions_per_second: float = 50.0
    build: str = ""
    boarded: bool = False
    session_timeout_seconds: float = 10.0
    transaction_timeout_seconds: float = 12.0
    deadline_seconds: float = 30.0
    visible_seconds: float = 20.0
    truncated_seconds: float = 30.0
    refused_seconds: float = 60.0
    facts_and_wakes_max: int = 1000
    ticks_max: int = 512
    queue_records_max: int = 8192
    queue_bytes_max: int = 32 * 1024 * 1024
    fetch_bytes_max: int = 1024 * 1024
    retry_backoff_ms: int = 10

    def __post_init__(self) -> None:
        for name in (
            "loan_partitions",
            "borrower_partitions",
            "facts_and_wakes_max",
            "ticks_max",
            "queue_records_max",
            "queue_bytes_max",
        ):
            if getattr(self, name) < 1:
                raise UnusableSettings(f"{name} must be at least 1")
        if not 6 <= self.session_timeout_seconds <= 60:
            raise UnusableSettings("session_timeout_seconds must be between 6 and 60")
        if self.log_level not in LOG_LEVELS:
            raise UnusableSettings(f"log_level must be one of {', '.join(LOG_LEVELS)}")
        if not 0 <= self.log_decisions_per_second <= 10_000:
            raise UnusableSettings("log_decisions_per_second must be between 0 and 10,000")
        if self.min_insync_replicas > self.replication_factor:
            raise UnusableSettings("min_insync_replicas exceeds replication_factor")
        if (contradiction := self.security.contradiction()) is not None:
            raise UnusableSettings(contradiction)

    @property
    def security(self) -> Security:
        """How the broker lets this process in."""
        return Security(
            protocol=self.security_protocol,
            ca_file=self.tls_ca_file,
            certificate_file=self.tls_certificate_file,
            key_file=self.tls_key_file,
            key_password_file=self.tls_key_password_file,
            mechanism=self.sasl_mechanism,
            user=self.sasl_user,
            password_file=self.sasl_password_file,
        )

    @property
    def access(self) -> Access:
        """Where the broker is, and how it lets this process in: what every client of Kafka is made of."""
        return Access(self.broker, self.security)

    @property
    def topology(self) -> Topology:
        """Partition counts by logical topic, and the partitioner."""
        counts = {Keyed.LOAN: self.loan_partitions, Keyed.BORROWER: self.borrower_partitions, Keyed.NONE: 1}
        return Topology({topic.name: counts[topic.keyed] for topic in TOPICS.values()}, self.partitioner)

    def topic(self, logical: str) -> str:
        """Return a topic's name on the broker."""
        return physical_name(self.prefix, logical)

    def group(self, service: str) -> str:
        """Return the consumer group (and Faust id) of a service."""
        return physical_name(self.prefix, service)

    def transactional_id(self, service: str, partition: int) -> str:
        """Return the name under which a service's partition has one writer at a time."""
        return f"{self.group(service)}-{partition}"

    def changelog(self, service: str) -> str:
        """Return the name of a service's changelog topic."""
        return f"{self.group(service)}-state-changelog"


def security_from(environment: Mapping[str, str]) -> Security:
    """Return how a broker lets a command in, from the `DUECOURSE_...` variables about that alone."""
    about = tuple(VARIABLE_PREFIX + kind for kind in OF_SECURITY)
    return settings_from({name: text for name, text in environment.items() if name.startswith(about)}).security


def settings_from(environment: Mapping[str, str], **given: Any) -> Settings:
    """Return settings from `DUECOURSE_...` variables; `given` values other than None overrule them.

    An empty variable of a setting that may be missing is one that is not given.
    """
    hints = get_type_hints(Settings)
    values: dict[str, Any] = {}
    for setting in fields(Settings):
        name = setting.name
        text = environment.get(VARIABLE_PREFIX + name.upper())
        if given.get(name) is not None:
            values[name] = given[name]
        elif text is not None and (text or type(None) not in get_args(hints[name])):
            values[name] = _parse(name, hints[name], text)
    unknown = given.keys() - values.keys() - {setting.name for setting in fields(Settings)}
    if unknown:
        raise UnusableSettings(f"unknown settings: {', '.join(sorted(unknown))}")
    return Settings(**values)


def _parse(name: str, hint: Any, text: str) -> Any:
    kind = next((a for a in get_args(hint) if a is not type(None)), hint)
    try:
        if kind is bool:
            return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}[text.lower()]
        return kind(text)
    except (ValueError, KeyError) as error:
        raise UnusableSettings(f"{VARIABLE_PREFIX}{name.upper()}={text!r} is not usable") from error
