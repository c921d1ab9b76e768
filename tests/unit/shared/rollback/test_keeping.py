"""What a deployment set on something that stays, and no plan takes back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shared.rollback.keeping import kept
from shared.rollback.records import Changed, Kept
from shared.rollback.states import Instance

REFERS = frozenset({"aws_x.other", "aws_x.a", "aws_x.b"})


def one(address: str = "aws_sqs_queue.q", deposed: str | None = None, **attributes: Any) -> Instance:
    return Instance(
        address=address,
        type=address.split(".")[0],
        managed=True,
        deposed=deposed,
        attributes=attributes,
        sensitive=(),
        dependencies=REFERS,
    )


SET = [Changed(address="aws_sqs_queue.q", attributes=("policy", "delay"))]


def test_what_the_deployment_set_and_is_not_as_it_was_is_told_by_name() -> None:
    before, after = one(id="q", policy="", delay=0, other=1), one(id="q", policy='{"a": 1}', delay=0, other=2)
    assert list(kept([before], [after], SET)) == [
        Kept(address="aws_sqs_queue.q", type="aws_sqs_queue", id="q", attributes=("policy",))
    ]


@pytest.mark.parametrize(
    "after",
    [
        one(id="q", policy='{"a": 1, "b": 2}', delay=0),
        one(id="q", policy='{"b":2,"a":1}', delay=0, other="set by nobody here"),
        one(id="another", policy="made again", delay=5),
        one(address="aws_sqs_queue.other", id="q", policy="", delay=5),
        one(deposed="00c0ffee", id="q", policy="", delay=5),
    ],
    ids=["as it was", "written otherwise", "made again", "elsewhere", "left by a replacement"],
)
def test_what_is_as_it_was_or_another_object_is_not(after: Instance) -> None:
    before = one(id="q", policy='{"a": 1, "b": 2}', delay=0, other=1)
    assert list(kept([before], [after], SET)) == []


def test_a_value_that_came_and_one_that_went_differ() -> None:
    assert [it.attributes for it in kept([one(id="q")], [one(id="q", delay=5)], SET)] == [("delay",)]
    assert [it.attributes for it in kept([one(id="q", delay=5)], [one(id="q", delay=None)], SET)] == [("delay",)]
    assert list(kept([one(id="q")], [one(id="q", delay=5)], [])) == []


def pair(address: str, before: dict[str, Any], after: dict[str, Any]) -> tuple[Instance, Instance]:
    return one(address, **before), one(address, **after)


ARN = "arn:aws:ecs:eu-west-1:1:task-definition/t"


@pytest.mark.parametrize(
    ("before", "after", "other"),
    [
        (f"{ARN}:1", f"{ARN}:3", ({"arn": f"{ARN}:1"}, {"arn": f"{ARN}:3"})),
        ("1", "3", ({"latest_version": 1}, {"latest_version": 3})),
        (1, 3, ({"latest_version": 1}, {"latest_version": 3})),
        ([{"ids": ["sg-1"]}], [{"ids": ["sg-2"]}], ({"id": "sg-1"}, {"id": "sg-2"})),
        (f'{{"R": "{ARN}:1/*"}}', f'{{"R": "{ARN}:3/*"}}', ({"arn": f"{ARN}:1"}, {"arn": f"{ARN}:3"})),
    ],
)
def test_what_names_another_object_that_was_made_again_is_as_it_was(before: Any, after: Any, other: Any) -> None:
    service = pair("aws_sqs_queue.q", {"id": "q", "policy": before}, {"id": "q", "policy": after})
    made_again = pair("aws_x.other", *other)
    first, final = zip(service, made_again, strict=True)
    assert list(kept(first, final, SET)) == []
    assert [it.attributes for it in kept(first[:1], final[:1], SET)] == [("policy",)], "nothing explains it"


def test_only_what_it_refers_to_explains_anything() -> None:
    service = pair("aws_sqs_queue.q", {"id": "q", "delay": 1}, {"id": "q", "delay": 2})
    stranger = pair("aws_launch_template.t", {"id": "lt-1", "latest_version": 1}, {"id": "lt-1", "latest_version": 2})
    first, final = zip(service, stranger, strict=True)
    assert [it.attributes for it in kept(first, final, SET)] == [("delay",)]


def test_what_the_deployment_set_on_another_that_stays_as_well_explains_nothing() -> None:
    service = pair("aws_sqs_queue.q", {"id": "q", "delay": 2}, {"id": "q", "delay": 40})
    other = pair("aws_x.other", {"id": "o", "count": 2}, {"id": "o", "count": 40})
    first, final = zip(service, other, strict=True)
    both = [*SET, Changed(address="aws_x.other", attributes=("count",))]
    assert [it.attributes for it in kept(first, final, both)] == [("delay",), ("count",)]
    again = pair("aws_x.other", {"id": "o", "count": 2}, {"id": "p", "count": 40})
    first, final = zip(service, again, strict=True)
    assert list(kept(first, final, both)) == [], "made again, from the first configuration alone"


def test_a_set_that_is_sorted_by_new_names_is_as_it_was() -> None:
    service = pair("aws_sqs_queue.q", {"id": "q", "policy": ["sg-a", "sg-b"]}, {"id": "q", "policy": ["sg-b", "sg-z"]})
    first, final = zip(service, pair("aws_x.other", {"id": "sg-a"}, {"id": "sg-z"}), strict=True)
    assert list(kept(first, final, SET)) == []
    worse = one("aws_sqs_queue.q", id="q", policy=["sg-y", "sg-z"])
    assert [it.attributes for it in kept(first, [worse, *final[1:]], SET)] == [("policy",)]


def test_a_set_of_more_than_can_be_matched_is_told() -> None:
    many = 1001
    service = pair(
        "aws_sqs_queue.q",
        {"id": "q", "policy": [f"a{number}" for number in range(many)]},
        {"id": "q", "policy": [f"b{number}" for number in range(many, 2 * many)]},
    )
    assert [it.attributes for it in kept(service[:1], service[1:], SET)] == [("policy",)]


def test_whatever_an_object_is_called_is_known_within_a_longer_text() -> None:
    service = pair(
        "aws_sqs_queue.q",
        {"id": "q", "policy": "http://lb-1.aws.example/x"},
        {"id": "q", "policy": "http://lb-22.aws.example/x"},
    )
    other = pair(
        "aws_x.other", {"id": "1", "dns_name": "lb-1.aws.example"}, {"id": "2", "dns_name": "lb-22.aws.example"}
    )
    first, final = zip(service, other, strict=True)
    assert list(kept(first, final, SET)) == []


def test_its_own_other_values_explain_nothing() -> None:
    before, after = one(id="q", policy="abc", other="abc"), one(id="q", policy="xyz", other="xyz")
    assert [it.attributes for it in kept([before], [after], SET)] == [("policy",)]


@pytest.mark.parametrize(("before", "after"), [(None, {}), ({}, None), ("", None), ([], None), ({"a": None}, {})])
def test_nothing_is_nothing_however_it_is_spelt(before: Any, after: Any) -> None:
    assert list(kept([one(id="q", policy=before)], [one(id="q", policy=after)], SET)) == []


def test_false_and_zero_are_something() -> None:
    for value in (False, 0):
        assert list(kept([one(id="q", policy=None)], [one(id="q", policy=value)], SET))


@pytest.mark.parametrize("marks", [(("id",),), ((),), None])
def test_an_id_that_is_a_secret_is_not_told(marks: Any) -> None:
    before, after = one(id="s3cret", delay=1), one(id="s3cret", delay=2)
    hidden = replace(after, sensitive=marks)
    assert [it.id for it in kept([before], [hidden], SET)] == [None]


def test_two_that_had_one_value_explain_each_its_own_new_one() -> None:
    service = pair("aws_sqs_queue.q", {"id": "q", "policy": "1"}, {"id": "q", "policy": "3"})
    others = [
        pair(f"aws_x.{name}", {"id": "1", "version": 1}, {"id": "1", "version": to})
        for name, to in (("a", 3), ("b", 2))
    ]
    for order in (others, others[::-1]):
        first, final = zip(service, *order, strict=True)
        assert list(kept(first, final, SET)) == []
    first, final = zip(service, others[1], strict=True)
    assert [it.attributes for it in kept(first, final, SET)] == [("policy",)], "another value than that one's"


def test_what_was_added_beside_a_new_name_is_told() -> None:
    service = pair("aws_sqs_queue.q", {"id": "q", "policy": ["sg-1"]}, {"id": "q", "policy": ["sg-2", "sg-9"]})
    first, final = zip(service, pair("aws_x.other", {"id": "sg-1"}, {"id": "sg-2"}), strict=True)
    assert [it.attributes for it in kept(first, final, SET)] == [("policy",)]
