"""The recorder: what it notes of an arrival, and whom it answers. The server itself runs in tests/integration."""

from __future__ import annotations

import io
import json
import select
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from deploy.demo.arrivals import Call, read_calls
from deploy.demo.cloud import _SO_TIMESTAMPNS, Recorder, TimestampedReader
from tests.servers import wait_for
from tests.unit.deploy.demo.test_sigv4 import SECRETS, signed

AGENT = "tf interlock/1 (target orders.eu; epoch 3; run run-0123456789abcdef)"


@pytest.fixture
def connection() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A client and the accepted end, whose listener had timestamps switched on."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with socket.create_connection(listener.getsockname()) as client:
            server, _ = listener.accept()
            with server:
                yield client, server


def now_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_REALTIME)


def stamped(client: socket.socket, reader: TimestampedReader) -> bool:
    reader.mark()
    client.sendall(b"?")
    assert reader.read(1) == b"?"
    return reader.from_kernel


def test_the_arrival_is_when_the_kernel_got_the_bytes_and_not_when_they_were_read(
    connection: tuple[socket.socket, socket.socket],
) -> None:
    client, server = connection
    reader = TimestampedReader(server)
    wait_for("the kernel's stamps, which it begins with a moment later", lambda: stamped(client, reader))
    reader.mark()
    before = now_ns()
    client.sendall(b"GET")
    assert select.select([server], [], [], 60)[0]
    arrived_by = now_ns()
    time.sleep(0.02)  # The bytes lie in the kernel for a while: that while must not count.
    assert io.BufferedReader(reader).read(3) == b"GET"
    assert reader.from_kernel
    assert reader.received_ns is not None
    assert before <= reader.received_ns <= arrived_by


def test_each_request_of_a_kept_connection_has_a_time_of_its_own(
    connection: tuple[socket.socket, socket.socket],
) -> None:
    client, server = connection
    reader = TimestampedReader(server)
    buffered = io.BufferedReader(reader)
    times = []
    for _ in range(3):
        reader.mark()
        client.sendall(b"x")
        assert buffered.read(1) == b"x"
        assert reader.received_ns is not None
        times.append(reader.received_ns)
    assert times == sorted(set(times))


def test_the_first_bytes_of_a_request_count_and_not_its_last(connection: tuple[socket.socket, socket.socket]) -> None:
    client, server = connection
    reader = TimestampedReader(server)
    buffered = io.BufferedReader(reader)
    reader.mark()
    client.sendall(b"head")
    assert buffered.read(4) == b"head"
    first = reader.received_ns
    client.sendall(b"body")
    assert buffered.read(4) == b"body"
    assert reader.received_ns == first


def test_a_closed_connection_has_no_time(connection: tuple[socket.socket, socket.socket]) -> None:
    client, server = connection
    reader = TimestampedReader(server)
    reader.mark()
    client.close()
    assert io.BufferedReader(reader).read(1) == b""
    assert reader.received_ns is None


class Moto:
    """Stands in for moto: answers 200 and remembers what it got."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.bodies.append(environ["wsgi.input"].read())
        start_response("200 OK", [("Content-Type", "text/xml"), ("Content-Length", "4")])
        return [b"done"]


@pytest.fixture
def moto() -> Moto:
    return Moto()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "cloud.jsonl"


type Opening = Callable[..., Recorder]


@pytest.fixture
def recorder() -> Iterator[Opening]:
    """Opens recorders that know one key, and closes them."""
    (access_key,) = SECRETS
    with ExitStack() as stack:

        def opening(moto: Moto, log: Path, *, issue_keys: bool = False) -> Recorder:
            made = Recorder(moto, log, access_key=access_key, secret_key=SECRETS[access_key], issue_keys=issue_keys)
            stack.callback(made.close)
            return made

        yield opening


def logged(log: Path) -> list[Call]:
    return read_calls(log.read_text().splitlines(keepends=True))


def ask(recorder: Recorder, request: dict[str, Any], received_ns: int = 5) -> tuple[int, bytes]:
    environ = {
        "REQUEST_METHOD": request["method"],
        "RAW_URI": request["raw_uri"],
        "PATH_INFO": "/",
        "SERVER_NAME": "x",
        "SERVER_PORT": "1",
        "wsgi.url_scheme": "http",
    }
    status, _, body = recorder.answer(environ, request["headers"], request["body"], received_ns)
    return status, body


def test_a_signed_call_reaches_moto_and_is_logged_with_its_caller(recorder: Opening, moto: Moto, log: Path) -> None:
    request = signed(body=b"Action=CreateUser")
    request["headers"] |= {"user-agent": AGENT, "content-type": "application/x-www-form-urlencoded"}
    assert ask(recorder(moto, log), request, received_ns=77) == (200, b"done")
    assert moto.bodies == [b"Action=CreateUser"]
    (call,) = logged(log)
    arrived = call.arrived
    assert (arrived.target, arrived.epoch, arrived.run) == ("orders.eu", 3, "run-0123456789abcdef")
    assert (arrived.service, arrived.region, arrived.operation) == ("iam", "us-east-1", "CreateUser")
    assert arrived.mutating
    assert arrived.accepted
    assert arrived.arrived_ns == 77
    assert call.done is not None
    assert call.done.status == 200


@pytest.mark.parametrize("header", ["", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/x"])
def test_an_unsigned_call_is_answered_403_logged_and_kept_from_moto(
    recorder: Opening, moto: Moto, log: Path, header: str
) -> None:
    request = signed()
    request["headers"]["authorization"] = header
    status, body = ask(recorder(moto, log), request)
    assert status == 403
    assert b"unsigned" in body
    assert moto.bodies == []
    (call,) = logged(log)
    assert call.arrived.signature == "unsigned"
    assert call.done is not None
    assert call.done.status == 403


def test_a_wrongly_signed_call_is_kept_from_moto(recorder: Opening, moto: Moto, log: Path) -> None:
    request = signed()
    request["body"] = b"Action=DeleteEverything"
    assert ask(recorder(moto, log), request)[0] == 403
    assert moto.bodies == []


def test_an_arrival_is_in_the_log_before_it_is_answered(recorder: Opening, log: Path) -> None:
    class Looking(Moto):
        def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            (call,) = logged(log)
            assert call.done is None
            return super().__call__(environ, start_response)

    assert ask(recorder(Looking(), log), signed())[0] == 200


def issue(secret: str) -> dict[str, Any]:
    wanted = {"access_key": "AKIARUN", "secret_key": "s", "target": "orders.us", "epoch": 2, "run": "run-1"}
    headers = {"x-demo-secret": secret}
    return {"method": "POST", "raw_uri": "/demo/keys", "headers": headers, "body": json.dumps(wanted).encode()}


def test_an_issued_key_is_accepted_and_names_its_caller(recorder: Opening, moto: Moto, log: Path) -> None:
    (secret,) = SECRETS.values()
    cloud = recorder(moto, log, issue_keys=True)
    assert ask(cloud, issue(secret))[0] == 201
    request = signed()
    # The header alone shows who it would be; the signature is another key's and stays wrong.
    request["headers"]["authorization"] = request["headers"]["authorization"].replace("AKIDEXAMPLE", "AKIARUN")
    assert ask(cloud, request)[0] == 403
    (call,) = logged(log)
    assert (call.arrived.target, call.arrived.epoch) == ("orders.us", 2)


def test_keys_are_issued_only_to_who_knows_the_secret_and_only_where_it_is_allowed(
    recorder: Opening, moto: Moto, log: Path
) -> None:
    (secret,) = SECRETS.values()
    assert ask(recorder(moto, log, issue_keys=True), issue("guess"))[0] == 403
    assert ask(recorder(moto, log), issue(secret))[0] == 403
