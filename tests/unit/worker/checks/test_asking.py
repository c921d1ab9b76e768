"""One request from the worker's host."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.receivers import Authority
from tests.unit.worker.checks.support import read_head, saying, serving
from worker.checks.asking import MAX_BODY_BYTES, NotAsked, ask

HERE = "127.0.0.1"


def addressed(*addresses: str) -> Callable[[str, int], Sequence[str]]:
    return lambda host, port: addresses


def test_a_listed_host_is_asked_under_its_name_at_the_address_that_was_checked() -> None:
    heads: list[bytes] = []

    def answer(connection: socket.socket) -> None:
        heads.append(read_head(connection))
        connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
        connection.close()

    with serving(answer) as port:
        url = f"http://service.internal:{port}/health?deep=1"
        found = ask(url, hosts=["service.internal", HERE], limit_s=30, resolver=addressed(HERE))
    assert found.status == 204
    assert heads[0].startswith(b"GET /health?deep=1 HTTP/1.1\r\n")
    assert f"Host: service.internal:{port}\r\n".encode() in heads[0]


@pytest.mark.parametrize(
    ("pattern", "host", "asked"),
    [
        ("service.internal", "SERVICE.internal", True),
        ("*.internal", "service.internal", True),
        ("*.internal", "internal", False),
        ("*.internal", "service.internal.evil.com", False),
        ("service.internal", "x.service.internal", False),
    ],
)
def test_only_what_the_operator_lists_is_asked(pattern: str, host: str, asked: bool) -> None:
    def resolver(host: str, port: int) -> Sequence[str]:
        raise OSError("resolved")

    with pytest.raises(NotAsked) as refused:
        ask(f"http://{host}/", hosts=[pattern], limit_s=1, resolver=resolver)
    assert ("resolved" in str(refused.value)) is asked


def test_without_a_list_nobody_is_asked() -> None:
    with pytest.raises(NotAsked, match="is not in INTERLOCK_CHECK_HOSTS"):
        ask("http://service.internal/", hosts=[], limit_s=1)


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "fe80::1%eth0",
        "::ffff:169.254.169.254",
        "fd00:ec2::254",
        "fd20:ce::254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "::169.254.169.254",
        "::127.0.0.1",
        "168.63.129.16",
        "127.0.0.1",
        "::1",
        "0.0.0.0",
        "224.0.0.1",
    ],
)
def test_a_listed_name_that_leads_to_this_host_or_to_a_metadata_service_is_not_asked(address: str) -> None:
    with pytest.raises(NotAsked, match="would have to list the address itself"):
        ask("http://a.internal/", hosts=["*.internal"], limit_s=1, resolver=addressed("10.0.0.1", address))


def test_a_redirection_is_an_answer_and_is_not_followed() -> None:
    with serving(saying(b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\n\r\n")) as port:
        assert ask(f"http://{HERE}:{port}/", hosts=[HERE], limit_s=30).status == 302


def test_a_server_that_says_a_byte_now_and_then_is_given_up_in_time() -> None:
    ending = threading.Event()

    def drip(connection: socket.socket) -> None:
        read_head(connection)
        while not ending.wait(0.02):
            connection.sendall(b"H")

    with serving(drip) as port:
        with pytest.raises(NotAsked, match=r"no answer within 0\.3 s"):
            ask(f"http://{HERE}:{port}/", hosts=[HERE], limit_s=0.3)
        ending.set()


@pytest.mark.parametrize("said", [b"", b"Content-Length: 9\r\n", b"Transfer-Encoding: chunked\r\n"])
def test_a_server_that_hangs_after_a_good_status_has_not_answered(said: bytes) -> None:
    def hang(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + said + b"\r\n5\r\nh")
        while connection.recv(4096):
            """Until the other side hangs up."""

    with serving(hang) as port, pytest.raises(NotAsked, match=r"no answer within 0\.3 s"):
        ask(f"http://{HERE}:{port}/", hosts=[HERE], limit_s=0.3)


@pytest.mark.parametrize("said", [b"", b"Content-Length: 99999\r\n", b"Connection: close\r\nContent-Length: 99999\r\n"])
def test_a_body_that_comes_a_byte_now_and_then_is_no_answer_and_is_given_up_in_time(said: bytes) -> None:
    gone = threading.Event()

    def drip(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + said + b"\r\n")
        try:
            for _ in range(3000):
                threading.Event().wait(0.02)
                connection.sendall(b"x")
        except OSError:
            gone.set()

    with serving(drip) as port:
        with pytest.raises(NotAsked, match=r"no answer within 0\.3 s"):
            ask(f"http://{HERE}:{port}/", hosts=[HERE], limit_s=0.3)
        assert gone.wait(30), "the connection is closed"


@pytest.mark.parametrize("body", [b"", b"half of"])
def test_an_answer_that_is_shorter_than_it_says_is_none(body: bytes) -> None:
    said = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n" + body
    with serving(saying(said)) as port, pytest.raises(NotAsked, match="IncompleteRead"):
        ask(f"http://{HERE}:{port}/", hosts=[HERE], limit_s=30)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_an_answer_may_have_no_body(method: str) -> None:
    length = b"9" if method == "HEAD" else b"0"
    with serving(saying(b"HTTP/1.1 200 OK\r\nContent-Length: " + length + b"\r\n\r\n")) as port:
        found = ask(f"http://{HERE}:{port}/", hosts=[HERE], limit_s=30, method=method)
    assert (found.status, found.body) == (200, b"")


def test_nothing_said_at_all_is_no_answer() -> None:
    with serving(saying(b"")) as port, pytest.raises(NotAsked, match="RemoteDisconnected"):
        ask(f"http://{HERE}:{port}/", hosts=[HERE], limit_s=30)


def test_a_server_that_says_nothing_at_all_is_given_up_in_time() -> None:
    with serving(lambda _: None) as port, pytest.raises(NotAsked, match=r"no answer within 0\.3 s"):
        ask(f"https://{HERE}:{port}/", hosts=[HERE], limit_s=0.3)


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"], ids=["silent", "cut"])
def test_whichever_of_the_two_bounds_is_first_says_the_same(said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.checks.asking.threading.Timer.start", lambda alarm: None)  # the socket's own is first

    def hang(connection: socket.socket) -> None:
        connection.sendall(said)
        while connection.recv(4096):
            """Until the other side hangs up."""

    with serving(hang) as port, pytest.raises(NotAsked, match=r"no answer within 0\.3 s"):
        ask(f"http://{HERE}:{port}/", hosts=[HERE], limit_s=0.3)


def test_nobody_listening_is_no_answer() -> None:
    with serving(saying(b"")) as port:
        pass
    with pytest.raises(NotAsked, match="refused"):
        ask(f"http://{HERE}:{port}/", hosts=[HERE], limit_s=5)


def test_the_next_address_is_tried() -> None:
    with serving(saying(b"HTTP/1.1 200 OK\r\n\r\n")) as port:
        found = ask(
            f"http://a:{port}/", hosts=["a", HERE, "127.0.0.2"], limit_s=30, resolver=addressed("127.0.0.2", HERE)
        )
    assert found.status == 200


def test_a_body_is_bounded() -> None:
    with serving(saying(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (MAX_BODY_BYTES + 100_000))) as port:
        assert len(ask(f"http://{HERE}:{port}/", hosts=[HERE], limit_s=60).body) == MAX_BODY_BYTES


def test_what_is_no_http_is_no_answer() -> None:
    with serving(saying(b"SSH-2.0-x\r\n")) as port, pytest.raises(NotAsked, match="BadStatusLine"):
        ask(f"http://{HERE}:{port}/", hosts=[HERE], limit_s=5)


@pytest.mark.parametrize(
    ("names", "known", "problem"),
    [
        (("service.internal",), False, "CERTIFICATE_VERIFY_FAILED"),
        (("other.internal",), True, "Hostname mismatch"),
        (("service.internal",), True, None),
    ],
    ids=["nobody vouches for it", "it is another's", "it is good"],
)
def test_a_certificate_has_to_be_the_hosts_own_and_vouched_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...], known: bool, problem: str | None
) -> None:
    authority = Authority(tmp_path, *names)
    if known:
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca_file))

    def answer(connection: socket.socket) -> None:
        with authority.server_context.wrap_socket(connection.dup(), server_side=True) as tls:
            read_head(tls)
            tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with serving(answer) as port:
        url, hosts = f"https://service.internal:{port}/", ["service.internal", HERE]
        if problem is None:
            assert ask(url, hosts=hosts, limit_s=30, resolver=addressed(HERE)).status == 200
        else:
            with pytest.raises(NotAsked, match=problem):
                ask(url, hosts=hosts, limit_s=30, resolver=addressed(HERE))
