"""Terraform's HTTP backend and its fence."""

from __future__ import annotations

import pytest

from scheduler import runs, terraform_state
from scheduler.settlement import end_run
from scheduler.terraform_state import StateCaller, StateLockedError
from shared.errors import ApiError, Unavailable
from shared.models import Assignment, RunKind, RunStatus
from tests.unit.scheduler.support import TARGET, World, metric, state


def caller(world: World, assignment: Assignment) -> StateCaller:
    return terraform_state.authenticate(
        world.context, TARGET, username=assignment.state_username, password=assignment.state_password
    )


def lock(number: str) -> dict[str, str]:
    return {"ID": number, "Operation": "OperationTypeApply", "Who": "me@host"}


def write(world: World, who: StateCaller, body: bytes, lock_id: str | None = None) -> None:
    terraform_state.write_state(world.context, who, body, lock_id=lock_id)


def refused_code(world: World, who: StateCaller, body: bytes) -> str:
    with pytest.raises(ApiError) as refused:
        write(world, who, body)
    assert refused.value.status == 409
    return refused.value.code


def test_the_live_holder_reads_what_it_wrote(world: World) -> None:
    assignment, _ = world.begin()
    who = caller(world, assignment)
    assert terraform_state.read_state(world.context, who) is None
    write(world, who, state(1))
    write(world, who, state(1))
    write(world, who, state(2))
    assert terraform_state.read_state(world.context, who) == state(2)
    assert terraform_state.operator_read(world.context, TARGET) == state(2)
    assert terraform_state.operator_read(world.context, "web.nowhere") is None
    terraform_state.delete_state(world.context, who)
    assert terraform_state.read_state(world.context, who) is None


def test_a_plan_reads_and_locks_the_state_and_can_neither_write_nor_delete_it(world: World) -> None:
    applied, lease = world.begin()
    write(world, caller(world, applied), state(1))
    world.sever(TARGET, lease)
    end_run(world.context, applied.run.id, epoch=1, reason="severed")
    for pending in runs.listed(world.context, target=TARGET, status=RunStatus.PENDING, limit=10):
        runs.cancel(world.context, pending.id)
    planning, _ = world.begin(kind=RunKind.PLAN)
    who = caller(world, planning)
    terraform_state.lock_state(world.context, who, lock("one"))
    with pytest.raises(ApiError) as written:
        write(world, who, state(2), "one")
    with pytest.raises(ApiError) as deleted:
        terraform_state.delete_state(world.context, who)
    for refused in (written.value, deleted.value):
        assert (refused.status, refused.code) == (403, "plan_writes_no_state")
    assert terraform_state.read_state(world.context, who) == state(1)
    terraform_state.unlock_state(world.context, who, "one")


@pytest.mark.parametrize("wrong", ["username", "password", "target"])
def test_nobody_else_gets_in(world: World, wrong: str) -> None:
    world.register("web.south")
    assignment, _ = world.begin()
    username, password, target = assignment.state_username, assignment.state_password, TARGET
    match wrong:
        case "username":
            username = world.submit("web.south").id
        case "password":
            password = password[:-1] + ("A" if password[-1] != "A" else "B")
        case _:
            target = "web.south"
    with pytest.raises(ApiError) as refused:
        terraform_state.authenticate(world.context, target, username=username, password=password)
    assert refused.value.status == 401


def test_a_run_that_was_never_claimed_has_no_password(world: World) -> None:
    run = world.submit()
    with pytest.raises(ApiError):
        terraform_state.authenticate(world.context, TARGET, username=run.id, password="")


def test_a_write_needs_the_held_lease(world: World) -> None:
    assignment = world.claim(world.submit())
    who = caller(world, assignment)
    assert refused_code(world, who, state(1)) == "lease_lost"
    lease = world.acquire(assignment)
    write(world, who, state(1))
    world.sever(TARGET, lease)
    assert refused_code(world, who, state(2)) == "lease_lost"
    with pytest.raises(ApiError):
        terraform_state.delete_state(world.context, who)
    assert terraform_state.operator_read(world.context, TARGET) == state(1)
    assert metric(world, "state_refusals_total") == 3


def test_a_lock_that_was_refused_leaves_nothing_behind(world: World) -> None:
    assignment = world.claim(world.submit())
    who = caller(world, assignment)
    with pytest.raises(ApiError, match="the lease of"):
        terraform_state.lock_state(world.context, who, lock("first"))
    world.acquire(assignment)
    terraform_state.lock_state(world.context, who, lock("second"))


def test_a_write_needs_the_live_epoch_in_the_database(world: World) -> None:
    old, lease = world.begin()
    zombie = caller(world, old)
    write(world, zombie, state(1))
    world.sever(TARGET, lease)
    follower = end_run(world.context, old.run.id, epoch=1, reason="severed")[0][0]
    young = world.claim(runs.get(world.context, follower), holder="h2")
    world.acquire(young)
    assert refused_code(world, zombie, state(2)) == "lease_lost"
    with pytest.raises(ApiError):
        terraform_state.read_state(world.context, zombie)
    write(world, caller(world, young), state(2))


def test_the_database_alone_refuses_an_old_epoch(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    old, _ = world.begin()
    zombie = caller(world, old)
    end_run(world.context, old.run.id, epoch=1, reason="severed")
    # Redis still shows the old lease as held: a deposed primary would.
    assert refused_code(world, zombie, state(1)) == "lease_lost"


def test_serials_grow_and_lineage_stays(world: World) -> None:
    assignment, _ = world.begin()
    who = caller(world, assignment)
    write(world, who, state(3))
    assert refused_code(world, who, state(3, note="another")) == "serial_not_greater"
    assert refused_code(world, who, state(2)) == "serial_not_greater"
    assert refused_code(world, who, state(4, lineage="other")) == "lineage_differs"
    assert terraform_state.read_state(world.context, who) == state(3)


def test_nothing_is_written_while_redis_cannot_be_asked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assignment, _ = world.begin()
    who = caller(world, assignment)

    def away(_target: str) -> None:
        raise Unavailable("Redis is away")

    monkeypatch.setattr(world.store, "view", away)
    with pytest.raises(Unavailable):
        write(world, who, state(1))
    assert terraform_state.operator_read(world.context, TARGET) is None


def test_a_report_ends_the_writing(world: World) -> None:
    assignment, _ = world.begin()
    who = caller(world, assignment)
    world.finish(assignment)
    assert refused_code(world, who, state(1)) == "lease_lost"


def test_within_a_run_the_lock_is_terraforms(world: World) -> None:
    assignment, _ = world.begin()
    who = caller(world, assignment)
    terraform_state.lock_state(world.context, who, lock("one"))
    terraform_state.lock_state(world.context, who, lock("one"))
    with pytest.raises(StateLockedError) as other:
        terraform_state.lock_state(world.context, who, lock("two"))
    assert (other.value.status, other.value.info) == (423, lock("one"))
    with pytest.raises(StateLockedError):
        write(world, who, state(1), "two")
    write(world, who, state(1), "one")
    with pytest.raises(StateLockedError):
        terraform_state.unlock_state(world.context, who, "two")
    terraform_state.unlock_state(world.context, who, "one")
    terraform_state.unlock_state(world.context, who, "one")
    terraform_state.lock_state(world.context, who, lock("two"))
    terraform_state.unlock_state(world.context, who, None)
    terraform_state.lock_state(world.context, who, lock("three"))


def test_a_lock_does_not_outlive_its_lease(world: World) -> None:
    old, lease = world.begin()
    terraform_state.lock_state(world.context, caller(world, old), lock("of-the-dead"))
    world.sever(TARGET, lease)
    follower = end_run(world.context, old.run.id, epoch=1, reason="severed")[0][0]
    young = world.claim(runs.get(world.context, follower), holder="h2", node="node-2")
    world.acquire(young)
    terraform_state.lock_state(world.context, caller(world, young), lock("of-the-living"))
    write(world, caller(world, young), state(1), "of-the-living")
    # The old one is told who has it, and its UNLOCK takes nothing away.
    with pytest.raises(StateLockedError) as refused:
        terraform_state.lock_state(world.context, caller(world, old), lock("again"))
    assert refused.value.info["ID"] == young.run.id
    assert refused.value.info["Who"] == "anna@node-2"
    assert "epoch 2" in refused.value.info["Info"]
    terraform_state.unlock_state(world.context, caller(world, old), "of-the-dead")
    with pytest.raises(StateLockedError):
        terraform_state.lock_state(world.context, caller(world, young), lock("third"))


def test_a_run_that_is_over_locks_nothing(world: World) -> None:
    old, lease = world.begin()
    who = caller(world, old)
    world.sever(TARGET, lease)
    with pytest.raises(ApiError) as cut:
        terraform_state.lock_state(world.context, who, lock("one"))
    assert cut.value.code == "lease_lost"
    end_run(world.context, old.run.id, epoch=1, reason="severed")
    with pytest.raises(StateLockedError) as refused:
        terraform_state.lock_state(world.context, who, lock("one"))
    assert refused.value.info["Who"] == "nobody"
