"""A Terraform HTTP state backend in memory, served on the listening socket that a sandbox handed out."""

from __future__ import annotations

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any


class StateServer:
    """Keeps one state; counts; can refuse writes."""

    def __init__(self, listener: socket.socket) -> None:
        """Serve on a copy of `listener`."""
        self.state: bytes | None = None
        self.lock: dict[str, Any] | None = None
        self.requests: list[str] = []
        self.authorizations: set[str] = set()
        self.refuse_writes = False
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def _serve(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.requests.append(self.command)
                outer.authorizations.add(self.headers.get("Authorization", ""))
                status, answer = outer.handle(self.command, body)
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_POST = do_DELETE = do_LOCK = do_UNLOCK = _serve

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
        self._server.socket.close()
        self._server.socket = listener.dup()
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def handle(self, method: str, body: bytes) -> tuple[int, bytes]:
        """Answer one request."""
        if method == "GET":
            return (200, self.state) if self.state is not None else (404, b"")
        if method == "POST":
            if self.refuse_writes:
                return 403, b"lease lost"
            self.state = body
            return 200, b""
        if method == "LOCK":
            if self.lock is not None:
                return 423, json.dumps(self.lock).encode()
            self.lock = json.loads(body)
            return 200, b""
        if method == "UNLOCK":
            self.lock = None
            return 200, b""
        return 405, b""

    def close(self) -> None:
        """Stop serving and give the socket back."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(30)
