"""What a row of evaluations comes to."""

from __future__ import annotations

import pytest

from tests.unit.worker.checks.support import http
from worker.checks.evaluation import MAX_DETAIL, Course, Evaluation, Grade

GOOD, BAD, NO_DATA, ERROR = (Evaluation(grade=grade) for grade in Grade)


def run(course: Course, *evaluations: Evaluation) -> str | None:
    """The first failure, or what is said at the end."""
    for evaluation in evaluations:
        if (why := course.take(evaluation)) is not None:
            return why
    return course.over()


def test_a_check_that_was_good_has_passed() -> None:
    assert run(Course(http()), GOOD) is None


def test_as_many_bad_ones_in_a_row_as_the_check_says_are_a_failure() -> None:
    course = Course(http(failures=3))
    assert run(course, GOOD, BAD, BAD, GOOD, BAD, BAD, BAD) == "check up failed, 3 times in a row: bad"


def test_bad_ones_that_clear_are_none() -> None:
    assert run(Course(http(failures=3)), BAD, BAD, GOOD, BAD, BAD, GOOD) is None


def test_one_that_is_bad_when_the_time_is_over_has_not_passed() -> None:
    why = run(Course(http(failures=3)), GOOD, BAD)
    assert why is not None
    assert why.startswith("check up was bad when the bake time was over: bad")


@pytest.mark.parametrize("policy", ["breaching", "ignore", "not_breaching"])
def test_one_that_could_never_be_evaluated_has_not_passed_whatever_its_policy(policy: str) -> None:
    why = run(Course(http(missing_data=policy, failures=5)), ERROR, ERROR)
    assert why == "check up was never good; last error"


@pytest.mark.parametrize("policy", ["breaching", "ignore"])
def test_one_that_never_had_data_has_not_passed(policy: str) -> None:
    assert run(Course(http(missing_data=policy, failures=5)), NO_DATA) is not None


def test_no_data_is_good_where_the_policy_says_so_and_an_error_is_not() -> None:
    assert run(Course(http(missing_data="not_breaching")), NO_DATA, ERROR, ERROR) is None


def test_missing_data_is_bad_where_the_policy_says_so() -> None:
    assert run(Course(http(missing_data="breaching", failures=2)), GOOD, NO_DATA, ERROR) is not None


@pytest.mark.parametrize("missing", [NO_DATA, ERROR])
def test_what_is_ignored_breaks_no_row(missing: Evaluation) -> None:
    assert run(Course(http(missing_data="ignore", failures=2)), GOOD, BAD, missing, BAD) is not None


def test_one_that_was_never_looked_at_has_not_passed() -> None:
    assert Course(http()).over() == "check up was never good; last error: it was never evaluated"


def test_a_detail_is_bounded() -> None:
    assert len(str(Evaluation(grade=Grade.BAD, detail="x" * 10_000))) < MAX_DETAIL + 20
