"""The control socket: whole valid messages, or an error that leaks neither secrets nor descriptors."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from shared import control
from shared.control import receive_message, send_message
from shared.errors import PeerError
from shared.lease.timing import LeaseTiming

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    worker, proxy = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with worker, proxy:
        yield worker, proxy


def attach(**change: object) -> control.Attach:
    usual: dict[str, object] = {
        "run_id": "run-0123456789abcdef",
        "target": "web.eu",
        "epoch": 3,
        "lease_id": "3-" + "a" * 32,
        "timing": LeaseTiming(),
        "access_key_id": "AKIA",
        "secret_access_key": "hush",
        "proxy_user": "u",
        "proxy_password": "hush",
        "state_username": "run-0123456789abcdef",
        "listen": "fd",
    }
    return control.Attach.model_validate(usual | change)


@pytest.mark.parametrize(
    "message",
    [
        attach(),
        control.Poll(),
        control.Done(),
        control.Attached(seq=1),
        control.Attached(seq=1, port=8080),
        control.Refused(reason="no lease"),
        control.Open(deadline_ms=5),
        control.Shut(reason="x"),
        control.Acked(in_flight=0),
        control.Cut(reason="x", in_flight=2),
    ],
    ids=lambda message: type(message).__name__,
)
def test_every_message_arrives_as_it_was_sent(pair: Pair, message: control.Message) -> None:
    send_message(pair[0], message)
    assert receive_message(pair[1]) == (message, [])


def test_messages_keep_their_bounds(pair: Pair) -> None:
    send_message(pair[0], control.Poll())
    send_message(pair[0], control.Done())
    assert [receive_message(pair[1])[0] for _ in range(2)] == [control.Poll(), control.Done()]


def test_a_listening_socket_comes_along_and_is_not_inherited(pair: Pair) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        send_message(pair[0], attach(), [listener.fileno()])
        _, fds = receive_message(pair[1])
        assert len(fds) == 1
        assert not os.get_inheritable(fds[0])
        with socket.socket(fileno=fds[0]) as received:
            assert received.getsockname() == listener.getsockname()


def test_the_end_of_the_peer_is_told_apart_from_a_message(pair: Pair) -> None:
    pair[0].close()
    assert receive_message(pair[1]) == (None, [])


def test_nothing_to_read_is_not_the_end(pair: Pair) -> None:
    pair[1].setblocking(False)
    with pytest.raises(BlockingIOError):
        receive_message(pair[1])


@pytest.mark.parametrize(
    "data",
    [
        b"x",
        b"[]",
        b"{}",
        b'{"op":"surprise"}',
        b'{"op":"poll","more":1}',
        b'{"op":"attach","secret_access_key":"hush"}',
        b'{"event":"acked","in_flight":-1}',
        b"x" * 65_537,
    ],
)
def test_what_is_no_message_is_refused_without_repeating_it(pair: Pair, data: bytes) -> None:
    pair[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    pair[0].send(data)
    with pytest.raises(PeerError) as caught:
        receive_message(pair[1])
    assert "hush" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_descriptors_of_a_refused_message_are_closed(pair: Pair) -> None:
    read, write = os.pipe()
    socket.send_fds(pair[0], [b"nonsense"], [write])
    os.close(write)
    with pytest.raises(PeerError):
        receive_message(pair[1])
    assert os.read(read, 1) == b"", "the last writer is gone"
    os.close(read)


def test_more_descriptors_than_agreed_are_refused(pair: Pair) -> None:
    with pytest.raises(ValueError, match="file descriptors"):
        send_message(pair[0], attach(), [0, 1])
    socket.send_fds(pair[0], [control.Poll().model_dump_json().encode()], [0, 1, 2, 0, 1, 2])
    with pytest.raises(PeerError, match="too many descriptors"):
        receive_message(pair[1])


def test_a_lease_of_another_epoch_is_no_attach() -> None:
    with pytest.raises(ValueError, match="is not of epoch 4"):
        attach(epoch=4)


def test_secrets_are_not_shown() -> None:
    assert "hush" not in repr(attach())
