import socket
import threading
import urllib.error
import urllib.request

import pytest
from prometheus_client import CollectorRegistry, Counter

from shared.runtime.health import CONNECTIONS_MAX, REQUEST_BYTES_MAX, REQUEST_TIMEOUT_SECONDS, HealthListener


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


def silent(listening, count):
    """Open connections that say nothing."""
    return [socket.create_connection(("127.0.0.1", listening.port)) for _ in range(count)]


def ends(connection, seconds):
    """Tell whether the other side ends a connection within so many seconds, and what it said before."""
    connection.settimeout(seconds)
    said = b""
    try:
        while part := connection.recv(65536):
            said += part
    except ConnectionResetError:
        return True, said
    except TimeoutError:
        return False, said
    return True, said


def test_a_crowd_that_says_nothing_keeps_no_probe_out(listener):
    """However many connections are open and silent, a probe is answered: the oldest of them gives way."""
    listening, _ = listener
    crowd = silent(listening, 4 * CONNECTIONS_MAX)
    assert get(listening, "/livez") == (200, "ok\n")
    assert ends(crowd[0], 5)[0]
    for connection in crowd:
        connection.close()


def test_a_client_that_drips_is_cut_off(listener):
    """Time is bounded for the whole request, not for each byte of it."""
    listening, _ = listener
    (connection,) = silent(listening, 1)
    connection.sendall(b"GET /livez HTTP/1.1\r\n")
    over = threading.Event()

    def drip():
        while not over.wait(REQUEST_TIMEOUT_SECONDS / 10):
            try:
                connection.sendall(b"X")
            except OSError:
                return

    dripping = threading.Thread(target=drip)
    dripping.start()
    ended, said = ends(connection, 3 * REQUEST_TIMEOUT_SECONDS)
    over.set()
    dripping.join()
    connection.close()
    assert ended
    assert b"200" not in said


def test_a_request_without_end_is_refused_by_its_size(listener):
    """Headers beyond the bound are not kept: the answer is 431, and the connection ends."""
    listening, _ = listener
    (connection,) = silent(listening, 1)
    connection.sendall(b"GET /livez HTTP/1.1\r\n" + b"X: " + b"x" * 2 * REQUEST_BYTES_MAX)
    ended, said = ends(connection, 5)
    connection.close()
    assert ended
    assert b"200" not in said


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /livez?verbose HTTP/1.1\r\n\r\n", b"200"),
        (b"HEAD /readyz HTTP/1.1\r\n\r\n", b"503"),
        (b"POST /livez HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", b"405"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"\xff\xfe\x00\r\n\r\n", b"400"),
    ],
)
def test_requests_are_read_strictly(listener, request_, status):
    """Questions are read without their query, bodies never, and what is no request is said to be none."""
    listening, _ = listener
    (connection,) = silent(listening, 1)
    connection.sendall(request_)
    _, said = ends(connection, 5)
    connection.close()
    assert said.split()[1] == status
    assert request_[:4] != b"HEAD" or said.endswith(b"\r\n\r\n")
