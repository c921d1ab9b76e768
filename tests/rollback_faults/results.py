"""The file of results: one JSON line a case, written when it is over, so that a cut run goes on where it was.

A case that failed is carried out again by the next run; the last line about a case counts.
"""

from __future__ import annotations

import json
import statistics
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any


class Results:
    """Reads what there is, and appends. Thread-safe."""

    def __init__(self, path: Path) -> None:
        """
        Args:
            path: the file; it need not exist.
        """
        self._path = path
        self._lock = threading.Lock()
        self._cases: dict[str, dict[str, Any]] = {}
        self.clean: dict[str, Any] | None = None
        if path.exists():
            for line in path.read_text().splitlines(keepends=True):
                # A line without its end is what a cut run left of one.
                if line.endswith("\n"):
                    self._take(json.loads(line))

    def add(self, record: Mapping[str, Any]) -> None:
        """Keep a record: {"case": name, …}, or {"clean": …} for the deployment without a fault."""
        with self._lock:
            self._take(dict(record))
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")

    def passed(self, name: str) -> bool:
        """Whether the case of this name was carried out and passed."""
        with self._lock:
            return bool(self._cases.get(name, {}).get("passed"))

    def of(self, names: Iterable[str]) -> list[dict[str, Any]]:
        """The records of these cases, those that there are."""
        with self._lock:
            return [self._cases[name] for name in names if name in self._cases]

    def _take(self, record: dict[str, Any]) -> None:
        if "case" in record:
            self._cases[record["case"]] = record
        else:
            self.clean = record["clean"]


def summary(records: Iterable[Mapping[str, Any]], clean: Mapping[str, Any] | None, ordered: int) -> dict[str, Any]:
    """The sums over cases: what is printed last, and what docs/rollback-faults.md records.

    Args:
        records: of the cases that were carried out.
        clean: of the deployment without a fault.
        ordered: how many cases there were to be.
    """
    found = list(records)
    took = [record["took_s"] for record in found]
    starts = [record["start_ms"] for record in found if record.get("start_ms") is not None]
    return {
        "cases": len(found),
        "ordered": ordered,
        "passed": sum(bool(record["passed"]) for record in found),
        "failed": sorted(record["case"] for record in found if not record["passed"]),
        "modes": dict(sorted(Counter(record["mode"] for record in found).items())),
        "outcomes": dict(sorted(Counter(record["outcome"] for record in found).items())),
        "unknown_orphans": sum(len(record["unknown_orphans"]) for record in found),
        "residue": sum(len(record["residue"]) for record in found),
        "operations": len({record["operation"] for record in found}),
        "calls": clean["calls"] if clean else None,
        "resources": clean["resources"] if clean else None,
        "took_s": {"median": round(statistics.median(took), 1), "max": max(took)} if took else None,
        "trigger_to_start_ms": {"median": statistics.median(starts), "max": max(starts)} if starts else None,
    }


def whole(sums: Mapping[str, Any]) -> bool:
    """Whether everything that was ordered was carried out and passed."""
    return bool(sums["cases"]) and sums["cases"] == sums["ordered"] == sums["passed"] and not sums["unknown_orphans"]
