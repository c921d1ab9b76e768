"""What differs between two releases."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cli.release_diff import compare
from tests.releases import make_release

ONE, TWO = "web.north", "web.south"


def compared(old: dict[str, Any], new: dict[str, Any]) -> list[dict[str, Any]]:
    def load(choice: dict[str, Any]) -> Any:
        def files(target: str) -> Mapping[str, bytes]:
            return {**choice.get("generic", {}), **choice.get("rendered", {})}

        return files

    left, right = (make_release(*one.pop("targets", (ONE,)), **one)[0] for one in (old, new))
    return compare(left, right, old_files=load(old), new_files=load(new))


def values(**given: Any) -> dict[str, bytes]:
    return {"interlock.auto.tfvars.json": json.dumps(given).encode()}


def test_equal_releases_have_no_difference() -> None:
    assert compared({"rendered": values(a=1)}, {"rendered": values(a=1)}) == []


def test_each_value_that_changes_is_named() -> None:
    (change,) = compared(
        {"rendered": values(same=1, tags={"a": 1, "b": None}, zones=[1, 2])},
        {"rendered": values(same=1, tags={"a": 2}, zones=[2], new={})},
    )
    assert (change["target"], change["change"]) == (ONE, "changed")
    (file,) = change["files"]
    assert (file["path"], file["change"]) == ("interlock.auto.tfvars.json", "changed")
    assert file["values"] == [
        {"path": "new", "before": None, "after": {}},
        {"path": "tags.a", "before": 1, "after": 2},
        {"path": "tags.b", "before": None, "after": None},
        {"path": "zones", "before": [1, 2], "after": [2]},
    ]


def test_generic_files_are_named_without_their_content() -> None:
    (change,) = compared({"generic": {"a.tf": b"1", "b.tf": b""}}, {"generic": {"a.tf": b"2", "c.tf": b""}})
    assert [(file["path"], file["change"], file["values"]) for file in change["files"]] == [
        ("a.tf", "changed", []),
        ("b.tf", "removed", []),
        ("c.tf", "added", []),
    ]


def test_targets_come_and_go() -> None:
    changes = compared({"targets": (ONE,)}, {"targets": (TWO,)})
    assert [(one["target"], one["change"]) for one in changes] == [(ONE, "removed"), (TWO, "added")]
