"""`interlock plan | apply | destroy`."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shared.errors import Unavailable
from shared.models import RunKind, RunStatus

Interlock = Callable[..., Any]


@pytest.fixture(autouse=True)
def one_target(fake_api: Any, target_like: Callable[..., Any]) -> None:
    fake_api.known = [target_like()]


@pytest.mark.parametrize(
    ("command", "outcome", "provisioner", "code"),
    [
        ("plan", "planned", 0, 0),
        ("plan", "planned", 2, 2),
        ("plan", "errored", 1, 1),
        ("apply", "applied", 0, 0),
        ("apply", "errored", 1, 1),
        ("apply", "lost", None, 75),
        ("destroy", "applied", 0, 0),
        ("destroy", "canceled", None, 130),
    ],
)
def test_the_exit_code_tells_how_the_run_ended(
    interlock: Interlock, fake_api: Any, command: str, outcome: str, provisioner: int | None, code: int
) -> None:
    fake_api.outcome, fake_api.exit_code = RunStatus(outcome), provisioner
    said = interlock(command, "shop.local")
    assert said.code == code, said.err
    assert said.out == "log of shop.local\n"
    assert ("create_run", "shop.local", RunKind(command), ()) in fake_api.asked


def test_an_unknown_target_is_answered_with_the_known_ones(interlock: Interlock, fake_api: Any) -> None:
    for unknown in ("shop.locla", "shop", "No Target"):
        said = interlock("apply", unknown)
        assert said.code == 64
        assert said.err.startswith(f"error: unknown target '{unknown}'\nhint: known targets: shop.local;")


def test_of_many_known_targets_some_are_named(
    interlock: Interlock, fake_api: Any, target_like: Callable[..., Any]
) -> None:
    fake_api.known = [target_like(id=f"shop.r{number:04}") for number in range(1000)]
    assert "shop.r0019 and 980 more;" in interlock("apply", "shop.locla").err


def test_without_target_and_file_nothing_is_guessed(interlock: Interlock, fake_api: Any) -> None:
    said = interlock("apply")
    assert said.code == 64
    assert "name a TARGET" in said.err
    assert fake_api.asked == []


def test_a_file_alone_means_all_its_targets_and_the_worst_end_counts(
    interlock: Interlock, fake_api: Any, flock_file: Path
) -> None:
    fake_api.outcome, fake_api.exit_code = RunStatus.PLANNED, 2
    said = interlock("plan", "-f", str(flock_file), "--json")
    assert said.code == 2
    shown = json.loads(said.out)
    assert shown["exit_code"] == 2
    assert [run["target"] for run in shown["runs"]] == ["shop.eu-west-1.blue", "shop.local"]
    assert "shop.eu-west-1.blue | log of shop.eu-west-1.blue" in said.err


def test_a_target_that_the_file_does_not_declare_is_refused(
    interlock: Interlock, fake_api: Any, flock_file: Path
) -> None:
    said = interlock("apply", "shop.nowhere", "-f", str(flock_file))
    assert said.code == 64
    assert "declares no target 'shop.nowhere'" in said.err
    assert "create_run" not in [asked[0] for asked in fake_api.asked]


def test_detached_prints_the_id_and_waits_for_nothing(interlock: Interlock, fake_api: Any) -> None:
    said = interlock("apply", "shop.local", "--detach")
    assert (said.code, said.out) == (0, "run-0000000000000000\n")
    assert len(fake_api.stages["run-0000000000000000"]) == 2, "the run was read although nobody should wait"


def test_destroy_asks_a_person_and_does_nothing_without_a_yes(
    interlock: Interlock, fake_api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.confirm", _refuse)
    assert interlock("destroy", "shop.local").code != 0
    assert fake_api.asked == []
    assert interlock("destroy", "shop.local", "--yes").code == 0


def _refuse(text: str, **options: Any) -> None:
    import typer

    assert "shop.local" in text
    raise typer.Abort


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_a_destroy_that_is_not_confirmed_does_nothing_and_says_so(
    interlock: Interlock, fake_api: Any, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    said = interlock("destroy", "shop.local", *words)
    assert said.code == 130
    assert "error: not confirmed; nothing was done" in said.err
    assert fake_api.asked == []


def test_a_destroy_of_nothing_asks_nothing(interlock: Interlock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("typer.confirm", lambda *_, **__: pytest.fail("asked"))
    assert interlock("destroy").code == 64


def test_an_answer_that_did_not_come_says_nothing_about_the_run(
    interlock: Interlock, fake_api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(**_: object) -> None:
        raise Unavailable("the API did not answer", hint="is it running?")

    monkeypatch.setattr(fake_api, "create_run", late)
    said = interlock("apply", "shop.local")
    assert said.code == 69
    assert "hint: is it running? `interlock run ls --target shop.local` shows whether" in said.err
