"""`interlock run`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

Interlock = Callable[..., Any]


@pytest.fixture(autouse=True)
def one_run(fake_api: Any, run_like: Callable[..., Any]) -> Any:
    run = run_like(status="errored", reason="init failed", epoch=2, node="n1")
    fake_api.stages[run.id] = [run]
    fake_api.log[run.id] = "first line\nlast line\n"
    return run


def test_ls_shows_who_what_where_and_why(interlock: Interlock, fake_api: Any, one_run: Any) -> None:
    said = interlock("run", "ls", "--target", "shop.local", "--status", "errored", "--limit", "5")
    for word in (one_run.id, "shop.local", "apply", "errored", "n1", "ann@desk", "init failed"):
        assert word in said.out
    assert ("runs", "shop.local", "errored", 5) in fake_api.asked


def test_ls_with_json_is_a_list_of_whole_runs(interlock: Interlock, one_run: Any) -> None:
    assert json.loads(interlock("--json", "run", "ls").out) == [one_run.model_dump(mode="json")]


def test_an_unknown_status_is_refused_with_the_known_ones(interlock: Interlock, fake_api: Any) -> None:
    said = interlock("run", "ls", "--status", "broken")
    assert said.code == 64
    assert "errored" in said.err
    assert fake_api.asked == []


def test_ls_shows_one_kind_of_runs_and_refuses_an_unknown_kind(interlock: Interlock, fake_api: Any) -> None:
    assert interlock("run", "ls", "--kind", "drift").code == 0
    assert fake_api.asked == [("runs", "drift")]
    said = interlock("run", "ls", "--kind", "draft")
    assert said.code == 64
    assert "drift" in said.err


def test_show_prints_what_is_known(interlock: Interlock, one_run: Any) -> None:
    said = interlock("run", "show", one_run.id)
    assert "init failed" in said.out
    assert "finished_at" not in said.out
    assert json.loads(interlock("run", "show", one_run.id, "--json").out)["id"] == one_run.id


@pytest.mark.parametrize("flags", [[], ["-f"]])
def test_logs_prints_the_log_as_it_is(interlock: Interlock, one_run: Any, flags: list[str]) -> None:
    assert interlock("run", "logs", *flags, one_run.id).out == "first line\nlast line\n"


def test_logs_with_json_is_one_object_a_piece(interlock: Interlock, one_run: Any) -> None:
    pieces = [json.loads(line) for line in interlock("run", "logs", one_run.id, "--json").out.splitlines()]
    assert "".join(piece["text"] for piece in pieces) == "first line\nlast line\n"


def test_cancel_says_how_to_watch_the_end_of_a_run_that_goes_on(
    interlock: Interlock, fake_api: Any, one_run: Any, run_like: Callable[..., Any]
) -> None:
    assert "has ended: errored" in interlock("run", "cancel", one_run.id).out
    fake_api.stages[one_run.id] = [run_like(status="applying")]
    assert f"interlock run logs -f {one_run.id}" in interlock("run", "cancel", one_run.id).out


def test_an_unknown_run_is_one_message_of_the_api(interlock: Interlock) -> None:
    said = interlock("run", "show", "run-ffffffffffffffff")
    assert said.code == 64
    assert said.err == "error: no run run-ffffffffffffffff\nhint: `interlock run ls` lists runs\n"
