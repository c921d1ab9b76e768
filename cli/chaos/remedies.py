"""The user's own commands for hosts that this machine cannot strike itself: chaos.toml, or two options."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.chaos.scenarios import SCENARIOS, Scenario
from cli.chaos.strikes import PLACEHOLDERS, fill, words_of
from shared.errors import ConfigurationError


@dataclass(frozen=True, kw_only=True)
class Commands:
    """How one scenario strikes, and heals."""

    strike: tuple[str, ...]
    """The command that strikes, with placeholders."""
    heal: tuple[str, ...] | None
    """The command that heals; None where nothing lasts."""


def commands_from(scenario: Scenario, strike: Any, heal: Any, *, where: str) -> Commands:
    """Check one pair of commands.

    Raises ConfigurationError where there is no strike, no heal for something that lasts, or an unknown placeholder.
    """
    if strike is None:
        raise ConfigurationError(f"{where}: no strike command", hint="a heal command alone strikes nothing")
    if heal is None and scenario.lasts:
        raise ConfigurationError(
            f"{where}: {scenario.name} lasts until it is healed, and there is no heal command",
            hint="give one: --heal-command, or `heal` in the file",
        )
    for command in (strike, heal):
        if command is not None and not _is_command(command):
            raise ConfigurationError(f"{where}: {command!r} is not a command", hint="a string, or a list of strings")
    commands = Commands(strike=words_of(strike), heal=None if heal is None else words_of(heal))
    for words in (commands.strike, commands.heal or ()):
        fill(words, dict.fromkeys(PLACEHOLDERS, ""))
    return commands


def load_commands(path: Path) -> Mapping[str, Commands]:
    """Read chaos.toml: a table for each scenario, with `strike` and `heal`.

    Raises ConfigurationError that names the place.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}", hint="name a TOML file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: not valid TOML: {error}", hint="mend the file") from error
    found = {}
    for name, table in document.items():
        if name not in SCENARIOS:
            raise ConfigurationError(f"{path}: no scenario {name!r}", hint=f"there are {', '.join(SCENARIOS)}")
        if not isinstance(table, dict) or not set(table) <= {"strike", "heal"}:
            raise ConfigurationError(f"{path}: [{name}] may hold `strike` and `heal` only", hint="mend the file")
        found[name] = commands_from(SCENARIOS[name], table.get("strike"), table.get("heal"), where=f"{path}: [{name}]")
    return found


def _is_command(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(word, str) for word in value))
