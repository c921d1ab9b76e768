"""Two hundred live connections of one run: idle, in the middle of an upload, a download, a stream that never ends.

The cloud and the clients share one event loop; what is measured is taken from the kernel (`capture`), not from here.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.integration.proxy_cloud import verified_key

KINDS = ("idle", "upload", "download", "stream")
EACH = 50
HOST = "bench-bucket.s3.us-east-1.amazonaws.com"
BEAT_S = 0.05
PIECE = b"x" * 1024
UPLOAD = PIECE * 2048
DOWNLOAD_BYTES = 32 << 20
LIMIT_S = 120
_AT_ONCE = 16

type Headers = dict[str, str]


class LiveCloud:
    """An HTTP server that verifies each head's signature and then talks slowly, for ever."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.verify = True
        self.ports: dict[int, str] = {}
        """What each connection is doing, by the port at its other end."""
        self.unsigned = 0
        self.receiving: Counter[int] = Counter()
        """Bytes of the body that arrived, by the same port."""
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, backlog=len(KINDS) * EACH)

    async def close(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await self._answer(reader, writer)
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        method, path, headers = await _head(reader)
        kind = path.strip("/").partition("/")[0]
        if self.verify and verified_key(method, path, headers, UPLOAD if kind == "upload" else b"") is None:
            self.unsigned += 1
        port = writer.get_extra_info("peername")[1]
        self.ports[port] = kind
        if kind == "idle":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            await reader.read()
        elif kind == "upload":
            while piece := await reader.read(65_536):
                self.receiving[port] += len(piece)
        elif kind == "download":
            await _trickle(writer, f"HTTP/1.1 200 OK\r\nContent-Length: {DOWNLOAD_BYTES}\r\n\r\n".encode(), PIECE)
        else:
            chunk = f"{len(PIECE):x}\r\n".encode() + PIECE + b"\r\n"
            await _trickle(writer, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", chunk)


class LiveClients:
    """The run's connections through a proxy at `port`."""

    def __init__(self, port: int, ca: Path, sign: Callable[[str, str, bytes], Headers]) -> None:
        self._port = port
        self._tls = ssl.create_default_context(cafile=str(ca))
        self._sign = sign
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._tasks: list[asyncio.Task[None]] = []
        self.begun = 0
        self.failures: list[str] = []

    async def start(self) -> None:
        """Open them all; returns once each has sent its request (an idle one: has its answer)."""
        for number in range(EACH):
            for kind in KINDS:
                self._tasks.append(asyncio.create_task(self._live(kind, f"/{kind}/{number}")))
        async with asyncio.timeout(LIMIT_S):
            while self.begun + len(self.failures) < len(self._tasks):
                await asyncio.sleep(0.05)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _live(self, kind: str, path: str) -> None:
        writer = None
        try:
            async with self._slots:
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                writer.write(f"CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}:443\r\n\r\n".encode())
                await _head(reader)
                await writer.start_tls(self._tls, server_hostname=HOST)
                method = "PUT" if kind == "upload" else "GET"
                headers = self._sign(method, f"https://{HOST}{path}", UPLOAD if kind == "upload" else b"")
                if kind == "upload":
                    headers["Content-Length"] = str(len(UPLOAD))
                lines = [f"{method} {path} HTTP/1.1", f"Host: {HOST}", *(f"{k}: {v}" for k, v in headers.items())]
                writer.write("\r\n".join([*lines, "", ""]).encode())
                if kind == "idle":
                    await reader.readuntil(b"\r\n\r\nok")
            self.begun += 1
            if kind == "upload":
                await _trickle(writer, b"", PIECE)
            while await reader.read(65_536):
                pass
        except (OSError, asyncio.IncompleteReadError, ssl.SSLError) as error:
            self.failures.append(f"{path}: {error!r}")  # after the cut: how each of them ends
        finally:
            if writer is not None:
                writer.transport.abort()


async def _head(reader: asyncio.StreamReader) -> tuple[str, str, Headers]:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    words = first.split(" ")
    return words[0], words[1], headers


async def _trickle(writer: asyncio.StreamWriter, head: bytes, piece: bytes) -> None:
    writer.write(head)
    while True:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(BEAT_S)
