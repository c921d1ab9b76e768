"""Asks the cloud from inside the sandbox, through the proxy, as every client there does."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from shared.log import log_event
from shared.recovery.building import Call
from shared.recovery.questions import Answer, NotAnswered
from worker import signed_call
from worker.run_directory import RunDirectory
from worker.sandbox_layout import SIGNED_CALL, WORK, python_runtime

CALLS_FILE: Final = ".interlock_calls.json"
MAX_CAPTURE_BYTES: Final = 64 * 1024**2

_log = logging.getLogger(__name__)


def ask(
    calls: Sequence[Call],
    directory: RunDirectory,
    *,
    confined: bool,
    run: Callable[[Sequence[str], Path], int | None],
) -> list[Answer]:
    """Make calls, one after the other.

    Args:
        calls: reads.
        directory: the run's.
        confined: whether commands run in a sandbox (decides paths).
        run: carries out a command whose output goes into a file; its exit code, None where it took too long.

    Raises:
        NotAnswered: no answer was to be had.
        StopRequested: the run has to stop.
    """
    directory.write(CALLS_FILE, json.dumps([asdict(call) for call in calls]))
    script = SIGNED_CALL if confined else signed_call.__file__
    work = WORK if confined else str(directory.work)
    capture = directory.captures / "answers.json"
    try:
        code = run([python_runtime().executable, "-I", "-S", "-B", script, f"{work}/{CALLS_FILE}"], capture)
    finally:
        directory.discard(CALLS_FILE)
    if code != 0:
        raise NotAnswered("the questions took too long" if code is None else f"the questions ended with {code}")
    with capture.open("rb") as file:
        content = file.read(MAX_CAPTURE_BYTES).decode(errors="replace")
    answers = [Answer(status=int(item["status"]), body=str(item["body"])) for item in json.loads(content)]
    for call, answer in zip(calls, answers, strict=True):
        if answer.status == 0 or answer.status >= 500:
            log_event(_log, "query_failed", level=logging.WARNING, host=call.host, why=answer.body[:200])
    return answers
