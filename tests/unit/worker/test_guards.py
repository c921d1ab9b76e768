"""Plans in spite of prevent_destroy; with a real Terraform: tests/integration/test_rollback_guards.py."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shared.errors import PeerError
from shared.rollback.guards import FILE_NAME
from shared.rollback.records import ResidueKind, RollbackState
from tests.unit.worker.rollbacks import EMPTY, World, left, named
from tests.unit.worker.support import record
from worker.guards import MAX_LAYERS, Unguarded


def unguarded(world: World, *, codes: list[int], guarding: list[list[str]]) -> Unguarded:
    world.commands.codes["plan"] = codes
    world.commands.guarding = guarding
    return Unguarded(world.terraform(), world.notes.append)


def override(world: World, folder: str = "") -> str:
    path = world.directory.work / folder / FILE_NAME
    return path.read_text() if path.exists() else ""


def modules(world: World, **folders: str) -> None:
    listed = [{"Key": key.replace("_", "."), "Dir": folder} for key, folder in folders.items()]
    place = world.directory.work / ".terraform" / "modules"
    place.mkdir(parents=True)
    (place / "modules.json").write_text(json.dumps({"Modules": [{"Key": "", "Dir": "."}, *listed]}))
    for folder in folders.values():
        if ".." not in folder and not folder.startswith("/"):
            (world.directory.work / folder).mkdir(parents=True, exist_ok=True)


def test_what_is_guarded_is_planned_all_the_same_and_told(tmp_path: Path) -> None:
    world = World(tmp_path, left("a"))
    terraform = unguarded(world, codes=[1, 0], guarding=[["aws_x.a[0]", "aws_x.a[1]"]])
    assert terraform.try_plan("-destroy") == 2
    assert override(world).count("prevent_destroy = false") == 1
    assert [terraform.guarded(one) for one in ("aws_x.a[7]", "aws_x.b", "module.m.aws_x.a")] == [True, False, False]
    assert [line for line in world.commands.lines if "-destroy" not in line] == []


def test_layer_by_layer_as_terraform_names_them(tmp_path: Path) -> None:
    world = World(tmp_path, left("a"))
    terraform = unguarded(world, codes=[1, 0], guarding=[["aws_x.a"], ["aws_x.b"], []])
    assert terraform.try_plan() == 2
    assert [terraform.guarded(f"aws_x.{one}") for one in "abc"] == [True, True, False]
    assert override(world).count("prevent_destroy = false") == 2


def test_a_plan_that_can_be_made_is_not_asked_for_anything(tmp_path: Path) -> None:
    world = World(tmp_path, left("a"))
    terraform = unguarded(world, codes=[0], guarding=[["aws_x.a"]])
    assert terraform.try_plan() == 2
    assert (len(world.commands.guarding), override(world), terraform.guarded("aws_x.a")) == (1, "", False)


def test_one_that_fails_for_another_reason_has_failed(tmp_path: Path) -> None:
    world = World(tmp_path, left("a"))
    assert unguarded(world, codes=[1, 0], guarding=[]).try_plan() == 1
    assert override(world) == ""


def test_it_comes_to_an_end_though_it_is_never_done(tmp_path: Path) -> None:
    world = World(tmp_path / "1", left("a"))
    terraform = unguarded(world, codes=[1], guarding=[["aws_x.a"], ["aws_x.a"], ["aws_x.b"]])
    assert terraform.try_plan() == 1, "an override that does not help is not written again"
    assert world.commands.guarding == [["aws_x.b"]]
    world = World(tmp_path / "2", left("a"))
    terraform = unguarded(world, codes=[1], guarding=[[f"aws_x.n{at}"] for at in range(MAX_LAYERS + 5)])
    assert terraform.try_plan() == 1
    assert len(world.commands.guarding) == 5


def test_in_a_module_the_override_is_in_its_folder_and_counts_for_each_call_of_it(tmp_path: Path) -> None:
    world = World(tmp_path, left("a"))
    modules(world, a="net", b="net", a_inner=".terraform/modules/a.inner")
    terraform = unguarded(world, codes=[1, 0], guarding=[['module.a["x"].aws_x.a', "module.a.module.inner.aws_x.c"]])
    assert terraform.try_plan() == 2
    assert 'resource "aws_x" "a"' in override(world, "net")
    assert 'resource "aws_x" "c"' in override(world, ".terraform/modules/a.inner")
    assert override(world) == ""
    assert [terraform.guarded(f"module.{one}.aws_x.a") for one in ("a", "b", "c")] == [True, True, False]
    assert not terraform.guarded("aws_x.a")


@pytest.mark.parametrize("folder", ["../shared", "/etc"])
def test_nothing_is_written_outside_of_the_runs_directory(tmp_path: Path, folder: str) -> None:
    world = World(tmp_path, left("a"))
    modules(world, m=folder)
    assert unguarded(world, codes=[1, 0], guarding=[["module.m.aws_x.a"]]).try_plan() == 1
    assert "no folder" in world.notes[-1]


def test_nor_by_a_link(tmp_path: Path) -> None:
    world = World(tmp_path, left("a"))
    modules(world, m="net")
    (world.directory.work / "net").rmdir()
    (world.directory.work / "net").symlink_to(tmp_path)
    with pytest.raises(PeerError):
        unguarded(world, codes=[1, 0], guarding=[["module.m.aws_x.a"]]).try_plan()
    assert not (tmp_path / FILE_NAME).exists()


@pytest.mark.parametrize("first", [None, "sha256:" + "1" * 64])
def test_a_rollback_takes_the_rest_back_and_names_what_is_guarded(tmp_path: Path, first: str | None) -> None:
    world = World(tmp_path, left("a", "g"), left("a", complete=False), left("g"), first=first)
    world.commands.codes["plan"] = [1, 0]
    world.commands.guarding = [["aws_x.g"]]
    world.api.refused["aws_x.g"] = "its configuration has prevent_destroy"
    result = world.carry_out()
    assert [item.guarded for item in world.api.plans[0].items] == [False, True]
    assert (result.state, named(result)) == (RollbackState.PARTIAL, ["delete aws_x.a"])
    assert [(one.kind, one.address) for one in result.residue] == [(ResidueKind.LEFT, "aws_x.g")]


def test_what_was_left_is_settled_though_something_is_guarded(tmp_path: Path) -> None:
    """What was cut while it was made is to be made anew, which its own configuration forbids."""
    world = World(tmp_path, EMPTY, left("g"), EMPTY, first=None)
    world.api.creates = (record("sqs", "CreateQueue", {"QueueName": "q"}),)
    world.commands.codes["plan"] = [1, 0]
    world.commands.guarding = [["aws_x.g"]]
    world.carry_out()
    assert not [line for line in world.notes if "could not be settled" in line]
    assert [item.guarded for item in world.api.plans[0].items] == [True]


def test_without_any_plan_the_journal_names_what_it_knows(tmp_path: Path) -> None:
    world = World(tmp_path, left("a"))
    world.api.creates = (record("sqs", "CreateQueue", {"QueueName": "q"}, {"QueueUrl": "https://q"}),)
    world.commands.codes["plan"] = [1]
    result = world.carry_out()
    assert result.state is RollbackState.FAILED
    assert [(one.kind, one.id) for one in result.residue] == [(ResidueKind.LEFT, "https://q")]
