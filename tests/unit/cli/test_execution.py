"""`interlock exec`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from shared.models import RunKind, RunStatus

Interlock = Callable[..., Any]


@pytest.fixture(autouse=True)
def one_target(fake_api: Any, target_like: Callable[..., Any]) -> None:
    fake_api.known = [target_like()]
    fake_api.outcome = RunStatus.SUCCEEDED


@pytest.mark.parametrize("dashes", [["--"], []])
def test_what_follows_is_the_command_with_its_own_options(
    interlock: Interlock, fake_api: Any, dashes: list[str]
) -> None:
    said = interlock("exec", "--target", "shop.local", *dashes, "aws", "--json", "s3", "--detach")
    assert said.code == 0, said.err
    assert ("create_run", "shop.local", RunKind.EXEC, ("aws", "--json", "s3", "--detach")) in fake_api.asked


def test_its_exit_code_is_ours(interlock: Interlock, fake_api: Any) -> None:
    fake_api.outcome, fake_api.exit_code = RunStatus.ERRORED, 42
    assert interlock("exec", "-t", "shop.local", "--", "false").code == 42


def test_json_tells_a_lost_lease_from_a_command_that_exits_with_75(interlock: Interlock, fake_api: Any) -> None:
    ended = {}
    for outcome in (RunStatus.LOST, RunStatus.ERRORED):
        fake_api.outcome, fake_api.exit_code = outcome, 75
        said = interlock("exec", "--json", "-t", "shop.local", "--", "x")
        assert said.code == 75
        ended[outcome] = json.loads(said.out)["runs"][0]["status"]
    assert ended == {RunStatus.LOST: "lost", RunStatus.ERRORED: "errored"}


def test_without_a_command_or_a_target_it_is_a_usage_error(interlock: Interlock, fake_api: Any) -> None:
    assert interlock("exec", "--target", "shop.local").code == 64
    assert interlock("exec", "--", "ls").code == 64
    assert fake_api.asked == []


def test_a_command_that_json_cannot_carry_is_refused(interlock: Interlock, fake_api: Any) -> None:
    said = interlock("exec", "--target", "shop.local", "--", "echo", "\udcff")
    assert said.code == 64
    assert "not UTF-8" in said.err
    assert fake_api.asked == []


def test_it_can_be_about_any_release(interlock: Interlock, fake_api: Any, flock_file: Any) -> None:
    interlock("release", "publish", str(flock_file))
    (digest,) = fake_api.published
    said = interlock("exec", "-t", "shop.local", "--release", digest[7:15], "--json", "--", "ls")
    assert said.code == 0, said.err
    (run,) = json.loads(said.out)["runs"]
    assert run["release_digest"] == digest
    assert interlock("exec", "-t", "shop.local", "--release", "ffffff", "--", "ls").code == 64
