"""/healthz, /readyz, /metrics and /status of the proxy."""

import json
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from shared.errors import ConfigurationError
from signing_proxy.kernel_gate import KernelGate
from signing_proxy.runs import AttachedRun

REQUEST_TIMEOUT_S = 5


def status_of(runs: list[AttachedRun], kernel_gate: KernelGate) -> dict[str, Any]:
    """The gate and the attached runs, for the demo and for ``doctor``: names and counts, no secret."""
    return {
        "kernel_gate": {"active": kernel_gate.active, "why": kernel_gate.why},
        "runs": [
            {
                "run_id": run.attach.run_id,
                "target": run.attach.target,
                "epoch": run.attach.epoch,
                "in_flight_mutating": run.mutating_in_flight,
                "open": run.open,
                "cut": run.cut_reason,
                "allowance": run.bounds.allowance.summary if run.bounds is not None else None,
                "latched": run.latch.why if run.latch is not None else None,
            }
            for run in runs
        ],
    }


class StatusServer:
    """A tiny HTTP server in a daemon thread; what it shows is read without a lock and may be a moment old."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        ready: Callable[[], Mapping[str, bool]],
        status: Callable[[], Mapping[str, Any]],
        registry: CollectorRegistry,
    ) -> None:
        """Serve on (host, port); port 0 picks a free one. Raises ConfigurationError for a port in use."""
        pages: dict[str, Callable[[], tuple[int, str, bytes]]] = {
            "/healthz": lambda: (200, "application/json", b'{"status":"ok"}'),
            "/readyz": lambda: _readiness(ready()),
            "/metrics": lambda: (200, CONTENT_TYPE_LATEST, generate_latest(registry)),
            "/status": lambda: (200, "application/json", json.dumps(status()).encode()),
        }

        class Handler(BaseHTTPRequestHandler):
            timeout = REQUEST_TIMEOUT_S

            def do_GET(self) -> None:
                page = pages.get(self.path.partition("?")[0])
                code, kind, body = page() if page else (404, "text/plain", " ".join(pages).encode())
                self.send_response(code)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing: probes come every few seconds."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

        try:
            self._server = Server((host, port), Handler)
        except OSError as error:
            raise ConfigurationError(
                f"cannot listen on {host}:{port}: {error.strerror}", hint="set INTERLOCK_HTTP_PORT to a free port"
            ) from error
        self._thread = threading.Thread(target=self._server.serve_forever, name="status", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Stop serving and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=REQUEST_TIMEOUT_S)


def _readiness(checks: Mapping[str, bool]) -> tuple[int, str, bytes]:
    return 200 if all(checks.values()) else 503, "application/json", json.dumps(dict(checks), sort_keys=True).encode()
