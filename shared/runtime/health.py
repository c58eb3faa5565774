"""A small listener of its own for `/livez`, `/readyz`, `/startupz` and `/metrics`, bounded against slow clients.

It has threads, so that it answers "not alive" when the event loop stands still. A connection has two seconds in all, a
request eight kilobytes, and when sixteen connections are open the oldest gives way to the newest: whoever says nothing,
or drips, keeps no probe out.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from http import HTTPStatus
from socket import AF_INET, AF_INET6, SHUT_RDWR, socket
from socketserver import BaseRequestHandler, ThreadingTCPServer
from time import monotonic
from typing import Any, Final

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

REQUEST_TIMEOUT_SECONDS: Final = 2.0
CONNECTIONS_MAX: Final = 16
REQUEST_BYTES_MAX: Final = 8_192
PLAIN: Final = "text/plain; charset=utf-8"
WORDS_OF_A_REQUEST: Final = 3

Answer = Callable[[], str | None]
"""Returns None when all is well, else the reason why not."""


class HealthListener:
    """Serves health and metrics on an explicit address until it is stopped."""

    def __init__(
        self, address: str, registry: CollectorRegistry, *, live: Answer, ready: Answer, started: Answer | None = None
    ) -> None:
        host, _, port = address.rpartition(":")
        handler = type("Handler", (_Handler,), {"registry": registry, "answers": {"/livez": live, "/readyz": ready}})
        handler.answers["/startupz"] = started or ready  # type: ignore[attr-defined]
        self._server = _BoundedServer((host.strip("[]") or "127.0.0.1", int(port)), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


class _BoundedServer(ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 4 * CONNECTIONS_MAX

    def __init__(self, address: tuple[str, int], handler: Any) -> None:
        self._open: dict[socket, None] = {}
        self._lock = threading.Lock()
        self.address_family = AF_INET6 if ":" in address[0] else AF_INET
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            oldest = next(iter(self._open)) if len(self._open) >= CONNECTIONS_MAX else None
            if oldest is not None:
                del self._open[oldest]
                _end(oldest)
            self._open[request] = None
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.pop(request, None)
            _end(request)
            request.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


def _end(connection: socket) -> None:
    """Let both sides know that it is over; the thread at work on it finds out at its next read or write."""
    try:
        connection.shutdown(SHUT_RDWR)
    except OSError:
        """The client was quicker."""


class _Handler(BaseRequestHandler):
    registry: CollectorRegistry
    answers: dict[str, Answer]

    def handle(self) -> None:
        """Read one request, answer it, and let go."""
        deadline = monotonic() + REQUEST_TIMEOUT_SECONDS
        asked = self._read(deadline)
        if asked is None:
            return
        status, content_type, body = self._answer(asked)
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {content_type}\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        self.request.settimeout(REQUEST_TIMEOUT_SECONDS)
        self.request.sendall(head.encode() + (b"" if asked.startswith(b"HEAD ") else body))

    def _read(self, deadline: float) -> bytes | None:
        """Return the request's head, None when it does not come in time; one too long comes back unfinished."""
        asked = b""
        while b"\r\n\r\n" not in asked and len(asked) <= REQUEST_BYTES_MAX:
            self.request.settimeout(max(0.001, deadline - monotonic()))
            part = self.request.recv(REQUEST_BYTES_MAX)
            if not part or monotonic() > deadline:
                return None
            asked += part
        return asked

    def _answer(self, asked: bytes) -> tuple[HTTPStatus, str, bytes]:
        head, end, _ = asked.partition(b"\r\n\r\n")
        words = head.split(b"\r\n", 1)[0].decode("ascii", "replace").split(" ")
        if not end or len(head) > REQUEST_BYTES_MAX:
            return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, PLAIN, b"a request is shorter\n"
        if len(words) != WORDS_OF_A_REQUEST or not words[2].startswith("HTTP/1."):
            return HTTPStatus.BAD_REQUEST, PLAIN, b"this is no request\n"
        if words[0] not in {"GET", "HEAD"}:
            return HTTPStatus.METHOD_NOT_ALLOWED, PLAIN, b"only GET and HEAD\n"
        path = words[1].partition("?")[0]
        if path == "/metrics":
            return HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(self.registry)
        if path not in self.answers:
            return HTTPStatus.NOT_FOUND, PLAIN, b"/livez /readyz /startupz /metrics\n"
        reason = self.answers[path]()
        if reason is None:
            return HTTPStatus.OK, PLAIN, b"ok\n"
        return HTTPStatus.SERVICE_UNAVAILABLE, PLAIN, f"{reason}\n".encode()
