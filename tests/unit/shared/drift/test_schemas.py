"""What is needed of the providers' schemas."""

from __future__ import annotations

from typing import Any

import pytest

from shared.drift.schemas import UNKNOWN, shapes


def of(block: Any) -> Any:
    document = {"provider_schemas": {"p": {"resource_schemas": {"a": {"block": block}, "b": {"block": {}}}}}}
    return shapes(document, {"a"})


def test_attributes_that_only_the_provider_sets_and_sets_are_told() -> None:
    found = of(
        {
            "attributes": {
                "arn": {"type": "string", "computed": True},
                "policy": {"type": "string", "computed": True, "optional": True},
                "groups": {"type": ["set", "string"], "optional": True},
                "order": {"type": ["list", "string"], "optional": True},
                "framework": {
                    "nested_type": {"nesting_mode": "set", "attributes": {"id": {"type": "string", "computed": True}}},
                    "optional": True,
                },
                "parts": {"type": ["map", ["object", {"x": ["set", "number"]}]], "computed": True},
            },
            "block_types": {
                "rule": {"nesting_mode": "set", "block": {"attributes": {"ids": {"type": ["set", "string"]}}}},
                "timeouts": {"nesting_mode": "single", "block": {"attributes": {"create": {"type": "string"}}}},
            },
        }
    )["a"].members
    assert [name for name, shape in found.items() if shape.computed_only] == ["arn", "parts"]
    assert [name for name, shape in found.items() if shape.unordered] == ["groups", "framework", "rule"]
    assert found["framework"].element.members["id"].computed_only
    assert found["rule"].element.members["ids"].unordered
    assert found["parts"].element.members["x"].unordered
    assert found["timeouts"].members["create"] == UNKNOWN


def test_types_that_were_not_asked_for_are_left_out() -> None:
    assert [*of({})] == ["a"]


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"provider_schemas": None},
        {"provider_schemas": {"p": []}},
        {"provider_schemas": {"p": {"resource_schemas": 1}}},
    ],
)
def test_what_is_not_as_expected_has_no_shape(document: Any) -> None:
    assert shapes(document, {"a"}) == {}


def test_a_schema_without_end_ends() -> None:
    block: dict[str, Any] = {}
    block["block_types"] = {"again": {"nesting_mode": "list", "block": block}}
    assert of(block)["a"].members["again"].element is not None
    kind: list[Any] = ["list"]
    kind.append(kind)
    assert of({"attributes": {"deep": {"type": kind}}})["a"].members["deep"].element is not None
