"""Whose doing a failure was: the work's, or that of parts of Interlock which did not answer. Pure.

A run that could not begin, or whose plan failed while the scheduler was away, says so by its exit code
(`exit_codes.UNAVAILABLE`): nothing was changed, so it may be tried again as it is. An apply that was at work and could
not store its state is reported as lost: the next run takes over what it left.
"""

from __future__ import annotations

from dataclasses import replace

from shared import exit_codes
from shared.errors import InterlockError, LeaseRefused, Unavailable
from shared.models import RunStatus
from worker.provisioners.outcome import Outcome

_TRANSIENT = (Unavailable, LeaseRefused)


def of_error(error: InterlockError, *, began: bool) -> Outcome:
    """The outcome of a run that ended with an error of ours.

    Args:
        error: the error.
        began: whether it began to apply, or its command began.
    """
    reason = f"{error} ({error.hint})" if error.hint else str(error)
    never_began = isinstance(error, _TRANSIENT) and not began
    code = exit_codes.UNAVAILABLE if never_began else exit_codes.ERROR
    return Outcome(status=RunStatus.ERRORED, exit_code=code, reason=reason)


def of_outcome(outcome: Outcome, *, began: bool, api_was_away: bool, state_left: bool) -> Outcome:
    """The same for a run whose provisioner ended by itself.

    Args:
        outcome: as the provisioner left it.
        began: whether it began to apply, or its command began.
        api_was_away: whether the scheduler did not answer at some time during the run.
        state_left: whether Terraform left a state that it could not store.
    """
    if outcome.status is not RunStatus.ERRORED or not api_was_away:
        return outcome
    if not began:
        reason = f"{outcome.reason}; the scheduler did not answer meanwhile"
        return replace(outcome, exit_code=exit_codes.UNAVAILABLE, reason=reason)
    if state_left:
        reason = f"{outcome.reason}; its state could not be stored because the scheduler did not answer"
        return Outcome(status=RunStatus.LOST, exit_code=exit_codes.LEASE_LOST, reason=reason)
    return outcome
