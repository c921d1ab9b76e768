"""What an earlier worker on this host left on its disk: states that nobody got, and directories of runs that are over.

A worker that is killed delivers nothing. The next one on the host does it: each errored.tfstate, kept or still in a
run's directory, goes to the quarantine of its epoch, where the next holder of the target finds it. Once that is done
the directory goes. Only what lay there when the worker started is looked at, and only for so long.
"""

from __future__ import annotations

import logging
import re
import threading
from pathlib import Path

from shared.api_client import ApiClient
from shared.clock import Clock
from shared.errors import ApiError, InterlockError
from shared.log import log_event
from shared.models import Run
from worker.run_directory import DELIVERED, ERRORED_STATE, MAX_STATE_BYTES, RunDirectory

#: Directories that are looked at; the youngest first.
MAX_DIRECTORIES = 256
#: The API may come up after the worker, and the observer needs its time to end a run.
LIMIT_MS = 600_000
PAUSE_S = 5.0
_RUN_ID = re.compile(r"run-[0-9a-f]{16}")

_log = logging.getLogger(__name__)


class Leftovers:
    """What lay there when this was made."""

    def __init__(self, home: Path, api: ApiClient, clock: Clock) -> None:
        """Look at the disk.

        Args:
            home: the worker's own directory.
            api: knows the runs, takes states.
            clock: bounds how long it is tried.
        """
        self._home = home
        self._api = api
        self._clock = clock
        self.waiting = [*_runs_in(home / "runs"), *(path for path in _runs_in(home / "kept") if _undelivered(path))]

    def deliver_all(self, stop: threading.Event) -> None:
        """Try until nothing waits any more, `LIMIT_MS` are over or `stop` is set. Raises nothing.

        Args:
            stop: ends it.
        """
        give_up_at_ms = self._clock.boot_ms() + LIMIT_MS
        while self.waiting and not stop.is_set() and self._clock.boot_ms() < give_up_at_ms:
            self.try_once()
            if self.waiting:
                stop.wait(PAUSE_S)
        for path in self.waiting:
            log_event(_log, "leftover_stays", level=logging.WARNING, path=path)

    def try_once(self) -> None:
        """Deal with whatever can be dealt with now."""
        self.waiting = [path for path in self.waiting if not self._dealt_with(path)]

    def _dealt_with(self, path: Path) -> bool:
        try:
            run = self._api.run(path.name)
        except ApiError as error:
            if error.status != 404:
                return False
            # Another installation's, or older than its database: nobody would take it.
            log_event(_log, "leftover_of_an_unknown_run", level=logging.WARNING, path=path)
            return True
        except InterlockError:
            return False
        if not run.status.terminal:
            return False
        try:
            return self._settled(RunDirectory(self._home, run.id), run)
        except (InterlockError, OSError) as error:
            log_event(_log, "leftover_failed", level=logging.WARNING, path=path, error=error)
            return not isinstance(error, InterlockError) or isinstance(error, ApiError)

    def _settled(self, directory: RunDirectory, run: Run) -> bool:
        if directory.work.is_dir() and (state := directory.errored_state()) is not None:
            directory.keep_errored_state(state)
        if _undelivered(directory.kept) and run.epoch is not None:
            with (directory.kept / ERRORED_STATE).open("rb") as file:
                state = file.read(MAX_STATE_BYTES)
            self._api.quarantine_state(run.target, epoch=run.epoch, run=run.id, state=state)
            directory.mark_delivered()
            log_event(_log, "leftover_state_delivered", run=run.id, target=run.target, epoch=run.epoch)
        directory.remove()
        return True


def _runs_in(folder: Path) -> list[Path]:
    try:
        found = [path for path in folder.iterdir() if _RUN_ID.fullmatch(path.name) and path.is_dir()]
    except FileNotFoundError:
        return []
    return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)[:MAX_DIRECTORIES]


def _undelivered(kept: Path) -> bool:
    return (kept / ERRORED_STATE).is_file() and not (kept / DELIVERED).exists()
