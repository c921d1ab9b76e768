"""The `interlock` command as a whole."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from typer.main import get_command

from cli.main import app

Interlock = Callable[..., Any]


def commands(group: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*words, name))
        else:
            yield (*words, name)


ALL = sorted(commands(get_command(app)))
PROCESSES = {("server",), ("beat",), ("proxy",), ("worker",)}
#: What a group does when it is called by itself.
CALLED = {("plan", "make"): "plan"}


def test_every_promised_command_is_there() -> None:
    promised = (
        "up; demo; doctor; version; plan make; plan show; plan approve; plan compare; apply; destroy; exec; "
        "flock register; lease ls; lease show; lease watch; "
        "lease revoke; run ls; run show; run logs; run cancel; journal ls; server; beat; worker; proxy"
    )
    assert {tuple(words.split()) for words in promised.split("; ")} <= set(ALL)


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_help_of_each_command_has_examples(interlock: Interlock, words: tuple[str, ...]) -> None:
    said = interlock(*words, "--help")
    assert said.code == 0
    assert "Examples:" in said.out
    # Behind the line that begins with "Usage:", which names the command in any case.
    _, _, examples = said.out.partition("Examples:")
    assert re.search(rf"\binterlock {CALLED.get(words, ' '.join(words))}(?![\w-])", examples)


@pytest.mark.parametrize("words", [words for words in ALL if words not in PROCESSES], ids=" ".join)
def test_each_command_that_shows_something_takes_json(words: tuple[str, ...]) -> None:
    command: Any = get_command(app)
    for word in words:
        command = command.commands[word]
    assert "--json" in {option for parameter in command.params for option in parameter.opts}


def test_without_a_command_it_shows_help_and_is_a_usage_error(interlock: Interlock) -> None:
    said = interlock()
    assert said.code == 64
    assert "Usage: interlock" in said.out + said.err


@pytest.mark.parametrize("argv", [("nonsense",), ("run", "nonsense"), ("plan", "--nonsense"), ("run", "show")])
def test_wrong_words_are_one_message_with_a_way_to_help(interlock: Interlock, argv: tuple[str, ...]) -> None:
    said = interlock(*argv)
    assert said.code == 64
    assert said.err.startswith("error: ")
    assert "--help" in said.err
    assert said.out == ""


def test_a_wrong_setting_is_one_message_that_names_it(interlock: Interlock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERLOCK_TTL_MS", "3000")
    said = interlock("run", "ls", "--json")
    assert said.code == 64
    assert "ttl_ms" in said.err
    assert json.loads(said.out)["error"]["exit_code"] == 64


def test_an_unexpected_error_is_no_traceback(interlock: Interlock, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> str:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("cli.version.own_version", broken)
    said = interlock("version")
    assert said.code == 1
    assert said.err.startswith("error: unexpected ZeroDivisionError: oops\nhint: ")


def test_json_before_the_command_means_the_same_as_after_it(interlock: Interlock) -> None:
    assert interlock("--json", "version").out == interlock("version", "--json").out
    assert not interlock("version").out.startswith("{")


def test_no_color_reaches_help_and_children(interlock: Interlock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "")
    interlock("--no-color", "version")
    import os

    assert os.environ["NO_COLOR"] == "1"


def test_an_interrupt_is_an_error_like_any_other(interlock: Interlock, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("cli.version.own_version", interrupted)
    said = interlock("version", "--json")
    assert said.code == 130
    assert said.err == "error: interrupted\n"
    assert json.loads(said.out)["error"]["exit_code"] == 130
