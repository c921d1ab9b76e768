"""The time after an apply in which a target is watched, its lease still held: what takes the deployment back.

Every check is evaluated at once, then every so often, and no check less than once. The first that fails ends it; at the
end each has to have been good. What a check's evaluations come to is `checks.evaluation`'s to say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.clock import Clock
from shared.errors import ConfigurationError
from shared.rollback.places import placed
from shared.rollback.records import MAX_WHY
from shared.rollback.settings import CheckSettings, RollbackSettings, Trigger, trigger_of
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
        """Begin one."""
        ...


@dataclass(kw_only=True)
class _Watched:
    """One check and where it stands."""

    check: CheckSettings
    course: Course
    due_ms: int
    begun_ms: int | None = None
    look: Look | None = None
    last: Grade | None = None

    def due(self, now_ms: int, ends_ms: int) -> bool:
        """Whether it is to be evaluated: in its turn, and once more when the bake is over, which tells how it ended."""
        if self.look is not None:
            return False
        return self.due_ms <= now_ms < ends_ms or (now_ms >= ends_ms and not self.over(ends_ms))

    def over(self, ends_ms: int) -> bool:
        """Whether an evaluation that began at the end, or after it, has come."""
        return self.look is None and self.last is not None and self.begun_ms is not None and self.begun_ms >= ends_ms


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

    def watch(self, values: Mapping[str, str]) -> Triggered | None:
        """Watch until the bake time is over.

        Args:
            values: what checks refer to, by name.

        Returns:
            Why the deployment is taken back; None: it held.

        Raises:
            StopRequested: the run has to stop; an operator's wish for a rollback is one.
            PeerError: the sandbox is gone.
        """
        began_ms = self._clock.boot_ms()
        ends_ms = began_ms + self._settings.bake_s * 1000
        watched = []
        for check in self._settings.checks:
            try:
                watched.append(_Watched(check=placed(check, values), course=Course(check), due_ms=began_ms))
            except ConfigurationError as error:
                # It can never be good, so it will not have passed.
                return self._triggered(check, str(error))
        self._note(f"watched for {self._settings.bake_s} s by {len(watched)} checks")
        while True:
            if (triggered := self._collect(watched)) is not None:
                return triggered
            now_ms = self._clock.boot_ms()
            for one in watched:
                if one.due(now_ms, ends_ms):
                    self._begin(one, watched)
            if (triggered := self._collect(watched)) is not None:
                return triggered
            if self._clock.boot_ms() >= ends_ms and all(one.over(ends_ms) for one in watched):
                break
            self._wait(self._pause(watched, ends_ms))
        for one in watched:
            if (why := one.course.over()) is not None:
                return self._triggered(one.check, why)
        self._note("every check has passed" if watched else "the bake time is over")
        return None

    def _begin(self, one: _Watched, watched: Sequence[_Watched]) -> None:
        begun_ms = self._clock.boot_ms()
        look = self._looks.begin(one.check, lambda: any(_fails(other) for other in watched))
        if look is not None:
            one.look, one.begun_ms = look, begun_ms
            one.due_ms = begun_ms + one.check.every_s * 1000

    def _collect(self, watched: Sequence[_Watched]) -> Triggered | None:
        """Count the evaluations that have come."""
        for one in watched:
            evaluation = one.look() if one.look is not None else None
            if evaluation is None:
                continue
            if evaluation.grade is not one.last:
                self._note(f"check {one.check.name}: {evaluation}")
            one.look, one.last = None, evaluation.grade
            if (why := one.course.take(evaluation)) is not None:
                return self._triggered(one.check, why)
        return None

    def _pause(self, watched: Sequence[_Watched], ends_ms: int) -> int:
        if any(one.look is not None for one in watched):
            return _SHORT_PAUSE_MS
        next_ms = min([ends_ms, *(one.due_ms for one in watched)])
        return max(_SHORT_PAUSE_MS, min(_PAUSE_MS, next_ms - self._clock.boot_ms()))

    def _triggered(self, check: CheckSettings, why: str) -> Triggered:
        return Triggered(trigger=trigger_of(check), reason=why[:MAX_WHY], at_ms=self._clock.boot_ms())


def _fails(one: _Watched) -> bool:
    """Whether an evaluation has come that is the trigger."""
    evaluation = one.look() if one.look is not None else None
    return evaluation is not None and one.course.would_fail(evaluation)
