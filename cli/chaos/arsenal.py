"""Which blow a scenario means here: the user's own command, or what this machine can do itself."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cli.chaos.failover import fail_over
from cli.chaos.remedies import Commands
from cli.chaos.scenarios import Role, Scenario
from cli.chaos.strikes import Strike, from_commands, partition, signals
from cli.chaos.targets import control_addresses, named, processes_of
from shared.errors import ConfigurationError

if TYPE_CHECKING:
    from shared.settings import Settings

REMOTE_HINT = "or give --strike-command (and --heal-command) for the host it runs on, see docs/chaos.md"


@dataclass(frozen=True, kw_only=True)
class Weapon:
    """How one scenario strikes here."""

    make: Callable[[Mapping[str, str]], Strike]
    """The blow for a run, given the placeholders' values; looks at this machine anew each time."""
    blow: Callable[[], None] | None = None
    """Does it where no command can."""
    node: str | None = None
    """The only node that it reaches; None: any."""


def choose(
    scenario: Scenario,
    settings: Settings,
    *,
    target: str,
    commands: Commands | None,
    pid: int | None,
    cut: Sequence[str],
    hold_s: float,
) -> Weapon:
    """The blow for a scenario, checked as far as it can be before anything has happened.

    Raises ConfigurationError when this machine can't strike so.
    """
    if commands is not None:
        return Weapon(make=lambda values: from_commands(commands.strike, commands.heal, values))
    if scenario.role is Role.HOST:
        return _partition(settings, cut, hold_s)
    if scenario.role is Role.REDIS:
        return _redis(settings, target, pid)
    kill = not scenario.lasts
    name = scenario.role.value

    def strike(values: Mapping[str, str]) -> Strike:
        return signals(processes_of(settings, name, pid), kill=kill, what=f"the {name}")

    strike({})
    return Weapon(make=strike, node=settings.node)


def _partition(settings: Settings, cut: Sequence[str], hold_s: float) -> Weapon:
    if os.geteuid() != 0 or shutil.which("nft") is None:
        raise ConfigurationError(
            "a partition of this host needs root and the program nft (Debian package nftables)",
            hint=f"run it with sudo on a worker's host, {REMOTE_HINT}",
        )
    addresses = [one for text in cut for one in named(text)] or control_addresses(settings)
    strike = partition(addresses, hold_s=hold_s)
    return Weapon(make=lambda values: strike, node=settings.node)


def _redis(settings: Settings, target: str, pid: int | None) -> Weapon:
    from shared.redis_address import Topology, parse_address

    address = parse_address(settings.redis_url)
    if pid is None and address.topology is not Topology.ONE:
        what = (
            f"SENTINEL FAILOVER {address.master_name}"
            if address.topology is Topology.SENTINEL
            else f"CLUSTER FAILOVER of the primary of {target}"
        )

        def fall_over() -> None:
            fail_over(settings.redis_url, target)

        return Weapon(make=lambda values: Strike(what=what, blow=()), blow=fall_over)

    def strike(values: Mapping[str, str]) -> Strike:
        what = "Redis, which whoever runs it starts again"
        return signals(processes_of(settings, "valkey", pid), kill=True, what=what)

    strike({})
    return Weapon(make=strike)
