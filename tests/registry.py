"""A registry for tests: the part of the distribution API that reads manifests, over real HTTP on this machine.

Tags can be moved. A repository may be public, ask for a token (anonymous or not), or for user and password.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

USER, PASSWORD, REFRESH = "operator", "pass:word", "refresh-token"
MEDIA_TYPE = "application/vnd.oci.image.manifest.v1+json"


class Registry:
    """One registry; a context manager."""

    def __init__(self) -> None:
        """Begin empty."""
        self.manifests: dict[tuple[str, str], bytes] = {}
        #: Repositories by what they ask for: "token" (anonymous will do), "login" (a token for a user), "basic".
        self.asks: dict[str, str] = {}
        self.tokens: dict[str, str] = {}
        self.seen: list[tuple[str, str, str]] = []
        registry = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                """Nothing."""

            def do_HEAD(self) -> None:
                registry._answer(self)

            def do_GET(self) -> None:
                registry._answer(self)

            def do_POST(self) -> None:
                registry._answer(self)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> Registry:
        """Serve."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def push(self, name: str, tag: str, content: str = "") -> str:
        """Let a tag name this manifest from now on; returns its digest."""
        manifest = json.dumps({"schemaVersion": 2, "mediaType": MEDIA_TYPE, "note": content}).encode()
        self.manifests[name, tag] = manifest
        return f"sha256:{hashlib.sha256(manifest).hexdigest()}"

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        length = int(request.headers.get("Content-Length") or 0)
        body = request.rfile.read(length)
        parts = urlsplit(request.path)
        authorization = request.headers.get("Authorization", "")
        self.seen.append((request.command, parts.path, authorization.partition(" ")[0]))
        if parts.path == "/token":
            self._token(request, parse_qs(body.decode() if request.command == "POST" else parts.query))
            return
        name, _, tag = parts.path.removeprefix("/v2/").partition("/manifests/")
        asks, manifest = self.asks.get(name), self.manifests.get((name, tag))
        if asks == "basic" and authorization != _basic():
            _send(request, 401, {"WWW-Authenticate": 'Basic realm="registry"'})
        elif asks in ("token", "login") and self.tokens.get(authorization.removeprefix("Bearer ")) != name:
            realm = f'Bearer realm="http://{self.host}/token",service="registry",scope="repository:{name}:pull"'
            _send(request, 401, {"WWW-Authenticate": realm})
        elif manifest is None:
            _send(request, 404, {})
        else:
            digest = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
            _send(request, 200, {"Docker-Content-Digest": digest, "Content-Type": MEDIA_TYPE}, manifest)

    def _token(self, request: BaseHTTPRequestHandler, words: dict[str, list[str]]) -> None:
        name = words["scope"][0].split(":")[1]
        signed_in = request.headers.get("Authorization") == _basic() or words.get("refresh_token") == [REFRESH]
        if self.asks.get(name) == "login" and not signed_in:
            _send(request, 401, {}, b'{"errors": []}')
            return
        token = secrets.token_hex(8)
        self.tokens[token] = name
        key = "access_token" if request.command == "POST" else "token"
        _send(request, 200, {"Content-Type": "application/json"}, json.dumps({key: token}).encode())


def _basic() -> str:
    return f"Basic {base64.b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}"


def _send(request: BaseHTTPRequestHandler, status: int, headers: dict[str, str], body: bytes = b"") -> None:
    request.send_response(status)
    for name, value in headers.items():
        request.send_header(name, value)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    if request.command != "HEAD":
        request.wfile.write(body)
