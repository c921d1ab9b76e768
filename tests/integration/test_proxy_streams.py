"""Objects of S3 are streamed in both directions: nothing is complete before it is checked, everything ends at a cut."""

from __future__ import annotations

import hashlib
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from signing_proxy.sockets import GatedSocket
from tests.integration.proxy_cloud import CLIENT_TIMEOUT_S, REAL_KEY, REGION, Cloud, operations
from tests.integration.proxy_support import TIMING, ProxyThread, Worker, sqs_call
from tests.integration.proxy_tunnel import Tunnel
from tests.servers import wait_for

S3 = f"bucket.s3.{REGION}.amazonaws.com"
MIB = 1 << 20
LARGE = bytes(range(256)) * (20 * MIB // 256)  # more than the proxy under test holds in memory for one call


def put(worker: Worker, payload: str, path: str = "/key") -> dict[str, str]:
    """The headers of a signed PutObject of the large body, or a lie about it."""
    headers = {"X-Amz-Content-SHA256": payload, "Content-Length": str(len(LARGE))}
    return worker.signed("PUT", f"https://{S3}{path}", service="s3", headers=headers, body=LARGE)


class SlowCloud:
    """A server that keeps what it reads, connection by connection, and answers only what it is told to."""

    def __init__(self, answer: bytes = b"", *, after: int = 1 << 62, stall: bool = False) -> None:
        """With ``after`` bytes of a body it answers. With ``stall`` it stops reading there."""
        self.answer, self.after, self.stall = answer, after, stall
        self.received: list[bytearray] = []
        self.endings: list[str] = []
        self.go_on = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def total(self) -> int:
        return sum(map(len, self.received))

    def __enter__(self) -> SlowCloud:
        return self

    def __exit__(self, *_: object) -> None:
        self.go_on.set()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._read, args=(connection,), daemon=True).start()

    def _read(self, connection: socket.socket) -> None:
        data = bytearray()
        self.received.append(data)
        answered = False
        with connection:
            connection.settimeout(CLIENT_TIMEOUT_S)
            try:
                while chunk := connection.recv(65536):
                    data += chunk
                    head = data.find(b"\r\n\r\n")
                    if head >= 0 and len(data) - head - 4 >= self.after and not answered:
                        answered = True
                        connection.sendall(self.answer)
                        if self.stall:
                            self.go_on.wait(CLIENT_TIMEOUT_S)
                self.endings.append("end")
            except OSError as error:
                self.endings.append(type(error).__name__)


@contextmanager
def sending(tunnel: Tunnel, headers: dict[str, str], body: bytes, path: str = "/key") -> Iterator[threading.Thread]:
    """Send a request in a thread; it may be cut."""

    def work() -> None:
        try:
            tunnel.send("PUT", path, headers, body)
        except OSError:
            pass

    thread = threading.Thread(target=work)
    thread.start()
    yield thread
    thread.join(CLIENT_TIMEOUT_S)
    assert not thread.is_alive()


def body_of(request: bytes | bytearray) -> bytes:
    return bytes(request).partition(b"\r\n\r\n")[2]


# --- uploads


@pytest.mark.parametrize("payload", [hashlib.sha256(LARGE).hexdigest(), "UNSIGNED-PAYLOAD"])
@pytest.mark.parametrize("path", ["/key", "/key?partNumber=1&uploadId=u"])
def test_an_upload_that_is_larger_than_the_proxys_memory_arrives_whole_and_signed(
    cloud: Cloud, proxy: ProxyThread, worker: Worker, payload: str, path: str
) -> None:
    assert len(LARGE) > proxy.settings.max_body_bytes
    with Tunnel(worker.port, S3, proxy.ca) as tunnel:
        for _ in range(2):  # the connections are good for another call
            assert tunnel.call("PUT", path, put(worker, payload, path), LARGE)[0] == 200
    assert [arrival.signed_by for arrival in cloud.arrivals] == [REAL_KEY] * 2
    assert cloud.arrivals[0].body == LARGE
    outcome = proxy.journal.outcome_of("PutObject" if path == "/key" else "UploadPart")
    assert outcome is not None
    assert (outcome.outcome, outcome.http_status) == ("answered", 200)


def test_an_upload_is_passed_on_while_it_arrives_but_for_its_last_byte(tmp_path: Path, valkey_url: str) -> None:
    with (
        SlowCloud(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", after=len(LARGE)) as cloud,
        ProxyThread(tmp_path, valkey_url, cloud.url) as proxy,
        Worker(proxy, valkey_url) as worker,
        Tunnel(worker.port, S3, proxy.ca) as tunnel,
    ):
        tunnel.send("PUT", "/key", put(worker, "UNSIGNED-PAYLOAD"), LARGE[:-1])
        wait_for("all that is there but for a byte", lambda: len(body_of(cloud.received[0])) == len(LARGE) - 2)
        assert proxy.journal.intents, "the journal knows of it before a byte of it leaves"
        tunnel.sock.sendall(LARGE[-1:])
        assert tunnel.receive()[0] == 200
        assert body_of(cloud.received[0]) == LARGE


def test_a_client_that_asks_whether_to_send_its_object_is_told_to(
    cloud: Cloud, proxy: ProxyThread, worker: Worker
) -> None:
    with Tunnel(worker.port, S3, proxy.ca) as tunnel:
        tunnel.send("PUT", "/key", {**put(worker, "UNSIGNED-PAYLOAD"), "Expect": "100-continue"})
        assert tunnel.receive()[0] == 100
        tunnel.sock.sendall(LARGE)
        assert tunnel.receive()[0] == 200
    assert "expect" not in cloud.arrivals[0].headers, "that is between the client and the proxy"


def test_an_upload_with_another_body_than_the_signed_one_never_becomes_complete(
    cloud: Cloud, proxy: ProxyThread, worker: Worker
) -> None:
    headers = put(worker, hashlib.sha256(LARGE).hexdigest())
    forged = LARGE[:-1] + b"!"
    with Tunnel(worker.port, S3, proxy.ca) as tunnel, sending(tunnel, headers, forged):
        assert tunnel.closed()
    assert cloud.accepted == 1
    assert cloud.arrivals == []
    wait_for("the journal", lambda: proxy.journal.outcome_of("PutObject") is not None)
    outcome = proxy.journal.outcome_of("PutObject")
    assert outcome is not None
    # Not "unknown": without its last byte it did nothing.
    assert (outcome.outcome, outcome.error_code) == ("refused", "payload_mismatch")


def test_an_upload_that_another_key_signed_is_refused_before_a_byte_of_it_leaves(
    cloud: Cloud, proxy: ProxyThread, worker: Worker
) -> None:
    headers = {"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD", "Content-Length": str(len(LARGE))}
    foreign = worker.signed("PUT", f"https://{S3}/key", service="s3", headers=headers, key=(worker.access_key, "other"))
    with Tunnel(worker.port, S3, proxy.ca) as tunnel, sending(tunnel, foreign, LARGE):
        assert tunnel.closed()
    assert cloud.accepted == 0
    assert proxy.refused("wrong_signature") == 1


def test_an_upload_without_a_journal_is_refused_before_a_byte_of_it_leaves(
    cloud: Cloud, proxy: ProxyThread, worker: Worker
) -> None:
    proxy.journal.down = True
    with Tunnel(worker.port, S3, proxy.ca) as tunnel, sending(tunnel, put(worker, "UNSIGNED-PAYLOAD"), LARGE):
        assert tunnel.closed()
    # The connection may end before the count is made.
    wait_for("the refusal", lambda: proxy.refused("journal_unavailable") == 1)
    assert cloud.accepted == 0


@pytest.mark.parametrize("cut", ["revoke", "deadline"])
def test_an_upload_that_is_cut_in_the_middle_is_aborted_and_changes_nothing(
    tmp_path: Path, valkey_url: str, cut: str
) -> None:
    with (
        SlowCloud() as cloud,
        ProxyThread(tmp_path, valkey_url, cloud.url) as proxy,
        Worker(proxy, valkey_url) as worker,
        Tunnel(worker.port, S3, proxy.ca) as tunnel,
    ):
        tunnel.send("PUT", "/key", put(worker, "UNSIGNED-PAYLOAD"), LARGE[: 10 * MIB])
        wait_for("half of it", lambda: cloud.total > 9 * MIB)
        if cut == "revoke":
            worker.store.revoke(worker.target, worker.lease_id, "operator said so")
        else:
            worker.stop_renewing()
        assert worker.wait_cut().in_flight == 0, "an incomplete upload is nothing that could take effect"
        assert tunnel.closed()
        wait_for("the end", lambda: len(cloud.endings) == 1)
        assert cloud.endings == ["ConnectionResetError"]
        assert len(body_of(cloud.received[0])) < len(LARGE)
        wait_for("the journal", lambda: proxy.journal.outcome_of("PutObject") is not None)
        outcome = proxy.journal.outcome_of("PutObject")
        assert outcome is not None
        assert outcome.outcome == "refused"
        assert worker.wait_state("severed").all_clear


def test_the_gate_is_asked_once_more_before_the_last_byte(tmp_path: Path, valkey_url: str) -> None:
    with (
        SlowCloud() as cloud,
        ProxyThread(tmp_path, valkey_url, cloud.url) as proxy,
        Worker(proxy, valkey_url) as worker,
        Tunnel(worker.port, S3, proxy.ca) as tunnel,
    ):
        tunnel.send("PUT", "/key", put(worker, "UNSIGNED-PAYLOAD"), LARGE[:-1])
        wait_for("all but a byte", lambda: len(body_of(cloud.received[0])) == len(LARGE) - 2)
        (run,) = proxy.service.keeper.runs
        run.gate.shut("nobody has cut the connections yet")
        tunnel.sock.sendall(LARGE[-1:])
        assert tunnel.closed()
        wait_for("the end", lambda: len(cloud.endings) == 1)
        assert len(body_of(cloud.received[0])) == len(LARGE) - 2


def test_an_early_answer_ends_the_upload_and_its_connection(tmp_path: Path, valkey_url: str) -> None:
    answer = b"HTTP/1.1 403 Forbidden\r\nContent-Type: application/xml\r\nContent-Length: 5\r\n\r\n<No/>"
    with (
        SlowCloud(answer, after=2 * MIB) as cloud,
        ProxyThread(tmp_path, valkey_url, cloud.url) as proxy,
        Worker(proxy, valkey_url) as worker,
        Tunnel(worker.port, S3, proxy.ca) as tunnel,
    ):
        tunnel.send("PUT", "/key", put(worker, "UNSIGNED-PAYLOAD"), LARGE[: 4 * MIB])
        assert tunnel.receive()[::2] == (403, b"<No/>")
        wait_for("the end", lambda: len(cloud.endings) == 1)
        # The rest of the body is no request, and what looks like one in it is not taken for one.
        with sending(tunnel, put(worker, "UNSIGNED-PAYLOAD"), LARGE):
            assert tunnel.closed()
        assert len(cloud.received) == 1
        assert len(body_of(cloud.received[0])) < len(LARGE)
        wait_for("the journal", lambda: proxy.journal.outcome_of("PutObject") is not None)
        outcome = proxy.journal.outcome_of("PutObject")
        assert outcome is not None
        assert (outcome.outcome, outcome.http_status) == ("answered", 403)


def test_a_client_that_gives_up_leaves_no_complete_upload(tmp_path: Path, valkey_url: str) -> None:
    with (
        SlowCloud() as cloud,
        ProxyThread(tmp_path, valkey_url, cloud.url) as proxy,
        Worker(proxy, valkey_url) as worker,
    ):
        with Tunnel(worker.port, S3, proxy.ca) as tunnel:
            tunnel.send("PUT", "/key", put(worker, "UNSIGNED-PAYLOAD"), LARGE[: 5 * MIB])
            wait_for("a part of it", lambda: cloud.total > 4 * MIB)
        wait_for("the end", lambda: len(cloud.endings) == 1)
        assert len(body_of(cloud.received[0])) < len(LARGE)
        wait_for("the journal", lambda: proxy.journal.outcome_of("PutObject") is not None)


def test_a_cloud_that_does_not_read_stops_the_client_instead_of_filling_memory(tmp_path: Path, valkey_url: str) -> None:
    # TCP gives up after delta on a cloud that does not read; here the client is to give up first.
    patient = TIMING.model_copy(update={"ttl_ms": 12_000, "delta_ms": 6_000})
    with (
        SlowCloud(after=1, stall=True) as cloud,
        ProxyThread(tmp_path, valkey_url, cloud.url, timing=patient) as proxy,
        Worker(proxy, valkey_url, timing=patient) as worker,
        Tunnel(worker.port, S3, proxy.ca) as tunnel,
    ):
        tunnel.sock.settimeout(1.0)
        with pytest.raises(TimeoutError):
            tunnel.send("PUT", "/key", put(worker, "UNSIGNED-PAYLOAD"), LARGE)
        assert proxy.service.core._budget.used_bytes < MIB


# --- downloads


def get(worker: Worker) -> dict[str, str]:
    return worker.signed("GET", f"https://{S3}/key", service="s3")


def test_a_download_that_is_larger_than_the_proxys_memory_arrives_whole(
    cloud: Cloud, proxy: ProxyThread, worker: Worker
) -> None:
    cloud.answer = lambda arrival: (200, "binary/octet-stream", LARGE)
    with Tunnel(worker.port, S3, proxy.ca) as tunnel:
        for _ in range(2):
            assert tunnel.call("GET", "/key", get(worker)) == (200, LARGE)
    wait_for("the journal", lambda: proxy.journal.outcome_of("GetObject") is not None)


@pytest.mark.parametrize("cut", ["revoke", "deadline"])
def test_a_download_is_severed_in_the_middle(tmp_path: Path, valkey_url: str, cut: str) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n"
    with (
        SlowCloud(head + LARGE[: 2 * MIB], after=0) as cloud,
        ProxyThread(tmp_path, valkey_url, cloud.url) as proxy,
        Worker(proxy, valkey_url) as worker,
        Tunnel(worker.port, S3, proxy.ca) as tunnel,
    ):
        tunnel.send("GET", "/key", get(worker))
        received = 0
        while received < 2 * MIB:
            received += len(tunnel.sock.recv(65536))
        if cut == "revoke":
            worker.store.revoke(worker.target, worker.lease_id, "operator said so")
        else:
            worker.stop_renewing()
        worker.wait_cut()
        assert tunnel.closed()
        wait_for("the end", lambda: len(cloud.endings) == 1)


def test_an_answer_that_is_no_object_is_bounded(cloud: Cloud, proxy: ProxyThread, worker: Worker) -> None:
    cloud.answer = lambda arrival: (200, "application/json", b"x" * (proxy.settings.max_body_bytes + 1))
    host, headers, body = sqs_call(worker)
    with Tunnel(worker.port, host, proxy.ca) as tunnel:
        tunnel.send("POST", "/", headers, body)
        assert tunnel.closed()
    assert proxy.count("interlock_proxy_connections_severed_total") == 1


# --- memory


def test_bodies_that_do_not_fit_into_memory_together_are_told_to_try_again(
    tmp_path: Path, valkey_url: str, cloud: Cloud
) -> None:
    with (
        ProxyThread(tmp_path, valkey_url, cloud.url, max_buffered_bytes=16 * MIB + 40_000) as proxy,
        Worker(proxy, valkey_url) as worker,
        Worker(proxy, valkey_url) as other,
    ):
        host, headers, body = sqs_call(worker, QueueName="q" * 4 * MIB)
        small = sqs_call(worker)
        with Tunnel(worker.port, host, proxy.ca) as first, Tunnel(worker.port, host, proxy.ca) as second:
            first.send("POST", "/", {**headers, "Content-Length": str(len(body))}, body[:1000])
            second.send("POST", "/", {**headers, "Content-Length": str(len(body))}, body[:1000])
            wait_for("both heads", lambda: proxy.service.core._budget.used_bytes > 8 * MIB)
            with Tunnel(worker.port, host, proxy.ca) as third:
                filler = {**small[1], "Content-Length": "60000"}
                third.send("POST", "/", filler, b"x" * 60000)
                status, _, content = third.receive()
                assert (status, b"SlowDown" in content, b"memory" in content) == (503, True, True)
            assert proxy.refused("busy") == 1
            # What one run holds does not keep the others from their work.
            _, headers, large = sqs_call(other, QueueName="q" * 6 * MIB)
            with Tunnel(other.port, host, proxy.ca) as tunnel:
                assert tunnel.call("POST", "/", headers, large)[0] == 200
            first.sock.sendall(body[1000:])
            assert first.receive()[0] == 200
            second.sock.sendall(body[1000:])
            assert second.receive()[0] == 200
            assert first.call("POST", "/", small[1], small[2])[0] == 200
        wait_for("the memory to be free", lambda: proxy.service.core._budget.used_bytes == 0)
    assert operations(cloud.arrivals) == ["CreateQueue"] * 4


# --- sockets


def test_upstream_sockets_neither_linger_nor_send_again_for_longer_than_delta(
    cloud: Cloud, proxy: ProxyThread, worker: Worker
) -> None:
    host, headers, body = sqs_call(worker)
    with Tunnel(worker.port, host, proxy.ca) as tunnel:
        assert tunnel.call("POST", "/", headers, body)[0] == 200
        (sock,) = upstream_sockets(proxy)
        assert struct.unpack("ii", sock.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)) == (1, 0)
        assert 0 < sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) <= TIMING.delta_ms
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


def upstream_sockets(proxy: ProxyThread) -> list[Any]:
    (run,) = proxy.service.keeper.runs
    handlers: Any = run.handlers
    sockets = [
        io.writer.get_extra_info("socket")._sock  # asyncio hands out a wrapper
        for handler in handlers
        for connection, io in handler.transports.items()
        if connection is not handler.client and io.writer is not None
    ]
    assert all(isinstance(sock, GatedSocket) for sock in sockets)
    return sockets
