"""The proxy that never says no: opens TLS, passes bytes on, issues keys, opens every gate."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from deploy.demo.unfenced import Control, Relay
from shared.control import Acked, Attach, Attached, Done, Open, Poll
from shared.lease.timing import LeaseTiming

RUN = "run-0123456789abcdef"


class Upstream:
    """Answers every request with what a test wants and remembers what came."""

    def __init__(self, status: int = 200, body: bytes = b"fine") -> None:
        self.status = status
        self.body = body
        self.requests: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                lines = head.decode().lower().split("\r\n")
                length = next((int(line.split(":")[1]) for line in lines if line.startswith("content-length:")), 0)
                self.requests.append(head + await reader.readexactly(length))
                writer.write(
                    f"HTTP/1.1 {self.status} X\r\nContent-Length: {len(self.body)}\r\n\r\n".encode() + self.body
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def listening(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[int]:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield int(server.sockets[0].getsockname()[1])


@asynccontextmanager
async def through(
    relay: Relay, ca: Path, host: str
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A TLS connection to `host` through the relay, its certificate checked."""
    async with listening(relay.serve) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
        context = ssl.create_default_context(cafile=str(ca / "mitmproxy-ca-cert.pem"))
        await writer.start_tls(context, server_hostname=host)
        try:
            yield reader, writer
        finally:
            writer.close()


async def ask(streams: tuple[asyncio.StreamReader, asyncio.StreamWriter], request: bytes) -> tuple[int, bytes]:
    reader, writer = streams
    writer.write(request)
    await writer.drain()
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    lines = head.lower().split("\r\n")
    length = next(int(line.split(":")[1]) for line in lines if line.startswith("content-length:"))
    return int(head.split(" ")[1]), await reader.readexactly(length)


async def test_a_call_reaches_the_cloud_byte_for_byte(tmp_path: Path) -> None:
    cloud = Upstream()
    async with listening(cloud.serve) as port:
        relay = Relay(ca_dir=tmp_path, cloud=f"http://127.0.0.1:{port}", api="http://127.0.0.1:1")
        request = b"POST / HTTP/1.1\r\nHost: sqs.eu-west-1.amazonaws.com\r\nContent-Length: 4\r\n\r\nbody"
        async with through(relay, tmp_path, "sqs.eu-west-1.amazonaws.com") as streams:
            assert await ask(streams, request) == (200, b"fine")
            assert await ask(streams, request) == (200, b"fine")
    assert cloud.requests == [request, request]


@pytest.mark.parametrize(
    ("method", "upstream", "expected"),
    [
        ("GET", (200, b"{}"), (200, b"{}")),
        ("GET", (409, b"lease lost"), (404, b"")),
        ("POST", (403, b"lease lost"), (200, b"")),
        ("LOCK", (423, b"held"), (200, b"")),
        ("POST", (500, b"broken"), (500, b"broken")),
    ],
)
async def test_the_state_is_a_plain_bucket_that_refuses_nobody(
    tmp_path: Path, method: str, upstream: tuple[int, bytes], expected: tuple[int, bytes]
) -> None:
    api = Upstream(*upstream)
    async with listening(api.serve) as port:
        relay = Relay(ca_dir=tmp_path, cloud="http://127.0.0.1:1", api=f"http://127.0.0.1:{port}")
        request = f"{method} /v1/state/orders.eu HTTP/1.1\r\nHost: interlock.internal\r\nAuthorization: Basic x\r\n"
        async with through(relay, tmp_path, "interlock.internal") as streams:
            assert await ask(streams, f"{request}Content-Length: 2\r\n\r\n{{}}".encode()) == expected
    assert b"authorization: basic x" in api.requests[0].lower()


async def test_what_is_no_connect_is_refused(tmp_path: Path) -> None:
    relay = Relay(ca_dir=tmp_path, cloud="http://127.0.0.1:1", api="http://127.0.0.1:1")
    async with listening(relay.serve) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET http://169.254.169.254/ HTTP/1.1\r\n\r\n")
        assert b" 405 " in await reader.read()
        writer.close()


def attach() -> Attach:
    return Attach(
        run_id=RUN,
        target="orders.eu",
        epoch=2,
        lease_id="2-abc",
        timing=LeaseTiming(),
        access_key_id="AKIARUN",
        secret_access_key="s",
        proxy_user="u",
        proxy_password="p",
        state_username=RUN,
        listen="fd",
    )


async def test_attaching_makes_the_run_s_key_good_and_opens_its_way_out(tmp_path: Path) -> None:
    issued: list[dict[str, object]] = []

    class Keys(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.headers["X-Demo-Secret"] == "root"
            issued.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(201)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Silent."""

    with HTTPServer(("127.0.0.1", 0), Keys) as cloud:
        serving = threading.Thread(target=cloud.serve_forever, daemon=True)
        serving.start()
        url = f"http://127.0.0.1:{cloud.server_address[1]}"
        relay = Relay(ca_dir=tmp_path, cloud=url, api=url)
        control = Control(relay, asyncio.get_running_loop(), cloud=url, secret="root")
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        answer = await asyncio.to_thread(control._answer, attach(), [listener.detach()])
        assert answer == Attached(seq=1, port=None)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"NONSENSE\r\n\r\n")
        assert b" 405 " in await reader.read()
        writer.close()
        cloud.shutdown()
        serving.join()
    assert issued == [{"access_key": "AKIARUN", "secret_key": "s", "target": "orders.eu", "epoch": 2, "run": RUN}]
    for server in control.servers:
        server.close()


async def test_every_gate_is_open_and_every_end_acknowledged(tmp_path: Path) -> None:
    relay = Relay(ca_dir=tmp_path, cloud="http://x", api="http://x")
    control = Control(relay, asyncio.get_running_loop(), cloud="http://x", secret="root")
    assert isinstance(control._answer(Poll(), []), Open)
    assert control._answer(Done(), []) == Acked(in_flight=0)
