"""Fail when a source file has no mirrored unit test.

`worker/take_over.py` is tested by `tests/unit/worker/test_take_over.py`. Files that only wire parts together are proven
by a test that runs them for real; each is named here with that test, and a name that no longer exists fails too.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("shared", "scheduler", "worker", "signing_proxy", "cli", "deploy")

#: source file -> the test that runs it for real
PROVEN_ELSEWHERE: dict[str, str] = {}


def unmirrored() -> list[str]:
    """Say, one line each, what is missing.

    Returns:
        Complaints; empty when every source file has its test.
    """
    complaints = []
    for package in PACKAGES:
        for source in sorted((ROOT / package).rglob("*.py")):
            relative = source.relative_to(ROOT)
            if source.name in {"__init__.py", "__main__.py"} or "versions" in relative.parts:
                continue
            mirror = Path("tests/unit", relative.parent, f"test_{source.name}")
            stand_in = PROVEN_ELSEWHERE.get(relative.as_posix())
            if not (ROOT / mirror).exists() and stand_in is None:
                complaints.append(f"{relative}: no {mirror}")
    for source_name, test_name in PROVEN_ELSEWHERE.items():
        complaints += [
            f"tests/mirrors.py names {name}, which does not exist"
            for name in (source_name, test_name)
            if not (ROOT / name).exists()
        ]
    return complaints


if __name__ == "__main__":
    found = unmirrored()
    print("\n".join(found) or "every source file has its mirrored unit test")
    sys.exit(bool(found))
