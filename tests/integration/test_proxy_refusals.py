"""What the proxy refuses: unknown callers, foreign keys, other destinations, and whatever is too large."""

from __future__ import annotations

import base64
import contextlib
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.proxy_cloud import CLIENT_TIMEOUT_S, REGION, Cloud
from tests.integration.proxy_support import ProxyThread, Worker, sqs_call
from tests.integration.proxy_tunnel import Tunnel, read_response
from tests.servers import wait_for

SQS = f"sqs.{REGION}.amazonaws.com"


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with Cloud() as cloud:
        yield cloud
        assert cloud.arrivals == [], "every test here is about a call that must not arrive"


def assert_recorded(proxy: ProxyThread, reason: str) -> None:
    """Counted once under this reason, and journaled as refused."""
    assert proxy.refused(reason) == 1
    wait_for(f"{reason} in the journal", lambda: reason in proxy.journal.refusals())


def basic(user: str, password: str) -> dict[str, str]:
    return {"Proxy-Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def test_a_caller_that_nobody_knows_is_asked_who_it_is(proxy: ProxyThread, valkey_url: str) -> None:
    with Worker(proxy, valkey_url, listen="tcp") as worker:
        with Tunnel(worker.port, SQS, proxy.ca) as tunnel:
            assert tunnel.connect_status == 407
        assert_recorded(proxy, "no_caller")


def test_a_caller_with_another_runs_credentials_is_refused(proxy: ProxyThread, worker: Worker, valkey_url: str) -> None:
    with Worker(proxy, valkey_url, listen="tcp") as other:
        with Tunnel(other.port, SQS, proxy.ca, connect_headers=basic(worker.user, worker.password)) as tunnel:
            assert tunnel.connect_status == 403
        assert_recorded(proxy, "wrong_caller")
        with Tunnel(other.port, SQS, proxy.ca, connect_headers=basic(other.user, other.password)) as tunnel:
            assert tunnel.connect_status == 200


def test_another_runs_placeholder_key_is_refused(proxy: ProxyThread, worker: Worker, valkey_url: str) -> None:
    with Worker(proxy, valkey_url) as other:
        host, headers, body = sqs_call(other)
        with Tunnel(worker.port, host, proxy.ca) as tunnel:
            status, content = tunnel.call("POST", "/", headers, body)
    assert (status, b"AccessDenied" in content) == (403, True)
    assert_recorded(proxy, "wrong_key")


def test_a_wrong_signature_of_the_right_key_is_refused(proxy: ProxyThread, worker: Worker) -> None:
    host, headers, body = sqs_call(worker)
    with Tunnel(worker.port, host, proxy.ca) as tunnel:
        assert tunnel.call("POST", "/", headers, body.replace(b"q1", b"q2"))[0] == 403
    assert_recorded(proxy, "wrong_signature")


def test_an_unsigned_call_is_refused(proxy: ProxyThread, worker: Worker) -> None:
    with Tunnel(worker.port, SQS, proxy.ca) as tunnel:
        assert tunnel.call("POST", "/", {"X-Amz-Target": "AmazonSQS.ListQueues"}, b"{}")[0] == 403
    assert_recorded(proxy, "unsigned")


def test_a_presigned_url_is_refused(proxy: ProxyThread, worker: Worker) -> None:
    with Tunnel(worker.port, "b.s3.amazonaws.com", proxy.ca) as tunnel:
        assert tunnel.call("GET", "/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=00", {})[0] == 403
    assert_recorded(proxy, "unsupported_signature")


def test_a_scope_for_another_region_than_the_hosts_is_refused(proxy: ProxyThread, worker: Worker) -> None:
    headers = worker.signed("POST", f"https://{SQS}/", service="sqs", body=b"{}", region="eu-west-1")
    with Tunnel(worker.port, SQS, proxy.ca) as tunnel:
        assert tunnel.call("POST", "/", headers, b"{}")[0] == 403
    assert_recorded(proxy, "scope_mismatch")


@pytest.mark.parametrize(
    ("service", "action"), [("sts", "AssumeRole"), ("sts", "GetSessionToken"), ("iam", "CreateAccessKey")]
)
def test_calls_that_would_answer_credentials_are_refused(
    proxy: ProxyThread, worker: Worker, service: str, action: str
) -> None:
    host = f"{service}.amazonaws.com"
    body = f"Action={action}&Version=2011-06-15".encode()
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    headers = worker.signed("POST", f"https://{host}/", service=service, body=body, headers=kind)
    with Tunnel(worker.port, host, proxy.ca) as tunnel:
        status, content = tunnel.call("POST", "/", headers, body)
    assert (status, b"<Code>AccessDenied</Code>" in content) == (403, True)
    assert_recorded(proxy, "secret_answer")


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("example.com", "host_not_allowed"),
        ("amazonaws.com.example.com", "host_not_allowed"),
        ("ec2-203-0-113-9.compute-1.amazonaws.com", "host_not_allowed"),
        ("mine-1.eu-west-1.elb.amazonaws.com", "host_not_allowed"),
        ("169.254.169.254", "metadata_address"),
        ("[fd00:ec2::254]", "metadata_address"),
        ("[::ffff:169.254.169.254]", "metadata_address"),
        ("10.0.0.1", "private_address"),
        ("127.0.0.1", "private_address"),
        ("2852039166", "private_address"),
        ("metadata.google.internal", "metadata_address"),
    ],
)
def test_a_tunnel_to_anywhere_else_is_refused(proxy: ProxyThread, worker: Worker, host: str, reason: str) -> None:
    with Tunnel(worker.port, host, proxy.ca) as tunnel:
        assert tunnel.connect_status == 403
    assert_recorded(proxy, reason)


def test_another_port_is_refused(proxy: ProxyThread, worker: Worker) -> None:
    with Tunnel(worker.port, SQS, proxy.ca, connect_port=8443) as tunnel:
        assert tunnel.connect_status == 403
    assert_recorded(proxy, "port_not_allowed")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://169.254.169.254/latest/meta-data/", "metadata_address"),
        ("http://[fd00:ec2::254]/latest/meta-data/", "metadata_address"),
        (f"http://{SQS}/", "plaintext"),
        ("http://example.com/", "host_not_allowed"),
    ],
)
def test_a_plain_request_is_refused(proxy: ProxyThread, worker: Worker, url: str, reason: str) -> None:
    host = url.split("/")[2]
    with socket.create_connection(("127.0.0.1", worker.port), timeout=CLIENT_TIMEOUT_S) as sock:
        sock.sendall(f"GET {url} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert read_response(sock)[0] == 403
    assert_recorded(proxy, reason)


def test_a_host_header_that_is_not_the_tunnels_is_refused(proxy: ProxyThread, worker: Worker) -> None:
    host, headers, body = sqs_call(worker)
    with Tunnel(worker.port, host, proxy.ca) as tunnel:
        assert tunnel.call("POST", "/", headers, body, host="iam.amazonaws.com")[0] == 403
    assert_recorded(proxy, "host_mismatch")


def test_an_absolute_request_line_inside_a_tunnel_is_refused(proxy: ProxyThread, worker: Worker) -> None:
    host, headers, body = sqs_call(worker)
    with Tunnel(worker.port, host, proxy.ca) as tunnel:
        assert tunnel.call("POST", "https://iam.amazonaws.com/", headers, body)[0] == 403
    assert_recorded(proxy, "host_mismatch")


def test_a_handshake_for_another_name_than_the_tunnels_is_refused(proxy: ProxyThread, worker: Worker) -> None:
    host, headers, body = sqs_call(worker)
    with Tunnel(worker.port, host, proxy.ca, sni="iam.amazonaws.com") as tunnel:
        assert tunnel.call("POST", "/", headers, body)[0] == 403
    assert_recorded(proxy, "sni_mismatch")


def test_a_name_that_resolves_to_an_internal_address_is_not_dialled(
    tmp_path: Path, valkey_url: str, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo

    def rebound(host: object, port: object, *args: object, **options: object) -> object:
        to_cloud = host == "sns.eu-west-1.amazonaws.com"
        return real("127.0.0.1" if to_cloud else host, cloud.port if to_cloud else port, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", rebound)
    with ProxyThread(tmp_path, valkey_url, cloud.url) as proxy:
        # The override of the fixture would be a permission to dial a private address.
        assert proxy.service.core is not None
        with Worker(proxy, valkey_url) as worker:
            proxy_policy_without_overrides(proxy)
            host = "sns.eu-west-1.amazonaws.com"
            kind = {"Content-Type": "application/x-www-form-urlencoded"}
            body = b"Action=ListTopics"
            headers = worker.signed(
                "POST", f"https://{host}/", service="sns", body=body, headers=kind, region="eu-west-1"
            )
            with Tunnel(worker.port, host, proxy.ca) as tunnel:
                assert tunnel.call("POST", "/", headers, body)[0] == 502
    assert cloud.accepted == 0


def proxy_policy_without_overrides(proxy: ProxyThread) -> None:
    addon = proxy.service.core._master.addons.get("interlock-destination")
    addon._policy._overrides.clear()


def test_a_large_upload_that_is_refused_is_killed_and_not_read(proxy: ProxyThread, worker: Worker) -> None:
    worker.die()
    worker.wait_state("severed")
    head = {"Content-Length": str(5 << 20), "Expect": "100-continue"}
    with Tunnel(worker.port, SQS, proxy.ca) as tunnel:
        tunnel.send("PUT", "/k", head)
        assert tunnel.closed()
    assert_recorded(proxy, "lease_not_live")


def test_an_endless_upload_that_is_refused_fills_no_memory(proxy: ProxyThread, worker: Worker) -> None:
    with Tunnel(worker.port, SQS, proxy.ca) as tunnel:
        tunnel.send("PUT", "/k", {"Transfer-Encoding": "chunked"}, host="elsewhere.amazonaws.com")
        assert tunnel.closed()
    assert_recorded(proxy, "host_mismatch")


def test_a_small_upload_that_is_refused_is_told_why(proxy: ProxyThread, worker: Worker) -> None:
    worker.die()
    worker.wait_state("severed")
    with Tunnel(worker.port, SQS, proxy.ca) as tunnel:
        assert tunnel.call("PUT", "/k", {}, b"x" * 1000)[0] == 403


def test_a_body_over_the_bound_is_refused_before_it_is_read(proxy: ProxyThread, worker: Worker) -> None:
    with Tunnel(worker.port, SQS, proxy.ca) as tunnel:
        tunnel.send("PUT", "/k", {"Content-Length": str(9 << 20)})
        assert tunnel.closed()
    assert_recorded(proxy, "too_large")


@pytest.mark.parametrize("inside_tls", [False, True])
def test_a_head_without_end_is_cut_off(proxy: ProxyThread, worker: Worker, inside_tls: bool) -> None:
    with Tunnel(worker.port, SQS, proxy.ca) as tunnel:
        sock = tunnel.sock if inside_tls else socket.create_connection(("127.0.0.1", worker.port))
        with sock:
            sock.settimeout(CLIENT_TIMEOUT_S)
            with pytest.raises(OSError):
                sock.sendall(b"GET / HTTP/1.1\r\n" + (b"X-Filler: " + b"y" * 8000 + b"\r\n") * 4000)
    assert proxy.count("interlock_proxy_connections_severed_total") == 1


def test_an_answer_whose_head_has_no_end_is_cut_off(tmp_path: Path, valkey_url: str, cloud: Cloud) -> None:
    ended = threading.Event()

    def endless(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(CLIENT_TIMEOUT_S)
            connection.recv(65536)
            try:
                connection.sendall(b"HTTP/1.1 200 OK\r\n")
                for _ in range(1000):
                    connection.sendall(b"X-Filler: " + b"y" * 8000 + b"\r\n")
            except OSError:
                ended.set()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=endless, args=(listener,), daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with ProxyThread(tmp_path, valkey_url, url) as proxy, Worker(proxy, valkey_url) as worker:
            host, headers, body = sqs_call(worker)
            with Tunnel(worker.port, host, proxy.ca) as tunnel:
                tunnel.send("POST", "/", headers, body)
                assert tunnel.closed()
            wait_for("the journal", lambda: proxy.journal.outcome_of("CreateQueue") is not None)
            outcome = proxy.journal.outcome_of("CreateQueue")
            assert outcome is not None
            assert outcome.outcome == "unknown"
        thread.join(CLIENT_TIMEOUT_S)
    assert ended.is_set()


def test_curl_gets_no_tunnel_to_the_metadata_service(proxy: ProxyThread, worker: Worker) -> None:
    result = subprocess.run(
        ["curl", "--silent", "--write-out", "%{http_code}", "http://169.254.169.254/latest/meta-data/iam/"],
        env={**worker.environment(proxy.ca), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=CLIENT_TIMEOUT_S,
        check=False,
    )
    assert result.stdout.endswith("403")


@pytest.mark.parametrize("status", [b"100 Continue", b"101 Switching Protocols", b"103 Early Hints"])
def test_an_interim_answer_does_not_settle_a_call(tmp_path: Path, valkey_url: str, cloud: Cloud, status: bytes) -> None:
    def interim(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(CLIENT_TIMEOUT_S)
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 " + status + b"\r\n\r\n")
            with contextlib.suppress(OSError):
                connection.recv(1)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=interim, args=(listener,), daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with ProxyThread(tmp_path, valkey_url, url) as proxy, Worker(proxy, valkey_url) as worker:
            host, headers, body = sqs_call(worker)
            with Tunnel(worker.port, host, proxy.ca) as tunnel:
                tunnel.send("POST", "/", headers, body)
                assert tunnel.closed()
            wait_for("the journal", lambda: proxy.journal.outcome_of("CreateQueue") is not None)
            outcome = proxy.journal.outcome_of("CreateQueue")
            assert outcome is not None
            assert outcome.outcome == "unknown"
        thread.join(CLIENT_TIMEOUT_S)


def test_a_head_with_a_smuggled_line_is_refused(proxy: ProxyThread, worker: Worker) -> None:
    host, headers, body = sqs_call(worker)
    with Tunnel(worker.port, host, proxy.ca) as tunnel:
        status, _ = tunnel.call("POST", "/", {**headers, "X-A": "b\rTransfer-Encoding: chunked"}, body)
        assert status == 403
    assert_recorded(proxy, "malformed_head")
