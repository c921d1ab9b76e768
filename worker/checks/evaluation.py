"""What one look at a check says, and what a row of looks comes to. Pure.

The policy for missing data decides what counts. Two things no policy changes: a check that was never good has not
passed, and an error is never good.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from shared.rollback.settings import CheckSettings, MissingData

MAX_DETAIL: Final = 500


class Grade(StrEnum):
    """What one evaluation found."""

    GOOD = "good"
    BAD = "bad"
    NO_DATA = "no data"
    """It was answered, and there is nothing to judge by."""
    ERROR = "error"
    """It could not be evaluated."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """One look."""

    grade: Grade
    """What it found."""
    detail: str = ""
    """In words, for people."""

    def __str__(self) -> str:
        """`bad: 3 is above 1`."""
        detail = self.detail[:MAX_DETAIL]
        return f"{self.grade}: {detail}" if detail else str(self.grade)


class Course:
    """One check through a bake time."""

    def __init__(self, check: CheckSettings) -> None:
        """Nothing is known yet.

        Args:
            check: its policy, and how many bad evaluations in a row are a failure.
        """
        self._check = check
        self._row = 0
        self._good = False
        self._last = Evaluation(grade=Grade.ERROR, detail="it was never evaluated")

    def take(self, evaluation: Evaluation) -> str | None:
        """Count one evaluation.

        Args:
            evaluation: the newest.

        Returns:
            Why the check failed, if this was one bad evaluation too many.
        """
        self._last = evaluation
        match self._counts_as(evaluation.grade):
            case Grade.GOOD:
                self._good, self._row = True, 0
            case Grade.BAD:
                self._row += 1
                if self._row >= self._check.failures:
                    times = f", {self._row} times in a row" if self._row > 1 else ""
                    return f"check {self._check.name} failed{times}: {evaluation}"
        return None

    def over(self) -> str | None:
        """Why the check has not passed, now that the bake time is over; None: it has."""
        if not self._good:
            return f"check {self._check.name} was never good; last {self._last}"
        if self._row:
            return f"check {self._check.name} was bad when the bake time was over: {self._last}"
        return None

    def _counts_as(self, grade: Grade) -> Grade | None:
        """Good, bad, or None for what is neither."""
        if grade in (Grade.GOOD, Grade.BAD):
            return grade
        if self._check.missing_data is MissingData.BREACHING:
            return Grade.BAD
        if self._check.missing_data is MissingData.NOT_BREACHING and grade is Grade.NO_DATA:
            return Grade.GOOD
        return None
