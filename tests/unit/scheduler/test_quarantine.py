"""States that came too late."""

from __future__ import annotations

import pytest

from scheduler import quarantine, runs, terraform_state
from scheduler.settlement import end_run
from scheduler.terraform_state import StateCaller
from shared.errors import ApiError
from shared.models import Assignment
from tests.unit.scheduler.support import TARGET, World, state


@pytest.fixture
def cut(world: World) -> Assignment:
    """A run that wrote serial 1 and was cut."""
    assignment, lease = world.begin()
    terraform_state.write_state(world.context, caller(assignment), state(1), lock_id=None)
    world.sever(TARGET, lease)
    return assignment


def caller(assignment: Assignment) -> StateCaller:
    return StateCaller(run_id=assignment.run.id, target=TARGET, epoch=assignment.epoch)


def deliver(world: World, assignment: Assignment, body: bytes) -> int:
    return quarantine.deliver(world.context, TARGET, epoch=assignment.epoch, run_id=assignment.run.id, body=body).serial


def take_over(world: World, assignment: Assignment) -> Assignment:
    follower = end_run(world.context, assignment.run.id, epoch=assignment.epoch, reason="severed")[0][0]
    young = world.claim(runs.get(world.context, follower), holder="h2")
    world.acquire(young)
    return young


def accept(world: World, young: Assignment, *, epoch: int = 1, holder: str = "h2") -> None:
    quarantine.accept(world.context, TARGET, epoch=epoch, run_id=young.run.id, holder=holder)


def refusal(world: World, young: Assignment, **options: object) -> str:
    with pytest.raises(ApiError) as refused:
        accept(world, young, **options)  # type: ignore[arg-type]  # the options of accept
    return refused.value.code


def test_the_newest_late_state_becomes_current_under_the_accepting_epoch(world: World, cut: Assignment) -> None:
    assert [deliver(world, cut, state(serial)) for serial in (3, 2, 3)] == [3, 2, 3]
    assert terraform_state.operator_read(world.context, TARGET) == state(1)
    young = take_over(world, cut)
    accept(world, young)
    accept(world, young)
    assert terraform_state.operator_read(world.context, TARGET) == state(3)
    terraform_state.write_state(world.context, caller(young), state(4), lock_id=None)


def test_only_the_live_holder_accepts_and_only_from_an_earlier_epoch(world: World, cut: Assignment) -> None:
    deliver(world, cut, state(2))
    young = take_over(world, cut)
    assert refusal(world, young, holder="someone") == "lease_lost"
    assert refusal(world, cut, holder="holder-1") == "lease_lost"
    assert refusal(world, young, epoch=2) == "lease_lost"
    assert terraform_state.operator_read(world.context, TARGET) == state(1)


@pytest.mark.parametrize(
    ("late", "code"), [(state(1, note="x"), "serial_not_greater"), (state(9, lineage="other"), "lineage_differs")]
)
def test_a_late_state_that_does_not_continue_is_kept_but_not_accepted(
    world: World, cut: Assignment, late: bytes, code: str
) -> None:
    deliver(world, cut, late)
    young = take_over(world, cut)
    assert refusal(world, young) == code


def test_an_empty_slot_is_a_404(world: World, cut: Assignment) -> None:
    assert refusal(world, take_over(world, cut)) == "unknown_quarantined_state"


def test_a_slot_takes_states_of_its_own_run_and_epoch_only(world: World, cut: Assignment) -> None:
    for epoch, run_id in ((2, cut.run.id), (1, world.submit().id)):
        with pytest.raises(ApiError) as refused:
            quarantine.deliver(world.context, TARGET, epoch=epoch, run_id=run_id, body=state(2))
        assert refused.value.code == "lease_lost"
    with pytest.raises(ApiError) as nonsense:
        deliver(world, cut, b"{}")
    assert nonsense.value.status == 400


def test_a_slot_has_a_bound(world: World, cut: Assignment) -> None:
    for serial in range(quarantine.MAX_STATES_PER_EPOCH):
        deliver(world, cut, state(serial + 2))
    with pytest.raises(ApiError) as refused:
        deliver(world, cut, state(99))
    assert refused.value.code == "slot_full"
    # What is there already is still answered.
    assert deliver(world, cut, state(2)) == 2


def test_the_best_acceptable_state_is_offered(world: World, cut: Assignment) -> None:
    deliver(world, cut, state(1))
    deliver(world, cut, state(9, lineage="other"))
    with world.context.database.read() as session:
        assert quarantine.newest_acceptable(world.context, session, TARGET, before_epoch=2) is None
    deliver(world, cut, state(3))
    with world.context.database.read() as session:
        offered = quarantine.newest_acceptable(world.context, session, TARGET, before_epoch=2)
    assert offered is not None
    assert offered.serial == 3
