"""A call under a live lease arrives, signed with the real key; and real clients get through."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import boto3
import pytest
from botocore.config import Config

from tests.integration.proxy_cloud import CLIENT_TIMEOUT_S, REAL_KEY, REGION, Arrival, Cloud, make_server_tls
from tests.integration.proxy_support import ProxyThread, Worker, sqs_call
from tests.integration.proxy_tunnel import Tunnel
from tests.servers import wait_for


def test_a_call_under_a_live_lease_arrives_signed_with_the_real_key(
    cloud: Cloud, proxy: ProxyThread, worker: Worker
) -> None:
    cloud.answer = lambda _: (200, "application/x-amz-json-1.0", b'{"QueueUrl":"https://sqs/1/q1"}')
    host, headers, body = sqs_call(worker)
    with Tunnel(worker.port, host, proxy.ca) as tunnel:
        status, content = tunnel.call("POST", "/", headers, body)
    assert (status, content) == (200, b'{"QueueUrl":"https://sqs/1/q1"}')
    (arrival,) = cloud.arrivals
    assert arrival.signed_by == REAL_KEY
    assert arrival.headers["x-amz-security-token"] == "real-session-token"
    assert worker.access_key not in str(arrival.headers)
    assert f"target {worker.target}; epoch 1; run {worker.run_id}" in arrival.headers["user-agent"]
    (intent,) = proxy.journal.intents
    assert (intent.service, intent.operation, intent.access) == ("sqs", "CreateQueue", "write")
    assert (intent.run_id, intent.epoch, intent.resource) == (worker.run_id, 1, {"QueueName": "q1"})
    outcome = proxy.journal.outcomes[intent.call_id]
    assert (outcome.outcome, outcome.http_status) == ("answered", 200)
    assert outcome.resource == {"QueueUrl": "https://sqs/1/q1"}
    assert proxy.count("interlock_proxy_calls_total", outcome="answered", reason="") == 1


def test_an_upstream_over_tls_is_verified_and_served(tmp_path: Path, valkey_url: str) -> None:
    tls, root = make_server_tls(tmp_path)
    with (
        Cloud(tls=tls) as cloud,
        ProxyThread(tmp_path / "home", valkey_url, cloud.url, upstream_ca=root) as proxy,
        Worker(proxy, valkey_url) as worker,
    ):
        host, headers, body = sqs_call(worker)
        with Tunnel(worker.port, host, proxy.ca) as tunnel:
            assert tunnel.call("POST", "/", headers, body)[0] == 200
            assert tunnel.call("POST", "/", headers, body)[0] == 200
        assert [arrival.signed_by for arrival in cloud.arrivals] == [REAL_KEY, REAL_KEY]
        assert cloud.accepted == 1


def test_an_upstream_that_shows_another_certificate_gets_nothing(tmp_path: Path, valkey_url: str) -> None:
    tls, _ = make_server_tls(tmp_path)
    with (
        Cloud(tls=tls) as cloud,
        ProxyThread(tmp_path / "home", valkey_url, cloud.url) as proxy,
        Worker(proxy, valkey_url) as worker,
    ):
        host, headers, body = sqs_call(worker)
        with Tunnel(worker.port, host, proxy.ca) as tunnel:
            assert tunnel.call("POST", "/", headers, body)[0] == 502
        assert cloud.arrivals == []


def s3_client(proxy: ProxyThread, worker: Worker) -> object:
    return boto3.client(
        "s3",
        region_name=REGION,
        aws_access_key_id=worker.access_key,
        aws_secret_access_key=worker.secret_key,
        verify=str(proxy.ca),
        config=Config(proxies={"https": worker.proxy_url}, retries={"total_max_attempts": 1}),
    )


@pytest.mark.parametrize(
    "key", ["plain.txt", "a b+c/d~e=f&g.txt", "ü/ñ/日本.txt", "dots/../x//y/./z", "per%25cent%2Fslash"]
)
def test_boto3_puts_objects_with_odd_keys(cloud: Cloud, proxy: ProxyThread, worker: Worker, key: str) -> None:
    client = s3_client(proxy, worker)
    client.put_object(Bucket="data-bucket", Key=key, Body=b"x" * 70_000)  # type: ignore[attr-defined]
    (arrival,) = cloud.arrivals
    assert arrival.signed_by == REAL_KEY
    assert arrival.headers["x-amz-content-sha256"] == "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    assert b"x-amz-checksum-crc32" in arrival.body
    assert arrival.host == "data-bucket.s3.amazonaws.com"
    assert unquote(arrival.path.partition("?")[0]) == f"/{key}"
    (intent,) = proxy.journal.intents
    assert (intent.operation, intent.access) == ("PutObject", "write")
    assert intent.resource["Bucket"] == "data-bucket"


def test_boto3_sends_queries_with_empty_values(cloud: Cloud, proxy: ProxyThread, worker: Worker) -> None:
    client = s3_client(proxy, worker)
    cloud.answer = lambda _: (200, "application/json", b"{}")
    client.get_bucket_policy(Bucket="data-bucket")  # type: ignore[attr-defined]
    client.put_bucket_policy(Bucket="data-bucket", Policy="{}")  # type: ignore[attr-defined]
    cloud.answer = lambda _: (200, "application/xml", b"<ListBucketResult/>")
    client.list_objects_v2(Bucket="data-bucket", Prefix="", StartAfter="a b/ü+")  # type: ignore[attr-defined]
    assert [arrival.signed_by for arrival in cloud.arrivals] == [REAL_KEY] * 3
    wait_for("reads in the journal", lambda: len(proxy.journal.intents) == 3)
    assert {(intent.operation, intent.access) for intent in proxy.journal.intents} == {
        ("GetBucketPolicy", "read"),
        ("PutBucketPolicy", "write"),
        ("ListObjectsV2", "read"),
    }


def iam_answer(_: Arrival) -> tuple[int, str, bytes]:
    return (
        200,
        "text/xml",
        b"<CreateRoleResponse xmlns='https://iam.amazonaws.com/doc/2010-05-08/'><CreateRoleResult><Role><RoleName>r1"
        b"</RoleName><Arn>arn:aws:iam::1:role/r1</Arn><Path>/</Path><RoleId>AROA1</RoleId></Role></CreateRoleResult>"
        b"</CreateRoleResponse>",
    )


def test_the_aws_cli_gets_through_on_a_listener_that_asks_who_calls(
    cloud: Cloud, proxy: ProxyThread, valkey_url: str, tmp_path: Path
) -> None:
    cloud.answer = iam_answer
    policy = ["--assume-role-policy-document", "{}"]
    with Worker(proxy, valkey_url, listen="tcp") as worker:
        result = subprocess.run(
            [sys.executable, "-m", "awscli", "iam", "create-role", "--role-name", "r1", *policy],
            env={**worker.environment(proxy.ca), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=CLIENT_TIMEOUT_S,
            check=False,
        )
    assert result.returncode == 0, result.stderr
    assert '"RoleId": "AROA1"' in result.stdout
    (arrival,) = cloud.arrivals
    assert (arrival.signed_by, arrival.host) == (REAL_KEY, "iam.amazonaws.com")
    outcome = proxy.journal.outcome_of("CreateRole")
    assert outcome is not None
    assert outcome.resource["Arn"] == "arn:aws:iam::1:role/r1"


def test_curl_gets_through(cloud: Cloud, proxy: ProxyThread, worker: Worker) -> None:
    result = subprocess.run(
        f"curl --silent --show-error --fail --aws-sigv4 aws:amz:{REGION}:sqs --cacert {proxy.ca}".split()
        + f"--user {worker.access_key}:{worker.secret_key} --data Action=ListQueues&Version=2012-11-05".split()
        + f"https://sqs.{REGION}.amazonaws.com/".split(),
        env={**worker.environment(proxy.ca), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=CLIENT_TIMEOUT_S,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == "<Ok/>"
    (arrival,) = cloud.arrivals
    assert arrival.signed_by == REAL_KEY
    assert "curl/" in arrival.headers["user-agent"]


def test_the_status_page_lists_the_open_run(cloud: Cloud, proxy: ProxyThread, worker: Worker) -> None:
    entry = {"run_id": worker.run_id, "target": worker.target, "epoch": 1, "in_flight_mutating": 0, "open": True}
    assert proxy.status()["runs"] == [{**entry, "cut": None, "allowance": "everything", "latched": None}]
    cloud.answer_gate.clear()
    host, headers, body = sqs_call(worker)
    with Tunnel(worker.port, host, proxy.ca) as tunnel:
        tunnel.send("POST", "/", headers, body)
        wait_for("a call in flight", lambda: proxy.status()["runs"][0]["in_flight_mutating"] == 1)
        cloud.answer_gate.set()
        assert tunnel.receive()[0] == 200
    wait_for("nothing in flight", lambda: proxy.status()["runs"][0]["in_flight_mutating"] == 0)


def test_a_clean_end_is_acknowledged_and_released(proxy: ProxyThread, worker: Worker) -> None:
    assert worker.done().in_flight == 0
    assert worker.wait_state("released").all_clear
    assert worker.cut is None
