"""Which blow a scenario means: the user's command always wins; what this machine can't do is refused beforehand."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from cli.chaos import arsenal
from cli.chaos.arsenal import Weapon, choose
from cli.chaos.remedies import Commands
from cli.chaos.scenarios import SCENARIOS
from shared.errors import ConfigurationError
from shared.settings import Settings

VALUES = {"node": "n1", "run": "run-1"}


def weapon(scenario: str, home: Path, *, redis_url: str = "redis://127.0.0.1:1/0", **changes: Any) -> Weapon:
    known: dict[str, Any] = {"target": "shop.eu", "commands": None, "pid": None, "cut": (), "hold_s": 20.0}
    settings = Settings(home=home, node="n1", redis_url=redis_url)
    return choose(SCENARIOS[scenario], settings, **{**known, **changes})


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_users_command_wins_and_reaches_any_node(scenario: str, tmp_path: Path) -> None:
    chosen = weapon(scenario, tmp_path, commands=Commands(strike=("hit", "{node}"), heal=("heal", "{node}")))
    assert chosen.node is None
    assert chosen.make(VALUES).blow == ("hit", "n1")
    assert chosen.make(VALUES).remedy == ("heal", "n1")


@pytest.mark.parametrize(
    ("scenario", "word"), [("kill-worker", "KILL"), ("freeze-worker", "STOP"), ("freeze-proxy", "STOP")]
)
def test_a_process_here_is_struck_by_a_signal_and_only_this_node_is_reached(
    scenario: str, word: str, tmp_path: Path
) -> None:
    chosen = weapon(scenario, tmp_path, pid=os.getpid())
    assert chosen.node == "n1"
    strike = chosen.make(VALUES)
    assert word in strike.blow
    assert str(os.getpid()) in strike.blow
    assert (strike.remedy is None) is (word == "KILL")


@pytest.mark.parametrize("scenario", ["kill-worker", "freeze-proxy", "redis-failover"])
def test_without_a_process_nothing_is_begun(scenario: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="runs here"):
        weapon(scenario, tmp_path)


@pytest.mark.parametrize(("user", "program"), [(1000, "/usr/sbin/nft"), (0, None)])
def test_a_partition_needs_root_and_nft(
    user: int, program: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arsenal.os, "geteuid", lambda: user)
    monkeypatch.setattr(arsenal.shutil, "which", lambda name: program)
    with pytest.raises(ConfigurationError, match="needs root and the program nft") as caught:
        weapon("partition", tmp_path)
    assert "--strike-command" in caught.value.hint


def test_a_partition_cuts_what_was_named_or_redis_and_the_api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arsenal.os, "geteuid", lambda: 0)
    monkeypatch.setattr(arsenal.shutil, "which", lambda name: "/usr/sbin/nft")
    assert "127.0.0.1:1, 127.0.0.1:8420" in weapon("partition", tmp_path).make({}).what
    chosen = weapon("partition", tmp_path, cut=("127.0.0.9:7",))
    assert "127.0.0.9:7 " in chosen.make({}).what
    assert chosen.node == "n1"


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("redis+sentinel://127.0.0.1:9/leases/0", "SENTINEL FAILOVER leases"),
        ("redis+cluster://127.0.0.1:9", "CLUSTER FAILOVER of the primary of shop.eu"),
    ],
)
def test_where_there_are_replicas_a_failover_is_asked_for(
    url: str, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []
    monkeypatch.setattr(arsenal, "fail_over", lambda *words: asked.append(words))
    # The broker cannot be a cluster; here it is nobody's.
    monkeypatch.setenv("INTERLOCK_BROKER_URL", "redis://127.0.0.1:1/0")
    chosen = weapon("redis-failover", tmp_path, redis_url=url)
    assert chosen.make({}).what == what
    assert chosen.blow is not None
    chosen.blow()
    assert asked == [(url, "shop.eu")]
