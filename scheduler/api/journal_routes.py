"""Routes: the journal."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from scheduler import journal
from scheduler.api.access import Context, allow
from scheduler.problems import invalid
from shared.models import JournalIntent, JournalOutcome, JournalRecord

router = APIRouter(prefix="/v1/journal", tags=["journal"])


@router.post("", status_code=201, dependencies=[allow("proxy")])
def record_intent(context: Context, intent: JournalIntent, response: Response) -> dict[str, str]:
    """Record a call that is about to be signed. 200 for one that is recorded already, 409 when its run is not live."""
    if not journal.record_intent(context, intent):
        response.status_code = 200
    return {"call_id": intent.call_id}


@router.post("/{call_id}/outcome", status_code=204, dependencies=[allow("proxy")])
def record_outcome(context: Context, call_id: str, outcome: JournalOutcome) -> None:
    """Record what became of a call; also long after its run is over."""
    if outcome.call_id != call_id:
        raise invalid(f"the path names call {call_id} and the body {outcome.call_id}")
    journal.record_outcome(context, outcome)


@router.get("", dependencies=[allow("worker")])
def list_journal(
    context: Context,
    target: str | None = None,
    run: str | None = None,
    epoch: Annotated[int | None, Query(ge=1)] = None,
    limit: Annotated[int, Query(ge=1, le=journal.MAX_LISTED)] = 1000,
) -> list[JournalRecord]:
    """Calls, the newest first."""
    return journal.listed(context, target=target, run_id=run, epoch=epoch, limit=limit)
