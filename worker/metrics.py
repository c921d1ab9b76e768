"""The worker's metrics. Runs happen in pool children; a pipe brings their counts to the process that is scraped.

A pipe and not shared memory: a pool child may be killed at any instruction, and must not take a lock with it.
"""

from __future__ import annotations

import contextlib
import os
import threading

from prometheus_client import CollectorRegistry, Counter, Gauge

_READ_BYTES = 64 * 1024
# A line is written in one piece, so that the lines of several children do not mix: far below PIPE_BUF.
_MAX_LINE_BYTES = 200


class WorkerMetrics:
    """Counters, and the pipe that feeds them. Make it before the pool is forked."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        """Open the pipe.

        Args:
            registry: where the metrics are registered; default: one of their own.
        """
        self.registry = registry or CollectorRegistry()
        self.runs = Counter(
            "interlock_worker_runs", "Runs that ended here, by status", ["status"], registry=self.registry
        )
        self.events = Counter(
            "interlock_worker_events",
            "duplicate (a message for a run that was not to be had), lease_lost, interrupt (SIGINT to a provisioner), "
            "kill (it did not end in time), state_kept (errored.tfstate), import (created by a cut run), "
            "refused (no lease), release_refused, halted (a call outside its safety plan), "
            "rollback (a deployment is taken back)",
            ["event"],
            registry=self.registry,
        )
        self.active = Gauge("interlock_worker_runs_active", "Runs attempted at this moment", registry=self.registry)
        self._read_fd, self._write_fd = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._write_fd, False)

    def event(self, name: str) -> None:
        """Count something that happened to a run; from any process of the pool."""
        self._write(f"event {name}")

    def ended(self, status: str) -> None:
        """Count a run that ended; from any process of the pool."""
        self._write(f"ended {status}")

    def start(self) -> None:
        """Begin to count, in the process that is scraped."""
        threading.Thread(target=self._collect, name="metrics", daemon=True).start()

    def take(self, line: str) -> None:
        """Count one line; an unknown one is left out."""
        kind, _, value = line.partition(" ")
        if kind == "event":
            self.events.labels(event=value).inc()
        elif kind == "ended":
            self.runs.labels(status=value).inc()

    def _write(self, line: str) -> None:
        # Full only when the collecting process is stopped; a count is not worth a run.
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            os.write(self._write_fd, line.encode()[:_MAX_LINE_BYTES] + b"\n")

    def _collect(self) -> None:
        rest = b""
        while piece := os.read(self._read_fd, _READ_BYTES):
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                self.take(line.decode(errors="replace"))
