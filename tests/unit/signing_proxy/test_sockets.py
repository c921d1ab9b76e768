"""Nothing leaves through a socket whose guard says no, whatever asyncio had buffered."""

from __future__ import annotations

import asyncio
import fcntl
import socket
import struct
from collections import deque
from collections.abc import Callable

import pytest
from mitmproxy.connection import Server
from mitmproxy.proxy.server import ConnectionIO

from signing_proxy.sockets import MAX_UNSENT_BYTES, GateClosed, GatedSocket, GatedTransports, reset

SIOCOUTQNSD = 0x894B  # bytes that TCP has not sent yet (linux/sockios.h)


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
        with pytest.raises(ConnectionResetError):
            peer.recv(100)


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
        chunks: list[bytes] = []
        peer.setblocking(False)
        loop = asyncio.get_running_loop()

        async def read_on() -> None:
            while True:
                chunks.append(await loop.sock_recv(peer, 1 << 20))

        with pytest.raises(ConnectionResetError):
            await read_on()
        assert guard.asked == asked + 1
        assert sum(map(len, chunks)) == (64 << 20) - buffered


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


def test_a_closed_gate_is_an_os_error_so_that_asyncio_drops_the_connection() -> None:
    assert issubclass(GateClosed, OSError)


class Lease:
    """A kernel lease that notes what it is asked for."""

    def __init__(self, refusal: OSError | None = None) -> None:
        self.refusal = refusal
        self.seen: list[str] = []

    def open(self, deadline_ms: int) -> None:
        raise AssertionError("a socket does not open a lease")

    def shut(self) -> None:
        raise AssertionError("a socket does not shut a lease")

    def bind(self, sock: socket.socket) -> Callable[[], None]:
        if self.refusal is not None:
            raise self.refusal
        self.seen.append(f"bound {sock.fileno() >= 0}")
        return lambda: self.seen.append(f"unbound {sock.fileno() >= 0}")


def test_the_kernel_knows_a_socket_from_before_it_is_used_until_after_it_is_closed() -> None:
    lease = Lease()
    sock = GatedSocket(socket.AF_INET, Guard(), lease=lease)
    assert lease.seen == ["bound True"]
    sock.close()
    sock.close()
    assert lease.seen == ["bound True", "unbound False"]


def test_a_socket_that_the_kernel_gate_does_not_take_is_none() -> None:
    with pytest.raises(OSError, match="no room"):
        GatedSocket(socket.AF_INET, Guard(), lease=Lease(OSError(28, "no room")))


def test_what_the_kernel_holds_dies_with_the_socket_and_is_sent_again_for_no_longer_than_delta() -> None:
    with GatedSocket(socket.AF_INET, Guard(), user_timeout_ms=700) as sock:
        assert struct.unpack("ii", sock.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)) == (1, 0)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 700
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
        assert sock.gettimeout() == 0


async def test_the_kernel_is_given_no_more_than_it_can_soon_send() -> None:
    writer, peer = await connected(Guard())
    with peer:
        sock = writer.get_extra_info("socket")
        while not writer.transport.get_write_buffer_size():
            writer.write(bytes(1 << 20))  # until the kernel takes no more
        (unsent,) = struct.unpack("i", fcntl.ioctl(sock.fileno(), SIOCOUTQNSD, bytes(4)))
        assert 0 < unsent <= MAX_UNSENT_BYTES + (64 << 10), "a packet is 64 KiB at most"
    writer.transport.abort()


async def test_a_reset_ends_the_connection_before_the_loop_goes_on_and_drops_what_the_kernel_held() -> None:
    writer, peer = await connected(Guard())
    with peer:
        while not writer.transport.get_write_buffer_size():
            writer.write(bytes(65_536))  # until the kernel takes no more
        reset(writer)
        peer.settimeout(30)
        with pytest.raises(ConnectionResetError):
            deque(iter(lambda: peer.recv(1 << 20), b""), maxlen=0)
    writer.transport.abort()
    await asyncio.sleep(0)
    reset(writer)  # of a socket that is closed already: nothing to do
