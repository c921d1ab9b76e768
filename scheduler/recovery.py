"""What earlier runs left behind, for the next holder of a target.

A run that did not end cleanly may have created resources that no state holds. All its creates count as unsettled until
a later apply, destroy or recover on the target succeeded: that one looked at them, imported what it could and stopped
for the rest. It would not do to go by the newest state version alone: a recovering run that writes one version and is
cut in its turn would hide what its predecessor left.
"""

from sqlalchemy import Select, and_, exists, false, or_, select, tuple_
from sqlalchemy.orm import Session

from scheduler.context import SchedulerContext
from scheduler.journal import journal_record
from scheduler.problems import conflict
from scheduler.quarantine import newest_acceptable
from scheduler.rows import find_run, find_target, require_holder
from scheduler.tables import UNFINISHED_STATUSES, JournalRow, OrphanReportRow, QuarantineRow, RunRow
from shared.models import JournalRecord, Recovery, RunKind, RunStatus
from shared.recovery.calls import unsettled, was_answered
from shared.recovery.rules import import_id, names_of, rule_of

#: More than this many unsettled writes are a refusal, not a truncated list: what is left out would be ignored.
MAX_RECORDS = 20_000

#: How a run ends that may have left something.
UNCLEAN = (RunStatus.LOST, RunStatus.ERRORED, RunStatus.CANCELED, RunStatus.HALTED)

#: Kinds whose success accounts for all that was left before.
_SETTLING = (RunKind.APPLY, RunKind.DESTROY, RunKind.RECOVER)
#: Kinds that will take over what was left.
TAKING_OVER = (*_SETTLING, RunKind.ROLLBACK)


def recovery(context: SchedulerContext, target: str, *, run_id: str, holder: str) -> Recovery:
    """The quarantined state that may be accepted and the creates that no successful run has settled.

    Only for the live holder: raises `ApiError` 409 `lease_lost` for anybody else, 404 for an unknown target.
    """
    with context.database.read() as session:
        row = find_target(session, target)
        run = find_run(session, run_id)
        require_holder(run, holder)
        if run.target != target or run.epoch != row.epoch:
            raise conflict("lease_lost", f"run {run_id} is not the live holder of {target}")
        # Whoever takes back what it deployed itself accounts for its own calls too: an answer may have been lost.
        own = run_id if run.status == RunStatus.ROLLING_BACK else None
        creates = _unsettled_creates(session, run, before_epoch=row.epoch, own=own)
        return Recovery(
            quarantine=newest_acceptable(context, session, target, before_epoch=row.epoch),
            creates=tuple(creates),
            others=_answered_alike(session, creates),
        )


def run_to_recover(session: Session, target: str, *, before_epoch: int) -> str | None:
    """The newest run on the target that was lost, or that ended uncleanly and left something, since the last
    success.
    """
    clean = _last_success(session, target, before_epoch)
    wrote = exists().where(JournalRow.run_id == RunRow.id, JournalRow.access == "write")
    kept = exists().where(QuarantineRow.run_id == RunRow.id, QuarantineRow.accepted_by.is_(None))
    query = (
        select(RunRow.id)
        .where(
            RunRow.target == target,
            RunRow.epoch > clean,
            RunRow.epoch < before_epoch,
            RunRow.status.in_(UNCLEAN),
            (RunRow.status == RunStatus.LOST) | wrote | kept,
        )
        .order_by(RunRow.epoch.desc())
        .limit(1)
    )
    return session.scalars(query).one_or_none()


def first_success(session: Session, run: RunRow) -> RunRow | None:
    """The run that took over what `run` left and succeeded: the first of those after it that are told of its calls."""
    if run.kind == RunKind.EXEC:
        return None  # what a command made is named to who takes over, and left alone
    query = _successes(run.target).where(RunRow.epoch > (run.epoch or 0)).order_by(RunRow.epoch).limit(1)
    if run.status == RunStatus.APPLIED:
        query = query.where(RunRow.kind == RunKind.RECOVER)
    return session.scalars(query).one_or_none()


def accounts_for_parts(session: Session, run: RunRow) -> bool:
    """Whether a run that succeeded since has looked for what `run` had set on something else.

    That goes with what it was set on, as a rule, so another configuration that has no place for it takes no notice. A
    rollback names it, and a run of the kind `recover` plans the configuration that has the place.
    """
    asked = (RunRow.kind == RunKind.RECOVER) | (RunRow.status == RunStatus.ROLLED_BACK)
    query = _successes(run.target).where(RunRow.epoch > (run.epoch or 0), asked).limit(1)
    return session.scalars(query).one_or_none() is not None


def taking_over(session: Session, target: str, *, kinds: tuple[RunKind, ...] = TAKING_OVER) -> RunRow | None:
    """A run that waits for the target, or has it, and will take over what was left."""
    query = select(RunRow).where(
        RunRow.target == target, RunRow.kind.in_(kinds), RunRow.status.in_(UNFINISHED_STATUSES)
    )
    return session.scalars(query.order_by(RunRow.sequence).limit(1)).one_or_none()


def _last_success(session: Session, target: str, before_epoch: int) -> int:
    query = _successes(target).where(RunRow.epoch < before_epoch).order_by(RunRow.epoch.desc()).limit(1)
    found = session.scalars(query).one_or_none()
    return 0 if found is None or found.epoch is None else found.epoch


def _successes(target: str) -> Select[RunRow]:
    # A rollback takes over what was left and ends with a plan without changes: as clean an end, unless it is reported
    # to have left something itself.
    reported = exists().where(OrphanReportRow.run_id == RunRow.id, OrphanReportRow.open.is_(True))
    well = (RunRow.status == RunStatus.APPLIED) & RunRow.kind.in_(_SETTLING)
    back = (RunRow.status == RunStatus.ROLLED_BACK) & ~reported
    return select(RunRow).where(RunRow.target == target, well | back)


def _unsettled_creates(session: Session, run: RunRow, *, before_epoch: int, own: str | None) -> list[JournalRecord]:
    """Of runs before that epoch that may have left something, and of the run `own`."""
    target = run.target
    reported_open = exists().where(OrphanReportRow.run_id == RunRow.id, OrphanReportRow.open.is_(True))
    well = RunRow.status == RunStatus.APPLIED
    cut = and_(
        JournalRow.epoch > _last_success(session, target, before_epoch),
        # A rollback that succeeded deleted what it had made, unless a report says that something is left.
        or_(RunRow.status.in_(UNCLEAN), reported_open),
    )
    # What a run that ended well may have left beside what it deployed stops no other deployment, nor does what one that
    # was cut had set on something else and nobody has taken over since.
    beside = and_(reported_open, or_(well, RunRow.status.in_(UNCLEAN))) if run.kind == RunKind.RECOVER else false()
    query = (
        select(JournalRow, well)
        .join(RunRow, RunRow.id == JournalRow.run_id)
        .where(
            JournalRow.target == target,
            JournalRow.access == "write",
            or_(and_(JournalRow.epoch < before_epoch, or_(cut, beside)), RunRow.id == own),
        )
        .order_by(JournalRow.id)
        .limit(MAX_RECORDS + 1)
    )
    found = [(journal_record(row), ended_well) for row, ended_well in session.execute(query)]
    writes = [record for record, _ in found]
    if len(writes) > MAX_RECORDS:
        raise conflict(
            "too_much_to_recover",
            f"more than {MAX_RECORDS} calls on {target} are unsettled",
            "compare `interlock run logs` of its lost runs with the cloud by hand",
        )
    # Terraform was told of what was answered.
    told = {record.call_id for record, ended_well in found if ended_well and was_answered(record)}
    return [record for record in unsettled(writes) if record.call_id not in told]


def _answered_alike(session: Session, creates: list[JournalRecord]) -> tuple[str, ...]:
    """Ids in the newest answers of all calls, whoever made them, that make what only an id tells apart: of the kinds
    that have a lost answer here.
    """
    rules = [rule for one in creates if not was_answered(one) and (rule := rule_of(one)) and rule.anonymous]
    kinds = sorted({(rule.service, rule.operation) for rule in rules})
    if not kinds:
        return ()
    query = (
        select(JournalRow)
        .where(
            tuple_(JournalRow.service, JournalRow.operation).in_(kinds),
            JournalRow.access == "write",
            JournalRow.outcome == "answered",
        )
        .order_by(JournalRow.id.desc())
        .limit(MAX_RECORDS)
    )
    answered = (journal_record(row) for row in session.scalars(query))
    ids = {import_id(rule, names_of(one)) for one in answered if was_answered(one) and (rule := rule_of(one))}
    return tuple(sorted(one for one in ids if one))
