"""A small listener of its own for `/livez`, `/readyz`, `/startupz` and `/metrics`, bounded against slow clients.

It has a thread, so that it answers "not alive" when the event loop stands still.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

REQUEST_TIMEOUT_SECONDS: Final = 2.0
CONNECTIONS_MAX: Final = 16

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


class _BoundedServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: Any) -> None:
        self._slots = threading.BoundedSemaphore(CONNECTIONS_MAX)
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._slots.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    registry: CollectorRegistry
    answers: dict[str, Answer]
    timeout = REQUEST_TIMEOUT_SECONDS

    def do_GET(self) -> None:
        if self.path == "/metrics":
            self._send(200, CONTENT_TYPE_LATEST, generate_latest(self.registry))
        elif self.path in self.answers:
            reason = self.answers[self.path]()
            text = "ok\n" if reason is None else f"{reason}\n"
            self._send(200 if reason is None else 503, "text/plain; charset=utf-8", text.encode())
        else:
            self._send(404, "text/plain; charset=utf-8", b"/livez /readyz /startupz /metrics\n")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Requests are not logged."""

    def _send(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
