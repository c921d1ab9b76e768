"""What is let go again because the deployment had taken it in."""

from __future__ import annotations

from typing import Any

import pytest

from shared.rollback.letting_go import is_another, let_go, may_be_let_go
from shared.rollback.records import Imported, ResidueKind

RUN = "run-1111111111111111"


def imported(**more: Any) -> Imported:
    return Imported(**{"address": "aws_x.y", "type": "aws_x", "id": "name", "object_id": "i-1", **more})


@pytest.mark.parametrize(
    ("one", "held", "another"),
    [
        (imported(also="replace"), {"id": "i-2"}, True),
        (imported(also="replace"), {"id": "i-1"}, False),
        (imported(also="replace", object_id=None), {"id": "i-2"}, False),
        (imported(also="update"), {"id": "i-1"}, False),
        (imported(), {"id": "i-2"}, True),
        (imported(object_id=None), {}, False),
    ],
)
def test_what_has_another_id_by_now_is_another_object_whichever_try_replaced_it(
    one: Imported, held: dict[str, str], another: bool
) -> None:
    assert is_another(one, held) is another


def test_what_was_only_imported_is_let_go_without_a_word() -> None:
    assert list(let_go(imported())) == []
    assert list(let_go(imported(also="replace", type="aws_vpc"))) == [], "no two networks ever have one id"


def test_what_may_have_been_replaced_by_one_of_the_same_id_is_not_let_go_without_a_word() -> None:
    (one,) = let_go(imported(also="replace", type="aws_iam_role"))
    assert (one.kind, one.id) == (ResidueKind.UNKNOWN, "name")


def test_what_was_changed_as_well_is_not_as_it_was() -> None:
    assert [(one.kind, one.address) for one in let_go(imported(also="update"))] == [(ResidueKind.CHANGED, "aws_x.y")]


@pytest.mark.parametrize("also", [None, "update"])
def test_what_an_earlier_run_had_left_is_left_again_and_says_by_whom(also: str | None) -> None:
    (one,) = let_go(imported(made_by=RUN, also=also))
    assert (one.kind, one.id) == (ResidueKind.LEFT, "name")
    assert RUN in one.reason


@pytest.mark.parametrize("more", [{"also": "update"}, {"also": "replace"}, {"made_by": RUN}])
def test_a_later_try_still_says_what_an_earlier_one_may_have_let_go(more: dict[str, str]) -> None:
    (one,) = may_be_let_go(imported(**more))
    (first,) = let_go(imported(**more))
    assert (one.kind, one.reason) == (ResidueKind.UNKNOWN, f"{first.reason}, if it came to that")


def test_a_later_try_says_nothing_of_what_was_only_imported() -> None:
    assert list(may_be_let_go(imported())) == []
