"""Check targets that nobody touches, many times, with the real provider; nothing may be raised.

    INTERLOCK_PLUGIN_DIR=… python -m tests.drift_soak --checks 1000 --targets 20 --seconds 14400

Exit code 1 when a check said anything but "in sync", when anybody was told anything, when anything but a read arrived
in the cloud, or when the time was over before all checks were. `--out` is written after each round of checks.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

from deploy.demo.provider import choose_provider, terraform_of
from tests.drift_soak.soak import soaking


def main() -> int:
    parser = argparse.ArgumentParser(description="Check targets that nobody touches.")
    parser.add_argument("--checks", type=int, default=1000)
    parser.add_argument("--targets", type=int, default=20)
    parser.add_argument("--seconds", type=int, default=4 * 3600, help="end then, whatever is done")
    parser.add_argument("--out", type=Path, default=Path("build/drift-soak.json"))
    words = parser.parse_args()
    # Whoever ends it early gets the figures so far, and nothing of the fleet stays behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    until_s = time.monotonic() + words.seconds
    words.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="il-soak-") as name:
        home = Path(name)
        provider = choose_provider(
            plugin_dir=None, environ=os.environ, terraform=terraform_of(os.environ), install_dir=home / "provider"
        )
        described = provider.description.partition(" from ")[0]
        with soaking(
            home, plugins=provider.plugin_dir, provider=described, targets=words.targets, wanted=words.checks
        ) as soak:
            soak.deploy()
            print(f"{words.targets} targets deployed with {described}", flush=True)
            result = soak.check(words.checks, until_s=until_s, keep=words.out)
    print(result.as_json())
    return 0 if result.quiet and result.checks >= words.checks else 1


if __name__ == "__main__":
    sys.exit(main())
