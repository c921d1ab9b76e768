"""What `up` starts."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from cli.up_plan import (
    RESTART_MAX_DELAY_MS,
    START_ORDER,
    STOP_BOUND_S,
    STOP_ORDER,
    Addresses,
    RestartPolicy,
    child_environment,
    local_url,
    plan_children,
    valkey_plan,
    valkey_url,
)

ADDRESSES = Addresses(
    home=Path("/h"),
    api_host="127.0.0.1",
    api_port=1,
    api_url="http://127.0.0.1:1",
    redis_url="redis://:s3cret@127.0.0.1:2/0",
    health_host="127.0.0.1",
    health_ports={"beat": 3, "proxy": 4, "worker": 5},
)


def test_parts_stop_worker_first_and_valkey_last() -> None:
    assert STOP_ORDER == ("worker", "proxy", "beat", "server", "valkey")
    assert set(STOP_BOUND_S) == set(START_ORDER)


def test_our_four_processes_run_with_this_interpreter_and_find_each_other() -> None:
    plans = plan_children({"PATH": "/bin", "INTERLOCK_TTL_MS": "9000"}, ADDRESSES)
    assert [plan.name for plan in plans] == ["server", "beat", "proxy", "worker"]
    for plan in plans:
        assert plan.argv == (sys.executable, "-m", "cli", plan.name)
        assert plan.environment["INTERLOCK_REDIS_URL"] == ADDRESSES.redis_url
        assert plan.environment["INTERLOCK_API_URL"] == ADDRESSES.api_url
        assert plan.environment["INTERLOCK_TTL_MS"] == "9000"
    assert [plan.health_url for plan in plans] == [ADDRESSES.api_url, *(f"http://127.0.0.1:{n}" for n in (3, 4, 5))]
    assert [plan.environment.get("INTERLOCK_HTTP_PORT") for plan in plans] == [None, "3", "4", "5"]


def test_the_users_token_is_not_handed_to_the_processes() -> None:
    environment = child_environment({"INTERLOCK_TOKEN": "admin's"}, ADDRESSES, health_port=None)
    assert "INTERLOCK_TOKEN" not in environment


def test_this_code_comes_first_on_the_childrens_path_once() -> None:
    root = str(Path(__file__).resolve().parents[3])
    environment = child_environment({"PYTHONPATH": f"/x:{root}"}, ADDRESSES, health_port=None)
    assert environment["PYTHONPATH"] == f"{root}:/x"


def test_valkey_evicts_nothing_and_its_password_stands_in_no_argument_list() -> None:
    base = {"PATH": "/bin", "INTERLOCK_TOKEN": "t"}
    plan = valkey_plan(Path("/v"), base=base, directory=Path('/a "b'), port=2, password="s3cret")
    config = plan.stdin.decode().splitlines()
    assert "maxmemory-policy noeviction" in config
    assert "requirepass s3cret" in config
    assert "bind 127.0.0.1" in config
    assert r'dir "/a \"b"' in config
    assert plan.argv == ("/v", "-")
    assert plan.environment == {"PATH": "/bin"}
    assert "s3cret" not in repr(plan)


def test_a_password_is_quoted_in_the_url() -> None:
    assert valkey_url(port=2, password="a/b@") == "redis://:a%2Fb%40@127.0.0.1:2/0"


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:1"),
        ("0.0.0.0", "http://127.0.0.1:1"),
        ("::", "http://[::1]:1"),
        ("h", "http://h:1"),
    ],
)
def test_a_url_reaches_what_binds_every_address(host: str, url: str) -> None:
    assert local_url(host, 1) == url


def test_a_child_that_dies_again_and_again_is_restarted_slower_and_then_given_up() -> None:
    policy = RestartPolicy()
    delays = [policy.on_death(lived_ms=10) for _ in range(6)]
    assert delays == [500, 1000, 2000, 4000, 8000, None]


def test_a_child_that_lived_long_is_restarted_as_if_for_the_first_time() -> None:
    policy = RestartPolicy()
    for _ in range(4):
        policy.on_death(lived_ms=10)
    assert policy.on_death(lived_ms=60_000) == 500
    assert policy.on_death(lived_ms=60_000) == 500
    assert RESTART_MAX_DELAY_MS == 8000


def test_the_worker_cuts_its_runs_before_it_is_killed_itself() -> None:
    environment = child_environment({}, ADDRESSES, health_port=None)
    assert 0 < float(environment["INTERLOCK_WORKER_DRAIN_S"]) < STOP_BOUND_S["worker"]
    given = child_environment({"INTERLOCK_WORKER_DRAIN_S": "7"}, ADDRESSES, health_port=None)
    assert given["INTERLOCK_WORKER_DRAIN_S"] == "7"
