"""Plan files between two runs: what was approved is what is applied, byte for byte."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from shared.api_client import ApiClient
from shared.errors import PeerError
from shared.models import Assignment


def fetch(api: ApiClient, assignment: Assignment) -> bytes | None:
    """The plan that an apply run has to apply, verified against the digest that was approved.

    Args:
        api: has it.
        assignment: names it.

    Returns:
        The plan file; None for a run that makes its own plan.

    Raises:
        PeerError: the bytes are not the approved ones.
        ApiError: it was let go, or the lease is lost.
    """
    if assignment.plan is None:
        return None
    content = api.plan_to_apply(assignment.run.id, holder=assignment.holder)
    actual = f"sha256:{hashlib.sha256(content).hexdigest()}"
    if actual != assignment.plan.digest:
        raise PeerError(
            f"the plan of {assignment.plan.run_id} arrived as {actual} instead of {assignment.plan.digest}",
            hint="nothing was applied; discard the plan, its roll-out makes another one",
        )
    return content


def keeper(api: ApiClient, assignment: Assignment, note: Callable[[str], None]) -> Callable[[bytes, bool], None] | None:
    """What takes the plan file of a run whose plan is applied later; None for any other run.

    Args:
        api: keeps it.
        assignment: says whether.
        note: takes a line for the run's log.
    """
    if not assignment.keep_plan:
        return None

    def keep(content: bytes, changes: bool) -> None:
        saved = api.store_plan(assignment.run.id, holder=assignment.holder, content=content, changes=changes)
        actual = f"sha256:{hashlib.sha256(content).hexdigest()}"
        if saved.digest != actual:
            raise PeerError(f"the plan {actual} was stored as {saved.digest}", hint="run again")
        note(f"plan {saved.digest} is kept" + ("" if changes else "; it changes nothing"))

    return keep
