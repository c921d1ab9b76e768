"""Runs plans on universes side by side, each in a process of its own."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from typing import Any

from shared.lease.timing import LeaseTiming
from tests.chaos import children, network
from tests.chaos.one_universe import plan_record
from tests.chaos.schedule import Plan
from tests.integration.system import ROOT

#: A run that takes longer is given up with its universe: every bound inside is far below.
RUN_BOUND_S = 300.0
_START_BOUND_S = 300.0
_CLOSE_BOUND_S = 60.0


class _Universe:
    """One process with a universe, driven over its pipes."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.name = network.fresh_name()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.one_universe", self.name, json.dumps(options)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # Ctrl-C is the driver's: it ends each universe in turn and waits for it.
            start_new_session=True,
        )
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def answer(self, bound_s: float) -> dict[str, Any]:
        """The next line. Raises RuntimeError when none comes."""
        try:
            line = self._lines.get(timeout=bound_s)
        except queue.Empty:
            line = ""
        if not line:
            raise RuntimeError(f"universe {self.name} ended or gave no answer within {bound_s:.0f} s")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def run(self, plan: Plan) -> dict[str, Any]:
        """Carry out a plan."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(plan_record(plan)) + "\n")
        self._process.stdin.flush()
        return self.answer(RUN_BOUND_S)

    def wait_until_ready(self) -> None:
        """Until everything in it answers."""
        self.answer(_START_BOUND_S)

    def close(self) -> None:
        """End it; what it could not remove any more is removed here."""
        self._process.terminate()
        try:
            self._process.wait(_CLOSE_BOUND_S)
        except subprocess.TimeoutExpired:
            children.end(self._process)
        self._reader.join(_CLOSE_BOUND_S)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        network.remove(self.name)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put("")


def run_plans(
    plans: Iterable[Plan],
    *,
    jobs: int,
    keep: bool = False,
    builds: dict[str, str] | None = None,
    timing: LeaseTiming | None = None,
) -> Iterator[dict[str, Any]]:
    """Carry out the plans and yield a record of each as it is done. Everything is ended when the iteration ends.

    Raises RuntimeError when a universe does not start or does not answer.
    """
    network.sweep()
    options = {"keep": keep, "builds": builds, "timing": timing.model_dump() if timing else None}
    waiting: queue.Queue[Plan] = queue.Queue()
    for plan in plans:
        waiting.put(plan)
    expected = waiting.qsize()
    done: queue.Queue[dict[str, Any] | BaseException] = queue.Queue()
    universes = [_Universe(options) for _ in range(jobs)]

    def work(universe: _Universe) -> None:
        try:
            universe.wait_until_ready()
            while True:
                done.put(universe.run(waiting.get_nowait()))
        except queue.Empty:
            return
        except BaseException as error:
            done.put(error)

    try:
        for universe in universes:
            threading.Thread(target=work, args=(universe,), daemon=True).start()
        for _ in range(expected):
            result = done.get(timeout=_START_BOUND_S + RUN_BOUND_S)
            if isinstance(result, BaseException):
                raise result
            yield result
    finally:
        for universe in universes:
            universe.close()
