"""Nobody can forget how Kafka lets us in: clients are made in one place, and of an `Access`."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.house.tree import parsed, python_files

CLIENTS = {"AIOKafkaProducer", "AIOKafkaConsumer", "AIOKafkaAdminClient", "AIOKafkaClient", "create_conn"}
MAKERS = {Path("shared/runtime/kafka_clients.py")}
WHO_SAYS_WHERE = {Path("shared/runtime/settings.py"), Path("shared/runtime/records.py")}
WHO_NAMES_A_DEPLOYMENT = {Path("shared/runtime/records.py"), Path("services/cli/broker.py")}
SOCKETS = {Path("shared/runtime/local_kafka/network.py"), Path("shared/runtime/knocking.py")}
"""One asks a broker of this machine whether it is up, at its plain listener; one finds out why we are not let in."""


def calls(*names: str) -> Iterator[tuple[Path, ast.Call]]:
    """Every call of these names in the product."""
    for path in python_files("services", "shared"):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)
                if name in names:
                    yield path, node


def test_clients_of_kafka_are_made_in_one_place() -> None:
    """A client made elsewhere would be plain on a broker that is not, and would read less tolerantly."""
    assert {path for path, _ in calls(*CLIENTS)} == MAKERS
    told = [
        path for path in python_files("services", "shared") for node in ast.walk(parsed(path))
        if (isinstance(node, ast.keyword) and node.arg == "bootstrap_servers")
        or (isinstance(node, ast.Constant) and node.value == "bootstrap_servers")
    ]  # fmt: skip
    assert set(told) == MAKERS


def test_where_and_how_are_said_together() -> None:
    """Whoever names a broker says how it lets us in; an address alone is made into neither access nor deployment."""
    assert {path for path, _ in calls("Access")} == WHO_SAYS_WHERE
    by_address = {
        path for path, call in calls("Deployment")
        if call.args and getattr(call.args[0], "attr", getattr(call.args[0], "id", "")) == "broker"
    }  # fmt: skip
    assert by_address == WHO_NAMES_A_DEPLOYMENT
    assert {path for path, _ in calls("SASLCredentials", "SSLCredentials")} == {
        Path("shared/runtime/faust_credentials.py")
    }


def test_nobody_else_opens_a_connection_to_a_broker() -> None:
    """Requests of our own go through a client; sockets are for first questions."""
    assert {path for path, _ in calls("create_connection", "open_connection")} == SOCKETS
