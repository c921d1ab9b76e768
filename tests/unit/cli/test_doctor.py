"""`interlock doctor`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from cli import checks_machine, checks_services
from cli.findings import fail, ok, warn
from shared.errors import ConfigurationError

Interlock = Callable[..., Any]


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def use(*made: tuple[str, Callable[[Any], Any]]) -> None:
        monkeypatch.setattr(checks_machine, "CHECKS", made)
        monkeypatch.setattr(checks_services, "CHECKS", ())

    return use


def test_warnings_alone_do_not_fail(interlock: Interlock, checks: Callable[..., None]) -> None:
    checks(("a", lambda settings: ok("a", "fine")), ("b", lambda settings: warn("b", "meh", mend="do this")))
    said = interlock("doctor")
    assert said.code == 0
    assert "-> do this" in said.out
    assert said.out.endswith("0 failed, 1 with a warning\n")


def test_one_failure_fails_the_command_and_json_has_all_findings(
    interlock: Interlock, checks: Callable[..., None]
) -> None:
    checks(("a", lambda settings: fail("a", "bad", mend="do that")), ("b", lambda settings: ok("b", "fine")))
    said = interlock("doctor", "--json")
    assert said.code == 1
    shown = json.loads(said.out)
    assert shown["ok"] is False
    assert {one["name"]: one["status"] for one in shown["findings"]} == {
        "python": "ok",
        "platform": "ok",
        "settings": "ok",
        "a": "fail",
        "b": "ok",
    }
    assert {"name", "status", "what", "mend"} == set(shown["findings"][0])


def test_a_check_that_breaks_is_a_finding_and_the_others_go_on(
    interlock: Interlock, checks: Callable[..., None]
) -> None:
    def refused(settings: Any) -> Any:
        raise ConfigurationError("not here", hint="get it")

    def broken(settings: Any) -> Any:
        raise ZeroDivisionError("oops")

    checks(("a", refused), ("b", broken), ("c", lambda settings: ok("c", "fine")))
    shown = {one["name"]: one for one in json.loads(interlock("doctor", "--json").out)["findings"]}
    assert (shown["a"]["what"], shown["a"]["mend"]) == ("not here", "get it")
    assert "ZeroDivisionError: oops" in shown["b"]["what"]
    assert shown["c"]["status"] == "ok"


def test_settings_that_are_no_good_are_a_finding(interlock: Interlock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERLOCK_DELTA_MS", "20000")
    said = interlock("doctor", "--json")
    assert said.code == 1
    last = json.loads(said.out)["findings"][-1]
    assert (last["name"], last["status"], "delta_ms" in last["what"]) == ("settings", "fail", True)
