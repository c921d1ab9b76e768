"""A replacement that was cut: what existed has its address again, and what was made in its place goes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shared.rollback.putting_back import put_beside
from shared.rollback.records import ResidueKind, RollbackState
from tests.unit.shared.safety.support import change, document
from tests.unit.worker.rollbacks import EMPTY, World, left, named
from tests.unit.worker.support import record
from worker.stop import Cause, StopReason, StopRequested
from worker.take_over import TakeOver


def half_replaced(world: World) -> None:
    """What was there before is left beside its successor."""
    objects = [{"attributes": {"id": "id-new"}}, {"deposed": "00aa", "attributes": {"id": "id-old"}}]
    entry = {"mode": "managed", "type": "aws_x", "name": "old", "instances": objects}
    world.commands.stored = json.dumps({"version": 4, "serial": 6, "lineage": "l", "resources": [entry]})


def test_what_existed_and_was_left_beside_its_successor_has_its_address_again_before_anything_is_planned(
    tmp_path: Path,
) -> None:
    world = World(tmp_path, left("a"), EMPTY)
    half_replaced(world)
    pushed: list[dict[str, Any]] = []

    def state() -> None:
        if world.commands.lines[-1].startswith("state push"):
            name = world.commands.lines[-1].split()[-1]
            pushed.append(json.loads((world.directory.work / name).read_bytes()))

    world.commands.during["state"] = state
    assert world.carry_out().state is RollbackState.ROLLED_BACK
    assert world.commands.steps == ["init", "state", "plan", "show", "apply", "plan", "show"]
    (stored,) = pushed
    assert stored["serial"] == 7
    assert [(one["attributes"]["id"], one.get("deposed")) for one in stored["resources"][0]["instances"]] == [
        ("id-new", "00aa"),
        ("id-old", None),
    ]
    assert not [path for path in world.directory.work.iterdir() if "tfstate" in path.name], "it holds secrets"


def test_where_it_cannot_be_put_back_what_is_left_is_named_by_what_it_is(tmp_path: Path) -> None:
    there = document(
        change("aws_x.old", "delete", "create", change_before={"id": "id-new"}, change_before_sensitive={}),
        change("aws_x.old", "delete", deposed="00aa", change_before={"id": "id-old"}, change_before_sensitive={}),
        complete=True,
    )
    world = World(tmp_path, there)
    half_replaced(world)
    world.commands.codes |= {"apply": [1], "state": [0, 1]}
    result = world.carry_out()
    assert result.state is RollbackState.PARTIAL
    assert [(one.kind, one.id) for one in result.residue] == [
        (ResidueKind.LEFT, "id-new"),
        (ResidueKind.CHANGED, "id-old"),
    ]


GROUP = record("ec2", "CreateSecurityGroup", {"GroupName": "new"}, {"groupId": "sg-new"})
REPLACED = change(
    "aws_security_group.g", "create", "delete", change_before={"id": "sg-old"}, change_after={"name": "new"}
)


def cut_in_a_replacement(
    tmp_path: Path, *plans: bytes, before: tuple[bytes, ...] = (), rollback_only: bool = False
) -> tuple[World, list[list[str]]]:
    """The state holds what was to be replaced, nothing what was made in its place. And: what is stored, in turn."""
    world = World(tmp_path, *before, document(REPLACED, complete=True), *plans, rollback_only=rollback_only)
    world.api.creates = (GROUP,)
    world.commands.codes["-I"] = [1]  # the cloud does not answer questions
    entry = {
        "mode": "managed",
        "type": "aws_security_group",
        "name": "g",
        "instances": [{"attributes": {"id": "sg-old"}}],
    }
    world.commands.stored = json.dumps({"version": 4, "serial": 6, "lineage": "l", "resources": [entry]})
    pushed: list[list[str]] = []

    def state() -> None:
        if world.commands.lines[-1].startswith("state push"):
            world.commands.stored = (world.directory.work / world.commands.lines[-1].split()[-1]).read_text()
            (resource,) = json.loads(world.commands.stored)["resources"]
            pushed.append([one["attributes"]["id"] for one in resource["instances"]])

    world.commands.during["state"] = state
    return world, pushed


def test_what_was_made_in_place_of_something_is_held_beside_it_and_destroyed(tmp_path: Path) -> None:
    gone = change("aws_security_group.g", "delete", deposed="00aa", change_before={"id": "sg-new"})
    held = [
        {"address": "aws_security_group.g", "mode": "managed", "type": "aws_security_group", "values": {"id": name}}
        for name in ("sg-old", "sg-new")
    ]
    plan = json.loads(document(gone, complete=True)) | {"prior_state": {"values": {"root_module": {"resources": held}}}}
    world, pushed = cut_in_a_replacement(tmp_path, json.dumps(plan).encode(), EMPTY)
    result = world.carry_out()
    assert pushed == [["sg-old", "sg-new"]]
    assert result.state is RollbackState.ROLLED_BACK
    assert named(result) == ["delete aws_security_group.g (deposed)"]


def test_what_a_provider_cannot_read_is_let_go_again_and_named(tmp_path: Path) -> None:
    world, pushed = cut_in_a_replacement(tmp_path, EMPTY)
    world.commands.codes["plan"] = [0, 1, 0]
    result = world.carry_out()
    assert pushed == [["sg-old", "sg-new"], ["sg-old"]]
    assert result.state is RollbackState.PARTIAL
    assert [(one.kind, one.id) for one in result.residue] == [(ResidueKind.LEFT, "sg-new")]


def test_what_cannot_be_stored_beside_it_is_named(tmp_path: Path) -> None:
    world, _ = cut_in_a_replacement(tmp_path, EMPTY)
    world.commands.codes["state"] = [0, 0, 1, 0]
    result = world.carry_out()
    assert [(one.kind, one.id) for one in result.residue] == [(ResidueKind.LEFT, "sg-new")]


def test_what_an_earlier_try_put_beside_it_is_looked_for_anew(tmp_path: Path) -> None:
    """It was cut before any plan: whether the provider can read it, nobody knows."""
    world, pushed = cut_in_a_replacement(tmp_path, EMPTY)
    there = put_beside(world.commands.stored.encode(), {"aws_security_group.g": ("sg-new", "eu-west-1")}, existed=())
    assert there is not None
    world.commands.stored = there.decode()
    world.carry_out()
    assert pushed == [["sg-old"], ["sg-old", "sg-new"]]


def test_what_an_earlier_try_made_again_has_its_address_and_what_the_deployment_made_goes(tmp_path: Path) -> None:
    """The deployment's configuration does not replace anything any more; the first one does."""
    world, pushed = cut_in_a_replacement(tmp_path, EMPTY, before=(EMPTY,), rollback_only=True)
    world.carry_out()
    assert pushed == [["sg-new", "sg-old"]]
    (entry,) = json.loads(world.commands.stored)["resources"]
    assert ["deposed" in one for one in entry["instances"]] == [False, True]


def test_a_half_that_the_first_configuration_wants_is_held_at_one_place_alone(tmp_path: Path) -> None:
    world, pushed = cut_in_a_replacement(tmp_path, document(REPLACED, complete=True), EMPTY, rollback_only=True)
    world.carry_out()
    assert pushed == [["sg-new", "sg-old"]]


def test_only_with_the_first_configuration_is_kept_what_was_before_whoever_made_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the deployment's configuration wants is about to be destroyed."""
    world, _ = cut_in_a_replacement(tmp_path, EMPTY, before=(EMPTY,), rollback_only=True)
    kept: list[tuple[frozenset[str], bool]] = []
    settle = TakeOver.settle

    def spy(self: TakeOver, *words: Any, restoring: frozenset[str], named: bool) -> Any:
        kept.append((restoring, named))
        return settle(self, *words, restoring=restoring, named=named)

    monkeypatch.setattr(TakeOver, "settle", spy)
    world.carry_out()
    assert (kept[0], *{*kept[1:]}) == ((frozenset(), False), (frozenset({"aws_x.old"}), True))


def test_a_state_that_cannot_be_rewritten_is_left_and_what_it_does_not_hold_is_named(tmp_path: Path) -> None:
    world, pushed = cut_in_a_replacement(tmp_path, EMPTY)
    world.commands.stored = world.commands.stored.replace('"sg-old"', '"sg-old", "x": 1e400')
    result = world.carry_out()
    assert (pushed, result.state) == ([], RollbackState.PARTIAL)
    assert [(one.kind, one.id) for one in result.residue] == [(ResidueKind.LEFT, "sg-new")]


def test_a_stop_while_the_state_is_stored_leaves_no_copy_of_it(tmp_path: Path) -> None:
    world, _ = cut_in_a_replacement(tmp_path, EMPTY)

    def stop() -> None:
        if world.commands.lines[-1].startswith("state push"):
            raise StopRequested(StopReason(cause=Cause.LEASE_LOST, detail="gone"))

    world.commands.during["state"] = stop
    with pytest.raises(StopRequested):
        world.carry_out()
    assert not [path for path in world.directory.work.iterdir() if "tfstate" in path.name]


WANTED = change(
    "aws_x.old",
    "delete",
    "create",
    change_before={"id": "id-old"},
    change_before_sensitive={},
    action_reason="replace_because_tainted",
)


def half_made(tmp_path: Path, *plans: bytes) -> World:
    """An earlier try was cut while it made again what the deployment had deleted; it may not be destroyed."""
    world = World(tmp_path, *plans)
    objects = [{"attributes": {"id": "id-old"}, "status": "tainted"}]
    entry = {"mode": "managed", "type": "aws_x", "name": "old", "instances": objects}
    world.commands.stored = json.dumps({"version": 4, "serial": 6, "lineage": "l", "resources": [entry]})
    world.api.refused_operations = {"replace_delete_first"}
    return world


def test_what_was_not_wholly_made_again_and_must_not_be_replaced_is_changed(tmp_path: Path) -> None:
    update = change("aws_x.old", "update", change_before={"id": "id-old"})
    world = half_made(tmp_path, document(WANTED, complete=True), document(update, complete=True), EMPTY)
    result = world.carry_out()
    assert result.state is RollbackState.ROLLED_BACK
    assert named(result) == ["update aws_x.old"]
    assert sum(line.startswith("state push") for line in world.commands.lines) == 1


def test_what_is_to_be_replaced_for_another_reason_is_left_and_named(tmp_path: Path) -> None:
    world = half_made(tmp_path, document({**WANTED, "action_reason": "replace_because_cannot_update"}, complete=True))
    result = world.carry_out()
    assert [(one.kind, one.id) for one in result.residue] == [(ResidueKind.CHANGED, "id-old")]
    assert not any(line.startswith("state push") for line in world.commands.lines)


def test_what_provisioners_belong_to_is_left_and_named(tmp_path: Path) -> None:
    """Nobody knows whether they ran."""
    provisioners = [{"type": "local-exec", "expressions": {}}]
    resource = {"address": "aws_x.old", "mode": "managed", "type": "aws_x", "name": "old", "provisioners": provisioners}
    plan = json.loads(document(WANTED, complete=True))
    plan["configuration"] = {"root_module": {"resources": [resource]}}
    world = half_made(tmp_path, json.dumps(plan).encode())
    assert world.carry_out().state is RollbackState.PARTIAL
    assert not any(line.startswith("state push") for line in world.commands.lines)
