"""Following runs to their end: logs as they come, changes of status as notes, and the run that follows a lost one."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cli.output import Output
from shared.errors import Unavailable
from shared.models import Run, RunKind, RunStatus

if TYPE_CHECKING:
    from shared.api_client import ApiClient

POLL_S = 0.3
# The scheduler makes the follow-up of a lost run in the same tick or the next; this many polls are ample.
FOLLOW_UP_POLLS = 10
# An API that restarts is away for a moment; the run goes on without it.
MAX_FAILED_POLLS = 100
# About ten seconds: longer than an idle worker takes, shorter than anyone's patience.
PENDING_POLLS = 33
KINDS_WITH_FOLLOW_UP = frozenset({RunKind.APPLY, RunKind.DESTROY, RunKind.RECOVER, RunKind.ROLLBACK})


@dataclass(kw_only=True)
class Followed:
    """One run being followed."""

    run: Run
    """As last seen."""
    offset: int = 0
    """How much of its log was shown, in the API's unit."""
    ended: bool = False
    """Whether it ended and its log was shown to the end."""
    pending_polls: int = 0
    """How often it was seen waiting for a worker."""
    at_line_start: bool = True
    """Whether the log shown so far ends with a newline; only used with a prefix."""


class Follower:
    """Follows several runs at once by polling, in the order given. Output of more than one is prefixed by target."""

    def __init__(self, client: ApiClient, out: Output, runs: Sequence[Run], *, poll_s: float | None = None) -> None:
        self._client = client
        self._out = out
        self._followed = [Followed(run=run) for run in runs]
        self._poll_s = POLL_S if poll_s is None else poll_s
        self._failed_polls = 0
        self._cancels_sent = False
        for followed in self._followed:
            self._note_status(followed.run)

    def to_the_end(self) -> list[Run]:
        """Poll until every run ended; return them as they ended.

        An interrupt (Ctrl-C) cancels all of them and goes on following; a second one raises KeyboardInterrupt.
        """
        while not all(followed.ended for followed in self._followed):
            try:
                self._poll_all()
                time.sleep(self._poll_s)
            except KeyboardInterrupt:
                if self._cancels_sent:
                    self._out.note("not waiting any longer; what was canceled goes on ending by itself")
                    raise
                self._cancel_all()
        return [followed.run for followed in self._followed]

    def _poll_all(self) -> None:
        for followed in self._followed:
            if followed.ended:
                continue
            try:
                self._poll(followed)
            except Unavailable as error:
                self._failed_polls += 1
                if self._failed_polls == 1:
                    self._out.note(f"{error}; the runs go on, waiting for the API to come back")
                if self._failed_polls > MAX_FAILED_POLLS:
                    raise
                return
            self._failed_polls = 0

    def _poll(self, followed: Followed) -> None:
        # The run first: a log read after the run was seen to have ended is complete.
        run = self._client.run(followed.run.id)
        if run.status is not followed.run.status:
            self._note_status(run)
        followed.run = run
        if run.status is RunStatus.PENDING:
            followed.pending_polls += 1
            if followed.pending_polls == PENDING_POLLS:
                self._out.note(
                    f"{run.id} still waits for a free worker of region {run.region}; "
                    f"start one with INTERLOCK_REGIONS={run.region} if there is none"
                )
        more = True
        while more:
            chunk = self._client.logs(run.id, offset=followed.offset)
            self._show(followed, chunk.text)
            more = bool(chunk.text)
            followed.offset = chunk.next_offset
        if run.status.terminal:
            follow_up = self._follow_up(run)
            if follow_up is None:
                followed.ended = True
            else:
                does = "takes it back" if follow_up.kind is RunKind.ROLLBACK else "takes over and recovers what it left"
                self._out.note(f"{run.id} lost its lease; {follow_up.id} {does}")
                followed.run, followed.offset = follow_up, 0
                self._note_status(follow_up)

    def _follow_up(self, run: Run) -> Run | None:
        if run.status is not RunStatus.LOST or run.kind not in KINDS_WITH_FOLLOW_UP:
            return None
        if run.revoke_requested or run.cancel_requested:
            return None
        for _ in range(FOLLOW_UP_POLLS):
            for other in self._client.runs(target=run.target, limit=20):
                if other.retry_of == run.id:
                    return other
            time.sleep(self._poll_s)
        return None

    def _cancel_all(self) -> None:
        self._cancels_sent = True
        for followed in self._followed:
            if not followed.run.status.terminal:
                self._client.cancel_run(followed.run.id)
                self._out.note(f"canceling {followed.run.id}; interrupt again to stop waiting for it")

    def _note_status(self, run: Run) -> None:
        details = [f"epoch {run.epoch}"] if run.epoch is not None else []
        if run.node:
            details.append(f"on {run.node}")
        where = f" ({', '.join(details)})" if details else ""
        self._out.note(f"{run.kind.value} {run.target} {run.id}: {run.status.value}{where}")

    def _show(self, followed: Followed, text: str) -> None:
        if not text:
            return
        if len(self._followed) == 1:
            self._out.raw(text)
            return
        prefix = f"{followed.run.target} | "
        shown, followed.at_line_start = prefixed(text, prefix, at_line_start=followed.at_line_start)
        self._out.raw(shown)


def prefixed(text: str, prefix: str, *, at_line_start: bool) -> tuple[str, bool]:
    """`text` with `prefix` at the start of every line, and whether the next piece starts a line. Pure."""
    lines = text.splitlines(keepends=True)
    shown = [line if index == 0 and not at_line_start else prefix + line for index, line in enumerate(lines)]
    return "".join(shown), text.endswith("\n")


def stream_log(client: ApiClient, run_id: str, *, until_complete: bool, poll_s: float | None = None) -> Iterator[str]:
    """The pieces of a run's log; with `until_complete` it waits for more until the run has ended."""
    offset = 0
    while True:
        chunk = client.logs(run_id, offset=offset)
        if chunk.text:
            yield chunk.text
        offset = chunk.next_offset
        if chunk.complete or (not until_complete and not chunk.text):
            return
        if not chunk.text:
            time.sleep(POLL_S if poll_s is None else poll_s)
