"""The settings of a one-node broker, each with its reason where it differs from Kafka's default."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from shared.runtime.local_kafka.network import LOOPBACK

DATA_FOLDER: Final = "data"

SETTINGS: Final[Mapping[str, object]] = {
    "process.roles": "broker,controller",
    "node.id": 1,
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "PLAINTEXT",
    "controller.listener.names": "CONTROLLER",
    # Relative to the folder in which the broker is started: no path needs escaping, and the folder may be moved.
    "log.dirs": DATA_FOLDER,
    # Topics are made by the deploy step; a misspelt name is an error, not a new topic.
    "auto.create.topics.enable": "false",
    "default.replication.factor": 1,
    "offsets.topic.replication.factor": 1,
    "offsets.topic.num.partitions": 4,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "transaction.state.log.num.partitions": 4,
    # A transaction whose owner died is ended within a second of its timeout, not within ten.
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": 1_000,
    "group.initial.rebalance.delay.ms": 0,
    # After a kill the broker is refused until the session of the one before has ended: 9 s by default.
    "broker.session.timeout.ms": 3_000,
    "broker.heartbeat.interval.ms": 500,
    "num.network.threads": 2,
    "num.io.threads": 4,
    "background.threads": 2,
    "num.recovery.threads.per.data.dir": 2,
    # 128 MiB by default, a quarter of our heap.
    "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,
    "log.index.size.max.bytes": 1024 * 1024,
    # Facts are kept for ever; topics that are not say so themselves.
    "log.retention.ms": -1,
}


@dataclass(frozen=True, slots=True)
class Ports:
    """Where a broker listens: the plain listener, the controller's, and doors of other kinds, each with its name."""

    plain: int
    controller: int
    doors: Mapping[str, int]


def server_properties(
    ports: Ports,
    host: str = LOOPBACK,
    more: Mapping[str, object] = MappingProxyType({}),
    protocols: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Return the text of a server.properties whose listeners are on one address of this machine, loopback unless told.

    The controller's listener is on loopback in any case: nobody but the node itself asks it. `more` overrules settings;
    `protocols` are those of the doors, by their names.
    """
    open_to_clients = [f"{name}://{host}:{port}" for name, port in {"PLAINTEXT": ports.plain, **ports.doors}.items()]
    kinds = [f"{name}:{protocols[name]}" for name in ports.doors]
    return properties_text(
        {
            **SETTINGS,
            "listener.security.protocol.map": ",".join([str(SETTINGS["listener.security.protocol.map"]), *kinds]),
            **more,
            "listeners": ",".join([*open_to_clients, f"CONTROLLER://{LOOPBACK}:{ports.controller}"]),
            "advertised.listeners": ",".join(open_to_clients),
            "controller.quorum.voters": f"1@{LOOPBACK}:{ports.controller}",
        }
    )


def properties_text(settings: Mapping[str, object]) -> str:
    """Return settings as the text of a properties file."""
    return "".join(f"{name}={value}\n" for name, value in settings.items())
