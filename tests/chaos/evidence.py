"""Reads the two witnesses: the cloud's log, and the scheduler's database (runs, journal, state versions)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from shared.judge import SignedCall
from tests.chaos.judgement import Evidence, Intent, Version

#: Whom calls are put down to that are rightly signed and name no target: nobody's lease allows them.
NOBODY = "nobody"


class CloudLog:
    """The cloud's log as it grows."""

    def __init__(self, path: Path) -> None:
        """Nothing is read yet."""
        self._path = path
        self._offset = 0
        self._calls: dict[str, list[SignedCall]] = {}

    def of(self, targets: Collection[str]) -> list[SignedCall]:
        """What has arrived for these targets with a good signature, in the order of arrival."""
        self._read()
        found = [call for target in targets for call in self._calls.get(target, ())]
        return sorted(found, key=lambda call: call.arrived_ms)

    def _read(self) -> None:
        if not self._path.exists():
            return
        with self._path.open("rb") as log:
            log.seek(self._offset)
            data = log.read()
        complete = data[: data.rfind(b"\n") + 1]
        self._offset += len(complete)
        for line in complete.decode().splitlines():
            entry = json.loads(line)
            if entry["signature"] == "ok":
                call = SignedCall(
                    target=entry["target"] or NOBODY,
                    epoch=entry["epoch"] or 0,
                    mutating=entry["mutating"],
                    arrived_ms=entry["arrived_ms"],
                    answered_ms=entry["arrived_ms"],
                    what=entry["path"],
                )
                self._calls.setdefault(call.target, []).append(call)


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """A run as the database has it."""

    id: str
    """The run."""
    target: str
    """Its target."""
    epoch: int | None
    """What it claimed."""
    node: str | None
    """Where."""
    status: str
    """How it stands."""
    reason: str
    """Why."""
    claimed_ms: float | None
    """When it was claimed."""
    finished_ms: float | None
    """When it was over."""


class Records:
    """The scheduler's database, read only, from beside its processes."""

    def __init__(self, path: Path) -> None:
        """Nothing is opened yet."""
        self._path = path

    def runs(self, targets: Collection[str]) -> list[RunRecord]:
        """All runs of the targets, in the order of submission."""
        query = "SELECT id, target, epoch, node, status, reason, claimed_at, finished_at FROM runs WHERE target IN"
        return [
            RunRecord(
                id=row[0],
                target=row[1],
                epoch=row[2],
                node=row[3],
                status=row[4],
                reason=row[5],
                claimed_ms=_ms(row[6]),
                finished_ms=_ms(row[7]),
            )
            for row in self._rows(query, targets, "sequence")
        ]

    def evidence(self, targets: Collection[str], calls: list[SignedCall]) -> Evidence:
        """Everything the judge needs."""
        ended = {
            (run.target, run.epoch): run.finished_ms
            for run in self.runs(targets)
            if run.epoch is not None and run.finished_ms is not None
        }
        journal = self._rows(
            "SELECT target, epoch, intent, outcome, access FROM journal WHERE target IN", targets, "id"
        )
        versions = self._rows(
            "SELECT target, epoch, serial, created_at FROM state_versions WHERE target IN", targets, "id"
        )
        return Evidence(
            calls=calls,
            ended_ms=ended,
            intents=[
                Intent(target=row[0], epoch=row[1], path=json.loads(row[2])["path"], outcome=row[3])
                for row in journal
                if row[4] == "write"
            ],
            versions=[
                Version(target=row[0], epoch=row[1], serial=row[2], stored_ms=_ms(row[3]) or 0) for row in versions
            ],
        )

    def _rows(self, query: str, targets: Collection[str], order: str) -> list[tuple]:  # type: ignore[type-arg]  # SQL's
        marks = ",".join("?" * len(targets))
        connection = sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, timeout=30)
        try:
            return connection.execute(f"{query} ({marks}) ORDER BY {order}", tuple(targets)).fetchall()
        finally:
            connection.close()


def _ms(text: str | None) -> float | None:
    return None if text is None else datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000
