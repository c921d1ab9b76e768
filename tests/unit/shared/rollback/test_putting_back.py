"""What existed gets its address back from the object that was to replace it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import ConfigurationError
from shared.rollback.putting_back import put_back, put_beside, put_in_place, taken_out, untainted
from shared.rollback.records import FirstResource
from tests.unit.shared.rollback.test_states import resource, state

WAS = (FirstResource(address="aws_x.a", type="aws_x", id="old"),)


def an(name: str, deposed: str | None = None, **more: Any) -> dict[str, Any]:
    return {"attributes": {"id": name}, **({} if deposed is None else {"deposed": deposed}), **more}


def ids(content: bytes) -> list[tuple[str, str | None]]:
    return [
        (one["attributes"]["id"], one.get("deposed"))
        for entry in json.loads(content)["resources"]
        for one in entry["instances"]
    ]


def beside(content: bytes, address: str = "aws_x.a", name: str = "new", **more: Any) -> bytes | None:
    return put_beside(content, {address: (name, "eu-west-1")}, existed=more.get("existed", frozenset()))


def put(*resources: dict[str, Any], first: tuple[FirstResource, ...] = WAS) -> bytes | None:
    return put_back(json.dumps(state(*resources)).encode(), first)


def test_what_existed_changes_places_with_its_successor_and_all_else_stays() -> None:
    given_ = state(
        resource("aws_x.b", an("b")),
        resource("aws_x.a", an("new", dependencies=["aws_y.z"]), an("old", "00aa", schema_version=3), provider="p"),
        resource("aws_x.a", an("old"), mode="data"),
        check_results=None,
    )
    found = put_back(json.dumps(given_).encode(), WAS)
    assert found is not None
    stored = json.loads(found)
    assert stored.pop("serial") == given_.pop("serial") + 1
    assert stored["resources"][1].pop("instances") == [
        an("new", "00aa", dependencies=["aws_y.z"]),
        an("old", schema_version=3),
    ]
    del given_["resources"][1]["instances"]
    assert stored == given_


def test_each_instance_is_seen_for_itself_wherever_it_is() -> None:
    first = (*WAS, FirstResource(address='module.m.aws_x.c["k"]', type="aws_x", id="k-old"))
    found = put(
        resource("aws_x.a", an("new"), an("old", "1")),
        resource("aws_x.c", an("j", index_key="j"), an("k-new", index_key="k"), an("k-old", "2", index_key="k"))
        | {"module": "module.m"},
        first=first,
    )
    assert found is not None
    assert ids(found) == [("new", "1"), ("old", None), ("j", None), ("k-new", "2"), ("k-old", None)]


def test_where_nothing_has_the_address_what_existed_has_it() -> None:
    found = put(resource("aws_x.a", an("old", "1")))
    assert found is not None
    assert ids(found) == [("old", None)]


@pytest.mark.parametrize(
    "entry",
    [
        resource("aws_x.a", an("old")),
        resource("aws_x.a", an("new"), an("newer", "1")),
        resource("aws_x.a", an("new"), {"attributes": {}, "deposed": "1"}),
        resource("aws_x.a", an("old"), an("old", "1")),
        resource("aws_y.a", an("new"), an("old", "1")),
        resource("aws_x.a", an("new"), an("old", "1"), an("old", "2")),
        resource("aws_x.a", an("new"), an("old", "1"), mode="data"),
        resource("aws_x.a"),
    ],
    ids=["in place", "new, both", "without an id", "its name was reused", "another type", "twice", "data", "none"],
)
def test_nothing_changes_places_that_is_not_certain(entry: dict[str, Any]) -> None:
    assert put(entry) is None


def test_what_was_a_remainder_before_stays_one() -> None:
    left = (FirstResource(address="aws_x.a", type="aws_x", id="old", deposed="1"),)
    assert put(resource("aws_x.a", an("new"), an("old", "1")), first=left) is None


@pytest.mark.parametrize("content", [b"", b"\n", b"{}"])
def test_a_target_without_a_state_has_nothing_to_put_back(content: bytes) -> None:
    assert put_back(content, WAS) is None


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"version": 3}', b'{"version": 4, "resources": 1}'])
def test_what_is_no_state_is_refused(content: bytes) -> None:
    with pytest.raises(ConfigurationError):
        put_back(content, WAS)
    with pytest.raises(ConfigurationError):
        beside(content)
    with pytest.raises(ConfigurationError):
        taken_out(content)


def test_what_was_made_in_place_of_something_is_held_beside_it_to_be_destroyed() -> None:
    given_ = state(
        resource("aws_x.a", an("j", index_key="j"), an("old", index_key="k", schema_version=2)),
        resource("aws_x.b", an("b")),
    )
    halves = {'aws_x.a["k"]': ("new", "eu-west-1"), "aws_x.nowhere": ("z", "eu-west-1")}
    found = put_beside(json.dumps(given_).encode(), halves, existed=frozenset())
    assert found is not None
    stored = json.loads(found)
    (added,) = [one for one in stored["resources"][0]["instances"] if "deposed" in one]
    assert len(key := added.pop("deposed")) == 8
    assert int(key, 16) >= 0
    assert added == {"schema_version": 2, "attributes": {"id": "new"}, "index_key": "k"}
    assert ids(found) == [("j", None), ("old", None), ("new", key), ("b", None)]
    assert stored["serial"] == given_["serial"] + 1
    assert put_back(found, (FirstResource(address='aws_x.a["k"]', type="aws_x", id="old"),)) is None


HERE = {"attributes": {"id": "x", "arn": "arn:aws:x:eu-west-1:1:x"}}
ELSEWHERE = {"attributes": {"id": "x", "arn": "arn:aws:x:us-east-1:1:x"}}


def test_it_is_held_beside_what_is_in_the_region_where_it_was_made() -> None:
    assert beside(json.dumps(state(resource("aws_x.a", HERE))).encode()) is not None
    assert beside(json.dumps(state(resource("aws_x.a", an("x") | {"attributes": {"id": "x", "arn": "x"}}))).encode())
    assert beside(json.dumps(state(resource("aws_x.a", ELSEWHERE))).encode()) is None


@pytest.mark.parametrize(
    "entries",
    [
        [resource("aws_x.a", an("new"))],
        [resource("aws_x.a", an("x"), an("new", "1"))],
        [resource("aws_x.a", an("x", "1"))],
        [resource("aws_x.a", an("x")), resource("aws_x.b", an("new"))],
    ],
    ids=["at the address", "beside it", "nothing at the address", "at another address"],
)
def test_what_the_state_holds_already_or_has_no_place_for_is_not_added(entries: list[dict[str, Any]]) -> None:
    assert beside(json.dumps(state(*entries)).encode()) is None
    assert beside(b"") is None


def test_what_existed_is_never_put_where_it_would_be_destroyed() -> None:
    content = json.dumps(state(resource("aws_x.a", an("x")))).encode()
    assert beside(content, existed={("aws_x", "new")}) is None
    assert beside(content, existed={("aws_y", "new")}) is not None


def test_what_an_import_takes_is_not_taken_for_an_id_where_it_is_none() -> None:
    arn = "arn:aws:ecs:eu-west-1:1:task-definition/web:2"
    content = json.dumps(state(resource("aws_ecs_task_definition.a", an("web")))).encode()
    assert beside(content, "aws_ecs_task_definition.a", arn) is None


@pytest.mark.parametrize("number", ["0.1234567890123456789012345", "12345678901234567890.5", "1e400"])
def test_a_state_that_would_not_keep_its_values_is_left_as_it_is(number: str) -> None:
    entry = resource("aws_x.b", {"attributes": {"id": "b", "number": "HERE"}})
    content = json.dumps(state(resource("aws_x.a", an("x")), entry)).replace('"HERE"', number).encode()
    with pytest.raises(ConfigurationError, match="would be rounded"):
        beside(content)
    assert beside(content, "aws_x.nowhere") is None, "nothing would be written"


@pytest.mark.parametrize("number", ["12345678901234567890123456789", "0.5", "-0.0", "1e24", "1.50"])
def test_numbers_that_stay_what_they_are_are_no_obstacle(number: str) -> None:
    entry = resource("aws_x.a", {"attributes": {"id": "b", "number": "HERE"}})
    found = beside(json.dumps(state(entry)).replace('"HERE"', number).encode())
    assert found is not None
    assert json.loads(found)["resources"][0]["instances"][0]["attributes"]["number"] == json.loads(number)


def test_what_a_try_made_in_place_of_what_has_to_go_has_its_address_and_that_one_is_beside_it() -> None:
    entry = resource("aws_x.a", an("j", index_key="j"), an("dep", index_key="k", schema_version=2, dependencies=["x"]))
    given_ = json.dumps(state(entry)).encode()
    found = put_in_place(given_, {'aws_x.a["k"]': ("again", "eu-west-1")}, existed=frozenset())
    assert found is not None
    first, made, beside_it = json.loads(found)["resources"][0]["instances"]
    assert first == an("j", index_key="j")
    assert made == {"schema_version": 2, "attributes": {"id": "again"}, "index_key": "k"}
    assert len(beside_it.pop("deposed")) == 8
    assert beside_it == an("dep", index_key="k", schema_version=2, dependencies=["x"]), "all that Terraform knows of it"
    out = taken_out(found)
    assert out is not None
    assert json.loads(out)["resources"] == json.loads(given_)["resources"]


def test_what_was_not_wholly_made_again_is_changed_where_that_is_said_and_nowhere_else() -> None:
    tainted = {"status": "tainted"}
    given_ = state(
        resource("aws_x.a", an("j", index_key="j", **tainted), an("k", index_key="k", **tainted)),
        resource("aws_x.b", an("b", **tainted)),
        resource("aws_x.c", an("c", "00aa", **tainted), an("d")),
    )
    found = untainted(json.dumps(given_).encode(), {'aws_x.a["k"]', "aws_x.c"})
    assert found is not None
    marks = [one.get("status") for entry in json.loads(found)["resources"] for one in entry["instances"]]
    assert marks == ["tainted", None, "tainted", "tainted", None]
    assert ids(found) == ids(json.dumps(given_).encode())
    assert untainted(found, {'aws_x.a["k"]', "aws_x.c"}) is None


def test_what_existed_never_gives_way() -> None:
    content = json.dumps(state(resource("aws_x.a", an("old")))).encode()
    assert put_in_place(content, {"aws_x.a": ("again", "")}, existed={("aws_x", "old")}) is None
    assert put_in_place(content, {"aws_x.a": ("again", "")}, existed={("aws_x", "again")}) is not None


@pytest.mark.parametrize("arrange", [put_beside, put_in_place])
def test_what_lay_beside_it_already_stays_through_all_of_it(arrange: Any) -> None:
    given_ = json.dumps(state(resource("aws_x.a", an("x"), an("kept", "00aa")))).encode()
    added = arrange(given_, {"aws_x.a": ("new", "")}, existed=frozenset())
    assert added is not None
    assert ("kept", "00aa") in ids(added)
    out = taken_out(added)
    assert out is not None
    assert ids(out) == ids(given_)
    assert taken_out(out) is None


def test_what_was_added_can_be_taken_out_and_nothing_else_is() -> None:
    given_ = json.dumps(state(resource("aws_x.a", an("x"), an("kept", "1")))).encode()
    added = beside(given_)
    assert added is not None
    assert taken_out(given_) is None
    out = taken_out(added)
    assert out is not None
    assert ids(out) == ids(given_)
    assert json.loads(out)["serial"] == json.loads(given_)["serial"] + 2


@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(["old", "new", "x"]), st.sampled_from([None, "1", "2"])),
        max_size=6,
    )
)
def test_no_object_is_lost_or_made_and_once_is_enough(objects: list[tuple[str, str, str | None]]) -> None:
    by_name: dict[str, list[dict[str, Any]]] = {}
    for name, object_id, deposed in objects:
        here = by_name.setdefault(name, [])
        if deposed not in [one.get("deposed") for one in here]:
            here.append(an(object_id, deposed))
    given_ = [resource(f"aws_x.{name}", *here) for name, here in by_name.items()]
    found = put(*given_)
    if found is not None:
        before = [one for entry in given_ for one in ids(json.dumps({"resources": [entry]}).encode())]
        after = ids(found)
        assert sorted(name for name, _ in after) == sorted(name for name, _ in before)
        assert sum(key is None for _, key in after) >= sum(key is None for _, key in before)
        assert put_back(found, WAS) is None
