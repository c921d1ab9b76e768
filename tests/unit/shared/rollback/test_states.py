"""States as Terraform writes them: every object with its address and id, nothing overlooked."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.errors import ConfigurationError
from shared.rollback import states
from shared.rollback.states import id_of, instances, load_state, quoted, resources_of


def state(*resources: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"version": 4, "serial": 1, "lineage": "l", "outputs": {}, "resources": list(resources), **more}


def resource(name: str, *objects: dict[str, Any], **more: Any) -> dict[str, Any]:
    kind, own = name.split(".")
    return {"mode": "managed", "type": kind, "name": own, "instances": list(objects), **more}


def test_every_managed_object_is_listed_with_its_address_and_id() -> None:
    found = resources_of(
        state(
            resource("aws_vpc.a", {"attributes": {"id": "vpc-1"}}),
            resource("aws_vpc.b", {"index_key": 1, "attributes": {"id": "vpc-2"}}, module='module.m["x"].module.n'),
            resource("aws_vpc.c", {"index_key": 'k"${x}', "attributes": {"id": 7}}),
            resource("aws_vpc.d", {"attributes": {"id": "vpc-3"}}, {"attributes": {"id": "vpc-4"}, "deposed": "00aa"}),
            resource("aws_ami.e", {"attributes": {"id": "ami-1"}}, mode="data"),
            resource("aws_vpc.f", {"attributes": {}}),
            resource("aws_vpc.g", {}),
        )
    )
    assert [(one.address, one.id, one.deposed) for one in found] == [
        ("aws_vpc.a", "vpc-1", None),
        ('module.m["x"].module.n.aws_vpc.b[1]', "vpc-2", None),
        ('aws_vpc.c["k\\"$${x}"]', "7", None),
        ("aws_vpc.d", "vpc-3", None),
        ("aws_vpc.d", "vpc-4", "00aa"),
        ("aws_vpc.f", None, None),
        ("aws_vpc.g", None, None),
    ]


def test_a_data_source_has_its_own_kind_of_address() -> None:
    (one,) = instances(state(resource("aws_ami.e", {"attributes": {"id": "ami-1"}}, mode="data")))
    assert (one.address, one.managed) == ("data.aws_ami.e", False)


def test_a_target_without_a_state_has_nothing() -> None:
    assert resources_of({}) == ()
    assert resources_of({"version": 4}) == ()
    assert resources_of({"version": 4, "resources": None}) == ()


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("a", '"a"'),
        ("", '""'),
        ('"\\', '"\\"\\\\"'),
        ("\n\r\t", '"\\n\\r\\t"'),
        ("${a} %{b} $a %", '"$${a} %%{b} $a %"'),
        ("$${", '"$$${"'),
        ("é\u2028\x00\U000e0001", '"é\\u2028\\u0000\\U000e0001"'),
    ],
)
def test_a_key_is_quoted_as_terraform_does(given: str, shown: str) -> None:
    assert quoted(given) == shown


@pytest.mark.parametrize(
    ("attributes", "known"),
    [
        ({"id": "a"}, "a"),
        ({"id": 5}, "5"),
        ({"id": True}, None),
        ({"id": ""}, None),
        ({"id": "none"}, None),
        ({"id": "-"}, None),
        ({"id": ["a"]}, None),
        ({"id": "x" * 4097}, None),
        ({}, None),
        (None, None),
    ],
)
def test_an_id_is_a_text_or_a_number(attributes: Any, known: str | None) -> None:
    assert id_of(attributes) == known


def test_paths_of_sensitive_values_are_read_with_their_keys() -> None:
    marks = [
        [{"type": "get_attr", "value": "password"}],
        [{"type": "get_attr", "value": "tags"}, {"type": "index", "value": {"value": "k", "type": "string"}}],
        [{"type": "get_attr", "value": "list"}, {"type": "index", "value": {"value": 0, "type": "number"}}],
    ]
    (one,) = instances(state(resource("aws_x.a", {"attributes": {}, "sensitive_attributes": marks})))
    assert one.sensitive == (("password",), ("tags", "k"), ("list", 0))


@pytest.mark.parametrize("marks", ["x", {}, [1], [[{"value": None}]], [[{"value": {"value": True}}]], [["a"]]])
def test_marks_that_cannot_be_read_hide_everything(marks: Any) -> None:
    (one,) = instances(state(resource("aws_x.a", {"attributes": {"id": "i"}, "sensitive_attributes": marks})))
    assert one.sensitive is None
    assert (
        resources_of(state(resource("aws_x.a", {"attributes": {"id": "i"}, "sensitive_attributes": marks})))[0].id
        is None
    )


def test_where_nothing_is_marked_nothing_is_hidden() -> None:
    for given in ({}, {"sensitive_attributes": None}, {"sensitive_attributes": []}):
        (one,) = instances(state(resource("aws_x.a", {"attributes": {"id": "i"}, **given})))
        assert one.sensitive == ()


@pytest.mark.parametrize("marks", [[[{"type": "get_attr", "value": "id"}]], [[]]], ids=["itself", "with all else"])
def test_an_id_that_is_a_secret_is_not_recorded(marks: Any) -> None:
    (one,) = resources_of(state(resource("aws_x.a", {"attributes": {"id": "i"}, "sensitive_attributes": marks})))
    assert one.id is None


def test_what_an_import_takes_is_known_from_the_attributes() -> None:
    marks = [[{"type": "get_attr", "value": "subnet_id"}]]
    values = {"id": "rtbassoc-1", "subnet_id": "subnet-1", "route_table_id": "rtb-1"}
    plain, hidden, vpc, never = resources_of(
        state(
            resource("aws_route_table_association.a", {"attributes": values}),
            resource("aws_route_table_association.b", {"attributes": values, "sensitive_attributes": marks}),
            resource("aws_vpc.c", {"attributes": {"id": "vpc-1"}}),
            resource("null_resource.d", {"attributes": {"id": "1"}}),
        )
    )
    assert [one.import_id for one in (plain, hidden, vpc, never)] == ["subnet-1/rtb-1", None, "vpc-1", None]


@pytest.mark.parametrize(
    "given",
    [
        {"version": 3},
        {"serial": 1},
        {"version": 4, "resources": {}},
        {"version": 4, "resources": [1]},
        {"version": 4, "resources": [{"mode": "managed", "type": "t"}]},
        {"version": 4, "resources": [{"mode": "managed", "type": "t", "name": ""}]},
        {"version": 4, "resources": [{"mode": "managed", "type": "t", "name": ["n"]}]},
        {"version": 4, "resources": [{"mode": "managed", "type": "t", "name": "n", "instances": [1]}]},
        {"version": 4, "resources": [{"mode": "managed", "type": "t", "name": "n", "instances": [{"index_key": 0.5}]}]},
        {
            "version": 4,
            "resources": [{"mode": "managed", "type": "t", "name": "n", "instances": [{"index_key": True}]}],
        },
        {"version": 4, "resources": [{"mode": "managed", "type": "t" * 3000, "name": "n", "instances": [{}]}]},
    ],
    ids=str,
)
def test_what_is_not_as_agreed_is_refused_and_never_overlooked(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        resources_of(given)


def test_it_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "MAX_ENTRIES", 1)
    assert len(resources_of(state(resource("aws_x.a", {})))) == 1
    with pytest.raises(ConfigurationError, match="more than 1 objects"):
        resources_of(state(resource("aws_x.a", {}, {"deposed": "1"})))


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"null", b"[" * 100_000])
def test_what_is_no_json_object_is_refused(content: bytes) -> None:
    with pytest.raises(ConfigurationError):
        load_state(content)
    assert load_state(json.dumps(state()).encode())["version"] == 4
