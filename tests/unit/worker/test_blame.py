"""Whose doing a failure was."""

from __future__ import annotations

import pytest

from shared import exit_codes
from shared.errors import ApiError, ConfigurationError, InterlockError, LeaseRefused, PeerError, Unavailable
from shared.models import RunStatus
from worker.blame import of_error, of_outcome
from worker.provisioners.outcome import Outcome

FAILED = Outcome(status=RunStatus.ERRORED, exit_code=exit_codes.ERROR, reason="terraform plan failed")


@pytest.mark.parametrize("error", [Unavailable("no Redis", hint="start it"), LeaseRefused("not granted", hint="")])
def test_what_was_away_before_the_run_began_may_be_there_next_time(error: InterlockError) -> None:
    assert of_error(error, began=False).exit_code == exit_codes.UNAVAILABLE
    assert of_error(error, began=True).exit_code == exit_codes.ERROR
    assert of_error(error, began=False).status is RunStatus.ERRORED


@pytest.mark.parametrize(
    "error", [ConfigurationError("no"), PeerError("no"), ApiError("no", status=404, code="unknown_plan")]
)
def test_what_was_answered_with_a_no_stays_a_no(error: InterlockError) -> None:
    assert of_error(error, began=False).exit_code == exit_codes.ERROR


def test_the_reason_says_what_can_be_done() -> None:
    assert of_error(Unavailable("no Redis", hint="start it"), began=False).reason == "no Redis (start it)"


def test_a_plan_that_failed_while_the_scheduler_was_away_may_be_made_again() -> None:
    found = of_outcome(FAILED, began=False, api_was_away=True, state_left=False)
    assert (found.status, found.exit_code) == (RunStatus.ERRORED, exit_codes.UNAVAILABLE)
    assert found.reason == "terraform plan failed; the scheduler did not answer meanwhile"


def test_a_plan_that_failed_by_itself_has_failed() -> None:
    assert of_outcome(FAILED, began=False, api_was_away=False, state_left=False) is FAILED


def test_an_apply_that_could_not_store_its_state_is_lost_and_not_failed() -> None:
    found = of_outcome(FAILED, began=True, api_was_away=True, state_left=True)
    assert (found.status, found.exit_code) == (RunStatus.LOST, exit_codes.LEASE_LOST)
    assert "could not be stored" in found.reason


@pytest.mark.parametrize(("away", "left"), [(True, False), (False, True), (False, False)])
def test_any_other_apply_that_failed_has_failed(away: bool, left: bool) -> None:
    assert of_outcome(FAILED, began=True, api_was_away=away, state_left=left) is FAILED


@pytest.mark.parametrize("status", [RunStatus.APPLIED, RunStatus.PLANNED, RunStatus.CANCELED, RunStatus.LOST])
def test_what_ended_otherwise_is_left_alone(status: RunStatus) -> None:
    outcome = Outcome(status=status, exit_code=0)
    assert of_outcome(outcome, began=False, api_was_away=True, state_left=True) is outcome
