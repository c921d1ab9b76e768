"""What a provisioner gets to know."""

from __future__ import annotations

from typing import Any

import pytest

from worker.environment import make_placeholders, provisioner_environment

RUN = "run-0123456789abcdef"


def environment(**changes: Any) -> dict[str, str]:
    values: dict[str, Any] = {
        "placeholders": make_placeholders(RUN),
        "port": 3128,
        "authenticate": False,
        "region": "eu-west-1",
        "ca_file": "/ca.pem",
        "state_username": RUN,
        "state_password": "state-password",
        "path": "/bin",
        "home": "/tmp",
        "terraformrc": "/rc",
    }
    return provisioner_environment(**{**values, **changes})


def test_nothing_of_the_workers_own_environment_gets_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERLOCK_TOKEN", "worker-token")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "real")
    env = environment()
    assert not [key for key in env if key.startswith("INTERLOCK_")]
    assert "AWS_SESSION_TOKEN" not in env
    assert "worker-token" not in env.values()


def test_every_client_finds_the_proxy_and_its_ca() -> None:
    env = environment()
    assert {env[key] for key in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy")} == {"http://127.0.0.1:3128"}
    assert env["AWS_CA_BUNDLE"] == env["SSL_CERT_FILE"] == "/ca.pem"
    assert env["AWS_REGION"] == env["AWS_DEFAULT_REGION"] == "eu-west-1"


def test_terraform_asks_nobody_and_finds_its_state() -> None:
    env = environment()
    assert (env["TF_INPUT"], env["TF_IN_AUTOMATION"]) == ("0", "1")
    assert (env["TF_HTTP_USERNAME"], env["TF_HTTP_PASSWORD"]) == (RUN, "state-password")


def test_a_shared_listener_needs_a_login() -> None:
    placeholders = make_placeholders(RUN)
    env = environment(placeholders=placeholders, authenticate=True, port=4000)
    assert env["HTTPS_PROXY"] == f"http://{RUN}:{placeholders.proxy_password}@127.0.0.1:4000"


def test_placeholders_are_the_runs_own_and_look_like_a_key() -> None:
    one, two = make_placeholders(RUN), make_placeholders(RUN)
    assert len(one.access_key_id) == 20
    assert one.access_key_id.isalnum()
    assert one.access_key_id != two.access_key_id
    assert one.secret_access_key != two.secret_access_key
    assert one.secret_access_key not in repr(one)
    assert one.proxy_password not in repr(one)
