"""chaos.toml and the two options: nothing that lasts is struck without a way back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cli.chaos.remedies import Commands, commands_from, load_commands
from cli.chaos.scenarios import SCENARIOS
from shared.errors import ConfigurationError

GOOD = """
[kill-worker]
strike = "ssh {node} systemctl kill -s KILL interlock-worker"

[freeze-worker]
strike = ["ssh", "{node}", "systemctl kill -s STOP interlock-worker"]
heal = "ssh {node} systemctl kill -s CONT interlock-worker"
"""


def test_a_file_holds_commands_as_strings_or_as_lists(tmp_path: Path) -> None:
    path = tmp_path / "chaos.toml"
    path.write_text(GOOD)
    assert load_commands(path) == {
        "kill-worker": Commands(
            strike=("ssh", "{node}", "systemctl", "kill", "-s", "KILL", "interlock-worker"), heal=None
        ),
        "freeze-worker": Commands(
            strike=("ssh", "{node}", "systemctl kill -s STOP interlock-worker"),
            heal=("ssh", "{node}", "systemctl", "kill", "-s", "CONT", "interlock-worker"),
        ),
    }


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("[nonsense]\nstrike = 'x'\n", "no scenario 'nonsense'"),
        ("[kill-worker]\nhit = 'x'\n", "may hold"),
        ("kill-worker = 'x'\n", "may hold"),
        ("[kill-worker]\nheal = 'x'\n", "no strike command"),
        ("[freeze-worker]\nstrike = 'x'\n", "no heal command"),
        ("[kill-worker]\nstrike = 7\n", "not a command"),
        ("[kill-worker]\nstrike = ['a', 1]\n", "not a command"),
        ("[kill-worker]\nstrike = 'ssh {host} x'\n", "unknown placeholder"),
        ("[kill-worker", "not valid TOML"),
    ],
)
def test_a_mistake_in_the_file_is_refused_and_named(tmp_path: Path, content: str, complaint: str) -> None:
    path = tmp_path / "chaos.toml"
    path.write_text(content)
    with pytest.raises(ConfigurationError, match=complaint) as caught:
        load_commands(path)
    assert caught.value.hint


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.toml: cannot be read"):
        load_commands(tmp_path / "none.toml")


@pytest.mark.parametrize("name", [name for name, scenario in SCENARIOS.items() if scenario.lasts])
def test_what_lasts_needs_a_heal_command(name: str) -> None:
    with pytest.raises(ConfigurationError, match="lasts until it is healed"):
        commands_from(SCENARIOS[name], "strike", None, where="here")


@pytest.mark.parametrize("heal", [None, "heal"])
def test_what_is_over_at_once_may_have_one(heal: Any) -> None:
    assert commands_from(SCENARIOS["kill-worker"], "strike", heal, where="here").strike == ("strike",)
