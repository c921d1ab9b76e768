"""What the stage reads of its parts, and what its parts get to know."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deploy.demo import stage as stage_module
from deploy.demo.fleet import Fleet
from deploy.demo.stage import FLOCK, Stage
from scheduler.configuration.check import check
from scheduler.configuration.fleet import load_flock
from scheduler.configuration.nodes import plain

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
