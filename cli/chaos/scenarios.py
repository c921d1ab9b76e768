"""The scenarios: one table. docs/chaos.md says the same at length."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What is struck."""

    WORKER = "worker"
    PROXY = "proxy"
    HOST = "host"
    REDIS = "redis"


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One way to strike."""

    name: str
    """As on the command line."""
    role: Role
    """What is struck."""
    does: str
    """The blow, for people."""
    proves: str
    """What a passed verdict says."""
    not_shown: str
    """What it doesn't say."""
    lasts: bool = True
    """Whether it goes on until it is healed; a kill or a failover is over at once."""
    survivable: bool = False
    """Whether the struck lease may rightly live on; its run is then canceled, or nobody else would get the target."""
    revokes: bool = False
    """Whether the lease is revoked after the blow, because nothing else would end it."""


_ALL = (
    Scenario(
        name="kill-worker",
        role=Role.WORKER,
        does="SIGKILL to the worker in the middle of a run",
        proves="its proxy cuts the run at once and the target is granted anew without waiting for the lease to end",
        not_shown="the loss of the whole host: the proxy beside it lives and says that it has cut",
        lasts=False,
    ),
    Scenario(
        name="freeze-worker",
        role=Role.WORKER,
        does="SIGSTOP to the worker; its provisioner runs on and goes on calling",
        proves="the proxy cuts at its own deadline, before the lease ends, though nobody tells it anything",
        not_shown="a proxy that is frozen as well: freeze-proxy",
    ),
    Scenario(
        name="freeze-proxy",
        role=Role.PROXY,
        does="SIGSTOP to the signing proxy, then the lease is revoked",
        proves="a proxy that cannot say that it has cut is waited for: the next grant comes after W + Q, not before",
        not_shown="what leaves the frozen proxy's kernel: only a capture on its wire shows that",
        revokes=True,
    ),
    Scenario(
        name="partition",
        role=Role.HOST,
        does="the worker's host loses Redis and the API; the way to the cloud stays open",
        proves="whoever cannot renew stops signing by the clock alone, and the target is granted anew",
        not_shown="a partition between Redis and its replicas",
    ),
    Scenario(
        name="redis-failover",
        role=Role.REDIS,
        does="the Redis primary is replaced or restarted",
        proves="the new primary grants nothing before its embargo is over; a lease that it knows may live on",
        not_shown="a deposed primary that goes on answering some of its clients",
        lasts=False,
        survivable=True,
    ),
)
SCENARIOS: Final[Mapping[str, Scenario]] = {scenario.name: scenario for scenario in _ALL}
ALL: Final = "all"
