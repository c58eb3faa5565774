"""What a broker is told about its listeners."""

from shared.runtime.local_kafka.properties import Ports, server_properties


def told(text: str) -> dict[str, str]:
    """Return the settings of a properties file."""
    return dict(line.split("=", 1) for line in text.splitlines())


def test_a_broker_has_one_plain_listener_unless_told() -> None:
    """Clients find it on one address, the node finds itself on loopback."""
    found = told(server_properties(Ports(15_001, 15_002, {}), "10.0.0.1"))
    assert found["listeners"] == "PLAINTEXT://10.0.0.1:15001,CONTROLLER://127.0.0.1:15002"
    assert found["advertised.listeners"] == "PLAINTEXT://10.0.0.1:15001"
    assert found["listener.security.protocol.map"] == "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT"


def test_doors_are_listeners_beside_the_plain_one() -> None:
    """Each has its port and its protocol, and clients are told of it; its own settings come from whoever opens it."""
    ports = Ports(15_001, 15_002, {"USERS": 15_003, "MUTUAL": 15_004})
    more = {"listener.name.mutual.ssl.client.auth": "required"}
    found = told(server_properties(ports, more=more, protocols={"USERS": "SASL_SSL", "MUTUAL": "SSL"}))
    of_clients = "PLAINTEXT://127.0.0.1:15001,USERS://127.0.0.1:15003,MUTUAL://127.0.0.1:15004"
    assert found["listeners"] == f"{of_clients},CONTROLLER://127.0.0.1:15002"
    assert found["advertised.listeners"] == of_clients
    protocols = "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,USERS:SASL_SSL,MUTUAL:SSL"
    assert found["listener.security.protocol.map"] == protocols
    assert found["listener.name.mutual.ssl.client.auth"] == "required"
