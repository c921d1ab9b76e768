"""File descriptors: enough for every run's connections, or a clear word before the first of them fails."""

import resource

from shared.errors import ConfigurationError

BASE = 256
"""What the process needs apart from its runs: Redis, API, control socket, listeners."""
PER_CONNECTION = 2
"""The client's socket and the cloud's."""
_HINT = "Raise it: `ulimit -n` in a shell, LimitNOFILE= in a systemd unit, --ulimit nofile= with Docker."


def runs_carried(descriptors: int, connections_per_run: int) -> int:
    """How many runs, each with all the connections that it may have, so many descriptors carry."""
    return max(0, descriptors - BASE) // (PER_CONNECTION * connections_per_run)


def raise_limit(*, runs: int, connections_per_run: int) -> int:
    """Raise the soft limit to what so many runs need, as far as the hard limit lets; the soft limit then.

    Raises ConfigurationError when that does not carry even one run.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = BASE + runs * PER_CONNECTION * connections_per_run
    reachable = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < reachable:
        resource.setrlimit(resource.RLIMIT_NOFILE, (reachable, hard))
        soft = reachable
    available = wanted if soft == resource.RLIM_INFINITY else soft
    if runs_carried(available, connections_per_run) < 1:
        needed = BASE + PER_CONNECTION * connections_per_run
        raise ConfigurationError(
            f"this process may open {available} files, and the connections of one run alone need {needed}", hint=_HINT
        )
    return available
