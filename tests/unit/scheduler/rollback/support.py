"""Deployments that can be taken back, for tests, as short as they can be said."""

from __future__ import annotations

import json
import secrets
from typing import Any

from sqlalchemy import select

from scheduler import releases, runs, safety_plans, terraform_state
from scheduler.rollback import at_work, requests
from scheduler.state_versions import current_version, stored_version
from scheduler.tables import RollbackRow
from scheduler.terraform_state import StateCaller
from shared.models import Assignment, Run, RunKind, RunStatus
from shared.rollback.records import Rearrangement, RollbackPlan, RollbackPlanItem, RollbackResult, RollbackState
from shared.rollback.settings import RollbackSettings, Trigger
from shared.rollback.standing import Rollback
from shared.safety.entries import Operation, SafetyPlan
from tests.unit.scheduler.support import TARGET, World
from tests.unit.shared.safety.support import entry, plan

SETTINGS = RollbackSettings()
#: What is lost is tried again.
NOT_FOR_A_LOSS = RollbackSettings.model_validate({"on": ["error", "halt", "health", "alarm"]})
QUEUE, TOPIC = "aws_sqs_queue.a", "aws_sns_topic.b"
#: What the second release adds.
ADDS = plan(entry("create", TOPIC))


def objects(serial: int, *addresses: str, lineage: str = "lineage-a", note: str = "") -> bytes:
    """A state with these managed objects; the id of each is its name."""
    resources = []
    for address in addresses:
        kind, name = address.split(".")
        attributes = {"id": f"id-of-{name}", "name": name, "note": note}
        resources.append(
            {
                "mode": "managed",
                "type": kind,
                "name": name,
                "provider": 'provider["registry.terraform.io/hashicorp/aws"]',
                "instances": [{"schema_version": 0, "attributes": attributes}],
            }
        )
    return json.dumps(
        {
            "version": 4,
            "terraform_version": "1.11.4",
            "serial": serial,
            "lineage": lineage,
            "outputs": {"url": {"value": "https://secret.example", "type": "string"}},
            "resources": resources,
        }
    ).encode()


def release(world: World, note: str, *targets: str, rollback: RollbackSettings | None = SETTINGS, **choice: Any) -> str:
    """Publish a release of the target that can be taken back; `note` makes it another one."""
    generic = {"main.tf": f"# {note}\n".encode()}
    return world.publish(*targets or (TARGET,), generic=generic, rollback=rollback, **choice)


def claimed(world: World, digest: str, target: str = TARGET, kind: RunKind = RunKind.APPLY) -> Assignment:
    """Submit a run of the release, claim it and take its lease."""
    run = world.submit(target, kind, release_digest=digest)
    assignment = world.claim(run, holder=secrets.token_hex(8))
    world.acquire(assignment)
    return assignment


def begun(
    world: World, digest: str, target: str = TARGET, *, does: SafetyPlan = ADDS, rearranged: Rearrangement | None = None
) -> Assignment:
    """The same, and its plan was accepted: from here on something may have been changed."""
    assignment = claimed(world, digest, target)
    deliver_safety_plan(world, assignment, does, rearranged)
    runs.progress(world.context, assignment.run.id, holder=assignment.holder, status=RunStatus.APPLYING)
    return assignment


def deliver_safety_plan(
    world: World, run: Assignment, does: SafetyPlan = ADDS, rearranged: Rearrangement | None = None
) -> None:
    """What its worker does before an apply."""
    safety_plans.deliver(world.context, run.run.id, holder=run.holder, plan=does, rearranged=rearranged)


def write(world: World, run: Assignment, body: bytes) -> None:
    """Store a state for it."""
    caller = StateCaller(run_id=run.run.id, target=run.run.target, epoch=run.epoch)
    terraform_state.write_state(world.context, caller, body, lock_id=None)


def finish(
    world: World, run: Assignment, status: RunStatus = RunStatus.APPLIED, *, reason: str = "", exit_code: int = 0
) -> Run:
    """Give the lease back and report."""
    view = world.store.view(run.run.target)
    assert view.lease_id is not None
    world.store.release(run.run.target, view.lease_id)
    return world.finish(run, status, exit_code=exit_code, reason=reason or f"it is {status}")


def lose(world: World, run: Assignment) -> None:
    """Its worker dies: the lease is severed, the observer ends the run."""
    from scheduler.settlement import end_run

    view = world.store.view(run.run.target)
    assert view.lease_id is not None
    world.sever(run.run.target, view.lease_id)
    end_run(world.context, run.run.id, epoch=run.epoch, reason="worker died")


def deployed(world: World, note: str, *addresses: str, serial: int, target: str = TARGET, **choice: Any) -> str:
    """Deploy a release that leaves these objects; returns its digest."""
    digest = release(world, note, target, **choice)
    run = begun(world, digest, target)
    write(world, run, objects(serial, *addresses))
    finish(world, run)
    return digest


def taking_back(world: World, run: Assignment, trigger: Trigger = Trigger.HEALTH, reason: str = "it is ill") -> None:
    """Its holder begins to take back."""
    runs.progress(
        world.context,
        run.run.id,
        holder=run.holder,
        status=RunStatus.ROLLING_BACK,
        trigger=trigger,
        reason=reason,
    )


def item(operation: str, address: str, id_: str | None = None) -> RollbackPlanItem:
    """One operation of a rollback plan."""
    type_, name = address.split(".")
    return RollbackPlanItem(address=address, type=type_, operation=Operation(operation), id=id_ or f"id-of-{name}")


def write_back(world: World, run: Assignment) -> None:
    """Store the objects of its first state once more, as Terraform does at the end of a rollback."""
    with world.context.database.read() as session:
        row = at_work.rows.carried_out_by(session, run.run.id)
        assert row is not None
        first = at_work.rows.first_state_of(session, row)
        was = None if first.state is None else stored_version(world.context, session, first.state.id)
        now = current_version(world.context, session, run.run.target)
    if now is not None:
        body = json.loads(now.body if was is None else was.body)
        body["resources"] = [] if was is None else body["resources"]
        same = body["resources"] == json.loads(now.body)["resources"]
        if not same:
            write(world, run, json.dumps(body | {"serial": now.identity.serial + 1}).encode())


def says(
    world: World,
    run: Assignment,
    state: RollbackState = RollbackState.ROLLED_BACK,
    *,
    restored: bool = True,
    **fields: Any,
) -> Rollback:
    """Its holder says what came of the rollback; where it claims to be whole the state is that of before."""
    if restored and state in (RollbackState.ROLLED_BACK, RollbackState.NOT_NEEDED):
        write_back(world, run)
    result = RollbackResult(state=state, trigger=Trigger.HEALTH, **fields)
    return at_work.deliver_result(world.context, run.run.id, holder=run.holder, result=result)


def plans_back(world: World, run: Assignment, *items: RollbackPlanItem) -> Any:
    """Its holder says what it would do."""
    return at_work.deliver_plan(world.context, run.run.id, holder=run.holder, plan=RollbackPlan(items=items))


def waiting(world: World, target: str = TARGET) -> list[Run]:
    """The runs of the target that wait for a worker, the oldest first."""
    return runs.listed(world.context, target=target, status=RunStatus.PENDING, limit=100)[::-1]


def rollback_run(world: World, target: str = TARGET) -> Run:
    """Its ROLLBACK run that waits."""
    (run,) = [run for run in waiting(world, target) if run.kind is RunKind.ROLLBACK]
    return run


def claim_rollback(world: World, target: str = TARGET) -> Assignment:
    """Claim it and take the lease."""
    assignment = world.claim(rollback_run(world, target), holder=secrets.token_hex(8))
    world.acquire(assignment)
    assert assignment.run.kind is RunKind.ROLLBACK
    return assignment


def of(world: World, run: Run | Assignment) -> Rollback:
    """The rollback of a deployment."""
    return requests.get(world.context, run.run.id if isinstance(run, Assignment) else run.id)


def rows(world: World) -> list[RollbackRow]:
    """All rollbacks."""
    with world.context.database.read() as session:
        return list(session.scalars(select(RollbackRow).order_by(RollbackRow.sequence)))


def registered(world: World, digest: str) -> None:
    """Let the release be what runs deploy that name none."""
    releases.register(world.context, TARGET.split(".")[0], release_digest=digest)
