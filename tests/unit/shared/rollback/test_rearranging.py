"""What a plan does with addresses only is read off its JSON, whole."""

from __future__ import annotations

from typing import Any

import pytest

from shared.errors import ConfigurationError
from shared.rollback import rearranging
from shared.rollback.rearranging import combined, rearrangement
from shared.rollback.records import Changed, Imported, Moved, Rearrangement
from shared.safety.plan_document import load
from tests.unit.shared.safety.support import change, document


def of(*changes: dict[str, Any], **more: Any) -> Rearrangement:
    return rearrangement(load(document(*changes, **more)))


def test_a_plan_that_only_creates_changes_and_deletes_rearranges_nothing() -> None:
    found = of(change("aws_vpc.a", "create"), change("aws_vpc.b", "update"), change("aws_vpc.c", "delete"))
    assert found == Rearrangement()


def test_a_move_counts_whatever_else_is_done_to_the_object() -> None:
    found = of(
        change("aws_vpc.b", "no-op", previous_address="aws_vpc.a"),
        change("aws_vpc.d[0]", "update", previous_address="aws_vpc.c"),
        change("aws_vpc.f", "delete", "create", previous_address="aws_vpc.e"),
        change("aws_vpc.g", "no-op", previous_address="aws_vpc.g"),
    )
    assert found.moved == (
        Moved(before="aws_vpc.a", after="aws_vpc.b"),
        Moved(before="aws_vpc.c", after="aws_vpc.d[0]"),
        Moved(before="aws_vpc.e", after="aws_vpc.f"),
    )


def test_what_is_forgotten_is_named_as_it_was_called_before() -> None:
    found = of(
        change("aws_vpc.a", "forget"),
        change("aws_vpc.b", "create", "forget"),
        change("aws_vpc.d", "forget", previous_address="aws_vpc.c"),
        change("aws_vpc.e", "forget", deposed="00c0ffee"),
    )
    assert found.forgotten == ("aws_vpc.a", "aws_vpc.b", "aws_vpc.c")


def test_an_import_knows_its_id_and_whether_it_is_alone_in_its_resource() -> None:
    found = of(
        change("aws_vpc.a", "no-op", change_importing={"id": "vpc-1"}),
        change('aws_vpc.b["x"]', "update", change_importing={"id": "vpc-2"}),
        change('aws_vpc.b["y"]', "no-op"),
        change("aws_vpc.c[0]", "no-op", change_importing={"identity": {"name": "n"}}),
        change("aws_vpc.c[1]", "no-op", change_importing={"id": ""}),
        change("aws_vpc.d", "no-op", change_importing={"id": "x" * 5000}),
    )
    assert found.imported == (
        Imported(address="aws_vpc.a", type="aws_vpc", id="vpc-1", alone=True),
        Imported(address='aws_vpc.b["x"]', type="aws_vpc", id="vpc-2", alone=False, also="update"),
        Imported(address="aws_vpc.c[0]", type="aws_vpc", alone=True),
        Imported(address="aws_vpc.c[1]", type="aws_vpc", alone=True),
        Imported(address="aws_vpc.d", type="aws_vpc", alone=True),
    )


def test_an_instance_that_goes_while_another_is_taken_in_is_one_beside_it() -> None:
    found = of(change("aws_vpc.a[0]", "delete"), change("aws_vpc.a[1]", "no-op", change_importing={"id": "vpc-1"}))
    assert [one.alone for one in found.imported] == [False]


def test_data_sources_are_not_deployed() -> None:
    assert of(change("data.aws_ami.a", "read", previous_address="data.aws_ami.b")) == Rearrangement()


def test_called_modules_are_known_with_their_sources_however_deep() -> None:
    inner = {"module_calls": {"b": {"source": "registry.example.com/b/aws", "module": {}}}}
    root = {"module_calls": {"a": {"source": "./a", "module": inner}, "c": {}}}
    assert of(configuration={"root_module": root}).packages == {
        "module.a": "./a",
        "module.a.module.b": "registry.example.com/b/aws",
        "module.c": "",
    }


def test_a_module_that_is_not_looked_into_is_known_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    root = {"module_calls": {"a": {"source": "x" * 2000}, "b": {"source": "./b", "module": {}}}}
    assert of(configuration={"root_module": root}).packages == {"module.a": "x" * 1024, "module.b": "./b"}
    monkeypatch.setattr(rearranging, "MAX_PACKAGES", 2)
    assert len(of(configuration={"root_module": root}).packages) == 2
    monkeypatch.setattr(rearranging, "MAX_PACKAGES", 1)
    with pytest.raises(ConfigurationError, match="calls 2 modules"):
        of(configuration={"root_module": root})


def test_modules_nested_without_end_are_refused() -> None:
    module: dict[str, Any] = {}
    for _ in range(120):
        module = {"module_calls": {"m": {"source": "./m", "module": module}}}
    with pytest.raises(ConfigurationError, match="nested too deeply"):
        of(configuration={"root_module": module})


def test_a_plan_without_changes_rearranges_nothing() -> None:
    assert rearrangement({"format_version": "1.2", "configuration": {"root_module": {}}}) == Rearrangement()


def test_what_is_no_plan_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        rearrangement({"format_version": "1.2"})


def updated(before: Any, after: Any, unknown: Any = None, **more: Any) -> dict[str, Any]:
    words = {"change_before": before, "change_after": after, "change_after_unknown": unknown or {}, **more}
    return change("aws_sqs_queue.q", "update", **words)


def configured(*names: str, address: str = "aws_sqs_queue.q") -> dict[str, Any]:
    expressions = {name: {"references": ["aws_x.y"]} for name in names}
    return {"configuration": {"root_module": {"resources": [{"address": address, "expressions": expressions}]}}}


@pytest.mark.parametrize(
    ("before", "after", "unknown", "named"),
    [
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}, {}, ["b"]),
        ({"tags": None}, {"tags": {"x": "y"}}, {}, ["tags"]),
        ({"tags": {"x": "y"}}, {}, {}, ["tags"]),
        ({"rules": [{"port": 1}]}, {"rules": [{"port": 2}]}, {"rules": [{"id": True}]}, ["rules"]),
        ({"policy": "{}"}, {}, {"policy": True}, ["policy"]),
        ({"etag": "1"}, {}, {"etag": True}, []),
        ({"policy": '{"b":1,"a":2}'}, {"policy": '{"a": 2, "b": 1}'}, {}, []),
        ({"text": "[no json"}, {"text": "[no JSON"}, {}, ["text"]),
        ({"on": True}, {"on": 1}, {}, ["on"]),
        ({"policy": {"x": "1"}}, {"policy": {"x": "1"}}, {"policy": {"y": True}}, ["policy"]),
        ({"policy": [{"v": {}}]}, {"policy": [{"v": {}}]}, {"policy": [{"v": {"y": True}}]}, ["policy"]),
        ({"policy": {"x": "1"}}, {"policy": {"x": "1"}}, {"policy": {"y": False}}, []),
        ({"tags_all": {"x": "1"}}, {"tags_all": {"x": "1"}}, {"tags_all": {"y": True}}, []),
    ],
)
def test_an_update_names_what_it_sets_and_of_what_is_known_later_what_is_configured(
    before: Any, after: Any, unknown: Any, named: list[str]
) -> None:
    found = of(updated(before, after, unknown), **configured("policy"))
    assert found.changed == ((Changed(address="aws_sqs_queue.q", attributes=tuple(named)),) if named else ())


def test_secrets_that_are_set_are_named_too() -> None:
    masked = {"change_before_sensitive": {"password": True}, "change_after_sensitive": {"password": True}}
    found = of(updated({"password": "a"}, {"password": "b"}, **masked))
    assert found.changed == (Changed(address="aws_sqs_queue.q", attributes=("password",)),)


def test_what_is_set_is_named_where_the_first_configuration_has_it() -> None:
    found = of(updated({"a": 1}, {"a": 2}, previous_address="aws_sqs_queue.first"))
    assert [one.address for one in found.changed] == ["aws_sqs_queue.first"]


def test_the_configuration_of_a_module_counts_for_its_instances() -> None:
    address = 'module.m["x"].aws_sqs_queue.q[0]'
    inside = configured("policy")["configuration"]["root_module"]
    called = {"root_module": {"module_calls": {"m": {"source": "./m", "module": inside}}}}
    item = change(address, "update", change_before={}, change_after={}, change_after_unknown={"policy": True})
    assert [one.attributes for one in of(item, configuration=called).changed] == [("policy",)]


@pytest.mark.parametrize("actions", [("no-op",), ("create",), ("delete", "create"), ("delete",)])
def test_only_what_stays_has_something_set(actions: tuple[str, ...]) -> None:
    assert of(change("aws_x.y", *actions, change_before={"a": 1}, change_after={"a": 2})).changed == ()


@pytest.mark.parametrize(
    ("actions", "also"), [(("no-op",), None), (("update",), "update"), (("create", "delete"), "replace")]
)
def test_an_import_says_what_else_is_done_to_what_object(actions: tuple[str, ...], also: str | None) -> None:
    words = {"change_importing": {"id": "n"}, "change_before": {"id": "i", "a": 1}, "change_before_sensitive": {}}
    found = of(change("aws_x.y", *actions, **words, change_after={"a": 2}))
    assert [(one.also, one.object_id) for one in found.imported] == [(also, "i")]
    assert found.changed == ()
    hidden = of(change("aws_x.y", *actions, **{**words, "change_before_sensitive": {"id": True}}))
    assert [one.object_id for one in hidden.imported] == [None]


def test_tries_of_one_deployment_are_added_up() -> None:
    first = Rearrangement(
        moved=(Moved(before="a.b", after="a.c"),),
        changed=(Changed(address="a.x", attributes=("one",)), Changed(address="a.y", attributes=("one",))),
        packages={"module.m": "./m"},
    )
    second = Rearrangement(forgotten=("a.f",), changed=(Changed(address="a.x", attributes=("one", "two")),))
    assert combined([first, second]) == Rearrangement(
        moved=first.moved,
        forgotten=("a.f",),
        changed=(Changed(address="a.x", attributes=("one", "two")), Changed(address="a.y", attributes=("one",))),
        packages={"module.m": "./m"},
    )
    assert combined([]) == Rearrangement()


def test_what_a_replacement_left_at_an_address_says_nothing_of_what_is_there() -> None:
    deposed = change("aws_sqs_queue.q", "delete", deposed="00c0ffee", change_before={"id": "old", "etag": "1"})
    found = of(updated({"delay": 1, "etag": "1"}, {"delay": 2}, {"etag": True}), deposed)
    assert found.changed == (Changed(address="aws_sqs_queue.q", attributes=("delay",)),)


def test_what_an_earlier_try_had_moved_counts_where_it_was_first() -> None:
    first = Rearrangement(
        moved=(Moved(before="a.x", after="a.y"),), changed=(Changed(address="a.x", attributes=("1",)),)
    )
    second = Rearrangement(
        moved=(Moved(before="a.y", after="a.z"),), changed=(Changed(address="a.y", attributes=("2",)),)
    )
    third = Rearrangement(changed=(Changed(address="a.z", attributes=("3",)),))
    assert combined([first, second, third]).changed == (Changed(address="a.x", attributes=("1", "2", "3")),)


@pytest.mark.parametrize("depth", [900, 1_500, 5_000, 50_000])
def test_a_text_of_brackets_is_a_text(depth: int) -> None:
    text = "[" * depth
    assert of(updated({"text": text}, {"text": text})).changed == ()
    nested = text + "]" * depth
    assert [one.attributes for one in of(updated({"text": nested}, {"text": "x"})).changed] == [("text",)]
