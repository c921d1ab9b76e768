"""Names of the Redis keys. They are a public, versioned contract: see docs/redis-keys.md.

All keys of one target carry its id as a hash tag, so that one script may touch them in Redis Cluster.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

CONTRACT_VERSION: Final = 1
"""Part of every key; a change that a dashboard could notice raises it."""

PREFIX: Final = f"interlock:{CONTRACT_VERSION}"
EVENTS_CHANNEL: Final = f"{PREFIX}:events"
"""Every change of a lease's state is published here as JSON {"target","lease_id","state","epoch"}."""

TIMING_KEY: Final = f"{PREFIX}:timing"
"""String with a TTL, JSON: the lease durations that the processes which are alive have agreed on."""
NODE_PATTERN: Final = f"{PREFIX}:node:*"
STATE_PATTERN: Final = f"{PREFIX}:{{*}}:state"

_LABEL: Final = r"[a-z0-9][a-z0-9-]{0,62}"
TARGET_PATTERN: Final = re.compile(rf"^{_LABEL}(\.{_LABEL}){{1,2}}\Z")
_NODE: Final = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,252}\Z")


@dataclass(frozen=True, kw_only=True, slots=True)
class TargetKeys:
    """The keys of one target."""

    lease: str
    """String with the lease id and a TTL: liveness, for dashboards. Its absence is no licence to take."""
    state: str
    """Hash, persistent: the lease and its state. Absent means embargoed, not free."""
    attach: str
    """Hash: one field for each (proxy id, boot id) that may sign for the lease."""
    incarnation: str
    """String: the incarnation of the server as last cleared for this target."""
    absence: str
    """String: the name of the state's present absence, while it is absent and an observer waits."""

    def as_list(self) -> list[str]:
        """Return the keys in the order in which every script takes them."""
        return [self.lease, self.state, self.attach, self.incarnation, self.absence]


def target_keys(target: str) -> TargetKeys:
    """Return the keys of `target`. Raises ValueError for an id that could name another target's keys."""
    if not TARGET_PATTERN.match(target):
        raise ValueError(f"not a target id (flock.region or flock.region.name): {target!r}")
    base = f"{PREFIX}:{{{target}}}"
    return TargetKeys(
        lease=f"{base}:lease",
        state=f"{base}:state",
        attach=f"{base}:attach",
        incarnation=f"{base}:incarnation",
        absence=f"{base}:absence",
    )


def barrier_key(target: str) -> str:
    """Return the key that is written before WAIT, so that WAIT covers everything written before it to this slot."""
    return target_keys(target).state.removesuffix("state") + "barrier"


def target_of(key: str) -> str:
    """Return the target whose key this is."""
    return key.partition("{")[2].partition("}")[0]


def node_key(node: str) -> str:
    """Return the heartbeat key of a worker host. Raises ValueError for a name that is no host name."""
    if not _NODE.match(node):
        raise ValueError(f"not a node name: {node!r}")
    return f"{PREFIX}:node:{node}"
