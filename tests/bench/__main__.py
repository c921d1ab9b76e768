"""Run some or all groups: `python -m tests.bench [gate] [classify] [renew] [sever] [revoke] [kill] [hostloss]
[handover] [config] [rollback]`."""

from __future__ import annotations

import platform
import signal
import sys
import time
from collections.abc import Callable

from tests.bench import classifying, configuration, cutting, hot_path, moving, renewals, rolling_back
from tests.bench.report import FILE, progress

GROUPS: dict[str, Callable[[], None]] = {
    "gate": hot_path.measure,
    "classify": classifying.measure,
    "renew": renewals.measure,
    "sever": cutting.measure_sever,
    "revoke": cutting.measure_revoke,
    "handover": moving.measure_handover,
    "kill": moving.measure_kill,
    "hostloss": moving.measure_hostloss,
    "config": configuration.measure,
    "rollback": rolling_back.measure,
}


def main(names: list[str]) -> int:
    """Measure the named groups, or all."""
    unknown = [name for name in names if name not in GROUPS]
    if unknown:
        print(f"no such group: {', '.join(unknown)}; there are: {', '.join(GROUPS)}", file=sys.stderr)
        return 64
    # Ended from outside, too, it ends the processes that it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    begun = time.monotonic()
    progress(f"{platform.node()}: {platform.machine()}, Linux {platform.release()}, Python {platform.python_version()}")
    for name in names or GROUPS:
        GROUPS[name]()
    progress(f"{FILE.name} written after {time.monotonic() - begun:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
