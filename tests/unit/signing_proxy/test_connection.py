"""Nothing leaves through a socket whose guard says no, whatever asyncio had buffered."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any, cast

import pytest
from mitmproxy import http
from mitmproxy.connection import Server
from mitmproxy.options import Options
from mitmproxy.proxy.server import ConnectionIO

from shared.clock import ManualClock
from signing_proxy.calls import Call, Check
from signing_proxy.connection import GateClosed, GatedConnectionHandler, GatedSocket, GatedTransports, Limits
from signing_proxy.runs import AttachedRun
from tests.unit.signing_proxy.helpers import CLOUD, make_call, make_flow, make_run


class Guard:
    def __init__(self) -> None:
        self.shut = False
        self.asked = 0

    def __call__(self) -> None:
        self.asked += 1
        if self.shut:
            raise GateClosed("shut")


async def connected(guard: Guard) -> tuple[asyncio.StreamWriter, socket.socket]:
    """A gated writer and the plain socket at its other end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sock = GatedSocket(socket.AF_INET, guard)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, listener.getsockname())
        peer, _ = listener.accept()
    _, writer = await asyncio.open_connection(sock=sock)
    return writer, peer


async def test_every_write_asks_first() -> None:
    guard = Guard()
    writer, peer = await connected(guard)
    with peer:
        writer.write(b"hello")
        assert guard.asked == 1
        assert peer.recv(5) == b"hello"
        writer.transport.abort()


async def test_a_write_after_the_gate_has_shut_sends_nothing_and_ends_the_connection() -> None:
    guard = Guard()
    writer, peer = await connected(guard)
    with peer:
        guard.shut = True
        writer.write(b"late")
        with pytest.raises(GateClosed):
            await writer.wait_closed()
        assert peer.recv(100) == b""


async def test_what_asyncio_has_buffered_before_the_gate_shut_does_not_leave_after() -> None:
    guard = Guard()
    writer, peer = await connected(guard)
    with peer:
        writer.write(b"x" * (64 << 20))
        buffered = writer.transport.get_write_buffer_size()
        assert buffered > 0, "the kernel took everything: the test shows nothing"
        guard.shut = True
        asked = guard.asked
        # The peer reads, so the socket becomes writable and asyncio tries to go on.
        received = 0
        peer.setblocking(False)
        loop = asyncio.get_running_loop()
        while chunk := await loop.sock_recv(peer, 1 << 20):
            received += len(chunk)
        assert guard.asked == asked + 1
        assert received == (64 << 20) - buffered


@pytest.mark.parametrize("way", ["sendall", "sendto", "sendfile"])
def test_the_other_ways_out_are_closed(way: str) -> None:
    with GatedSocket(socket.AF_INET, Guard()) as sock, pytest.raises(GateClosed):
        getattr(sock, way)(b"x")


async def test_a_server_connection_without_a_gate_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        transports = GatedTransports()
        server = Server(address=("h", 1))
        transports[server] = ConnectionIO()
        with pytest.raises(GateClosed, match="no gate"):
            transports[server] = ConnectionIO(reader=reader, writer=writer)
        transports.admit(writer)
        transports[server] = ConnectionIO(reader=reader, writer=writer)
        assert transports.pop(server).writer is writer
        with pytest.raises(GateClosed):
            transports[server] = ConnectionIO(reader=reader, writer=writer)
        writer.transport.abort()


class Writer:
    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 1) if name in ("peername", "sockname") else default


class Observer:
    def __init__(self) -> None:
        self.given_up: list[tuple[Call, str]] = []

    def abandoned(self, call: Call, why: str) -> None:
        self.given_up.append((call, why))

    def hook_failed(self, run: AttachedRun, hook: str, why: str) -> None:
        raise AssertionError(why)

    def refused_bytes(self, run: AttachedRun, why: str) -> None:
        raise AssertionError(why)


class Scene:
    """A handler without a network, a complete call, and the server connection that it would use."""

    def __init__(self) -> None:
        self.clock = ManualClock(1000)
        self.observer = Observer()
        self.handler = GatedConnectionHandler(
            cast(Any, None),
            cast(Any, None),
            cast(Any, Writer()),
            Options(),
            run=make_run(self.clock),
            clock=self.clock,
            limits=Limits(max_body_bytes=1000),
            observer=self.observer,
        )
        self.flow = make_flow()
        self.call = make_call(self.flow, self.handler.run)
        self.call.passed = set(Check)
        self.server = Server(address=(CLOUD.host, CLOUD.port), tls=True)

    def released(self) -> Scene:
        self.handler.release(self.flow)
        assert self.handler.objection(self.server) is None
        return self


async def test_without_a_permit_nothing_leaves() -> None:
    scene = Scene()
    with pytest.raises(GateClosed, match="no call is permitted"):
        scene.handler.guard(scene.server)


async def test_a_complete_call_gets_a_permit_and_the_handshake_is_no_part_of_it() -> None:
    scene = Scene().released()
    scene.handler.guard(scene.server)
    assert not scene.call.sent
    scene.server.timestamp_tls_setup = 1.0
    scene.handler.guard(scene.server)
    assert scene.call.sent


async def test_a_permit_ends_with_the_deadline_without_anybody_cutting() -> None:
    scene = Scene().released()
    deadline_ms = scene.handler.run.gate.deadline_ms
    assert deadline_ms is not None
    scene.clock.advance(deadline_ms - scene.clock.boot_ms() - 1)
    scene.handler.guard(scene.server)
    scene.clock.advance(1)
    with pytest.raises(GateClosed, match="deadline passed"):
        scene.handler.guard(scene.server)


async def test_a_permit_is_for_one_address() -> None:
    scene = Scene().released()
    for other in (
        Server(address=("other", CLOUD.port), tls=True),
        Server(address=(CLOUD.host, 80), tls=True),
        Server(address=(CLOUD.host, CLOUD.port), tls=False),
        Server(address=None),
    ):
        with pytest.raises(GateClosed, match="another address"):
            scene.handler.guard(other)


async def test_a_permit_ends_with_the_answer_and_with_a_cut() -> None:
    scene = Scene().released()
    scene.handler.withdraw("answered")
    assert scene.handler.objection(scene.server) is not None
    scene = Scene().released()
    scene.handler.sever("cut")
    assert scene.handler.objection(scene.server) is not None
    assert scene.observer.given_up == [(scene.call, "cut")]


@pytest.mark.parametrize("missing", [check for check in Check if check is not Check.STATE])
async def test_a_call_that_misses_a_check_is_killed(missing: Check) -> None:
    scene = Scene()
    scene.call.passed.discard(missing)
    scene.handler.release(scene.flow)
    assert scene.flow.error is not None
    assert scene.handler.objection(scene.server) is not None


async def test_a_call_that_something_has_pointed_elsewhere_is_killed() -> None:
    scene = Scene()
    scene.flow.request.data.host = "elsewhere"
    scene.handler.release(scene.flow)
    assert scene.flow.error is not None


async def test_a_call_on_a_severed_connection_is_given_up() -> None:
    scene = Scene()
    scene.handler.sever("cut")
    scene.handler.release(scene.flow)
    assert scene.flow.error is not None
    assert scene.observer.given_up == [(scene.call, "severed before it was sent")]


async def test_a_flow_that_was_answered_locally_gets_no_permit() -> None:
    scene = Scene()
    scene.flow.response = http.Response.make(403)
    scene.handler.release(scene.flow)
    assert scene.flow.error is None
    assert scene.handler.objection(scene.server) is not None


def test_a_closed_gate_is_an_os_error_so_that_asyncio_drops_the_connection() -> None:
    assert issubclass(GateClosed, OSError)


def test_bodies_get_room_for_their_framing() -> None:
    limits = Limits(max_body_bytes=1000)
    assert limits.max_wire_bytes > 2 * limits.max_body_bytes


def test_linger_zero_is_what_the_kernel_reads_back() -> None:
    from signing_proxy.connection import _LINGER_0

    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_0)
        assert struct.unpack("ii", sock.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)) == (1, 0)
