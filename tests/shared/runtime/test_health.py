import socket
import urllib.error
import urllib.request

import pytest
from prometheus_client import CollectorRegistry, Counter

from shared.runtime.health import HealthListener


@pytest.fixture
def listener():
    """Return a running listener and what it answers."""
    answers = {"live": None, "ready": "partitions are being assigned"}
    registry = CollectorRegistry()
    Counter("duecourse_things_total", "Things.", registry=registry).inc(3)
    listening = HealthListener("127.0.0.1:0", registry, live=lambda: answers["live"], ready=lambda: answers["ready"])
    listening.start()
    yield listening, answers
    listening.stop()


def get(listening, path):
    """Return status and text."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{listening.port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_health_and_metrics_are_told_with_reasons(listener):
    """Alive, not ready and why, ready; and the metrics in Prometheus' text format."""
    listening, answers = listener
    assert get(listening, "/livez") == (200, "ok\n")
    assert get(listening, "/readyz") == (503, "partitions are being assigned\n")
    answers["ready"], answers["live"] = None, "the event loop has stood still"
    assert get(listening, "/readyz") == (200, "ok\n")
    assert get(listening, "/startupz") == (200, "ok\n")
    assert get(listening, "/livez")[0] == 503
    status, text = get(listening, "/metrics")
    assert status == 200
    assert "duecourse_things_total 3.0" in text
    assert get(listening, "/elsewhere")[0] == 404


def test_slow_clients_do_not_keep_others_out(listener):
    """Connections that say nothing are bounded in number and time; a probe in between is answered."""
    listening, _ = listener
    mute = [socket.create_connection(("127.0.0.1", listening.port)) for _ in range(8)]
    assert get(listening, "/livez") == (200, "ok\n")
    for connection in mute:
        connection.close()
