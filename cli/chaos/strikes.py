"""A blow and its remedy as command lines. Pure; nothing is started here.

Everything that can be struck is struck by a command, also what this machine can do itself: so `--dry-run` shows exactly
what would be done, and a remedy that did not work can be told to a person, who pastes it.
"""

from __future__ import annotations

import ipaddress
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from shared.errors import ConfigurationError

PLACEHOLDERS: Final = ("node", "role", "scenario", "target", "run")
#: The remedy of a partition that nobody heals comes from the kernel, so much later than planned.
SPARE_S: Final = 30
_TABLE: Final = "interlock_chaos"
# Fails for a process that may not be signalled, not for one that is gone.
_SIGNAL: Final = (
    "sh",
    "-c",
    'sig=$1; shift; for pid; do kill -s "$sig" "$pid" || [ ! -d "/proc/$pid" ] || failed=1; done; exit ${failed:-0}',
    "signal",
)
_HOLE: Final = re.compile(r"\{(\w*)\}")


@dataclass(frozen=True, kw_only=True)
class Strike:
    """One blow."""

    what: str
    """For people: what is done to what."""
    blow: tuple[str, ...]
    """The command that does it; empty: no command does (a failover that is asked of Redis)."""
    remedy: tuple[str, ...] | None = None
    """The command that undoes it; None: there is nothing to undo."""


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where something listens, by number."""

    host: str
    """IPv4 or IPv6 address."""
    port: int
    """TCP port."""


def signals(pids: Sequence[int], *, kill: bool, what: str) -> Strike:
    """SIGKILL, or SIGSTOP with SIGCONT as the remedy, to processes of this machine."""
    words = tuple(str(pid) for pid in pids)
    where = f"{what} (pid {', '.join(words)})"
    if kill:
        return Strike(what=f"SIGKILL to {where}", blow=(*_SIGNAL, "KILL", *words))
    return Strike(what=f"SIGSTOP to {where}", blow=(*_SIGNAL, "STOP", *words), remedy=(*_SIGNAL, "CONT", *words))


def partition(addresses: Sequence[Address], *, hold_s: float) -> Strike:
    """Drop what this host sends to `addresses` and gets from them.

    The addresses are elements of a set that the kernel empties by itself after `hold_s` and some: the partition ends
    even if this command and its lifeline are killed.
    """
    timeout_s = int(hold_s) + SPARE_S
    lines = [f"add table inet {_TABLE}"]
    chains: dict[str, list[str]] = {"output": [], "input": []}
    for family, kind, version in (("ip", "ipv4_addr", 4), ("ip6", "ipv6_addr", 6)):
        chosen = [one for one in addresses if ipaddress.ip_address(one.host).version == version]
        if not chosen:
            continue
        elements = ", ".join(f"{one.host} . {one.port} timeout {timeout_s}s" for one in chosen)
        kind_of_set = f"type {kind} . inet_service; flags timeout;"
        lines.append(f"add set inet {_TABLE} cut_{family} {{ {kind_of_set} elements = {{ {elements} }} }}")
        chains["output"].append(f"{family} daddr . tcp dport @cut_{family} drop")
        chains["input"].append(f"{family} saddr . tcp sport @cut_{family} drop")
    for chain, rules in chains.items():
        lines.append(f"add chain inet {_TABLE} {chain} {{ type filter hook {chain} priority -10; }}")
        lines += [f"add rule inet {_TABLE} {chain} {rule}" for rule in rules]
    where = ", ".join(f"{one.host}:{one.port}" for one in addresses)
    return Strike(
        what=f"this host loses {where} (nftables table {_TABLE}, by itself over after {timeout_s} s)",
        blow=("nft", "; ".join(lines)),
        # Added first, so that it is no error when it is gone.
        remedy=("nft", f"add table inet {_TABLE}; delete table inet {_TABLE}"),
    )


def from_commands(blow: Sequence[str], remedy: Sequence[str] | None, values: Mapping[str, str]) -> Strike:
    """The user's own commands with their placeholders filled in.

    Raises ConfigurationError for a placeholder that does not exist.
    """
    filled = fill(blow, values)
    return Strike(what=shown(filled), blow=filled, remedy=None if remedy is None else fill(remedy, values))


def words_of(command: str | Iterable[str]) -> tuple[str, ...]:
    """A command as its words; a string is split as a shell would.

    Raises ConfigurationError for one that is no command.
    """
    try:
        words = tuple(shlex.split(command)) if isinstance(command, str) else tuple(command)
    except ValueError as error:
        raise ConfigurationError(f"{command!r} is not a command: {error}", hint="quote it as for a shell") from error
    if not words:
        raise ConfigurationError("a command is empty", hint="give the program and its arguments")
    return words


def fill(words: Sequence[str], values: Mapping[str, str]) -> tuple[str, ...]:
    """Replace `{node}` and the like; a word stays one word, no shell is involved."""

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name not in PLACEHOLDERS:
            raise ConfigurationError(
                f"unknown placeholder {match[0]} in {shown(words)}",
                hint=f"there are {', '.join('{' + one + '}' for one in PLACEHOLDERS)}",
            )
        return values.get(name, match[0])

    return tuple(_HOLE.sub(value, word) for word in words)


def shown(words: Sequence[str]) -> str:
    """A command as a person would paste it."""
    return shlex.join(words)
