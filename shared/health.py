"""/healthz, /readyz and /metrics for processes that have no API of their own (beat, worker, proxy)."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from shared.errors import ConfigurationError

REQUEST_TIMEOUT_S: Final = 5


class HealthServer:
    """A tiny HTTP server in a daemon thread. Close it when the process ends its work."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        """Serve `server`, which is bound already."""
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, name="health", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Port that it listens on."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Stop serving and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=REQUEST_TIMEOUT_S)


def serve_health(
    host: str, port: int, ready: Callable[[], Mapping[str, bool]], registry: CollectorRegistry
) -> HealthServer:
    """Serve on (host, port); port 0 picks a free one.

    /healthz says 200 while the process can answer; /readyz says 200 when every check of `ready` is true, else 503
    with the checks as JSON (an exception in `ready` is a failed check). Raises ConfigurationError for a port in use.
    """

    class Handler(BaseHTTPRequestHandler):
        timeout = REQUEST_TIMEOUT_S

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/healthz":
                self._answer(200, "application/json", b'{"status":"ok"}')
            elif path == "/readyz":
                checks = _checks(ready)
                status = 200 if all(checks.values()) else 503
                self._answer(status, "application/json", json.dumps(checks, sort_keys=True).encode())
            elif path == "/metrics":
                self._answer(200, CONTENT_TYPE_LATEST, generate_latest(registry))
            else:
                self._answer(404, "text/plain", b"only /healthz, /readyz and /metrics\n")

        def _answer(self, status: int, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing: probes come every few seconds."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    try:
        return HealthServer(Server((host, port), Handler))
    except OSError as error:
        raise ConfigurationError(
            f"cannot listen on {host}:{port}: {error.strerror}", hint="set INTERLOCK_HTTP_PORT to a free port"
        ) from error


def _checks(ready: Callable[[], Mapping[str, bool]]) -> dict[str, bool]:
    try:
        return {name: bool(value) for name, value in ready().items()}
    except Exception:  # noqa: BLE001 - whatever a check raises, the process is not ready
        return {"ready": False}
