"""The control socket: who may speak, what it takes to attach, and what is refused."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from shared.control import Attached, Message, Poll, Refused, receive_message, send_message
from shared.settings import Settings
from signing_proxy import control
from signing_proxy.control import _is_listening, _trusted
from signing_proxy.main import ProxyService
from signing_proxy.testing import FixedAllowance, FixedCredentials, MemoryJournal
from tests.unit.signing_proxy.helpers import attach_message


@pytest_asyncio.fixture
async def service(tmp_path: Path, valkey_url: str) -> AsyncIterator[ProxyService]:
    settings = Settings(home=tmp_path, redis_url=valkey_url, node="host-a")
    async with ProxyService(
        settings, journal=MemoryJournal(), credentials=FixedCredentials("A", "S"), allowances=FixedAllowance()
    ) as service:
        yield service


@contextmanager
def connected(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
        sock.settimeout(60)
        sock.connect(str(tmp_path / "proxy.sock"))
        yield sock


async def ask(sock: socket.socket, message: Message, fds: tuple[int, ...] = ()) -> Message | None:
    send_message(sock, message, fds)
    return (await asyncio.to_thread(receive_message, sock))[0]


def test_only_this_user_and_root_are_trusted() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        assert _trusted(ours)


def test_another_user_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stranger:
        def getsockopt(self, level: int, option: int, size: int) -> bytes:
            assert (level, option) == (socket.SOL_SOCKET, socket.SO_PEERCRED)
            return b"".join(value.to_bytes(4, "little") for value in (1, os.geteuid() + 4242, 1))

    assert not _trusted(Stranger())  # type: ignore[arg-type]


def test_only_a_listening_tcp_socket_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert _is_listening(listener)
    with socket.socket() as idle, socket.socket(socket.AF_UNIX) as unix, socket.socket(type=socket.SOCK_DGRAM) as udp:
        unix.bind("")
        unix.listen()
        assert not any(map(_is_listening, (idle, unix, udp)))


async def test_the_socket_is_for_its_owner_only(service: ProxyService, tmp_path: Path) -> None:
    assert (tmp_path / "proxy.sock").stat().st_mode & 0o777 == 0o600


async def test_a_lease_that_redis_does_not_know_is_refused(service: ProxyService, tmp_path: Path) -> None:
    with connected(tmp_path) as sock:
        reply = await ask(sock, attach_message("tcp"))
    assert isinstance(reply, Refused)
    assert reply.reason
    assert service.keeper.runs == []


async def test_an_attach_without_its_socket_is_refused(service: ProxyService, tmp_path: Path) -> None:
    with connected(tmp_path) as sock:
        assert await ask(sock, attach_message("fd")) == Refused(
            reason="attach with listen=fd carries no listening TCP socket"
        )


async def test_a_socket_that_does_not_listen_is_refused(service: ProxyService, tmp_path: Path) -> None:
    with connected(tmp_path) as sock, socket.socket() as idle:
        assert isinstance(await ask(sock, attach_message("fd"), (idle.fileno(),)), Refused)


@pytest.mark.parametrize("first", [Poll(), Attached(seq=1)])
async def test_a_conversation_that_begins_otherwise_is_ended(
    service: ProxyService, tmp_path: Path, first: Message
) -> None:
    with connected(tmp_path) as sock:
        assert await ask(sock, first) is None


async def test_nonsense_ends_the_conversation_and_not_the_proxy(service: ProxyService, tmp_path: Path) -> None:
    with connected(tmp_path) as sock:
        sock.send(b"{nonsense")
        assert await asyncio.to_thread(sock.recv, 10) == b""
    with connected(tmp_path) as sock:
        assert isinstance(await ask(sock, attach_message("tcp")), Refused)


async def test_a_listener_that_fails_for_a_while_listens_on(
    service: ProxyService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    accept, failures = loop.sock_accept, [OSError(errno.EMFILE, "too many open files")] * 2
    monkeypatch.setattr(control, "ACCEPT_PAUSE_S", 0.01)

    async def failing(sock: socket.socket) -> tuple[socket.socket, Any]:
        if failures:
            raise failures.pop()
        return await accept(sock)

    monkeypatch.setattr(loop, "sock_accept", failing)
    for _ in range(3):  # the accept that was under way when the fault began still succeeds
        with connected(tmp_path) as sock:
            assert isinstance(await ask(sock, attach_message("fd")), Refused)
    assert failures == []
