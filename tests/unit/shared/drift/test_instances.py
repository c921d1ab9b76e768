"""The objects that a state holds."""

from __future__ import annotations

from typing import Any

import pytest

from shared.drift.instances import instances, label
from shared.errors import ConfigurationError
from tests.unit.shared.drift.support import resource, state


def test_every_object_of_every_module_is_found() -> None:
    document = state(resource("a_t.one", {"id": "1"}), resource("data.a_t.x"))
    document["values"]["root_module"]["child_modules"] = [
        {
            "resources": [resource("module.m.a_t.two", depends_on=["a_t.one"])],
            "child_modules": [{"resources": [resource("module.m.module.n.a_t.three", deposed="abc")]}],
        }
    ]
    found = instances(document)
    assert [*found] == [
        ("a_t.one", None),
        ("data.a_t.x", None),
        ("module.m.a_t.two", None),
        ("module.m.module.n.a_t.three", "abc"),
    ]
    assert found["module.m.a_t.two", None].depends_on == {"a_t.one"}
    assert found["data.a_t.x", None].mode == "data"


@pytest.mark.parametrize("empty", [None, {}, {"format_version": "1.0"}, {"values": None}, {"values": {}}])
def test_a_target_without_a_state_holds_nothing(empty: Any) -> None:
    assert instances(empty) == {}


def test_of_values_without_a_mask_nothing_may_be_shown() -> None:
    bare = resource("a_t.one", {"secret": "x"})
    del bare["sensitive_values"]
    assert instances(state(bare))["a_t.one", None].mask is True


@pytest.mark.parametrize(
    "document",
    [
        [],
        {"values": []},
        {"values": {"root_module": {"resources": {}}}},
        {"values": {"root_module": {"resources": [{"address": 1, "mode": "managed", "type": "t"}]}}},
        {"values": {"root_module": {"resources": [{"address": "", "mode": "managed", "type": "t"}]}}},
        {"values": {"root_module": {"resources": [{"address": "x" * 5000, "mode": "managed", "type": "t"}]}}},
        {"values": {"root_module": {"child_modules": [None]}}},
    ],
)
def test_what_is_not_as_agreed_is_refused(document: Any) -> None:
    with pytest.raises(ConfigurationError, match="state's JSON cannot be read"):
        instances(document)


def test_modules_without_end_are_refused() -> None:
    module: dict[str, Any] = {}
    module["child_modules"] = [module]
    with pytest.raises(ConfigurationError, match="too deeply"):
        instances({"values": {"root_module": module}})


def test_an_object_that_a_replacement_left_is_called_so() -> None:
    assert label("a.r", None) == "a.r"
    assert label("a.r", "abc") == "a.r (deposed)"
