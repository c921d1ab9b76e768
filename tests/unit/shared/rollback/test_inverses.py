"""Moves, forgets and imports are turned around. What Terraform makes of it is in tests/integration."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.rollback.inverses import Inverse, inverse, steps
from shared.rollback.records import FirstResource, Imported, Moved, Rearrangement
from tests.unit.shared.rollback.support import first_state, was


def turned(
    *moved: tuple[str, str], first: tuple[FirstResource, ...] = (), removed_blocks: bool = True, **more: object
) -> Inverse:
    moves = tuple(Moved(before=before, after=after) for before, after in moved)
    rearranged = Rearrangement.model_validate({"moved": moves, **more})
    return inverse(rearranged, first_state(*first), removed_blocks=removed_blocks)


def pairs(text: str) -> list[tuple[str, str]]:
    """The `moved` blocks of a file as (from, to)."""
    lines = [line.strip() for line in text.splitlines()]
    origins = [line.removeprefix("from = ") for line in lines if line.startswith("from = ")]
    return list(
        zip(origins, [line.removeprefix("to   = ") for line in lines if line.startswith("to   = ")], strict=True)
    )


def test_nothing_rearranged_needs_no_file() -> None:
    assert turned().empty
    assert turned().text == ""


def test_a_move_goes_back_where_the_object_was_there_before() -> None:
    found = turned(("aws_vpc.a", "aws_vpc.b"), first=(was("aws_vpc.a"),))
    assert not found.empty
    assert found.text == (
        "# Made for a rollback: turns around what the deployment did with addresses.\n\n"
        "moved {\n  from = aws_vpc.b\n  to   = aws_vpc.a\n}\n"
    )
    assert turned(("aws_vpc.a", "aws_vpc.b"), first=(was("aws_vpc.c"),)).empty


def test_an_object_left_by_a_replacement_is_not_what_moved() -> None:
    assert turned(("aws_vpc.a", "aws_vpc.b"), first=(was("aws_vpc.a", deposed="1"),)).empty


def test_moves_of_two_deployments_go_back_step_by_step() -> None:
    found = turned(("t.a", "t.b"), ("t.b", "t.c"), first=(was("t.a"),))
    assert pairs(found.text) == [("t.b", "t.a"), ("t.c", "t.b")]


def test_there_and_back_and_there_is_one_way() -> None:
    assert pairs(turned(("t.a", "t.b"), ("t.b", "t.a"), first=(was("t.a"),)).text) == [("t.b", "t.a")]
    assert pairs(turned(("t.a", "t.b"), ("t.b", "t.a"), ("t.a", "t.c"), first=(was("t.a"),)).text) == [
        ("t.b", "t.a"),
        ("t.c", "t.b"),
    ]


def test_where_another_object_was_there_is_no_way_back_and_that_is_said() -> None:
    found = turned(("t.a", "t.b"), first=(was("t.a"), was("t.b")))
    assert found.text == ""
    assert found.notes == ("t.b was t.a, and another object was there before",)


def test_a_place_that_two_objects_had_in_turn_belongs_to_the_last() -> None:
    found = turned(("t.a", "t.x"), ("t.x", "t.y"), ("t.b", "t.x"), first=(was("t.a"), was("t.b")))
    assert sorted(pairs(found.text)) == [("t.x", "t.b"), ("t.y", "t.a")]


def test_of_two_plans_for_one_object_the_earlier_had_come_to_nothing() -> None:
    assert pairs(turned(("t.a", "t.b"), ("t.a", "t.c"), first=(was("t.a"),)).text) == [("t.c", "t.a")]


def test_only_its_provider_knows_another_type() -> None:
    found = turned(("null_resource.a", "terraform_data.a"), first=(was("null_resource.a"),))
    assert found.text == ""
    assert "only its provider knows" in found.notes[0]


@pytest.mark.parametrize(
    ("before", "after", "where", "block"),
    [
        ("t.a", "module.own.t.a", "", ("module.own.t.a", "t.a")),
        ('module.own["x"].t.a', 'module.own["y"].t.b', "", ('module.own["y"].t.b', 'module.own["x"].t.a')),
        ("module.ext.t.a", "module.ext.t.b", "ext", ("t.b", "t.a")),
        ("module.ext.t.a", "module.ext.module.in.t.a", "ext", ("module.in.t.a", "t.a")),
        ('module.ext["k.x"].t.a[0]', 'module.ext["k.x"].t.b["q"]', "ext", ('t.b["q"]', "t.a[0]")),
        ("module.old.t.a", "module.ext.t.a", "", ("module.ext", "module.old")),
        ("module.ext[0].t.a", 'module.ext["x"].t.a', "", ('module.ext["x"]', "module.ext[0]")),
        ("module.own.module.deep.t.a", "module.own.module.deep.t.b", "own.deep", ("t.b", "t.a")),
        ("module.own.module.deep[0].t.a", "module.own.module.deep[1].t.a", "", (
            "module.own.module.deep[1]", "module.own.module.deep[0]")),
        ("module.ext.module.far[0].t.a", "module.ext.module.far[1].t.a", "ext", ("module.far[1]", "module.far[0]")),
        ("module.ext.module.in.t.a", "module.ext.module.in.t.b", "ext", ("module.in.t.b", "module.in.t.a")),
        ("module.ext.module.far.t.a", "module.ext.module.far.t.b", "ext.far", ("t.b", "t.a")),
        ("module.ext.t.a", "module.own.module.deep.t.a", "", ("module.own.module.deep", "module.ext")),
        ("t.a", "module.ext.t.a", None, None),
        ("module.ext.t.a", "module.old.t.b", None, None),
        ("module.ext[0].t.a", "module.ext[1].t.b", None, None),
    ],
)  # fmt: skip
def test_a_block_stands_where_terraform_accepts_it(
    before: str, after: str, where: str | None, block: tuple[str, str] | None
) -> None:
    packages = {
        "module.own": "./own",
        "module.own.module.deep": "git::https://example.com/deep.git",
        "module.ext": "example.com/ext/aws",
        "module.ext.module.in": "./in",
        "module.ext.module.far": "example.com/far/aws",
    }
    found = turned((before, after), first=(was(before),), packages=packages)
    if where is None:
        assert found.empty
        assert "crosses the border" in found.notes[0]
        return
    text = found.text if where == "" else found.modules[where]
    assert pairs(text) == [block]
    assert len(found.modules) + bool(found.text) == 1
    assert not found.empty
    assert found.notes == ()


def test_what_many_instances_say_stands_there_once() -> None:
    found = turned(
        *((f"module.a[{at}].t.{name}", f"module.b[{at}].t.{name}") for at in range(2) for name in "xy"),
        first=tuple(was(f"module.a[{at}].t.{name}") for at in range(2) for name in "xy"),
        packages={"module.b": "example.com/m", "module.a": "example.com/m"},
    )
    assert sorted(pairs(found.text)) == [("module.b[0]", "module.a[0]"), ("module.b[1]", "module.a[1]")]
    inside = turned(
        *((f"module.a[{at}].t.x", f"module.a[{at}].t.y") for at in range(2)),
        first=tuple(was(f"module.a[{at}].t.x") for at in range(2)),
        packages={"module.a": "example.com/m"},
    )
    assert pairs(inside.modules["a"]) == [("t.y", "t.x")]


def test_what_was_forgotten_is_imported_by_the_id_that_it_had() -> None:
    found = turned(first=(was('aws_vpc.a["x"]', 'v"${x}'),), forgotten=('aws_vpc.a["x"]', 'aws_vpc.a["x"]'))
    assert found.text.count("import {") == 1
    assert 'import {\n  to = aws_vpc.a["x"]\n  id = "v\\"$${x}"\n}\n' in found.text


def test_what_has_another_name_for_imports_is_imported_by_that() -> None:
    found = turned(first=(was("t.a", "rtbassoc-1", import_id="subnet-1/rtb-1"),), forgotten=("t.a",))
    assert 'id = "subnet-1/rtb-1"' in found.text
    unknown = turned(first=(was("t.a", "1", import_id=None),), forgotten=("t.a",))
    assert (unknown.text, len(unknown.notes)) == ("", 1)


def test_what_cannot_be_imported_is_said() -> None:
    found = turned(first=(was("aws_vpc.a", None),), forgotten=("aws_vpc.a", "aws_vpc.b"))
    assert found.text == ""
    assert [note.split(" ")[0] for note in found.notes] == ["aws_vpc.a", "aws_vpc.b"]


def taken(address: str, *, alone: bool = True) -> Imported:
    return Imported(address=address, type="aws_vpc", id="vpc-1", alone=alone)


def test_what_was_imported_is_forgotten_and_not_destroyed() -> None:
    found = turned(imported=(taken("aws_vpc.in[0]"), taken("aws_vpc.in[1]")))
    assert found.text.endswith("removed {\n  from = aws_vpc.in\n  lifecycle {\n    destroy = false\n  }\n}\n")
    assert found.text.count("removed {") == 1
    assert found.forget == ()


@pytest.mark.parametrize(
    ("one", "first", "blocks"),
    [
        (taken("aws_vpc.in[0]", alone=False), (), True),
        (taken("aws_vpc.in[1]"), (was("aws_vpc.in[0]"),), True),
        (taken("aws_vpc.in"), (), False),
    ],
    ids=["others were made beside it", "others were there before", "no such block"],
)
def test_one_of_several_is_taken_out_of_the_state_alone(
    one: Imported, first: tuple[FirstResource, ...], blocks: bool
) -> None:
    found = turned(first=first, imported=(one,), removed_blocks=blocks)
    assert (found.text, found.forget) == ("", (one.address,))
    assert not found.empty


def test_an_import_of_what_the_state_had_already_changes_nothing() -> None:
    assert turned(first=(was("aws_vpc.in"),), imported=(taken("aws_vpc.in"),)).empty


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("t.n", ["t.n"]),
        ("t.n[0]", ["t.n[0]"]),
        ('t.n["a.b[0].\\"c\\""]', ['t.n["a.b[0].\\"c\\""]']),
        ('module.a["x.y"].module.b.t.n[3]', ['module.a["x.y"]', "module.b", "t.n[3]"]),
        ("module.module.module.t.t.n", ["module.module", "module.t", "t.n"]),
        ("module.n", ["module.n"]),
        ("data.aws_ami.a", ["data.aws_ami.a"]),
    ],
)
def test_an_address_is_taken_apart_at_its_modules(address: str, path: list[str]) -> None:
    assert steps(address) == path


names = st.sampled_from([f"t.{name}" for name in "abcdef"])


@given(st.lists(st.tuples(names, names).filter(lambda pair: pair[0] != pair[1]), max_size=8), st.sets(names))
def test_whatever_was_moved_no_address_is_left_or_reached_twice_and_no_way_is_a_circle(
    moves: list[tuple[str, str]], there: set[str]
) -> None:
    found = pairs(turned(*moves, first=tuple(map(was, sorted(there)))).text)
    origins, ends = [pair[0] for pair in found], [pair[1] for pair in found]
    assert len(set(origins)) == len(origins)
    assert len(set(ends)) == len(ends)
    # What the first configuration has is never led away from, and each way ends there.
    assert not set(origins) & there
    ways = dict(found)
    for start in origins:
        at, walked = start, 0
        while at in ways:
            at, walked = ways[at], walked + 1
            assert walked <= len(found)
        assert at in there
