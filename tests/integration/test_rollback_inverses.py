"""Inverses as Terraform itself reads them: after a rollback the first configuration has nothing to do."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from shared.rollback.inverses import FILE_NAME, Inverse, inverse
from shared.rollback.making import rollback_plan
from shared.rollback.rearranging import rearrangement
from shared.rollback.records import RollbackPlan
from shared.rollback.states import load_state, resources_of
from shared.safety.plan_document import load, read
from tests.unit.shared.rollback.support import first_state
from worker.terraform_binary import find_terraform

pytestmark = pytest.mark.terraform


class Bench:
    """A target: configurations laid out one after the other over one state, with the built-in provider."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "the.tfstate"
        self.work = folder / "work"

    def lay_out(self, files: Mapping[str, str]) -> None:
        shutil.rmtree(self.work, ignore_errors=True)
        for name, text in files.items():
            (self.work / name).parent.mkdir(parents=True, exist_ok=True)
            (self.work / name).write_text(text)
        self.run("init", "-backend=false", "-input=false")

    def run(self, *words: str) -> str:
        argv = [*find_terraform(None).argv(confined=False), *words]
        done = subprocess.run(argv, cwd=self.work, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, f"{words}: {done.stderr}"
        return done.stdout

    def plan(self) -> dict[str, Any]:
        self.run("plan", "-input=false", f"-state={self.state}", "-out=the.plan")
        return load(self.run("show", "-json", "the.plan").encode())

    def apply(self) -> None:
        self.run("apply", "-input=false", f"-state={self.state}", "the.plan")

    def deploy(self, files: Mapping[str, str]) -> dict[str, Any]:
        self.lay_out(files)
        plan = self.plan()
        self.apply()
        return plan

    def resources(self) -> dict[str, str | None]:
        return {one.address: one.id for one in resources_of(load_state(self.state.read_bytes()))}

    def go_back(self, files: Mapping[str, str], turned: Inverse) -> RollbackPlan:
        self.lay_out({**files, **({FILE_NAME: turned.text} if turned.text else {})})
        listed = json.loads((self.work / ".terraform/modules/modules.json").read_text()) if turned.modules else {}
        for module in listed.get("Modules", ()):
            if text := turned.modules.get(module["Key"]):
                (self.work / module["Dir"] / FILE_NAME).write_text(text)
        for address in turned.forget:
            self.run("state", "rm", f"-state={self.state}", address)
        self.run("validate")
        made = rollback_plan(read(self.plan()))
        self.apply()
        return made


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def there_and_back(
    bench: Bench, first: Mapping[str, str], new: Mapping[str, str], *, half: bool = False, blocks: bool = True
) -> RollbackPlan:
    """Deploy both, go back, see that the first configuration has nothing to do then; returns the rollback's plan."""
    bench.deploy(first)
    before = bench.resources()
    state = first_state(*resources_of(load_state(bench.state.read_bytes())))
    if half:
        bench.lay_out(new)
        plan = bench.plan()
    else:
        plan = bench.deploy(new)
    turned = inverse(rearrangement(plan), state, removed_blocks=blocks)
    assert turned.notes == ()
    made = bench.go_back(first, turned)
    assert bench.resources() == before, "the same objects at the same addresses"
    bench.lay_out(first)
    assert rollback_plan(read(bench.plan())).empty
    return made


A = 'resource "terraform_data" "a" {}\n'
MODULE = 'resource "terraform_data" "x" {}\n'

MOVES = {
    "a resource": (
        A,
        'resource "terraform_data" "b" {}\nmoved {\n  from = terraform_data.a\n  to = terraform_data.b\n}\n',
    ),
    "count that comes": (A, 'resource "terraform_data" "a" {\n  count = 2\n}\n'),
    "count that goes": ('resource "terraform_data" "a" {\n  count = 1\n}\n', A),
    "keys of for_each": (
        'resource "terraform_data" "a" {\n  for_each = toset(["k.1", "k\\"2$${x}"])\n}\n',
        'resource "terraform_data" "b" {\n  for_each = toset(["n[0]", "k\\"2$${x}"])\n}\n'
        'moved {\n  from = terraform_data.a["k.1"]\n  to = terraform_data.b["n[0]"]\n}\n'
        'moved {\n  from = terraform_data.a["k\\"2$${x}"]\n  to = terraform_data.b["k\\"2$${x}"]\n}\n',
    ),
    "a chain": (
        A,
        'resource "terraform_data" "c" {}\nmoved {\n  from = terraform_data.a\n  to = terraform_data.b\n}\n'
        "moved {\n  from = terraform_data.b\n  to = terraform_data.c\n}\n",
    ),
}


@pytest.mark.parametrize("half", [False, True], ids=["applied", "only planned"])
@pytest.mark.parametrize("name", MOVES)
def test_a_move_is_turned_around_and_nothing_is_made_anew(bench: Bench, name: str, half: bool) -> None:
    first, new = MOVES[name]
    there_and_back(bench, {"main.tf": first}, {"main.tf": new}, half=half)


def test_into_a_module_out_of_it_and_to_another(bench: Bench) -> None:
    first = {
        "main.tf": f'{A}module "m" {{\n  source = "./m"\n}}\nmodule "n" {{\n  source = "./m"\n  count = 1\n}}\n',
        "m/main.tf": MODULE,
    }
    new = {
        "main.tf": 'module "into" {\n  source = "./i"\n}\nresource "terraform_data" "out" {}\n'
        'module "k" {\n  source = "./m"\n  for_each = toset(["q"])\n}\n'
        "moved {\n  from = terraform_data.a\n  to = module.into.terraform_data.y\n}\n"
        "moved {\n  from = module.m.terraform_data.x\n  to = terraform_data.out\n}\n"
        'moved {\n  from = module.n[0]\n  to = module.k["q"]\n}\n',
        "m/main.tf": MODULE,
        "i/main.tf": 'resource "terraform_data" "y" {}\n',
    }
    made = there_and_back(bench, first, new)
    assert sorted(str(one) for one in made.changes) == [
        "move module.m.terraform_data.x",
        "move module.n[0].terraform_data.x",
        "move terraform_data.a",
    ]


def test_what_was_made_beside_a_move_goes_and_what_was_deleted_comes_back(bench: Bench) -> None:
    first = {"main.tf": f'{A}resource "terraform_data" "old" {{}}\n'}
    new = {"main.tf": f'{MOVES["a resource"][1]}resource "terraform_data" "new" {{}}\n'}
    bench.deploy(first)
    state = first_state(*resources_of(load_state(bench.state.read_bytes())))
    made = bench.go_back(first, inverse(rearrangement(bench.deploy(new)), state))
    assert sorted(str(one) for one in made.changes) == [
        "create terraform_data.old",
        "delete terraform_data.new",
        "move terraform_data.a",
    ]


def test_what_was_forgotten_is_taken_in_again(bench: Bench) -> None:
    forget = "removed {\n  from = terraform_data.a\n  lifecycle {\n    destroy = false\n  }\n}\n"
    made = there_and_back(bench, {"main.tf": A}, {"main.tf": forget})
    assert [one.operation for one in made.changes] == ["import"]


@pytest.mark.parametrize("half", [False, True], ids=["applied", "only planned"])
@pytest.mark.parametrize(
    "new",
    [
        f'{A}resource "terraform_data" "in" {{}}\nimport {{\n  to = terraform_data.in\n  id = "x"\n}}\n',
        'resource "terraform_data" "a" {\n  count = 2\n}\nimport {\n  to = terraform_data.a[1]\n  id = "x"\n}\n',
        'resource "terraform_data" "b" {\n  count = 2\n}\nimport {\n  to = terraform_data.b[1]\n  id = "x"\n}\n'
        "moved {\n  from = terraform_data.a\n  to = terraform_data.b[0]\n}\n",
    ],
    ids=["alone", "beside one that stays", "beside one that was moved"],
)
def test_what_was_imported_is_forgotten_and_not_destroyed(bench: Bench, new: str, half: bool) -> None:
    if half and "count" in new:
        # Then there is nothing to take out, and `state rm` says so.
        bench.run = lambda *words, run=bench.run: "" if words[:2] == ("state", "rm") else run(*words)  # type: ignore[method-assign]
    made = there_and_back(bench, {"main.tf": A}, {"main.tf": new}, half=half)
    assert "delete" not in {one.operation for one in made.changes}


def test_without_removed_blocks_it_is_taken_out_of_the_state_first(bench: Bench) -> None:
    new = f'{A}resource "terraform_data" "in" {{}}\nimport {{\n  to = terraform_data.in\n  id = "x"\n}}\n'
    assert there_and_back(bench, {"main.tf": A}, {"main.tf": new}, blocks=False).empty


def test_moves_inside_of_a_module_from_elsewhere_and_of_it_as_a_whole(bench: Bench) -> None:
    for version, name in (("1", "x"), ("2", "y")):
        folder = bench.folder / f"package{version}"
        folder.mkdir()
        moved = "moved {\n  from = terraform_data.x\n  to = terraform_data.y\n}\n" if version == "2" else ""
        (folder / "main.tf").write_text(f'resource "terraform_data" "{name}" {{}}\n{moved}')
    call = 'module "{}" {{\n  source = "{}/package{}"\n}}\n'
    first = {"main.tf": call.format("ext", bench.folder, 1) + call.format("far", bench.folder, 1)}
    new = {
        "main.tf": call.format("ext", bench.folder, 2)
        + call.format("near", bench.folder, 1)
        + "moved {\n  from = module.far\n  to = module.near\n}\n"
    }
    there_and_back(bench, first, new)
