"""`terraform show -json`, of every version, whole or not."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import ConfigurationError
from shared.safety import plan_document
from shared.safety.making import safety_plan
from shared.safety.plan_document import SENSITIVE, PlanDocument, load, parse, redacted, without_keys
from tests import plan_corpus
from tests.unit.shared.safety.support import change, document

#: format version, a version of Terraform that writes it, and what that version did differently.
PUBLISHED = [
    ("0.1", "0.12.31", {"change_before_sensitive": None}),
    ("0.1", "0.13.7", {"change_before_sensitive": None}),
    ("0.1", "0.14.11", {"change_after_sensitive": {}}),
    ("0.2", "1.0.11", {"change_before_sensitive": False, "change_after_sensitive": {}}),
    ("1.0", "1.1.9", {"action_reason": "replace_because_cannot_update"}),
    ("1.1", "1.4.7", {"previous_address": "a.old"}),
    ("1.2", "1.5.7", {"change_importing": {"id": "x"}}),
    ("1.2", "1.11.4", {"change_replace_paths": [["name"]]}),
    ("1.2", "1.14.0", {"change_before_identity": {"id": "x"}}),
    ("1.9", "1.99.0", {"a_property_of_the_future": [1]}),
]


@pytest.mark.parametrize(("format_version", "terraform_version", "more"), PUBLISHED)
def test_a_plan_of_every_published_format_is_read(format_version: str, terraform_version: str, more: Any) -> None:
    content = document(
        change("aws_x.one", "delete", "create", **more),
        format_version=format_version,
        terraform_version=terraform_version,
        something_new={"deep": []},
    )
    read = parse(content)
    assert (read.format_version, read.terraform_version) == (format_version, terraform_version)
    assert [(one.address, one.actions) for one in read.resource_changes] == [("aws_x.one", ("delete", "create"))]


#: What each Terraform in `tests.plan_corpus` said of one and the same change, by the oldest version that says it.
SAID = {
    "0.12": {
        "create aws_sqs_queue.created",
        "create aws_sqs_queue.removed_in_the_cloud",
        "delete aws_sqs_queue.counted[1]",
        "delete aws_sqs_queue.deleted",
        "output output.new",
        "output output.secret",
        "provisioner aws_sqs_queue.created",
        "read data.aws_sqs_queue.created",
        "replace_create_first aws_sqs_queue.replaced_before",
        "replace_delete_first aws_sqs_queue.replaced",
        "update aws_sqs_queue.altered",
        "update aws_sqs_queue.changed",
        "update aws_ssm_parameter.secret",
        'update module.group.aws_cloudwatch_log_group.logs["a.b"]',
        'update module.group.aws_cloudwatch_log_group.logs["c[\\"d\\"]"]',
    },
    "0.14": {"output output.gone"},
    "1.1": {"move aws_sqs_queue.after", "move aws_sqs_queue.after_too", "update aws_sqs_queue.after_too"},
    "1.4": {"provisioner terraform_data.built_in", "replace_delete_first terraform_data.built_in"},
    "1.5": {
        "import aws_cloudwatch_log_group.imported",
        "import aws_cloudwatch_log_group.imported_and_changed",
        "update aws_cloudwatch_log_group.imported_and_changed",
    },
    "1.7": {"forget aws_sqs_queue.forgotten"},
    "1.11": {"update aws_ssm_parameter.written"},
}
PLANS = {file.stem: file for file in (Path(plan_corpus.__file__).parent / "plans").glob("*.json")}


def minor(version: str) -> tuple[int, int]:
    major, small, *_ = version.split(".")
    return int(major), int(small)


@pytest.mark.parametrize("version", sorted(PLANS, key=minor))
def test_every_terraform_that_can_be_had_says_the_same_of_the_same_change(version: str) -> None:
    read = parse(PLANS[version].read_bytes())
    assert read.terraform_version.partition("-")[0] == version.partition("-")[0]
    entries = {f"{entry.operation.value} {entry.address}" for entry in safety_plan(read).entries}
    expected = set().union(*(said for since, said in SAID.items() if minor(version) >= minor(since)))
    if minor(version) < (0, 14):
        expected |= {"output output.url"}  # these say so of an output that stays as it is
    assert entries == expected
    gone = [one.address for one in read.resource_drift if one.actions == ("delete",)]
    assert gone == (["aws_sqs_queue.removed_in_the_cloud"] if minor(version) >= (1, 0) else [])


# 0.15 has masks that leave out what only a provider's schema calls sensitive: nothing in its plan says so.
@pytest.mark.parametrize("version", sorted((one for one in PLANS if minor(one) != (0, 15)), key=minor))
def test_no_secret_of_a_real_plan_is_kept(version: str) -> None:
    content = PLANS[version].read_bytes()
    assert b"the-second-secret" in content, "Terraform writes it in clear"
    read = parse(content)
    secret = next(one for one in read.resource_changes if one.address == "aws_ssm_parameter.secret")
    hidden = secret.after if secret.after == SENSITIVE else secret.after["value"]
    assert hidden == SENSITIVE, "by its mask; of the versions that have none nothing is shown"
    assert "the-second-secret" not in str(read)


def test_the_plans_are_of_every_version_that_can_be_had() -> None:
    ancient, recent = [(0, n) for n in (12, 13, 14, 15)], [(1, n) for n in (8, 9, 10, 11, 12, 13, 15)]
    assert {minor(version) for version in PLANS} >= {*ancient, *recent}


@pytest.mark.parametrize("version", sorted(PLANS, key=minor))
def test_a_real_plan_is_refused_when_it_is_truncated_or_of_format_2(version: str) -> None:
    whole = PLANS[version].read_bytes().rstrip()
    for length in range(0, len(whole), 997):
        with pytest.raises(ConfigurationError, match=r"truncated|no object|format"):
            parse(whole[:length])
    with pytest.raises(ConfigurationError, match=r"plan format '2\.0'; only 1\.x"):
        parse(json.dumps({**json.loads(whole), "format_version": "2.0"}).encode())


@pytest.mark.parametrize("version", ["2.0", "2", "10.0", "1", "", "1.x", "1.0.0-beta", None, 1.2])
def test_another_format_is_refused_and_named(version: Any) -> None:
    with pytest.raises(ConfigurationError, match="plan format"):
        parse(document(format_version=version))


def test_a_truncated_plan_is_refused_wherever_it_was_cut() -> None:
    whole = document(change("aws_x.one", "create"), output_changes={"a": {"actions": ["create"]}})
    for length in range(len(whole)):
        with pytest.raises(ConfigurationError, match=r"truncated|no object|format"):
            parse(whole[:length])


@pytest.mark.parametrize("content", [b"[]", b"1", b'"plan"', b"null", b"\xff\xfe", b"{}{}", b"<html>"])
def test_what_is_no_plan_at_all_is_refused(content: bytes) -> None:
    with pytest.raises(ConfigurationError):
        parse(content)


def test_a_state_is_not_taken_for_a_plan() -> None:
    state = {"format_version": "1.0", "terraform_version": "1.11.4", "values": {"root_module": {}}}
    with pytest.raises(ConfigurationError, match="not a plan"):
        parse(json.dumps(state).encode())


@pytest.mark.parametrize("depth", [300, 100_000])
@pytest.mark.parametrize("where", ["before", "elsewhere"])
def test_what_is_nested_deeply_ends_as_a_refusal_or_is_not_looked_into(depth: int, where: str) -> None:
    deep = "[" * depth + "]" * depth
    content = document(change("aws_x.one", "create", change_after_sensitive=False)).decode()
    if where == "before":
        mask = "[" * depth + "]" * depth
        content = content.replace('"before": null', f'"before": {deep}, "before_sensitive": {mask}')
    else:
        content = content.replace('"planned_values": {', f'"elsewhere": {deep}, "planned_values": {{')
    if where == "elsewhere" and depth == 300:
        assert parse(content.encode()).resource_changes
    else:
        with pytest.raises(ConfigurationError, match="nested too deeply"):
            parse(content.encode())


def test_modules_nested_deeply_are_refused() -> None:
    module: dict[str, Any] = {}
    for _ in range(150):
        module = {"module_calls": {"m": {"module": module}}}
    with pytest.raises(ConfigurationError, match="nested too deeply"):
        parse(document(configuration={"root_module": module}))


def test_what_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_document, "MAX_BYTES", 10)
    with pytest.raises(ConfigurationError, match="larger than 10 bytes"):
        load(document())
    monkeypatch.undo()
    monkeypatch.setattr(plan_document, "MAX_ENTRIES", 1)
    with pytest.raises(ConfigurationError, match="has 2 items"):
        parse(document(change("a.b", "create"), change("a.c", "create")))


@pytest.mark.parametrize(
    "more",
    [
        {"resource_changes": {}},
        {"resource_changes": [1]},
        {"resource_changes": [{}]},
        {"resource_changes": [{"address": "a.b", "type": "a"}]},
        {"resource_changes": [change("a.b")]},
        {"resource_changes": [change("a.b", "create", address=1)]},
        {"resource_changes": [change("a.b", "create", address="")]},
        {"resource_changes": [change("a.b", "create", address="a" * 3000)]},
        {"resource_changes": [change("a.b", "create", type=None)]},
        {"resource_changes": [change("a.b", "create", previous_address=["x"])]},
        {"resource_changes": [change("a.b", "create", change_actions="create")]},
        {"resource_changes": [change("a.b", "create", change_actions=[["create"]])]},
        {"output_changes": []},
        {"output_changes": {"a": {}}},
        {"deferred_changes": [{}]},
        {"action_invocations": [{"address": "action.a.b"}]},
        {"deferred_action_invocations": [{"reason": "unknown"}]},
        {"complete": "yes"},
        {"errored": 1},
        {"configuration": []},
        {"configuration": {"root_module": {"resources": {}}}},
        {"configuration": {"root_module": {"resources": [{"provisioners": [{}]}]}}},
        {"configuration": {"root_module": {"module_calls": []}}},
        {"terraform_version": 1},
    ],
)
def test_what_is_read_has_to_be_as_agreed(more: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        parse(document(**more))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(
    st.dictionaries(
        st.sampled_from(
            ["resource_changes", "resource_drift", "output_changes", "configuration", "deferred_changes", "complete"]
        ),
        json_values,
    )
)
def test_whatever_stands_in_it_the_answer_is_a_plan_or_a_refusal(more: dict[str, Any]) -> None:
    with contextlib.suppress(ConfigurationError):
        assert isinstance(parse(document(**more)), PlanDocument)


def test_everything_that_is_promised_is_kept() -> None:
    read = parse(
        document(
            change(
                "aws_x.one",
                "delete",
                "create",
                action_reason="replace_because_cannot_update",
                previous_address="aws_x.old",
                deposed="00000001",
                change_replace_paths=[["name"], ["tags", 0]],
                change_importing={"id": "i"},
                change_after_unknown={"id": True},
            ),
            resource_drift=[change("aws_x.two", "update", change_before_sensitive=False, change_after_sensitive=False)],
            output_changes={"said": {"actions": ["create"]}},
            deferred_changes=[{"reason": "unknown", "resource_change": change("aws_x.later", "create")}],
            action_invocations=[{"address": "action.a.b", "type": "a"}],
            deferred_action_invocations=[{"reason": "x", "action_invocation": {"address": "action.a.c", "type": "a"}}],
            complete=False,
            errored=True,
            applyable=False,
        )
    )
    (one,) = read.resource_changes
    assert (one.action_reason, one.previous_address, one.deposed) == (
        "replace_because_cannot_update",
        "aws_x.old",
        "00000001",
    )
    assert (one.replace_paths, one.importing, one.after_unknown) == (("name", "tags.0"), True, {"id": True})
    assert [drift.address for drift in read.resource_drift] == ["aws_x.two"]
    assert read.output_changes == {"said": ("create",)}
    assert [later.address for later in read.deferred_changes] == ["aws_x.later"]
    assert [call.address for call in read.action_invocations] == ["action.a.b"]
    assert [call.address for call in read.deferred_action_invocations] == ["action.a.c"]
    assert (read.complete, read.errored, read.applyable) == (False, True, False)


def test_without_the_words_of_later_versions_a_plan_is_complete_and_well() -> None:
    read = parse(document())
    assert (read.complete, read.errored, read.applyable) == (True, False, None)


def test_drift_of_terraform_1_0_has_its_address_put_together() -> None:
    drift = [
        {**change("data.aws_x.one", "update", index="a"), "module_address": "module.m[0]"},
        change("aws_x.two", "update"),
    ]
    for item in drift:
        del item["address"]
    assert [one.address for one in parse(document(resource_drift=drift)).resource_drift] == [
        'module.m[0].data.aws_x.one["a"]',
        "aws_x.two",
    ]


def test_provisioners_are_found_in_modules_by_the_address_without_keys() -> None:
    exec_ = {"provisioners": [{"type": "local-exec"}]}
    root = {
        "resources": [{"address": "aws_x.one", **exec_}, {"address": "aws_x.none"}],
        "module_calls": {
            "m": {"module": {"resources": [{"address": "aws_x.two", **exec_}], "module_calls": {"empty": {}}}}
        },
    }
    assert parse(document(configuration={"root_module": root})).provisioners == {
        "aws_x.one": ("local-exec",),
        "module.m.aws_x.two": ("local-exec",),
    }
    assert without_keys('module.m["a]\\"["].aws_x.two[3]') == "module.m.aws_x.two"


@pytest.mark.parametrize(
    ("value", "mask", "shown"),
    [
        ({"a": "s", "b": 1}, {"a": True}, {"a": SENSITIVE, "b": 1}),
        ({"a": {"b": ["s", "t"]}}, {"a": {"b": [True, False]}}, {"a": {"b": [SENSITIVE, "t"]}}),
        ({"a": "s"}, True, SENSITIVE),
        ({"a": "s"}, False, {"a": "s"}),
        ({"a": "s"}, {}, {"a": "s"}),
        ([{"a": "s"}], [{"a": True}], [{"a": SENSITIVE}]),
        (["s"], {}, ["s"]),
        # Where value and mask do not fit together, nothing is shown.
        (["s", "t"], [True], SENSITIVE),
        ("s", {"a": True}, SENSITIVE),
        ({"a": "s"}, [True], SENSITIVE),
        ({"a": "s"}, None, SENSITIVE),
        ({"a": "s"}, "no", SENSITIVE),
        (None, True, None),
    ],
)
def test_the_mask_alone_says_what_is_secret(value: Any, mask: Any, shown: Any) -> None:
    assert redacted(value, mask) == shown


@given(json_values)
def test_nothing_of_a_value_without_a_mask_is_shown(value: Any) -> None:
    assert redacted(value, None) in (None, SENSITIVE)


def test_no_sensitive_value_is_anywhere_in_what_was_read() -> None:
    content = document(
        change(
            "aws_x.one",
            "update",
            change_before={"password": "hunter2", "name": "n"},
            change_before_sensitive={"password": True},
            change_after={"password": "hunter2", "name": "n"},
            change_after_sensitive={"password": True},
        ),
        variables={"password": {"value": "hunter2"}},
        output_changes={"p": {"actions": ["create"], "after": "hunter2", "after_sensitive": True}},
        prior_state={"values": {"outputs": {"p": {"value": "hunter2", "sensitive": True}}}},
    )
    read = parse(content)
    assert "hunter2" not in repr(read)
    assert read.resource_changes[0].after == {"password": SENSITIVE, "name": "n"}
