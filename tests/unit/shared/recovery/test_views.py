"""What there is, read from a plan and from a state."""

from __future__ import annotations

from shared.recovery.views import PlanView, read_plan, read_state, tags_of


def test_a_plan_is_read_with_modules_replacements_and_imports() -> None:
    plan = {
        "format_version": "1.2",
        "resource_changes": [
            {"address": "a.new", "mode": "managed", "type": "a", "change": {"actions": ["create"], "after": {"n": 1}}},
            {"address": "a.repl", "mode": "managed", "type": "a", "change": {"actions": ["delete", "create"]}},
            {"address": "data.a.d", "mode": "data", "type": "a", "change": {"actions": ["read"]}},
            {
                "address": "a.imp",
                "mode": "managed",
                "type": "a",
                "change": {"actions": ["update"], "importing": {"id": "i"}, "before": {"id": "i"}},
            },
        ],
        "prior_state": {
            "values": {
                "root_module": {
                    "resources": [{"address": "a.old", "mode": "managed", "type": "a", "values": {"id": "o"}}],
                    "child_modules": [
                        {"resources": [{"address": "module.m.a.in", "mode": "managed", "type": "a", "values": {}}]}
                    ],
                }
            }
        },
    }
    read = read_plan(plan)
    assert [item.address for item in read.creates] == ["a.new"]
    assert [item.address for item in read.held] == ["a.imp", "a.old", "module.m.a.in"]
    assert read_plan({"format_version": "1.2"}) == PlanView(creates=(), held=())


def test_what_replaces_something_is_known_by_the_address_at_which_the_state_has_that() -> None:
    changes = [
        {
            "address": f"a.{number}",
            "mode": mode,
            "type": "a",
            "change": {"actions": actions, "after": {"name": str(number)}},
            **({"previous_address": "a.was"} if number == 2 else {}),
        }
        for number, (mode, actions) in enumerate(
            [
                ("managed", ["create", "delete"]),
                ("managed", ["delete", "create"]),
                ("managed", ["delete", "create"]),
                ("managed", ["delete"]),
                ("data", ["delete", "create"]),
            ]
        )
    ]
    read = read_plan({"resource_changes": changes})
    assert [(item.address, item.values["name"]) for item in read.successors] == [
        ("a.0", "0"),
        ("a.1", "1"),
        ("a.was", "2"),
    ]


def test_what_the_stored_state_holds_and_the_cloud_does_not_is_gone() -> None:
    drift = [
        {"address": f"aws_x.{action}", "mode": mode, "change": {"actions": [action]}}
        for action, mode in (("delete", "managed"), ("update", "managed"), ("no-op", "data"))
    ]
    assert read_plan({"resource_drift": drift}).gone == {"aws_x.delete"}


def test_a_state_is_read_with_modules_keys_and_without_data() -> None:
    state = {
        "resources": [
            {"mode": "data", "type": "d", "name": "x", "instances": [{"attributes": {}}]},
            {
                "module": 'module.m["k"]',
                "mode": "managed",
                "type": "a",
                "name": "x",
                "instances": [{"index_key": "e", "attributes": {"id": "1"}}, {"index_key": 0, "attributes": None}],
            },
            {"mode": "managed", "type": "a", "name": "y", "instances": [{"attributes": {"id": "2"}}]},
        ]
    }
    assert [(item.address, item.values.get("id")) for item in read_state(state)] == [
        ('module.m["k"].a.x["e"]', "1"),
        ('module.m["k"].a.x[0]', None),
        ("a.y", "2"),
    ]
    assert read_state({}) == ()


def test_the_tags_of_the_provider_count_too() -> None:
    assert tags_of({"tags": {"a": "1"}, "tags_all": {"a": "1", "b": 2, "c": None}}) == {"a": "1", "b": "2"}
    assert tags_of({"tags": {"a": "1"}, "tags_all": None}) == {"a": "1"}
    assert tags_of({"tags": [{"key": "a"}]}) == {}
    assert tags_of({}) == {}
