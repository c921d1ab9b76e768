"""One HTTP request from the worker's own host: to hosts that its operator lists, bounded in time and size.

The URL is a release's, so it is somebody else's: without the list whoever may publish could let the worker ask whatever
its host reaches. The name is resolved once and what it resolves to is dialled, so a name cannot mean one address when
it is checked and another when it is called. Addresses of this host itself, of its link and of a cloud's metadata
service are refused even behind a listed name, unless the address is listed as well. Redirections are not followed.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

MAX_BODY_BYTES: Final = 1024**2
#: Clouds' own addresses beside the link-local ones: AWS and Google over IPv6, Azure, Alibaba, Oracle.
_METADATA: Final = frozenset({"fd00:ec2::254", "fd20:ce::254", "168.63.129.16", "100.100.100.200", "192.0.0.192"})
_COMPATIBLE: Final = ipaddress.IPv6Network("::/96")
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")

type Resolver = Callable[[str, int], Sequence[str]]


class NotAsked(Exception):  # noqa: N818  # named after what happened, as in shared.errors
    """There is no answer: the host may not be asked, or did not answer within the bounds."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back."""

    status: int
    """HTTP status."""
    body: bytes
    """Its first MiB."""


def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of a host, in the system's order. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(item[4][0]) for item in found))


def ask(url: str, *, hosts: Sequence[str], limit_s: float, method: str = "GET", resolver: Resolver = resolve) -> Answer:
    """Ask once.

    Args:
        url: http or https.
        hosts: that may be asked: a name, an address, or `*.` and a name for all below it.
        limit_s: seconds for all of it but the resolving, which has the system's bounds.
        method: GET or HEAD.
        resolver: for names.

    Raises:
        NotAsked: no answer, and why.
    """
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise NotAsked(f"no URL: {error}") from None
    if not any(_matches(pattern.lower(), host) for pattern in hosts):
        raise NotAsked(f"{host} is not in INTERLOCK_CHECK_HOSTS of the worker")
    try:
        addresses = resolver(host, port)
    except OSError as error:
        raise NotAsked(f"{host} has no address: {error.strerror or error}") from error
    for address in addresses:
        if why := _forbidden(address, hosts):
            raise NotAsked(f"{host} is {address}, {why}; INTERLOCK_CHECK_HOSTS would have to list the address itself")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return _fetch(_Connection(host, port, addresses, tls=parts.scheme == "https", limit_s=limit_s), method, path)


def _fetch(connection: _Connection, method: str, path: str) -> Answer:
    # A peer that sends a byte now and then stays below every time-out of a socket; this one bounds the whole.
    alarm = threading.Timer(connection.limit_s, connection.abort)
    alarm.daemon = True
    alarm.start()
    try:
        connection.request(method, path, headers={"User-Agent": "interlock", "Accept": "*/*", "Connection": "close"})
        answer = connection.getresponse()
        body = answer.read(MAX_BODY_BYTES)
        # Where reading was ended, or the peer hung up, http.client hands out what had come by then as if it were all.
        if connection.aborted:
            raise TimeoutError
        if len(body) < MAX_BODY_BYTES and answer.length:
            raise http.client.IncompleteRead(body, answer.length)
        return Answer(status=answer.status, body=body)
    except (OSError, http.client.HTTPException, ValueError) as error:
        # The socket's own time-out is as long, and may be a moment earlier than the alarm where nothing comes at all.
        # One that has an error number is the system's (ETIMEDOUT), and has a time of its own.
        if connection.aborted or (isinstance(error, TimeoutError) and error.errno is None):
            raise NotAsked(f"no answer within {connection.limit_s:g} s") from error
        raise NotAsked(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__) from error
    finally:
        alarm.cancel()
        connection.close()


class _Connection(http.client.HTTPConnection):
    """To the first of these addresses that takes it, under the host's name."""

    def __init__(self, host: str, port: int, addresses: Sequence[str], *, tls: bool, limit_s: float) -> None:
        super().__init__(host, port, timeout=limit_s)
        self.default_port = 443 if tls else 80  # decides whether the Host header names the port
        self.limit_s = limit_s
        self.aborted = False
        self._addresses = addresses
        self._tls = tls
        self._line: socket.socket | None = None

    def connect(self) -> None:
        failed: OSError | None = None
        for address in self._addresses:
            try:
                self._line = self.sock = socket.create_connection((address, self.port), self.limit_s)
                break
            except OSError as error:
                failed = error
            if self.aborted:
                raise TimeoutError
        else:
            raise failed or OSError("it has no address")
        if self._tls:
            # Known to `abort` before the handshake begins, which may be slow as well.
            self._line = self.sock = ssl.create_default_context().wrap_socket(
                self.sock, server_hostname=self.host, do_handshake_on_connect=False
            )
            self.sock.do_handshake()
        if self.aborted:
            raise TimeoutError

    def abort(self) -> None:
        """End whatever it waits for; from another thread."""
        self.aborted = True
        # Not `sock`: http.client lets go of that as soon as it has the head of an answer that ends with the connection.
        if self._line is not None:
            with contextlib.suppress(OSError):
                # Not the TLS socket's own, which would take its session away under the waiting thread.
                socket.socket.shutdown(self._line, socket.SHUT_RDWR)


def _matches(pattern: str, host: str) -> bool:
    return bool(host) and (host == pattern or (pattern.startswith("*.") and host.endswith(pattern[1:])))


def _inner(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Where packets to it end: an IPv4 address in it, mapped or compatible (RFC 4291), 6to4 (3056), NAT64 (6052)."""
    if ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    if ip.sixtofour is not None:
        return ip.sixtofour
    compatible = ip in _COMPATIBLE and int(ip) > 1  # not :: and not ::1
    return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if compatible or ip in _NAT64 else ip


def _forbidden(address: str, hosts: Sequence[str]) -> str | None:
    """Why an address is not dialled; None: it is."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        ip = _inner(ip)
    if str(ip) in hosts or address in hosts:
        return None
    if str(ip) in _METADATA or ip.is_link_local:
        return "where clouds have their metadata services"
    if ip.is_loopback or ip.is_unspecified:
        return "which is the worker's own host"
    if ip.is_multicast:
        return "which is no single host"
    return None
