"""Health over HTTP: what the supervisor really sees at this moment, never a constant.

GET /health       503 while the config database cannot be reached or the supervisor's loop stands still
GET /health/live  503 only when the loop stands still: a restart would help
GET /metrics      the same for Prometheus
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from compute.core.supervision import SupervisorView
from compute.metrics import CONTENT_TYPE, render
from rosetta.errors import ConfigurationError
from rosetta.logs import get_logger

_log = get_logger("compute.server")


class HealthServer:
    """Serves in a thread of its own; `view` is called once a request, from that thread."""

    def __init__(self, host: str, port: int, view: Callable[[], SupervisorView]) -> None:
        """Binds at once. Raises ConfigurationError when the port is taken."""
        try:
            self._server = ThreadingHTTPServer((host, port), _handler(view))
        except OSError as error:
            raise ConfigurationError(
                f"cannot serve health on {host}:{port}: {error.strerror}",
                code="PORT_TAKEN",
                remedy="Stop what listens there, or set HEALTH_PORT.",
            ) from None
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)

    @property
    def port(self) -> int:
        return self._server.server_port

    def start(self) -> None:
        self._thread.start()
        _log.info("health_served", port=self.port)

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(view: Callable[[], SupervisorView]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10
        server_version = "rosetta-compute"
        sys_version = ""

        def do_GET(self) -> None:
            seen = view()
            path = self.path.partition("?")[0]
            if path == "/health":
                self._answer(seen.ready, seen.document())
            elif path == "/health/live":
                self._answer(seen.alive, {"status": "alive" if seen.alive else "stalled"})
            elif path == "/metrics":
                self._send(HTTPStatus.OK, render(seen), CONTENT_TYPE)
            else:
                self._answer_json(HTTPStatus.NOT_FOUND, {"error": "NotFoundError", "message": "no such page"})

        def _answer(self, good: bool, body: dict[str, Any]) -> None:
            self._answer_json(HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE, body)

        def _answer_json(self, status: HTTPStatus, body: dict[str, Any]) -> None:
            self._send(status, json.dumps(body).encode(), "application/json")

        def _send(self, status: HTTPStatus, payload: bytes, content_type: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Cache-Control", "no-store")
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            _log.debug("health_request", line=format % args)

    return Handler
