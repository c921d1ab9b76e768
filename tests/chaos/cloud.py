"""The cloud of the fault suite: `python -m tests.chaos.cloud ADDRESS PORT LOG KEY SECRET` writes down what arrives.

One JSON line for a request when it is complete, before it is answered. A request counts as arrived when the kernel
received its last byte: only a whole request does anything in a cloud. That instant comes from SO_TIMESTAMPNS, so a slow
reader here neither delays an arrival nor turns two of them round.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from deploy.demo.requests import caller_of
from deploy.demo.sigv4 import verify

_SO_TIMESTAMPNS = 35
_TIMESPEC_BYTES = 16
_MAX_REQUEST_BYTES = 1 << 20
READING_METHODS = frozenset({"GET", "HEAD"})


@dataclass(kw_only=True)
class Reader:
    """The requests of one connection. Clients here send one at a time, so bytes never belong to two requests."""

    connection: socket.socket
    last_ns: int = 0

    def next(self) -> tuple[str, str, dict[str, str], bytes] | None:
        """Method, raw URI, headers with lower-case names, body; None when the connection ended."""
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._receive()
            if not data or len(data) > _MAX_REQUEST_BYTES:
                return None
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, uri, _ = first.split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        missing = int(headers.get("content-length", "0")) - len(body)
        while missing > 0:
            piece = self._receive()
            if not piece:
                return None
            body, missing = body + piece, missing - len(piece)
        return method, uri, headers, body

    def _receive(self) -> bytes:
        try:
            data, ancillary, _, _ = self.connection.recvmsg(65536, socket.CMSG_SPACE(_TIMESPEC_BYTES))
        except ConnectionError:
            return b""
        self.last_ns = time.clock_gettime_ns(time.CLOCK_REALTIME)
        for level, kind, value in ancillary:
            if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS:
                seconds = int.from_bytes(value[:8], sys.byteorder)
                self.last_ns = seconds * 1_000_000_000 + int.from_bytes(value[8:16], sys.byteorder)
        return data


class Cloud:
    """Listens, logs, answers 200."""

    def __init__(self, host: str, port: int, log: Path, *, access_key: str, secret_key: str) -> None:
        """Listen at once; `serve` accepts."""
        self._log = log.open("a", encoding="utf-8")
        self._lock = threading.Lock()
        self._secrets = {access_key: secret_key}
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Accepted sockets inherit it, so that the first bytes of a connection are stamped too.
        self._listener.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._listener.bind((host, port))
        self._listener.listen(256)

    def serve(self) -> None:
        """For ever, one thread a connection."""
        while True:
            connection, _ = self._listener.accept()
            threading.Thread(target=self._connection, args=(connection,), daemon=True).start()

    def _connection(self, connection: socket.socket) -> None:
        reader = Reader(connection=connection)
        with connection:
            while (request := reader.next()) is not None:
                accepted = self._record(*request, arrived_ns=reader.last_ns)
                answer = b"HTTP/1.1 200 OK" if accepted else b"HTTP/1.1 403 Forbidden"
                try:
                    connection.sendall(answer + b"\r\nContent-Type: application/xml\r\nContent-Length: 0\r\n\r\n")
                except OSError:
                    return

    def _record(self, method: str, uri: str, headers: dict[str, str], body: bytes, *, arrived_ns: int) -> bool:
        now_ns = time.clock_gettime_ns(time.CLOCK_REALTIME)
        signature = verify(
            method=method,
            raw_uri=uri,
            headers=headers,
            body=body,
            secrets=self._secrets,
            now=datetime.fromtimestamp(now_ns / 1e9, UTC),
        )
        caller = caller_of(headers.get("user-agent", ""))
        entry = {
            "arrived_ms": arrived_ns / 1e6,
            "method": method,
            "path": uri,
            "mutating": method not in READING_METHODS,
            "signature": signature,
            "target": caller.target if caller else None,
            "epoch": caller.epoch if caller else None,
            "run": caller.run if caller else None,
        }
        with self._lock:
            self._log.write(json.dumps(entry) + "\n")
            self._log.flush()
        return signature == "ok"


def main(words: list[str]) -> None:
    """Serve until killed."""
    host, port, log, access_key, secret_key = words
    Cloud(host, int(port), Path(log), access_key=access_key, secret_key=secret_key).serve()


if __name__ == "__main__":
    main(sys.argv[1:])
