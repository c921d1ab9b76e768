"""The dummy signature of the questions, and the way through the proxy."""

from __future__ import annotations

import json
import socket
import threading
from datetime import datetime
from pathlib import Path
from unittest import mock

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from worker.signed_call import ask, main, sign

CALLS = [
    {
        "service": "ec2",
        "region": "eu-west-1",
        "host": "ec2.eu-west-1.amazonaws.com",
        "method": "POST",
        "path": "/",
        "query": "",
        "headers": {"content-type": "application/x-www-form-urlencoded; charset=utf-8"},
        "body": "Action=DescribeVpcs&Version=2016-11-15",
    },
    {
        "service": "route53",
        "region": "us-east-1",
        "host": "route53.amazonaws.com",
        "method": "GET",
        "path": "/2013-04-01/hostedzonesbyname",
        "query": "dnsname=orders.example&maxitems=100",
        "headers": {},
        "body": "",
    },
]


@pytest.mark.parametrize("call", CALLS, ids=["form", "query"])
def test_the_signature_is_botocores(call: dict[str, object]) -> None:
    url = f"https://{call['host']}{call['path']}" + (f"?{call['query']}" if call["query"] else "")
    request = AWSRequest(method=call["method"], url=url, data=call["body"], headers=dict(call["headers"]))  # type: ignore[call-overload]
    at = datetime(2026, 1, 2, 3, 4, 5)  # noqa: DTZ001  # botocore's own clock is naive
    with mock.patch("botocore.auth.get_current_datetime", return_value=at):
        SigV4Auth(Credentials("AKID", "secret"), call["service"], call["region"]).add_auth(request)
    ours = sign(call, key_id="AKID", secret="secret", at="20260102T030405Z")
    assert ours["authorization"] == request.headers["Authorization"]


def test_no_proxy_is_an_answer_with_a_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "calls").write_text(json.dumps(CALLS))
    environment = {
        "HTTPS_PROXY": "http://127.0.0.1:1",
        "SSL_CERT_FILE": _certificates(),
        "AWS_ACCESS_KEY_ID": "AKID",
        "AWS_SECRET_ACCESS_KEY": "secret",
    }
    with mock.patch.dict("os.environ", environment):
        assert main(str(tmp_path / "calls")) == 0
    answers = json.loads(capsys.readouterr().out)
    assert [answer["status"] for answer in answers] == [0, 0]
    assert "ConnectionRefusedError" in answers[0]["body"]


def test_the_proxy_is_asked_for_a_tunnel_with_the_runs_login() -> None:
    seen: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                seen.append(connection.recv(4096))
                connection.sendall(b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        environment = {
            "HTTPS_PROXY": f"http://run-1:p%40ss@127.0.0.1:{server.getsockname()[1]}",
            "SSL_CERT_FILE": _certificates(),
            "AWS_ACCESS_KEY_ID": "AKID",
            "AWS_SECRET_ACCESS_KEY": "secret",
        }
        answer = ask(CALLS[0], environment, "20260101T000000Z")
        thread.join(60)
    assert answer["status"] == 0
    assert "407" in answer["body"]
    assert seen[0].startswith(b"CONNECT ec2.eu-west-1.amazonaws.com:443 ")
    assert b"Proxy-Authorization: Basic cnVuLTE6cEBzcw==" in seen[0]


def _certificates() -> str:
    import certifi

    return certifi.where()
