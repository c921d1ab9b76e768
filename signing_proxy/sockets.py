"""The only sockets over which anything leaves for the outside, and the table that takes no others."""

import asyncio
import contextlib
import ctypes
import socket
import struct
from collections.abc import Buffer, Callable, Iterable
from typing import Any

from mitmproxy.connection import Connection, Server
from mitmproxy.proxy.server import ConnectionIO

from signing_proxy.kernel_gate import KernelLease

# RST instead of FIN, and nothing left behind in the kernel: what is buffered dies with the socket or the process.
_LINGER_0 = struct.pack("ii", 1, 0)
# Most bytes, give or take a packet, that wait unsent in the kernel: they are past the question whether they may leave.
# By itself it would take megabytes, whole calls, however slowly the other side reads.
MAX_UNSENT_BYTES = 128 << 10
_UNSPECIFIED = struct.pack("H14x", socket.AF_UNSPEC)
_libc = ctypes.CDLL(None)


class GateClosed(ConnectionAbortedError):  # noqa: N818 -- named after what happened, as in shared.errors
    """Bytes were about to leave that may not. An OSError, so that asyncio drops the connection with its buffer."""


class GatedSocket(socket.socket):
    """A TCP socket that asks before each send. asyncio's selector transport sends with send() and sendmsg() only.

    It is the lease's in the kernel, too, from before it is connected until after it is closed.
    """

    def __init__(
        self,
        family: int,
        guard: Callable[[], None],
        *,
        lease: KernelLease | None = None,
        user_timeout_ms: int | None = None,
    ) -> None:
        """``user_timeout_ms`` bounds how long TCP goes on sending again what is not acknowledged.

        Raises OSError when there is no such socket, or the kernel's gate does not take it.
        """
        super().__init__(family, socket.SOCK_STREAM)
        self._guard = guard
        self._unbind: Callable[[], None] | None = None
        try:
            self.setblocking(False)
            self.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_0)
            self.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, MAX_UNSENT_BYTES)
            if user_timeout_ms is not None:
                self.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, user_timeout_ms)
            if lease is not None:
                self._unbind = lease.bind(self)
        except BaseException:
            super().close()
            raise

    def close(self) -> None:
        """Close, then take it off the kernel's list. Left on it, it stays shut with its lease: no harm is done."""
        super().close()
        unbind, self._unbind = self._unbind, None
        if unbind is not None:
            with contextlib.suppress(OSError):
                unbind()

    def send(self, data: Buffer, flags: int = 0, /) -> int:
        """Send, unless the guard raises."""
        self._guard()
        return super().send(data, flags)

    def sendmsg(self, buffers: Iterable[Buffer], *args: Any) -> int:
        """Send, unless the guard raises."""
        self._guard()
        return super().sendmsg(buffers, *args)

    def sendall(self, data: Buffer, flags: int = 0, /) -> None:
        """Not a way out."""
        raise GateClosed("sendall is not gated")

    def sendto(self, *args: Any) -> int:
        """Not a way out."""
        raise GateClosed("sendto is not gated")

    def sendfile(self, *args: Any, **kwargs: Any) -> int:
        """Not a way out."""
        raise GateClosed("sendfile is not gated")


def reset(writer: asyncio.StreamWriter) -> None:
    """End a TCP connection within this call: RST to the other side, and what the kernel holds for it is dropped.

    connect(2): to an address of AF_UNSPEC it dissolves the association. `transport.abort` does the same only when the
    loop gets round to closing the socket, behind everything else that a cut of many connections sets off.
    """
    fd = writer.get_extra_info("socket").fileno()
    if fd >= 0:
        _libc.connect(fd, _UNSPECIFIED, len(_UNSPECIFIED))


class GatedTransports(dict[Connection, ConnectionIO]):
    """The transports of a connection handler; a server may only be reached through a writer made over a GatedSocket."""

    def __init__(self) -> None:
        super().__init__()
        self._gated: set[asyncio.StreamWriter] = set()

    def admit(self, writer: asyncio.StreamWriter) -> None:
        """Note a writer that was made over a GatedSocket."""
        self._gated.add(writer)

    def __setitem__(self, connection: Connection, io: ConnectionIO) -> None:
        if isinstance(connection, Server) and io.writer is not None and io.writer not in self._gated:
            raise GateClosed("a server connection that no gate stands in front of")
        super().__setitem__(connection, io)

    def pop(self, connection: Connection, *default: Any) -> Any:
        io = super().pop(connection, *default)
        if isinstance(io, ConnectionIO):
            self._gated.discard(io.writer)
        return io
