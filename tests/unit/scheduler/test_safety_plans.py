"""Safety plans: delivered, judged, approved, and what may be signed by them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import update
from sqlalchemy.exc import NoResultFound

from scheduler import releases, safety_plans
from scheduler.rows import find_run
from scheduler.tables import RunRow, SafetyPlanRow
from shared.errors import ApiError
from shared.models import Assignment, ReleasePhase, RunKind, RunStatus
from shared.rollback.settings import RollbackSettings
from shared.safety.entries import SafetyPlan
from shared.safety.rules import SafetyRules
from shared.safety.verdict import Decision
from tests.unit.scheduler.support import TARGET, World
from tests.unit.shared.safety.support import entry, plan

CREATE = entry("create", "aws_sqs_queue.a")
DELETE = entry("delete", "aws_sqs_queue.a")
GONE = entry("delete", "aws_db_instance.main")
RULES = SafetyRules.model_validate(
    {
        "auto": [{"operations": ["create"]}],
        "two_persons": [{"operations": ["forget"]}],
        "never": [{"operations": ["delete"], "types": ["aws_db_*"]}],
        "exec": False,
    }
)


def ruled(world: World, rules: SafetyRules | None = RULES, *targets: str, **choice: Any) -> str:
    """Register a release with these rules; returns its digest."""
    digest = world.publish(*targets or (TARGET,), safety=rules, **choice)
    releases.register(world.context, TARGET.split(".")[0], release_digest=digest)
    return digest


def begin(world: World, kind: RunKind = RunKind.APPLY, target: str = TARGET) -> Assignment:
    assignment, _ = world.begin(target, kind, holder=f"holder-{target}-{world.clock.wall()}")
    return assignment


def deliver(world: World, run: Assignment, what: SafetyPlan) -> Decision:
    record = safety_plans.deliver(world.context, run.run.id, holder=run.holder, plan=what)
    return record.verdict.decision


def end(world: World, run: Assignment, status: RunStatus) -> None:
    lease = world.store.view(run.run.target).lease_id
    assert lease is not None
    world.store.release(run.run.target, lease)
    world.finish(run, status, reason="it is so")


def mode(world: World, run: Assignment) -> tuple[str, list[tuple[str, str]]]:
    allowance = safety_plans.allowance(world.context, run.run.id)
    return allowance.mode, [(one.type, one.operation) for one in allowance.entries]


def test_a_flock_without_rules_lets_an_operators_apply_do_what_its_own_plan_says(world: World) -> None:
    run = begin(world)
    assert mode(world, run) == ("reads", [])
    assert deliver(world, run, plan(CREATE, GONE)) is Decision.ACCEPTED
    assert mode(world, run) == ("entries", [("aws_db_instance", "delete"), ("aws_sqs_queue", "create")])


def test_what_nobody_knows_is_refused_there_too(world: World) -> None:
    run = begin(world)
    assert deliver(world, run, plan(entry("unknown", "a.b"))) is Decision.FORBIDDEN
    assert mode(world, run) == ("reads", [])


def test_a_plan_run_may_only_read_whatever_it_delivered(world: World) -> None:
    run = begin(world, RunKind.PLAN)
    assert deliver(world, run, plan(CREATE)) is Decision.ACCEPTED
    assert mode(world, run) == ("reads", [])


def test_a_command_is_unbounded_unless_a_rule_says_otherwise(world: World) -> None:
    assert mode(world, begin(world, RunKind.EXEC))[0] == "unbounded"


def test_a_rule_takes_writing_from_commands(world: World) -> None:
    ruled(world)
    assert mode(world, begin(world, RunKind.EXEC))[0] == "reads"


def test_what_needs_a_person_is_held_then_approved_and_the_next_same_plan_passes(world: World) -> None:
    digest = ruled(world)
    first = begin(world)
    assert deliver(world, first, plan(CREATE, DELETE)) is Decision.HELD
    assert mode(world, first) == ("reads", [])
    record = safety_plans.get(world.context, first.run.id)
    assert record.verdict.entries == (DELETE,)
    end(world, first, RunStatus.PLANNED)
    approved = safety_plans.approve(world.context, first.run.id, digest=record.digest, actor="anna")
    assert approved.verdict.decision is Decision.ACCEPTED
    assert [(one.approver, one.run_id, one.approved_at) for one in approved.approvals] == [
        ("anna", first.run.id, world.clock.wall())
    ]
    # What was held stays unsigned: the run is over. The next one, of the same release, passes.
    assert mode(world, first) == ("reads", [])
    again = begin(world)
    assert again.run.release_digest == digest
    assert deliver(world, again, plan(DELETE)) is Decision.ACCEPTED


def test_another_release_is_not_approved_by_it(world: World) -> None:
    ruled(world)
    first = begin(world)
    deliver(world, first, plan(DELETE))
    record = safety_plans.get(world.context, first.run.id)
    safety_plans.approve(world.context, first.run.id, digest=record.digest, actor="anna")
    end(world, first, RunStatus.PLANNED)
    ruled(world, generic={"main.tf": b"# changed\n"})
    assert deliver(world, begin(world), plan(DELETE)) is Decision.HELD


def test_another_artifact_is_another_release(world: World) -> None:
    def pinned(digit: str) -> str:
        artifact = {"source": "registry.example/shop", "digest": f"sha256:{digit * 64}"}
        return world.publish(TARGET, safety=RULES, artifacts={"image": artifact})

    assert pinned("0") != pinned("1")


def test_one_person_counts_once_and_two_are_two(world: World) -> None:
    ruled(world)
    run = begin(world)
    deliver(world, run, plan(entry("forget", "aws_sqs_queue.a")))
    digest = safety_plans.get(world.context, run.run.id).digest

    def approved_by(name: str) -> Decision:
        return safety_plans.approve(world.context, run.run.id, digest=digest, actor=name).verdict.decision

    assert [approved_by(name) for name in ("anna", "anna", "bert")] == [
        Decision.HELD,
        Decision.HELD,
        Decision.ACCEPTED,
    ]


def test_an_approval_is_of_what_was_looked_at_and_of_nothing_else(world: World) -> None:
    ruled(world)
    run = begin(world)
    deliver(world, run, plan(DELETE))
    with pytest.raises(ApiError) as other:
        safety_plans.approve(world.context, run.run.id, digest="sha256:" + "0" * 64, actor="anna")
    assert other.value.code == "other_plan"
    assert safety_plans.get(world.context, run.run.id).approvals == ()


def test_nobody_approves_what_is_never_allowed(world: World) -> None:
    ruled(world)
    run = begin(world)
    assert deliver(world, run, plan(GONE)) is Decision.FORBIDDEN
    digest = safety_plans.get(world.context, run.run.id).digest
    with pytest.raises(ApiError) as refused:
        safety_plans.approve(world.context, run.run.id, digest=digest, actor="anna")
    assert refused.value.code == "forbidden"


def test_another_targets_plan_that_does_no_more_needs_no_approval_of_its_own(world: World) -> None:
    ruled(world, RULES, "web.north", "web.south", provider_region=None)
    first = begin(world, target="web.north")
    deliver(world, first, plan(entry("delete", 'aws_sqs_queue.q["north"]', "aws_sqs_queue"), DELETE))
    record = safety_plans.get(world.context, first.run.id)
    safety_plans.approve(world.context, first.run.id, digest=record.digest, actor="anna")
    second = begin(world, target="web.south")
    assert (
        deliver(world, second, plan(entry("delete", 'aws_sqs_queue.q["south"]', "aws_sqs_queue"))) is Decision.ACCEPTED
    )
    end(world, second, RunStatus.ERRORED)
    more = entry("delete", "aws_sqs_queue.other")
    third = begin(world, target="web.south")
    assert deliver(world, third, plan(DELETE, more)) is Decision.HELD
    assert safety_plans.get(world.context, third.run.id).verdict.entries == (more,)


def of_plan(world: World, planned: Assignment) -> Assignment:
    """An apply run of that plan, at work."""
    queued = world.submit(TARGET)
    with world.context.database.write() as session:
        session.execute(update(RunRow).where(RunRow.id == queued.id).values(plan_run_id=planned.run.id))
    # Claimed past the check of the plan file, which has tests of its own.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("scheduler.plans.why_stale", lambda *_: None)
        assignment = world.claim(queued, holder="applier")
    world.acquire(assignment)
    return assignment


def test_one_entry_outside_the_approved_plan_is_outside_and_nothing_may_be_signed(world: World) -> None:
    planned = begin(world, RunKind.PLAN)
    deliver(world, planned, plan(CREATE))
    end(world, planned, RunStatus.PLANNED)
    run = of_plan(world, planned)
    assert deliver(world, run, plan(CREATE, DELETE)) is Decision.OUTSIDE
    assert safety_plans.get(world.context, run.run.id).verdict.entries == (DELETE,)
    assert mode(world, run) == ("reads", [])


def test_an_apply_that_needs_less_may_do_all_of_the_approved_plan_because_that_is_applied(world: World) -> None:
    planned = begin(world, RunKind.PLAN)
    deliver(world, planned, plan(CREATE, DELETE))
    end(world, planned, RunStatus.PLANNED)
    run = of_plan(world, planned)
    assert deliver(world, run, plan(CREATE)) is Decision.ACCEPTED
    assert mode(world, run) == ("entries", [("aws_sqs_queue", "create"), ("aws_sqs_queue", "delete")])


def test_only_the_holder_delivers_once_and_the_same_again_is_harmless(world: World) -> None:
    run = begin(world)
    with pytest.raises(ApiError) as stolen:
        safety_plans.deliver(world.context, run.run.id, holder="somebody", plan=plan(CREATE))
    assert stolen.value.code == "lease_lost"
    assert deliver(world, run, plan(CREATE)) is deliver(world, run, plan(CREATE))
    with pytest.raises(ApiError) as second:
        deliver(world, run, plan(CREATE, DELETE))
    assert second.value.code == "other_plan"
    assert mode(world, run)[1] == [("aws_sqs_queue", "create")]


def test_an_exec_run_has_no_safety_plan(world: World) -> None:
    run = begin(world, RunKind.EXEC)
    with pytest.raises(ApiError, match="makes no plan"):
        deliver(world, run, plan(CREATE))
    with pytest.raises(ApiError) as missing:
        safety_plans.get(world.context, run.run.id)
    assert missing.value.status == 404


def test_a_roll_outs_plan_in_a_phase_with_approval_needs_a_person_without_any_rules(world: World) -> None:
    gated = ReleasePhase(name="one", targets=(TARGET,), max_concurrent=1, failure_tolerance=0, bake_s=0, approval=True)
    ruled(world, None, phases=[gated])
    run = begin(world, RunKind.PLAN)
    with world.context.database.write() as session:
        session.execute(update(RunRow).where(RunRow.id == run.run.id).values(rollout_id="rollout-" + "0" * 16))
    assert deliver(world, run, plan(CREATE)) is Decision.HELD
    end(world, run, RunStatus.PLANNED)
    # An operator's own apply asks for nobody: the phase is the roll-out's.
    assert deliver(world, begin(world), plan(CREATE)) is Decision.ACCEPTED


def test_after_an_apply_what_was_approved_and_not_needed_is_listed(world: World) -> None:
    ruled(world)
    other = entry("delete", "aws_sqs_queue.b")
    first = begin(world)
    deliver(world, first, plan(CREATE, DELETE, other))
    record = safety_plans.get(world.context, first.run.id)
    safety_plans.approve(world.context, first.run.id, digest=record.digest, actor="anna")
    end(world, first, RunStatus.PLANNED)
    with pytest.raises(ApiError) as early:
        safety_plans.unused(world.context, first.run.id)
    assert early.value.code == "not_applied"
    run = begin(world)
    deliver(world, run, plan(DELETE))
    world.journal(run, "DeleteQueue")
    end(world, run, RunStatus.APPLIED)
    left = safety_plans.unused(world.context, run.run.id)
    assert (left.approved, left.unused, left.suggested) == (3, (CREATE, other), plan(DELETE))
    assert left.note.startswith("by the plans of 1 applies")


def test_a_run_that_delivered_nothing_is_judged_by_its_flock_alone(world: World) -> None:
    def judged(run: Assignment) -> Decision:
        with world.context.database.read() as session:
            return safety_plans.judge_run(session, find_run(session, run.run.id)).decision

    plain = begin(world, RunKind.PLAN)
    assert judged(plain) is Decision.ACCEPTED
    end(world, plain, RunStatus.PLANNED)
    ruled(world)
    assert judged(begin(world, RunKind.PLAN)) is Decision.FORBIDDEN


def approved_by(world: World, run: Assignment, actor: str) -> tuple[str, ...]:
    """Who has approved the plan of the run after this one has, too."""
    digest = safety_plans.get(world.context, run.run.id).digest
    return safety_plans.approve(world.context, run.run.id, digest=digest, actor=actor).verdict.approvers


def test_one_person_in_two_spellings_is_one_person(world: World) -> None:
    ruled(world, SafetyRules.model_validate({"two_persons": [{"operations": ["delete"]}]}))
    run = begin(world)
    assert deliver(world, run, plan(GONE)) is Decision.HELD
    for spelling in ("anna@host", "Anna@Host", " anna@host "):
        assert approved_by(world, run, spelling) == ("anna@host",)
        assert safety_plans.get(world.context, run.run.id).verdict.decision is Decision.HELD
    assert approved_by(world, run, "bert@host") == ("anna@host", "bert@host")
    assert safety_plans.get(world.context, run.run.id).verdict.decision is Decision.ACCEPTED


@pytest.mark.parametrize("nobody", ["", "  "])
def test_nobody_approves_nothing(world: World, nobody: str) -> None:
    ruled(world)
    run = begin(world)
    deliver(world, run, plan(DELETE))
    with pytest.raises(ApiError) as refused:
        approved_by(world, run, nobody)
    assert refused.value.status == 400
    assert safety_plans.get(world.context, run.run.id).approvals == ()


@pytest.mark.parametrize(("kind", "live"), [(RunKind.APPLY, "entries"), (RunKind.EXEC, "unbounded")])
def test_a_run_that_is_not_live_may_read_and_no_more(world: World, kind: RunKind, live: str) -> None:
    run = begin(world, kind)
    if kind is RunKind.APPLY:
        deliver(world, run, plan(CREATE))
    assert mode(world, run)[0] == live
    for status in (RunStatus.SETTLING, RunStatus.LOST, RunStatus.APPLIED, RunStatus.PENDING):
        with world.context.database.write() as session:
            session.execute(update(RunRow).where(RunRow.id == run.run.id).values(status=status))
        assert mode(world, run) == ("reads", [])
    with world.context.database.write() as session:
        session.execute(update(RunRow).where(RunRow.id == run.run.id).values(status=RunStatus.APPLYING, epoch=99))
    assert mode(world, run) == ("reads", []), "an epoch that is not its target's last"


LIVE = (RunStatus.CLAIMED, RunStatus.PLANNING, RunStatus.APPLYING, RunStatus.BAKING, RunStatus.ROLLING_BACK)
WRITES = {
    RunKind.APPLY: LIVE[:3],
    RunKind.DESTROY: LIVE[:3],
    RunKind.EXEC: LIVE,
}


@pytest.mark.parametrize("status", RunStatus)
@pytest.mark.parametrize("kind", RunKind)
def test_with_the_same_accepted_plan_only_these_kinds_may_change_anything_and_only_then(
    world: World, kind: RunKind, status: RunStatus
) -> None:
    """Every kind in every status, though its row says that a plan of it was accepted."""
    run = begin(world)
    assert deliver(world, run, plan(CREATE)) is Decision.ACCEPTED
    with world.context.database.write() as session:
        session.execute(update(RunRow).where(RunRow.id == run.run.id).values(kind=kind, status=status))
    may_write = status in WRITES.get(kind, ())
    assert (mode(world, run)[0] != "reads") is may_write


@pytest.mark.parametrize("verdict", [{}, {"decision": "yes"}, {"decision": None}, []])
def test_a_verdict_that_cannot_be_read_allows_nothing(world: World, verdict: Any) -> None:
    run = begin(world)
    deliver(world, run, plan(CREATE))
    with world.context.database.write() as session:
        session.execute(update(SafetyPlanRow).values(verdict=verdict))
    with pytest.raises(ValidationError):
        safety_plans.allowance(world.context, run.run.id)


@pytest.mark.parametrize("decision", [one for one in Decision if one is not Decision.ACCEPTED])
def test_whatever_is_not_accepted_allows_nothing(world: World, decision: Decision) -> None:
    run = begin(world)
    deliver(world, run, plan(CREATE))
    assert mode(world, run)[0] == "entries"
    with world.context.database.write() as session:
        session.execute(update(SafetyPlanRow).values(verdict={"decision": decision.value}))
    assert mode(world, run) == ("reads", [])


def test_an_approval_is_not_taken_for_a_later_one_where_the_run_before_it_is_unknown(world: World) -> None:
    ruled(world)
    run = begin(world)
    assert deliver(world, run, plan(DELETE)) is Decision.HELD
    digest = safety_plans.get(world.context, run.run.id).digest
    safety_plans.approve(world.context, run.run.id, digest=digest, actor="anna")
    with world.context.database.read() as session, pytest.raises(NoResultFound):
        safety_plans.judge_run(session, find_run(session, run.run.id), retried={TARGET: "run-" + "0" * 16})


def test_what_cannot_be_undone_is_held_until_somebody_names_it_for_this_target(world: World) -> None:
    digest = world.publish(TARGET, "web.south", rollback=RollbackSettings())
    does = plan(CREATE, GONE)

    def applied(target: str) -> tuple[Assignment, Decision]:
        run = world.claim(world.submit(target, release_digest=digest), holder=f"h{target}{world.clock.wall()}")
        world.acquire(run)
        return run, deliver(world, run, does)

    first, decision = applied(TARGET)
    assert decision is Decision.HELD
    record = safety_plans.get(world.context, first.run.id)
    assert record.verdict.unconsented == (GONE,)
    # To approve the rest alone does not do.
    approved = safety_plans.approve(world.context, first.run.id, digest=record.digest, actor="anna")
    assert approved.verdict.decision is Decision.HELD
    for wrong in ([CREATE.address], ["aws_nothing.here"]):
        with pytest.raises(ApiError) as refused:
            safety_plans.approve(world.context, first.run.id, digest=record.digest, actor="anna", consents=wrong)
        assert refused.value.status == 400
    named = [GONE.address]
    approved = safety_plans.approve(world.context, first.run.id, digest=record.digest, actor="anna", consents=named)
    assert approved.verdict.decision is Decision.ACCEPTED
    end(world, first, RunStatus.PLANNED)
    assert applied(TARGET)[1] is Decision.ACCEPTED
    # Another target's data is its own.
    assert applied("web.south")[1] is Decision.HELD


def test_without_the_section_and_for_a_destroy_nobody_has_to_name_anything(world: World) -> None:
    plain = world.publish(TARGET)
    run = world.claim(world.submit(release_digest=plain), holder="h1")
    world.acquire(run)
    assert deliver(world, run, plan(GONE)) is Decision.ACCEPTED
    end(world, run, RunStatus.APPLIED)
    back = world.publish(TARGET, rollback=RollbackSettings())
    run = world.claim(world.submit(kind=RunKind.DESTROY, release_digest=back), holder="h2")
    world.acquire(run)
    assert deliver(world, run, plan(GONE)) is Decision.ACCEPTED
