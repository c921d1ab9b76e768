"""Bringing back what was there before; with a real Terraform: tests/integration/test_rollback_system.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.errors import ApiError, ConfigurationError, LeaseRefused, PeerError, Unavailable
from shared.models import RunStatus
from shared.rollback.records import (
    Changed,
    Imported,
    Moved,
    Rearrangement,
    ResidueKind,
    RollbackState,
    RollbackVerdict,
)
from shared.rollback.settings import Trigger
from tests.unit.shared.rollback.support import item
from tests.unit.shared.safety.support import change, document
from tests.unit.worker.rollbacks import EMPTY, FIRST, World, left, named, state
from tests.unit.worker.support import record
from worker.rollback import MAX_ROUNDS, outcome_of
from worker.stop import Cause, StopReason, StopRequested

MOVED = Rearrangement(moved=(Moved(before="aws_x.old", after="aws_x.new"),))


TAKEN_IN = Rearrangement(
    imported=tuple(Imported(address=f"aws_x.{name}", type="aws_x", id=name) for name in ("a", "never"))
)


def test_the_first_configuration_is_planned_and_applied_until_nothing_is_left(tmp_path: Path) -> None:
    world = World(tmp_path, left("a", "b"), EMPTY)
    result = world.carry_out()
    assert (result.state, result.trigger, result.reason) == (RollbackState.ROLLED_BACK, Trigger.ALARM, "it burns")
    assert named(result) == ["delete aws_x.a", "delete aws_x.b"]
    assert world.laid_out == [FIRST]
    assert world.commands.steps == ["init", "plan", "show", "apply", "plan", "show"]
    assert result.start_ms == 200
    assert outcome_of(result).status is RunStatus.ROLLED_BACK


def test_what_was_allowed_is_what_is_applied_though_another_plan_was_put_in_its_place(tmp_path: Path) -> None:
    world = World(tmp_path, left("a"), EMPTY)
    applied: list[bytes] = []
    world.rollback._ways.__dict__["refresh"] = lambda: (
        (world.directory.work / "interlock.tfplan").write_bytes(b"swapped") and "entries"
    )
    world.commands.during["apply"] = lambda: applied.append((world.directory.work / "interlock.tfplan").read_bytes())
    world.carry_out()
    assert applied == [b"plan"]


def test_a_deployment_that_changed_nothing_needs_no_rollback(tmp_path: Path) -> None:
    world = World(tmp_path, EMPTY)
    result = world.carry_out()
    assert result.state is RollbackState.NOT_NEEDED
    assert world.api.plans == []
    assert "apply" not in world.commands.steps


def test_where_nothing_was_before_everything_of_the_present_configuration_goes(tmp_path: Path) -> None:
    world = World(tmp_path, left("a"), EMPTY, first=None)
    assert world.carry_out().state is RollbackState.ROLLED_BACK
    assert world.laid_out == []
    plans = [line for line in world.commands.lines if line.startswith("plan")]
    assert ["-destroy" in line for line in plans] == [True, True]


@pytest.mark.parametrize("first", [None, FIRST])
def test_what_the_deployment_only_took_in_stays_where_it_was(tmp_path: Path, first: str | None) -> None:
    world = World(tmp_path, EMPTY, first=first)
    world.commands.state = state("aws_x.a")
    world.carry_out(TAKEN_IN)
    assert [line for line in world.commands.lines if line.startswith("state rm")] == ["state rm -no-color aws_x.a"]
    assert world.commands.steps.index("state") < world.commands.steps.index("plan")


def test_what_was_taken_in_and_replaced_at_once_is_another_object_and_goes(tmp_path: Path) -> None:
    one = Imported(address="aws_x.a", type="aws_x", id="n", object_id="id-before", also="replace")
    for held, forgotten in (("id-after", []), ("id-before", ["state rm -no-color aws_x.a"])):
        world = World(tmp_path / held, EMPTY)
        world.commands.state = state("aws_x.a", id=held)
        residue = world.carry_out(Rearrangement(imported=(one,))).residue
        assert [item.kind for item in residue] == [ResidueKind.UNKNOWN for _ in forgotten]
        assert [line for line in world.commands.lines if line.startswith("state rm")] == forgotten


@pytest.mark.parametrize("first", [None, FIRST])
def test_what_another_run_had_made_and_is_in_no_state_again_is_named(tmp_path: Path, first: str | None) -> None:
    one = Imported(address="aws_x.a", type="aws_x", id="n", made_by="run-1111111111111111")
    world = World(tmp_path, EMPTY, first=first)
    world.commands.state = state("aws_x.a")
    result = world.carry_out(Rearrangement(imported=(one,)))
    assert result.state is RollbackState.PARTIAL
    assert [(item.kind, item.address, item.id) for item in result.residue] == [(ResidueKind.LEFT, "aws_x.a", "n")]
    again = World(tmp_path / "again", EMPTY, first=first, rollback_only=True)
    found = again.carry_out(Rearrangement(imported=(one,))).residue
    assert [(item.kind, item.id) for item in found] == [(ResidueKind.UNKNOWN, "n")], "an earlier try let it go"


def test_a_later_try_still_names_what_was_imported_and_updated_at_once(tmp_path: Path) -> None:
    one = Imported(address="aws_x.a", type="aws_x", id="n", also="update")
    for later, found in ((True, [ResidueKind.UNKNOWN]), (False, [])):
        world = World(tmp_path / str(later), EMPTY, rollback_only=later)
        assert [item.kind for item in world.carry_out(Rearrangement(imported=(one,))).residue] == found


def test_where_the_new_configuration_cannot_be_planned_any_more_its_own_answered_parts_are_no_residue(
    tmp_path: Path,
) -> None:
    world = World(tmp_path, EMPTY)
    inline = record("ec2", "CreateRoute", {"RouteTableId": "rtb-1", "DestinationCidrBlock": "0.0.0.0/0"}, {})
    lost = record("ec2", "CreateRoute", {"RouteTableId": "rtb-1", "DestinationCidrBlock": "10.0.0.0/8"})
    world.api.creates = (inline, lost)
    world.commands.codes["plan"] = [1, 0]
    assert [item.address for item in world.carry_out().residue] == [
        "ec2:CreateRoute (RouteTableId=rtb-1, DestinationCidrBlock=10.0.0.0/8)"
    ]


def drifted(*addresses: str) -> bytes:
    return document(complete=True, resource_drift=[change(one, "update") for one in addresses])


SET = Rearrangement(changed=(Changed(address="aws_x.old", attributes=("policy",)),))


@pytest.mark.parametrize(
    ("plan", "given", "stored"),
    [
        (drifted("aws_x.old"), SET, True),
        (drifted("aws_x.other"), SET, False),
        (drifted("aws_x.old"), Rearrangement(), False),
        (drifted("aws_security_group.g"), Rearrangement(), True),
        (EMPTY, SET, False),
    ],
    ids=["of what was set", "of something else", "nothing was set", "of a group", "none"],
)
def test_values_that_no_plan_stores_are_stored_to_be_compared(
    tmp_path: Path, plan: bytes, given: Rearrangement, stored: bool
) -> None:
    world = World(tmp_path, plan)
    assert world.carry_out(given).state is RollbackState.NOT_NEEDED
    refreshed = [line for line in world.commands.lines if line.startswith("apply -refresh-only")]
    assert len(refreshed) == stored


def test_what_could_not_be_stored_cannot_be_told(tmp_path: Path) -> None:
    world = World(tmp_path, drifted("aws_x.old"))
    world.commands.codes["apply"] = [1]
    result = world.carry_out(SET)
    assert result.state is RollbackState.PARTIAL
    assert [(item.kind, item.address) for item in result.residue] == [(ResidueKind.UNKNOWN, "aws_x.old")]


def test_what_cannot_be_taken_out_of_the_state_is_not_planned_to_be_deleted(tmp_path: Path) -> None:
    world = World(tmp_path, left("a"), first=None)
    world.commands.state = state("aws_x.a")
    world.commands.codes["state"] = [1]
    assert world.carry_out(TAKEN_IN).state is RollbackState.FAILED
    assert "plan" not in world.commands.steps


def test_what_the_deployment_did_with_addresses_is_turned_around_and_the_last_plan_has_nothing_of_that(
    tmp_path: Path,
) -> None:
    world = World(tmp_path, left("a"), EMPTY)
    assert world.carry_out(MOVED).state is RollbackState.ROLLED_BACK
    assert world.commands.rollback_file == [True, False]


def test_a_plan_that_is_empty_only_with_the_inverses_is_made_again_without_them(tmp_path: Path) -> None:
    world = World(tmp_path, EMPTY, left("a"), EMPTY)
    assert world.carry_out(MOVED).state is RollbackState.ROLLED_BACK
    assert world.commands.rollback_file == [True, False, False]


def test_an_apply_that_failed_is_tried_again_with_the_inverses_still_there(tmp_path: Path) -> None:
    world = World(tmp_path, left("a", "b"), left("b"), EMPTY)
    world.commands.codes["apply"] = [1, 0]
    result = world.carry_out(MOVED)
    assert result.state is RollbackState.ROLLED_BACK
    assert world.commands.rollback_file == [True, True, False]
    assert [len(plan.items) for plan in world.api.plans] == [2, 1], "each plan is bounded anew"
    assert named(result) == ["delete aws_x.a", "delete aws_x.b"]


def test_what_cannot_be_done_is_named_exactly_in_the_end(tmp_path: Path) -> None:
    world = World(tmp_path, left("a", "b"), left("b"))
    world.commands.codes["apply"] = [1]
    result = world.carry_out()
    assert result.state is RollbackState.PARTIAL
    (only,) = result.residue
    assert (only.kind, only.address, only.id) == (ResidueKind.LEFT, "aws_x.b", "id-b")
    assert only.reason == "terraform apply failed with exit code 1; the log says why"
    assert world.commands.steps.count("apply") == MAX_ROUNDS
    outcome = outcome_of(result)
    assert outcome.status is RunStatus.ERRORED
    assert "rolled back in part, 1 left: it burns; left: left aws_x.b (id-b)" in outcome.reason


def test_what_is_never_done_however_often_it_is_applied_is_not_applied_again(tmp_path: Path) -> None:
    world = World(tmp_path, left("a"))
    assert world.carry_out().state is RollbackState.PARTIAL
    assert world.commands.steps.count("apply") == 1


def test_what_is_refused_stays_and_the_rest_is_done_without_it(tmp_path: Path) -> None:
    world = World(tmp_path, left("a", "bucket"), left("a", complete=False), left("bucket"))
    world.api.refused["aws_x.bucket"] = "it holds data"
    result = world.carry_out()
    assert result.state is RollbackState.PARTIAL
    assert named(result) == ["delete aws_x.a"]
    assert [(one.address, one.reason) for one in result.residue] == [("aws_x.bucket", "it holds data")]
    assert [str(one.item) for one in result.refused] == ["delete aws_x.bucket"]
    targeted = [line for line in world.commands.lines if "-target=aws_x.a" in line.split()]
    assert len(targeted) == 1
    assert "-target=aws_x.bucket" not in " ".join(world.commands.lines)


def test_where_everything_is_refused_nothing_is_applied(tmp_path: Path) -> None:
    world = World(tmp_path, left("bucket"))
    world.api.refused["aws_x.bucket"] = "it holds data"
    assert world.carry_out().state is RollbackState.PARTIAL
    assert "apply" not in world.commands.steps


def test_a_part_that_takes_along_what_is_refused_is_not_applied(tmp_path: Path) -> None:
    world = World(tmp_path, left("a", "bucket"))
    world.api.refused["aws_x.bucket"] = "it holds data"
    result = world.carry_out()
    assert result.state is RollbackState.PARTIAL
    assert {one.address for one in result.residue} == {"aws_x.a", "aws_x.bucket"}
    assert "apply" not in world.commands.steps


def test_nor_is_one_that_cannot_be_planned(tmp_path: Path) -> None:
    world = World(tmp_path, left("a", "bucket"))
    world.api.refused["aws_x.bucket"] = "it holds data"
    world.commands.codes["plan"] = [0, 1]
    result = world.carry_out()
    assert (result.state, len(result.residue)) == (RollbackState.PARTIAL, 2)
    assert "apply" not in world.commands.steps


def test_a_plan_that_puts_something_off_is_not_empty(tmp_path: Path) -> None:
    world = World(tmp_path, document(complete=False))
    result = world.carry_out()
    assert result.state is RollbackState.PARTIAL
    assert result.residue[0].kind is ResidueKind.UNKNOWN


@pytest.mark.parametrize(
    "error", [ConfigurationError("no such provider", hint=""), ApiError("gone", status=404, code="not_found")]
)
def test_a_first_release_that_is_not_to_be_had_is_a_failure_that_touches_nothing(
    tmp_path: Path, error: Exception
) -> None:
    world = World(tmp_path, left("a"))
    world.lay_out_error = error
    result = world.carry_out()
    assert result.state is RollbackState.FAILED
    assert result.reason.endswith("(after: it burns)")
    assert world.commands.steps == []
    assert outcome_of(result).status is RunStatus.ERRORED


@pytest.mark.parametrize("step", ["init", "plan"])
def test_a_first_configuration_that_cannot_be_planned_is_a_failure(tmp_path: Path, step: str) -> None:
    world = World(tmp_path, left("a"))
    world.commands.codes[step] = [1]
    assert world.carry_out().state is RollbackState.FAILED


def test_one_that_cannot_be_planned_any_more_after_something_was_done_is_partial(tmp_path: Path) -> None:
    world = World(tmp_path, left("a", "b"))
    world.commands.codes["plan"] = [0, 1]
    result = world.carry_out()
    assert (result.state, named(result)) == (RollbackState.PARTIAL, [])
    assert [(one.kind, one.address) for one in result.residue] == [
        (ResidueKind.UNKNOWN, "aws_x.a"),
        (ResidueKind.UNKNOWN, "aws_x.b"),
    ], "nobody saw whether they are gone"


def test_a_state_of_another_lineage_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    world = World(tmp_path, left("a"))
    world.api.error = ApiError("lineage differs", status=409, code="lineage_differs")
    result = world.carry_out()
    assert (result.state, "lineage differs" in result.reason) == (RollbackState.FAILED, True)
    assert [one.address for one in result.residue] == ["aws_x.a"], "what the plan said is told all the same"
    assert "apply" not in world.commands.steps


def test_a_lost_lease_is_no_result(tmp_path: Path) -> None:
    world = World(tmp_path, left("a"))
    world.api.error = ApiError("gone", status=409, code="lease_lost")
    with pytest.raises(ApiError):
        world.carry_out()
    assert world.api.results == []


SAYS_NOTHING = RollbackVerdict()
SAYS_LESS = RollbackVerdict(allowed=(item("delete", "aws_x.a", "id-a"),))
SAYS_MORE = RollbackVerdict(
    allowed=(item("delete", "aws_x.a", "id-a"), item("delete", "aws_x.b", "id-b"), item("delete", "aws_x.c", "id-c"))
)


@pytest.mark.parametrize("says", [SAYS_NOTHING, SAYS_LESS, SAYS_MORE], ids=["nothing", "less", "more"])
def test_an_answer_that_is_not_about_its_plan_lets_nothing_be_applied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: RollbackVerdict
) -> None:
    world = World(tmp_path, left("a", "b"), EMPTY)
    monkeypatch.setattr(world.api, "deliver_rollback_plan", lambda *_, **__: says)
    with pytest.raises(PeerError, match="is not about the rollback's plan"):
        world.carry_out()
    assert "apply" not in world.commands.steps
    assert world.api.results == []


@pytest.mark.parametrize("error", [Unavailable("away"), PeerError("something writes", hint="")])
def test_without_an_answer_to_its_plan_nothing_is_applied(tmp_path: Path, error: Exception) -> None:
    world = World(tmp_path, left("a"), EMPTY)
    world.api.error = error
    with pytest.raises(type(error)):
        world.carry_out()
    assert "apply" not in world.commands.steps
    assert world.api.results == []


@pytest.mark.parametrize("mode", ["reads", "unbounded", "unknown", ""])
def test_a_proxy_that_holds_the_run_to_something_else_is_no_permission(tmp_path: Path, mode: str) -> None:
    world = World(tmp_path, left("a"), EMPTY)
    world.mode = mode
    with pytest.raises(LeaseRefused, match="instead of what its rollback may do"):
        world.carry_out()
    assert "apply" not in world.commands.steps
    assert world.api.results == []


@pytest.mark.parametrize("error", [Unavailable("away"), PeerError("something writes", hint="")])
def test_what_another_run_may_do_better_is_no_result(tmp_path: Path, error: Exception) -> None:
    world = World(tmp_path, left("a"))
    world.lay_out_error = error
    with pytest.raises(type(error)):
        world.carry_out()
    assert world.api.results == []


def test_a_failure_while_the_scheduler_was_away_is_no_result(tmp_path: Path) -> None:
    world = World(tmp_path, left("a"))
    world.commands.codes["plan"] = [1]
    world.away = True
    with pytest.raises(Unavailable, match="did not answer meanwhile"):
        world.carry_out()


def test_what_an_apply_could_not_do_while_the_scheduler_was_away_is_tried_by_another_run(tmp_path: Path) -> None:
    """A call may have been carried out without an answer, and made anew it fails for ever."""
    world = World(tmp_path, left("a", "b"), left("b"))
    world.commands.codes["apply"] = [0, 1]
    world.away = True
    with pytest.raises(Unavailable, match="did not answer during the rollback: terraform apply failed"):
        world.carry_out()
    assert world.api.results == []


def test_what_was_refused_is_left_whether_or_not_the_scheduler_was_away(tmp_path: Path) -> None:
    world = World(tmp_path, left("a", "bucket"), left("a", complete=False), left("bucket"))
    world.api.refused["aws_x.bucket"] = "it holds data"
    world.away = True
    assert world.carry_out().state is RollbackState.PARTIAL


def test_a_rollback_that_cannot_store_its_state_plans_nothing_against_the_old_one(tmp_path: Path) -> None:
    world = World(tmp_path, left("a"), EMPTY)
    world.stored = False
    with pytest.raises(Unavailable, match="could not store its state"):
        world.carry_out()
    assert world.commands.steps[-1] == "apply"
    assert world.api.results == []


def test_a_killed_terraform_is_no_result(tmp_path: Path) -> None:
    world = World(tmp_path, left("a"))
    world.commands.codes["apply"] = [137]
    with pytest.raises(PeerError, match="was killed"):
        world.carry_out()
    assert world.api.results == []


@pytest.mark.parametrize(("step", "state"), [("init", RollbackState.FAILED), ("show", RollbackState.FAILED)])
def test_a_cancel_is_told_with_what_was_done_until_then(tmp_path: Path, step: str, state: RollbackState) -> None:
    world = World(tmp_path, left("a"))

    def stop() -> None:
        raise StopRequested(StopReason(cause=Cause.CANCELED, detail="canceled"))

    world.commands.during[step] = stop
    with pytest.raises(StopRequested):
        world.carry_out()
    assert [(one.state, one.reason) for one in world.api.results] == [(state, "canceled")]


@pytest.mark.parametrize("cause", [Cause.LEASE_LOST, Cause.HALTED, Cause.REVOKED])
def test_a_run_that_lost_its_lease_or_was_halted_tells_nothing(tmp_path: Path, cause: Cause) -> None:
    world = World(tmp_path, left("a"))

    def stop() -> None:
        raise StopRequested(StopReason(cause=cause, detail="gone"))

    world.commands.during["apply"] = stop
    with pytest.raises(StopRequested):
        world.carry_out()
    assert world.api.results == []


MADE = record("sqs", "CreateQueue", {"QueueName": "q"}, {"QueueUrl": "https://q"})


def test_what_the_deployment_made_and_no_state_holds_is_named(tmp_path: Path) -> None:
    """Its own configuration cannot be planned any more, so nothing can be imported."""
    world = World(tmp_path, EMPTY)
    world.api.creates = (MADE,)
    world.commands.codes["plan"] = [1, 0]
    result = world.carry_out()
    assert result.state is RollbackState.PARTIAL
    assert result.residue[0].address.startswith("sqs:CreateQueue (")
    assert (result.residue[0].type, bool(result.residue[0].id)) == ("aws_sqs_queue", True)
    assert result.residue[0].kind is ResidueKind.LEFT


def test_what_the_state_holds_is_accounted_for_without_a_plan_of_the_new_configuration(tmp_path: Path) -> None:
    world = World(tmp_path, left("a"), EMPTY)
    world.commands.state = state("aws_sqs_queue.q", name="q")
    world.api.creates = (MADE,)
    assert world.carry_out().state is RollbackState.ROLLED_BACK
    assert world.commands.steps == ["show", "init", "plan", "show", "apply", "plan", "show"]


def test_an_answered_call_of_its_own_that_no_rule_knows_was_heard_by_terraform(tmp_path: Path) -> None:
    answered = record("quicksight", "CreateFolder", {"FolderId": "f"}, {"Arn": "f"})
    unheard = record("quicksight", "CreateFolder", {"FolderId": "g"})
    world = World(tmp_path / "1", left("a"), EMPTY)
    world.api.creates = (answered,)
    assert world.carry_out().state is RollbackState.ROLLED_BACK
    world = World(tmp_path / "2", left("a"), EMPTY)
    world.api.creates = (answered, unheard)
    world.commands.codes["plan"] = [1, 0]
    (only,) = world.carry_out().residue
    assert only.address == "quicksight:CreateFolder (FolderId=g)"
    world = World(tmp_path / "3", left("a"), EMPTY)
    world.api.creates = (answered.model_copy(update={"run_id": "run-aaaaaaaaaaaaaaaa"}),)
    world.commands.codes["plan"] = [1, 0]
    assert world.carry_out().state is RollbackState.PARTIAL, "another run may have been cut before it heard"


def test_a_run_of_its_own_prepares_the_new_configuration_only_where_that_is_needed(tmp_path: Path) -> None:
    world = World(tmp_path / "1", left("a"), EMPTY)
    world.carry_out(prepared=False)
    assert world.commands.steps.count("init") == 1
    world = World(tmp_path / "2", left("a"), EMPTY)
    world.api.creates = (MADE,)
    world.commands.codes["plan"] = [1, 0]
    world.carry_out(prepared=False)
    assert world.commands.steps.count("init") == 2
    world = World(tmp_path / "3", left("a"), EMPTY, first=None)
    world.carry_out(prepared=False)
    assert world.commands.steps[0] == "init"


def test_the_log_says_what_is_done_what_is_refused_and_what_is_left(tmp_path: Path) -> None:
    world = World(tmp_path, left("a", "bucket"), left("a", complete=False), left("bucket"))
    world.api.refused["aws_x.bucket"] = "it holds data"
    world.carry_out()
    assert "  delete aws_x.a" in world.notes
    assert "  refused: delete aws_x.bucket: it holds data" in world.notes
    assert "rollback: PARTIAL, 1 left" in world.notes
    assert "  left aws_x.bucket (id-bucket): it holds data" in world.notes


def test_reading_and_no_ops_are_nothing_to_take_back(tmp_path: Path) -> None:
    world = World(tmp_path, document(change("aws_x.a", "no-op"), change("data.aws_x.b", "read")))
    assert world.carry_out().state is RollbackState.NOT_NEEDED
