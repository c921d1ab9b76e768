"""The journal: every mutating call is recorded before the proxy signs it, and its outcome after.

An intent to change something is refused unless its run is live, so that a proxy that missed everything else still gets
no signature: no journal, no signature. A read is written down behind the call; it may come when its run is over.
"""

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from scheduler.context import SchedulerContext
from scheduler.problems import conflict, lease_lost, not_found
from scheduler.rows import find_run, find_target
from scheduler.tables import LIVE_STATUSES, JournalRow
from shared.models import JournalIntent, JournalOutcome, JournalRecord

MAX_LISTED = 10_000


def record_intent(context: SchedulerContext, intent: JournalIntent) -> bool:
    """Record a call that is about to be signed, or a read. True for a new one, False for a repetition of the same.

    Raises `ApiError` 404 for an unknown run, 409 `lease_lost` when the run never had this epoch or, but for a read, is
    not live under it, and 409 `call_id_taken` when the id stands for another call.
    """
    document = intent.model_dump(mode="json")
    try:
        with context.database.write() as session:
            run = find_run(session, intent.run_id)
            its_own = run.target == intent.target and run.epoch == intent.epoch
            reads = intent.access == "read"
            if not its_own or not (reads or run.status in LIVE_STATUSES):
                raise lease_lost(run.id, f"it is {run.status} and not live on {intent.target} under {intent.epoch}")
            if not reads and find_target(session, run.target).epoch != intent.epoch:
                raise lease_lost(run.id, f"epoch {intent.epoch} of {run.target} is over")
            session.add(
                JournalRow(
                    call_id=intent.call_id,
                    run_id=intent.run_id,
                    target=intent.target,
                    epoch=intent.epoch,
                    service=intent.service,
                    operation=intent.operation,
                    access=intent.access,
                    intent=document,
                    recorded_at=context.clock.wall(),
                )
            )
    except IntegrityError:
        with context.database.read() as session:
            known = session.scalars(select(JournalRow).where(JournalRow.call_id == intent.call_id)).one()
            if known.intent != document:
                raise conflict("call_id_taken", f"call {intent.call_id} stands for another call") from None
        return False
    return True


def record_outcome(context: SchedulerContext, outcome: JournalOutcome) -> None:
    """Record what became of a call. Accepted at any time, also long after the run is over.

    A known outcome replaces `unknown`; two different known ones are a contradiction. Raises `ApiError` 404 and 409.
    """
    document = outcome.model_dump(mode="json")
    with context.database.write() as session:
        row = session.scalars(
            select(JournalRow).where(JournalRow.call_id == outcome.call_id).with_for_update()
        ).one_or_none()
        if row is None:
            raise not_found("call", outcome.call_id, "record its intent first")
        if row.answer == document or (row.outcome in ("answered", "refused") and outcome.outcome == "unknown"):
            return
        if row.outcome not in (None, "unknown"):
            raise conflict("outcome_known", f"call {outcome.call_id} was {row.outcome} already")
        row.outcome = outcome.outcome
        row.answer = document


def listed(
    context: SchedulerContext, *, target: str | None, run_id: str | None, epoch: int | None, limit: int
) -> list[JournalRecord]:
    """Calls, the newest first."""
    query = select(JournalRow).order_by(JournalRow.id.desc()).limit(min(limit, MAX_LISTED))
    if target is not None:
        query = query.where(JournalRow.target == target)
    if run_id is not None:
        query = query.where(JournalRow.run_id == run_id)
    if epoch is not None:
        query = query.where(JournalRow.epoch == epoch)
    with context.database.read() as session:
        return [journal_record(row) for row in session.scalars(query)]


def journal_record(row: JournalRow) -> JournalRecord:
    """The call and its outcome as the API shows them."""
    answer = row.answer or {}
    return JournalRecord.model_validate(
        {
            **row.intent,
            "outcome": row.outcome,
            "http_status": answer.get("http_status"),
            "outcome_resource": answer.get("resource") or {},
            "error_code": answer.get("error_code"),
        }
    )
