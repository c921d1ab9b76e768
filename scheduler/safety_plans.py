"""Safety plans: what a run's plan does is kept, judged by the rules of its release, and approved by persons.

The worker delivers what the plan does before anything of it is applied, and applies only what is accepted here. The
signing proxy asks here too what a run may have signed, so a worker that went on without being told gets nothing signed.

The rules are the release's (`safety` in flock.yaml), and an approval names a release: changed configuration, another
artifact or other rules make another release, for which nobody has approved anything.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from scheduler import persons, safety_approvals
from scheduler.context import SchedulerContext
from scheduler.database import insert_into
from scheduler.problems import conflict, invalid, not_found
from scheduler.releases import get_manifest
from scheduler.rollback import at_work
from scheduler.rollback import consents as rollback_consents
from scheduler.rows import find_run, find_target, lock_run, require_holder
from scheduler.tables import (
    LIVE_STATUSES,
    JournalRow,
    ReleaseRow,
    RolloutRow,
    RunRow,
    SafetyApprovalRow,
    SafetyPlanRow,
)
from shared.models import RunKind, RunStatus
from shared.release_manifest import Manifest
from shared.rollback.records import Rearrangement
from shared.safety.allowance import Allowance, AllowedEntry
from shared.safety.comparison import named, outside
from shared.safety.entries import Place, SafetyPlan, in_order
from shared.safety.records import SafetyApproval, SafetyRecord, Unused
from shared.safety.unused import unused as unused_entries
from shared.safety.verdict import Decision, Verdict, consentable, judge

_SHOWN = 1000


def deliver(
    context: SchedulerContext,
    run_id: str,
    *,
    holder: str,
    plan: SafetyPlan,
    rearranged: Rearrangement | None = None,
) -> SafetyRecord:
    """Keep what the plan of a run does, and decide about it. The same one again gets the same answer.

    With it comes, of a deployment that could be taken back, what its plan does with addresses only.

    Raises `ApiError` 409 `lease_lost` for anybody but the holder, 409 `other_plan` for a second, different plan, and
    400 for a run that makes no plan.
    """
    with context.database.write() as session:
        run, _ = lock_run(context.database, session, run_id)
        require_holder(run, holder)
        if run.kind == RunKind.EXEC or run.release_digest is None:
            raise invalid(f"run {run_id} makes no plan", "an exec run's command cannot be looked into")
        at_work.keep_rearrangement(session, run, rearranged)
        kept = session.get(SafetyPlanRow, run_id)
        if kept is None:
            kept = SafetyPlanRow(
                run_id=run_id,
                target=run.target,
                release_digest=run.release_digest,
                digest=plan.normalised(_place(_manifest(session, run), run.target)).digest,
                document=plan.model_dump(mode="json"),
                verdict=_decide(session, run, plan).model_dump(mode="json"),
                created_at=context.clock.wall(),
            )
            session.add(kept)
            session.flush()
        elif _plan_of(kept) != plan:
            raise conflict("other_plan", f"run {run_id} has delivered another safety plan already")
        return _record(session, kept, Verdict.model_validate(kept.verdict))


def get(context: SchedulerContext, run_id: str) -> SafetyRecord:
    """The safety plan of a run, judged by the approvals that there are now. Raises a 404.

    Once its release was let go nothing can be approved any more: then by those that there were when it was delivered.
    """
    with context.database.read() as session:
        run = find_run(session, run_id)
        row = _find(session, run_id)
        if session.scalar(select(ReleaseRow.sequence).where(ReleaseRow.digest == row.release_digest)) is None:
            return _record(session, row, Verdict.model_validate(row.verdict))
        return _record(session, row, judge_run(session, run))


def approve(
    context: SchedulerContext, run_id: str, *, digest: str, actor: str, consents: Collection[str] = ()
) -> SafetyRecord:
    """A person has looked at the safety plan of a run and approves it, and whatever does no more. With `consents` that
    person agrees, by address, to what cannot be undone; that counts for the run's target alone.

    Raises `ApiError` 404 where there is none, 409 `other_plan` when it is not the one that was looked at, and 409
    `forbidden` when nobody may approve it. Approving it twice changes nothing.
    """
    with context.database.write() as session:
        run = find_run(session, run_id)
        row = _find(session, run_id)
        if row.digest != digest:
            raise conflict("other_plan", f"the safety plan of {run_id} is {row.digest}", "look at it, then approve it")
        verdict = approve_within(context, session, run, actor=actor, consents=consents)
        return _record(session, row, verdict or judge_run(session, run))


def approve_within(
    context: SchedulerContext,
    session: Session,
    run: RunRow,
    *,
    actor: str,
    retried: Mapping[str, str] | None = None,
    consents: Collection[str] = (),
) -> Verdict | None:
    """As `approve`, in the caller's transaction; returns what may become of the plan now, None where there is none.

    Raises `ApiError` 400 for an approval by nobody and for a consent to what needs none, 409 `forbidden`.
    """
    row = session.get(SafetyPlanRow, run.id)
    if row is None:
        return None
    before = judge_run(session, run, retried=retried)
    if before.decision in (Decision.FORBIDDEN, Decision.OUTSIDE):
        raise conflict("forbidden", f"nobody can approve the safety plan of {run.id}: {before.why}", "change the plan")
    if consents:
        _require_wanted(_plan_of(row), consents)
        rollback_consents.give(context, session, run, consents, actor=actor)
    place = _place(_manifest(session, run), run.target)
    session.execute(
        insert_into(session, SafetyApprovalRow)
        .values(
            release_digest=row.release_digest,
            digest=row.digest,
            approver=persons.named(actor),
            run_id=run.id,
            document=_plan_of(row).normalised(place).model_dump(mode="json"),
            approved_at=context.clock.wall(),
        )
        .on_conflict_do_nothing(index_elements=["release_digest", "digest", "approver", "run_id"])
    )
    return judge_run(session, run, retried=retried)


def judge_run(
    session: Session,
    run: RunRow,
    given: list[safety_approvals.Given] | None = None,
    *,
    retried: Mapping[str, str] | None = None,
) -> Verdict:
    """What may become of the plan of a run, by the approvals of its release (None: those that there are now).

    `retried` names the last run that a target had before it was tried again (None: as its roll-out is stored).

    A run that delivered no safety plan is judged by its flock alone: without rules it needs whom its phase asks for,
    with rules nobody can approve it.
    """
    row = session.get(SafetyPlanRow, run.id)
    if row is not None:
        return _decide(session, run, _plan_of(row), given, retried)
    if _manifest(session, run).safety is not None:
        return Verdict(decision=Decision.FORBIDDEN, why=f"{run.id} delivered no safety plan")
    if not _gated(session, run):
        return Verdict(decision=Decision.ACCEPTED, why="its flock has no safety rules")
    return Verdict(decision=Decision.HELD, needed=1, why="its phase asks for an approval")


def allowance(context: SchedulerContext, run_id: str) -> Allowance:
    """What may be signed for a run now: nothing that changes anything before it began or once it is over. A 404."""
    with context.database.read() as session:
        run = find_run(session, run_id)
        if run.status not in LIVE_STATUSES or run.epoch != find_target(session, run.target).epoch:
            return Allowance.reads(f"run {run_id} is {run.status} and not live")
        if run.kind == RunKind.EXEC:
            rules = _manifest(session, run).safety if run.release_digest is not None else None
            if rules is not None and not rules.exec:
                return Allowance.reads(f"the safety rules of its flock let a command change nothing (run {run_id})")
            return Allowance.unbounded("a command cannot be looked into")
        if run.kind in (RunKind.PLAN, RunKind.DRIFT, RunKind.RECOVER):
            return Allowance.reads(f"a {run.kind} run changes nothing")
        if at_work.takes_back(run):
            return at_work.allowance(session, run)
        if run.status == RunStatus.BAKING:
            return Allowance.reads("it is applied, and watched")
        row = session.get(SafetyPlanRow, run_id)
        if row is None or Verdict.model_validate(row.verdict).decision is not Decision.ACCEPTED:
            return Allowance.reads("its safety plan is not accepted")
        # What is applied is the plan that was approved, of which the one made just now is a part.
        approved = session.get(SafetyPlanRow, run.plan_run_id) if run.plan_run_id else None
        entries = _plan_of(approved or row).entries
        kinds = {(entry.type, entry.operation.value) for entry in entries}
        return Allowance(
            mode="entries",
            entries=tuple(AllowedEntry(type=type_, operation=operation) for type_, operation in sorted(kinds)),
            why=f"safety plan {(approved or row).digest}",
        )


def unused(context: SchedulerContext, run_id: str) -> Unused:
    """What was approved for an apply and not needed by it, nor by any other apply of its release so far.

    Raises `ApiError` 404 for a run without a safety plan, and 409 `not_applied` for one that applied nothing.
    """
    with context.database.read() as session:
        run = find_run(session, run_id)
        own = _find(session, run_id)
        if run.status != RunStatus.APPLIED:
            raise conflict("not_applied", f"run {run_id} is {run.status}", "ask once it is applied")
        place = _place(_manifest(session, run), run.target)
        shown = session.get(SafetyPlanRow, run.plan_run_id) if run.plan_run_id else None
        within = _plan_of(shown or own).normalised(place)
        covering = [
            one.plan
            for one in safety_approvals.approvals(safety_approvals.given_of(session, own.release_digest))
            if not outside(within, one.plan)
        ]
        approved = min(covering, key=lambda plan: len(plan.entries), default=within)
        done = [_plan_of(row).normalised(_place(_manifest(session, run), row.target)) for row in _applied(session, own)]
        writes = select(func.count()).where(
            JournalRow.run_id == run_id, JournalRow.access == "write", JournalRow.outcome == "answered"
        )
        left, suggested = unused_entries(approved, done)
        return Unused(
            run_id=run_id,
            target=run.target,
            approved=len(approved.entries),
            unused=left[:_SHOWN],
            suggested=suggested,
            note=f"by the plans of {len(done)} applies of this release, made just before each of them; "
            f"{session.scalar(writes) or 0} writes of this run were answered",
        )


def _applied(session: Session, own: SafetyPlanRow) -> Iterable[SafetyPlanRow]:
    """The safety plans of everything that was applied of a release."""
    query = (
        select(SafetyPlanRow)
        .join(RunRow, RunRow.id == SafetyPlanRow.run_id)
        .where(SafetyPlanRow.release_digest == own.release_digest, RunRow.status == RunStatus.APPLIED)
        .order_by(RunRow.sequence.desc())
        .limit(_SHOWN)
    )
    return session.scalars(query)


def _decide(
    session: Session,
    run: RunRow,
    plan: SafetyPlan,
    given: list[safety_approvals.Given] | None = None,
    retried: Mapping[str, str] | None = None,
) -> Verdict:
    manifest = _manifest(session, run)
    if run.plan_run_id is not None:
        approved = session.get(SafetyPlanRow, run.plan_run_id)
        if approved is not None:
            return _within(plan, _plan_of(approved), approved.run_id, _consents(session, run, manifest))
    if given is None:
        given = safety_approvals.given_of(session, run.release_digest or "")
    last = (_retried(session, run) if retried is None else retried).get(run.target)
    # A run that is not there must not count as one from before every approval.
    since = 0 if last is None else session.scalars(select(RunRow.sequence).where(RunRow.id == last)).one()
    own = [
        one for one in given if one.rollout_id == run.rollout_id and one.target == run.target and one.sequence > since
    ]
    return judge(
        plan,
        _place(manifest, run.target),
        manifest.safety,
        safety_approvals.approvals(given if last is None else own),
        gate=safety_approvals.approvals(own) if _gated(session, run) else None,
        consents=_consents(session, run, manifest),
    )


def _require_wanted(plan: SafetyPlan, addresses: Collection[str]) -> None:
    wanted = consentable(plan)
    if unknown := sorted(set(addresses) - wanted):
        raise invalid(
            f"nothing of this plan needs consent to {', '.join(unknown[:5])}",
            f"what does: {', '.join(sorted(wanted)[:5]) or 'nothing'}; `interlock plan show` lists all of it",
        )


def _within(fresh: SafetyPlan, approved: SafetyPlan, approved_run: str, consents: Collection[str] | None) -> Verdict:
    """An apply of an approved plan: what the plan made just now would do has to lie within it."""
    extra = outside(fresh, approved)
    if not extra and consents is not None:
        # Since then something may have got the name of what it makes.
        taken = fresh.taken_over - approved.taken_over - frozenset(consents)
        extra = tuple(in_order(entry for entry in fresh.entries if entry.address in taken))
    if not extra:
        return Verdict(decision=Decision.ACCEPTED, why=f"within the approved plan of {approved_run}")
    return Verdict(
        decision=Decision.OUTSIDE,
        entries=extra[:_SHOWN],
        why=f"not in the approved plan of {approved_run}: {named(extra)}"[:1024],
    )


def _consents(session: Session, run: RunRow, manifest: Manifest) -> frozenset[str] | None:
    """What somebody named; None where nobody has to. Who destroys a target has said so already."""
    if manifest.rollback is None or run.kind == RunKind.DESTROY:
        return None
    return rollback_consents.consents_of(session, run.release_digest, run.target)


def _gated(session: Session, run: RunRow) -> bool:
    """Whether its phase asks for an approval of its own: a roll-out's plan in a phase with approval.

    A roll-out may ask where its release does not.
    """
    if run.rollout_id is None:
        return False
    manifest = _manifest(session, run)
    phase = manifest.targets[run.target].phase
    if any(one.approval for one in manifest.phases if one.name == phase):
        return True
    # Once for each transaction: a roll-out of a thousand targets asks a thousand times.
    key = ("phases that ask", run.rollout_id)
    if key not in session.info:
        query = select(RolloutRow.document["phases"]).where(RolloutRow.id == run.rollout_id)
        session.info[key] = {one["name"] for one in session.scalar(query) or () if one["approval"]}
    return phase in session.info[key]


def _retried(session: Session, run: RunRow) -> Mapping[str, str]:
    if run.rollout_id is None:
        return {}
    document = session.scalar(select(RolloutRow.document).where(RolloutRow.id == run.rollout_id))
    return {one["id"]: one["retried_after"] for one in (document or {}).get("targets", ()) if one.get("retried_after")}


def _manifest(session: Session, run: RunRow) -> Manifest:
    if run.release_digest is None:
        raise invalid(f"run {run.id} has no release")
    return get_manifest(session, run.release_digest)


def _place(manifest: Manifest, target: str) -> Place:
    one = manifest.targets[target]
    return Place(region=one.region, provider_region=one.provider_region)


def _plan_of(row: SafetyPlanRow) -> SafetyPlan:
    return SafetyPlan.model_validate(row.document)


def _find(session: Session, run_id: str) -> SafetyPlanRow:
    row = session.get(SafetyPlanRow, run_id)
    if row is None:
        raise not_found("safety_plan", run_id, "a run has one once its plan was made; an exec run has none")
    return row


def _record(session: Session, row: SafetyPlanRow, verdict: Verdict) -> SafetyRecord:
    query = (
        select(SafetyApprovalRow)
        .where(SafetyApprovalRow.release_digest == row.release_digest, SafetyApprovalRow.digest == row.digest)
        .order_by(SafetyApprovalRow.id)
    )
    return SafetyRecord(
        run_id=row.run_id,
        target=row.target,
        release_digest=row.release_digest,
        digest=row.digest,
        plan=_plan_of(row),
        verdict=verdict,
        approvals=tuple(_shown(session.scalars(query))),
        created_at=row.created_at,
    )


def _shown(rows: Iterable[SafetyApprovalRow]) -> Iterable[SafetyApproval]:
    for row in rows:
        yield SafetyApproval(approver=row.approver, approved_at=row.approved_at, run_id=row.run_id, digest=row.digest)
