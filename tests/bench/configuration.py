"""How long it takes to render and check a thousand targets, offline.

A fleet of 250 regions in five realms, four targets in each, forty variables with nested types, every layer in use; from
the files on disk to the report, in one process.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from scheduler.configuration.check import check
from scheduler.configuration.fleet import load_flock
from shared.clock import SystemClock
from tests.bench.report import record, spread_of

REGIONS = 250
KINDS = ("api", "jobs", "edge", "data")
REALMS = 5
VARIABLES = 40
ROUNDS = 3
GOAL_S = 60.0


def write_fleet(folder: Path) -> Path:
    """Write the fleet; return its flock file."""
    (folder / "tf").mkdir()
    (folder / "realms").mkdir()
    (folder / "regions").mkdir()
    (folder / "tf" / "main.tf").write_text(
        'provider "aws" {}\n'
        + "".join(
            f'variable "v{index}" {{\n  type = object({{\n    size = number\n    names = optional(list(string), [])\n'
            f"    tags = map(string)\n  }})\n  validation {{\n    condition = var.v{index}.size < 1000\n"
            f'    error_message = "Less than 1000."\n  }}\n}}\n'
            for index in range(VARIABLES)
        )
    )
    for realm in range(REALMS):
        values = "".join(f"  v{index}: {{tags: {{realm: r{realm}}}}}\n" for index in range(VARIABLES))
        (folder / "realms" / f"realm-{realm}.yaml").write_text(f"name: realm-{realm}\nvariables:\n{values}")
    for region in range(REGIONS):
        values = "".join(
            f'      v{index}: {{size: {index}, names: {{$append: [n{region}]}}, tags: {{r: "${{region.name}}"}}}}\n'
            for index in range(VARIABLES)
        )
        (folder / "regions" / f"region-{region}.yaml").write_text(
            f'name: region-{region}\nrealm: realm-{region % REALMS}\naccount: "{region:012}"\n'
            f"flocks:\n  shop:\n    variables:\n{values}"
        )
    values = "".join(f"  v{index}: {{size: 1, names: [a, b], tags: {{f: x}}}}\n" for index in range(VARIABLES))
    targets = "".join(
        f"  - realm: realm-{realm}\n    name: {kind}\n    variables: {{v1: {{tags: {{kind: {kind}}}}}}}\n"
        for realm in range(REALMS)
        for kind in KINDS
    )
    flock = folder / "flock.yaml"
    flock.write_text(
        f"name: shop\nconfiguration: tf\nvariables:\n{values}"
        f'providers: {{aws: {{region: "${{region.provider_region}}"}}}}\ntargets:\n{targets}'
    )
    return flock


def measure() -> None:
    """Render and check the fleet; record the median in seconds."""
    clock = SystemClock()
    took_s = []
    with tempfile.TemporaryDirectory(prefix="interlock-bench-") as name:
        flock = write_fleet(Path(name))
        for _ in range(ROUNDS):
            began_ms = clock.boot_ms()
            checked = check(load_flock(flock))
            took_s.append((clock.boot_ms() - began_ms) / 1000)
            assert len(checked.targets) == REGIONS * len(KINDS)
            assert checked.report.errors == (), checked.report.errors[0].line()
    value = sorted(took_s)[len(took_s) // 2]
    record("config.render_1000_targets_s", value=value, unit="s", goal=GOAL_S, n=len(took_s), spread=spread_of(took_s))


if __name__ == "__main__":
    measure()
