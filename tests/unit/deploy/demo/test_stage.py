"""What the stage reads of its parts, and what its parts get to know."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.demo import stage as stage_module
from deploy.demo.fleet import Fleet
from deploy.demo.stage import FLOCK, Stage
from scheduler.configuration.check import check
from scheduler.configuration.fleet import load_flock
from scheduler.configuration.nodes import plain
from shared import exit_codes
from shared.errors import Unavailable

METRICS = b"""# HELP interlock_proxy_calls_total Calls
interlock_proxy_calls_total{outcome="answered",reason=""} 40.0
interlock_proxy_calls_total{outcome="refused",reason="lease_not_live"} 3.0
interlock_proxy_calls_total{outcome="refused",reason="destination"} 2.0
interlock_proxy_in_flight 1.0
"""
STATUS = {
    "runs": [
        {"target": "orders.eu", "in_flight_mutating": 2},
        {"target": "orders.us", "in_flight_mutating": 1},
        {"target": "orders.eu", "in_flight_mutating": 1},
    ]
}


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    stage = Stage(Fleet(tmp_path), plugin_dir=tmp_path, unfenced=False)
    stage._status_urls["proxy-a"] = "http://proxy"
    pages = {"http://proxy/metrics": METRICS, "http://proxy/status": json.dumps(STATUS).encode()}
    monkeypatch.setattr(stage_module, "fetch", pages.get)
    return stage


def test_refused_calls_are_added_up_over_their_reasons(started: Stage) -> None:
    assert started.refused_calls("host-a") == 5


def test_calls_in_flight_are_those_of_the_target(started: Stage) -> None:
    assert started.in_flight("host-a", "orders.eu") == 3
    assert started.in_flight("host-a", "orders.none") == 0


def test_a_proxy_that_does_not_answer_has_an_unknown_number_in_flight(
    started: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage_module, "fetch", lambda url: None)
    assert started.in_flight("host-a", "orders.eu") is None
    assert started.refused_calls("host-a") == 0


def test_without_a_gate_nothing_is_asked(tmp_path: Path) -> None:
    stage = Stage(Fleet(tmp_path), plugin_dir=tmp_path, unfenced=True)
    assert stage.in_flight("host-a", "orders.eu") == 0
    assert stage.refused_calls("host-a") == 0


def test_the_demo_s_flock_has_two_targets_in_two_regions(started: Stage) -> None:
    assert started.targets == ["orders.eu", "orders.us"]
    regions = {plan.provider_region for plan in started.plans}
    assert len(regions) == 2


def test_names_differ_by_target() -> None:
    names = [plain(target.variables)["name"] for target in check(load_flock(FLOCK)).targets]
    assert len(set(names)) == len(names)


def test_the_cloud_s_key_goes_to_proxies_and_not_to_workers(started: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, dict[str, str]] = {}

    def start(name: str, argv: Any, environment: dict[str, str], **_: Any) -> None:
        seen[name] = environment

    monkeypatch.setattr(started._fleet, "start", start)
    monkeypatch.setattr(started, "_token", lambda role: f"token of {role}")
    started.start_worker("worker-a", "host-a", ("eu",), concurrency=2)
    started._start_proxy("host-a")
    assert seen["proxy-a"]["AWS_SECRET_ACCESS_KEY"] == started._secret_key
    assert started._secret_key not in seen["worker-a"].values()
    assert not any(name.startswith("AWS_") for name in seen["worker-a"])
    assert seen["worker-a"]["INTERLOCK_TOKEN"] == "token of worker"
    assert seen["worker-a"]["INTERLOCK_HOME"] == seen["proxy-a"]["INTERLOCK_HOME"]


def test_the_flock_holds_at_least_thirty_resources() -> None:
    count = 0
    for path in FLOCK.parent.glob("*.tf"):
        for block in ("\n" + path.read_text()).split('\nresource "')[1:]:
            count += 4 if "currency" in block else 2 if "for_each" in block else 1
    assert count == 37


def test_another_flock_and_further_hosts_are_played_on_the_same_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tf").mkdir()
    (tmp_path / "tf" / "main.tf").write_text('resource "terraform_data" "x" {}')
    (tmp_path / "flock.yaml").write_text("{name: shop, configuration: tf, targets: [{region: north}]}")
    stage = Stage(Fleet(tmp_path), plugin_dir=tmp_path, flock=tmp_path / "flock.yaml")
    assert stage.targets == ["shop.north"]
    monkeypatch.setattr(stage, "_token", lambda role: "t")
    started: list[str] = []
    monkeypatch.setattr(stage._fleet, "start", lambda name, argv, environment: started.append(name))
    monkeypatch.setattr(stage._fleet, "wait_ready", lambda name, url: started.append(f"{name} is ready"))
    stage.start_proxy("host-eu-north-1")
    assert started == ["proxy-eu-north-1", "proxy-eu-north-1 is ready"]


def test_a_command_is_shown_while_it_runs_and_its_exit_code_is_told(tmp_path: Path) -> None:
    stage = Stage(Fleet(tmp_path), plugin_dir=tmp_path)
    shown: list[str] = []
    code, output = stage.command("flock", "validate", "nowhere", show=shown.append)
    assert code == exit_codes.USAGE
    assert "nowhere" in output
    assert output.splitlines() == shown


def test_a_command_that_hangs_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage_module, "COMMAND_LIMIT_S", 0)
    monkeypatch.setattr(stage_module, "interlock", lambda *words: ("sleep", "600"))
    assert Stage(Fleet(tmp_path), plugin_dir=tmp_path).command("x") == (-signal.SIGKILL, "")


def test_a_flock_that_cannot_be_registered_is_said_with_what_the_command_said(
    started: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(started, "command", lambda *words: (64, "what is wrong"))
    with pytest.raises(Unavailable) as caught:
        started.register()
    assert caught.value.hint == "what is wrong"


def test_a_state_is_read_and_a_target_without_one_has_an_empty_one(
    started: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(started, "_token", lambda role: f"token of {role}")
    asked: list[tuple[str, str]] = []

    def get(url: str, *, headers: dict[str, str], **_: Any) -> httpx.Response:
        asked.append((url, headers["Authorization"]))
        known = url.endswith("orders.eu")
        return httpx.Response(200, json={"serial": 1}) if known else httpx.Response(404 if "us" in url else 500)

    monkeypatch.setattr(httpx, "get", get)
    started.api_url = "http://api"
    assert started.state("orders.eu") == {"serial": 1}
    assert started.state("orders.us") == {}
    assert asked[0] == ("http://api/v1/state/orders.eu", "Bearer token of admin")
    with pytest.raises(Unavailable, match="HTTP 500"):
        started.state("orders.xx")
