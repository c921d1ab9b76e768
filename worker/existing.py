"""Finds out, before anything is applied, what a deployment would take over by making it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from shared.models import Assignment, JournalRecord
from shared.recovery.building import Call
from shared.recovery.existing import find_existing
from shared.recovery.questions import Answer
from shared.safety.entries import Existing
from worker.commands import BoundedCommands
from worker.provisioners.terraform import Terraform
from worker.questions import ask

#: For all questions about one plan; what was not answered by then may exist.
LIMIT_MS: Final = 300_000


class ExistingThings:
    """One run's questions."""

    def __init__(
        self,
        assignment: Assignment,
        commands: BoundedCommands,
        *,
        confined: bool,
        made: Callable[[], Iterable[JournalRecord]],
    ) -> None:
        """Bind the parts.

        Args:
            assignment: the run.
            commands: runs the questions.
            confined: whether commands run in a sandbox (decides paths).
            made: journaled creates of earlier runs.
        """
        self._assignment = assignment
        self._commands = commands
        self._confined = confined
        self._made = made

    def __call__(self, terraform: Terraform, shown: Mapping[str, Any]) -> frozenset[Existing]:
        """What the plan would take over, or may; nothing for a run whose deployment nobody takes back.

        Args:
            terraform: has just planned.
            shown: the plan, as `terraform show -json` says it.

        Raises:
            StopRequested: the run has to stop.
        """
        precedents = self._assignment.precedents
        if precedents is None:
            return frozenset()

        def transport(calls: Sequence[Call]) -> Sequence[Answer]:
            return ask(
                calls,
                terraform.directory,
                confined=self._confined,
                run=lambda argv, capture: self._commands.run_within(
                    argv, limit_ms=LIMIT_MS, enough=lambda: False, capture=capture
                ),
            )

        return find_existing(
            shown,
            region=self._assignment.target.provider_region,
            precedents=precedents,
            made=self._made(),
            transport=transport,
        )
