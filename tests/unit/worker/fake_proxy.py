"""A signing proxy's control socket that answers by a table."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

from shared.control import Message, receive_message, send_message


class FakeProxy:
    """Accepts one worker; answers by a table; can speak unasked."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "proxy.sock"
        self.answers: dict[type[Message], Message | None] = {}
        self.received: list[Message] = []
        self.fds: list[int] = []
        self.connection: socket.socket | None = None
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(str(self.path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        try:
            self.connection, _ = self._listener.accept()
        except OSError:
            return
        while True:
            try:
                message, fds = receive_message(self.connection)
            except OSError:
                return
            self.fds += fds
            if message is None:
                return
            self.received.append(message)
            answer = self.answers.get(type(message))
            if answer is not None:
                send_message(self.connection, answer)

    def say(self, message: Message) -> None:
        assert self.connection is not None
        send_message(self.connection, message)

    def vanish(self) -> None:
        assert self.connection is not None
        self.connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        if self.connection is not None:
            self.connection.close()
        self._listener.close()
        self._thread.join(60)
        for fd in self.fds:
            os.close(fd)
