"""Makes checks, and a server to ask."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from shared.rollback.settings import CloudwatchCheck, CommandCheck, HttpCheck, PrometheusCheck


def http(url: str = "http://service.internal/health", **more: Any) -> HttpCheck:
    return HttpCheck(**{"type": "http", "name": "up", "missing_data": "breaching", "url": url, **more})


def command(*words: str, **more: Any) -> CommandCheck:
    return CommandCheck(
        **{"type": "command", "name": "smoke", "missing_data": "breaching", "command": words or ("true",), **more}
    )


def prometheus(**more: Any) -> PrometheusCheck:
    values = {"type": "prometheus", "name": "errors", "missing_data": "ignore", "url": "http://prometheus:9090"}
    return PrometheusCheck(**{**values, "query": "rate(errors[1m])", "above": 1.0, **more})


def cloudwatch(*alarms: str, **more: Any) -> CloudwatchCheck:
    values = {"type": "cloudwatch", "name": "alarms", "missing_data": "ignore", "alarms": alarms or ("high",)}
    return CloudwatchCheck(**{**values, **more})


@contextmanager
def serving(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server on this host that hands every connection to `answer`; its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    taken: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            taken.append(connection)
            try:
                answer(connection)
            except OSError:
                pass

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for connection in taken:
            connection.close()
        thread.join(60)


def saying(content: bytes) -> Callable[[socket.socket], None]:
    """Read the request's head, then say this and hang up."""

    def answer(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(content)
        connection.close()

    return answer


def read_head(connection: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head and (piece := connection.recv(4096)):
        head += piece
    return head
