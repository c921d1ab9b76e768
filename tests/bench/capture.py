"""What really crossed the loopback: packets to and from one port, with the kernel's own time for each.

A process that reads its socket late would make a proxy look slow, or a late byte look punctual; the kernel's time stamp
does not. Needs CAP_NET_RAW (packet(7)).
"""

from __future__ import annotations

import ctypes
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

_ETH_P_IP = 0x0800
_SO_ATTACH_FILTER, _SO_TIMESTAMPNS, _SO_RCVBUFFORCE = 26, 35, 33
_SOL_PACKET, _PACKET_STATISTICS, _PACKET_IGNORE_OUTGOING = 263, 6, 23
_FIN, _RST = 0x01, 0x04
_BUFFER_BYTES = 32 << 20


@dataclass(kw_only=True)
class Life:
    """What was seen of one connection, told apart by the port at its client's end. Times: CLOCK_BOOTTIME, in ms."""

    sent_ms: list[float] = field(default_factory=list)
    """When its client sent payload."""
    received_ms: float = 0.0
    """When payload for its client was last seen."""
    ended_ms: float | None = None
    """When its client ended it (FIN or RST)."""

    @property
    def last_ms(self) -> float | None:
        """When its last byte, or its end, was seen; None while nothing ended it."""
        if self.ended_ms is None:
            return None
        return max(self.ended_ms, self.received_ms, *self.sent_ms[-1:])


class Capture:
    """All connections to `port` while the block lasts."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.lives: dict[int, Life] = {}
        self.lost = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        # Realtime stamps become boot time with one offset: nobody steps the wall clock during a benchmark.
        self._offset_ms = (time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.time_ns()) / 1e6

    def __enter__(self) -> Self:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_IP))
        self._socket.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)  # the loopback shows each packet twice
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._filter()
        self._socket.bind(("lo", _ETH_P_IP))
        self._socket.settimeout(0.2)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()
        _, self.lost = struct.unpack("II", self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))
        self._socket.close()

    def _filter(self) -> None:
        # Offsets from the IP header, which is 20 bytes on the loopback: TCP, and either port is ours.
        program = [
            (0x30, 0, 0, 9), (0x15, 0, 5, socket.IPPROTO_TCP),
            (0x28, 0, 0, 20), (0x15, 2, 0, self.port),
            (0x28, 0, 0, 22), (0x15, 0, 1, self.port),
            (0x06, 0, 0, 128), (0x06, 0, 0, 0),
        ]  # fmt: skip
        code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in program))
        head = struct.pack("HL", len(program), ctypes.addressof(code))
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, head)

    def _read(self) -> None:
        while not self._stop.is_set():
            try:
                packet, extra, _, _ = self._socket.recvmsg(128, socket.CMSG_SPACE(16))
            except TimeoutError:
                continue
            seconds, nanoseconds = struct.unpack("qq", extra[0][2])
            self._note(packet, seconds * 1e3 + nanoseconds / 1e6 + self._offset_ms)

    def _note(self, packet: bytes, at_ms: float) -> None:
        length, ip_bytes = struct.unpack_from("!H", packet, 2)[0], (packet[0] & 15) * 4
        source, target = struct.unpack_from("!HH", packet, ip_bytes)
        flags, tcp_bytes = packet[ip_bytes + 13], (packet[ip_bytes + 12] >> 4) * 4
        payload = length > ip_bytes + tcp_bytes
        if target == self.port:
            life = self.lives.setdefault(source, Life())
            if payload:
                life.sent_ms.append(at_ms)
            if flags & (_FIN | _RST) and life.ended_ms is None:
                life.ended_ms = at_ms
        elif payload:
            self.lives.setdefault(target, Life()).received_ms = at_ms
