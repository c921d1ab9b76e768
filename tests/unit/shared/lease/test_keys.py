"""The names of the keys are a contract: they are spelled out here and nowhere computed."""

from __future__ import annotations

import pytest

from shared.lease import keys


def test_the_keys_of_a_target_are_these() -> None:
    names = keys.target_keys("web.eu-west-1.blue")
    assert names.as_list() == [
        "interlock:1:{web.eu-west-1.blue}:lease",
        "interlock:1:{web.eu-west-1.blue}:state",
        "interlock:1:{web.eu-west-1.blue}:attach",
        "interlock:1:{web.eu-west-1.blue}:incarnation",
        "interlock:1:{web.eu-west-1.blue}:absence",
    ]


def test_the_other_names_are_these() -> None:
    assert keys.EVENTS_CHANNEL == "interlock:1:events"
    assert keys.node_key("host-1.example") == "interlock:1:node:host-1.example"


@pytest.mark.parametrize("target", ["web", "Web.eu", "web.eu.a.b", "web.eu}", "web.eu\n", "", "a" * 64 + ".eu"])
def test_an_id_that_is_no_target_names_no_keys(target: str) -> None:
    with pytest.raises(ValueError, match="not a target id"):
        keys.target_keys(target)


@pytest.mark.parametrize("node", ["", "a b", "-a", "a:b", "a\n", "a" * 254])
def test_a_name_that_is_no_host_names_no_key(node: str) -> None:
    with pytest.raises(ValueError, match="not a node name"):
        keys.node_key(node)
