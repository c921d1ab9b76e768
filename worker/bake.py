"""The time after an apply in which a target is watched, its lease still held: what takes the deployment back.

Every check is evaluated at once, then every so often, and no check less than once. The first that fails ends it; at the
end each has to have been good. What a check's evaluations come to is `checks.evaluation`'s to say.

One look at a time is at work in the sandbox, and it holds up whoever begins it. Meanwhile it asks whether it is enough,
several times a second, and each time the other checks are attended to: begun when they are due, counted when they come.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from shared.clock import Clock
from shared.errors import ConfigurationError
from shared.rollback.places import placed
from shared.rollback.records import MAX_WHY
from shared.rollback.settings import IN_SANDBOX, CheckSettings, RollbackSettings, Trigger, trigger_of
from worker.checks.evaluation import Course, Grade
from worker.checks.looks import Look

_PAUSE_MS = 1_000
#: While an answer is awaited, or a check is due.
_SHORT_PAUSE_MS = 50


@dataclass(frozen=True, kw_only=True)
class Triggered:
    """Why a deployment is taken back."""

    trigger: Trigger
    """Which kind."""
    reason: str
    """In words."""
    at_ms: int
    """When it was known, on the boot clock."""


class Begins(Protocol):
    """Begins evaluations; see `checks.looks.Looks`."""

    def begin(self, check: CheckSettings, enough: Callable[[], bool]) -> Look | None:
        """Begin one; what is in the sandbox is at its end then, and asks meanwhile whether it is enough."""
        ...


@dataclass(kw_only=True)
class _Watched:
    """One check and where it stands."""

    check: CheckSettings
    course: Course
    due_ms: int
    #: When the newest look was; below zero: never.
    begun_ms: int = -1
    look: Look | None = None
    last: Grade | None = None

    @property
    def in_sandbox(self) -> bool:
        """Whether its looks wait for the sandbox, and whoever begins one for its end."""
        return isinstance(self.check, IN_SANDBOX)

    def due(self, now_ms: int, ends_ms: int) -> bool:
        """Whether it is to be evaluated: in its turn, and once more when the bake is over, which tells how it ended."""
        if self.look is not None:
            return False
        return self.due_ms <= now_ms < ends_ms or (now_ms >= ends_ms and not self.over(ends_ms))

    def over(self, ends_ms: int) -> bool:
        """Whether an evaluation that began at the end, or after it, has come."""
        return self.look is None and self.begun_ms >= ends_ms


class Bake:
    """One run's bake time."""

    def __init__(
        self,
        settings: RollbackSettings,
        *,
        looks: Begins,
        wait: Callable[[int], None],
        clock: Clock,
        note: Callable[[str], None],
    ) -> None:
        """Bind the parts.

        Args:
            settings: how long, and by what.
            looks: begins evaluations.
            wait: pauses for so many milliseconds; raises StopRequested when the run has to stop.
            clock: boot clock.
            note: takes a line for the run's log.
        """
        self._settings = settings
        self._looks = looks
        self._wait = wait
        self._clock = clock
        self._note = note
        self._watched: list[_Watched] = []
        self._ends_ms = 0
        self._found: Triggered | None = None

    def watch(self, values: Mapping[str, str]) -> Triggered | None:
        """Watch until the bake time is over; once. It takes `RollbackSettings.watched_s` at most.

        Args:
            values: what checks refer to, by name.

        Returns:
            Why the deployment is taken back; None: it held.

        Raises:
            StopRequested: the run has to stop; an operator's wish for a rollback is one.
            PeerError: the sandbox is gone.
        """
        began_ms = self._clock.boot_ms()
        self._ends_ms = began_ms + self._settings.bake_s * 1000
        for check in self._settings.checks:
            try:
                one = _Watched(check=placed(check, values), course=Course(check), due_ms=began_ms)
            except ConfigurationError as error:
                # It can never be good, so it will not have passed.
                return self._triggered(check, str(error))
            self._watched.append(one)
        self._note(f"watched for {self._settings.bake_s} s by {len(self._watched)} checks")
        while not self._attend():
            if self._clock.boot_ms() >= self._ends_ms and all(one.over(self._ends_ms) for one in self._watched):
                self._note("every check has passed" if self._watched else "the bake time is over")
                return None
            if (one_due := self._next_in_sandbox()) is not None:
                self._begin(one_due)
            else:
                self._wait(self._pause())
        return self._found

    def _attend(self) -> bool:
        """Begin what is due and waits for nobody, and count what has come; whether the deployment is taken back."""
        for one in self._watched:
            if self._found is not None:
                break
            if not one.in_sandbox and one.due(self._clock.boot_ms(), self._ends_ms):
                self._begin(one)
            self._collect(one)
        return self._found is not None

    def _next_in_sandbox(self) -> _Watched | None:
        """Whose turn it is in the sandbox: of those that are due the one whose last look is the longest ago.

        So a check that is due waits for each of the others once at most, however slow they are and however often due.
        """
        now_ms = self._clock.boot_ms()
        due = [one for one in self._watched if one.in_sandbox and one.due(now_ms, self._ends_ms)]
        return min(due, key=lambda one: one.begun_ms, default=None)

    def _begin(self, one: _Watched) -> None:
        begun_ms = self._clock.boot_ms()
        look = self._looks.begin(one.check, self._attend)
        if look is not None:
            one.look, one.begun_ms = look, begun_ms
            one.due_ms = begun_ms + one.check.every_s * 1000

    def _collect(self, one: _Watched) -> None:
        """Count its evaluation, if it has come."""
        evaluation = one.look() if one.look is not None else None
        if evaluation is None:
            return
        if evaluation.grade is not one.last:
            self._note(f"check {one.check.name}: {evaluation}")
        one.look, one.last = None, evaluation.grade
        why = one.course.take(evaluation)
        if why is None and one.over(self._ends_ms):
            why = one.course.over()
        if why is not None:
            self._found = self._triggered(one.check, why)

    def _pause(self) -> int:
        if any(one.look is not None for one in self._watched):
            return _SHORT_PAUSE_MS
        next_ms = min([self._ends_ms, *(one.due_ms for one in self._watched)])
        return max(_SHORT_PAUSE_MS, min(_PAUSE_MS, next_ms - self._clock.boot_ms()))

    def _triggered(self, check: CheckSettings, why: str) -> Triggered:
        return Triggered(trigger=trigger_of(check), reason=why[:MAX_WHY], at_ms=self._clock.boot_ms())
