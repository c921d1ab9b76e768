"""A state that Terraform could not store: kept on this host's disk, and delivered to the quarantine of its epoch.

The two do not depend on each other: a full disk must not cost the delivery. Where both fail, the state is at risk, and
the run's directory must stay.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from shared.errors import InterlockError
from shared.log import log_event
from worker.run_directory import RunDirectory

_log = logging.getLogger(__name__)


class ErroredState:
    """What becomes of one run's errored.tfstate."""

    def __init__(
        self,
        directory: RunDirectory,
        *,
        run_id: str,
        node: str,
        note: Callable[[str], None],
        count: Callable[[str], None],
    ) -> None:
        """Bind the parts.

        Args:
            directory: the run's.
            run_id: the run.
            node: this host's name, for people who look for what is kept.
            note: takes a line for the run's log.
            count: counts an event.
        """
        self._directory = directory
        self._run_id = run_id
        self._node = node
        self._note = note
        self._count = count
        self.left = False
        """Whether Terraform left one."""
        self.at_risk = False
        """Whether the one in the run's directory may be the only one."""

    def save(self, deliver: Callable[[bytes], None]) -> None:
        """Keep it and deliver it, if there is one. Never fails the run.

        Args:
            deliver: gives it to the scheduler; raises InterlockError.
        """
        self.at_risk = True
        try:
            state = self._directory.errored_state()
        except (InterlockError, OSError) as error:
            log_event(_log, "state_unreadable", level=logging.ERROR, run=self._run_id, error=error)
            self._note(f"errored.tfstate cannot be read and stays in {self._directory.work}: {error}")
            return
        if state is None:
            self.at_risk = False
            return
        self.left = True
        try:
            self._directory.keep_errored_state(state)
            self.at_risk = False
            self._count("state_kept")
            self._note(f"errored.tfstate is kept in {self._directory.kept} on {self._node}")
        except OSError as error:
            log_event(_log, "state_not_kept", level=logging.ERROR, run=self._run_id, error=error)
            self._note(f"errored.tfstate was not kept: {error}")
        try:
            deliver(state)
            self.at_risk = False
            self._directory.mark_delivered()
            self._note("errored.tfstate was delivered to the quarantine of its epoch")
        except InterlockError as error:
            log_event(_log, "state_not_delivered", level=logging.WARNING, run=self._run_id, error=error)
            self._note(f"errored.tfstate was not delivered: {error}")
