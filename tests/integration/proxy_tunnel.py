"""A client that does nothing behind one's back: one connection through the proxy, bytes as they are."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from typing import Any, Self

from tests.integration.proxy_cloud import CLIENT_TIMEOUT_S


class Tunnel:
    """One keep-alive connection through the proxy, as a client that does nothing behind one's back."""

    def __init__(
        self,
        port: int,
        host: str,
        ca: Path,
        *,
        sni: str | None = None,
        connect_headers: dict[str, str] | None = None,
        connect_port: int = 443,
    ) -> None:
        self.host = host
        self._raw = socket.create_connection(("127.0.0.1", port), timeout=CLIENT_TIMEOUT_S)
        lines = [f"CONNECT {host}:{connect_port} HTTP/1.1", f"Host: {host}:{connect_port}"]
        lines += [f"{name}: {value}" for name, value in (connect_headers or {}).items()]

        self.sock: socket.socket = self._raw
        try:
            self._raw.sendall("\r\n".join([*lines, "", ""]).encode())
            self.connect_status, _, _ = read_response(self._raw)
            if self.connect_status == 200:
                context = ssl.create_default_context(cafile=str(ca))
                context.check_hostname = False
                self.sock = context.wrap_socket(self._raw, server_hostname=sni or host)
        except BaseException:
            self._raw.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(
        self, method: str, path: str, headers: dict[str, str], body: bytes = b"", *, host: str | None = None
    ) -> None:
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host or self.host}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if body and "content-length" not in {name.lower() for name in headers}:
            lines.append(f"Content-Length: {len(body)}")
        self.sock.sendall("\r\n".join([*lines, "", ""]).encode() + body)

    def receive(self) -> tuple[int, dict[str, str], bytes]:
        return read_response(self.sock)

    def call(
        self, method: str, path: str, headers: dict[str, str], body: bytes = b"", **options: Any
    ) -> tuple[int, bytes]:
        self.send(method, path, headers, body, **options)
        status, _, content = self.receive()
        return status, content

    def closed(self) -> bool:
        """Whether the other side ends the connection without another byte (waits for it)."""
        for _ in range(10):
            try:
                return self.sock.recv(1) == b""
            except BlockingIOError:
                continue  # not ours: the errno of another thread that was sending on this socket
            except (ConnectionError, ssl.SSLError):  # the latter where it ends in the middle of a record
                return True
        return False


def read_response(sock: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """One response with a Content-Length. Raises ConnectionError when the connection ends before it."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = sock.recv(1)
        if not chunk:
            raise ConnectionError(f"closed after {data!r}")
        data += chunk
    lines = data.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:] if line)}
    body, length = b"", int(headers.get("content-length", 0))
    while len(body) < length:
        chunk = sock.recv(length - len(body))
        if not chunk:
            raise ConnectionError("closed inside a body")
        body += chunk
    return int(lines[0].split()[1]), headers, body
