"""What a deployment set on something that stays, and no plan takes back."""

from __future__ import annotations

from typing import Any

import pytest

from shared.rollback.keeping import kept
from shared.rollback.records import Changed, Kept
from shared.rollback.states import Instance


def one(address: str = "aws_sqs_queue.q", deposed: str | None = None, **attributes: Any) -> Instance:
    return Instance(
        address=address, type=address.split(".")[0], managed=True, deposed=deposed, attributes=attributes, sensitive=()
    )


SET = [Changed(address="aws_sqs_queue.q", attributes=("policy", "delay"))]


def test_what_the_deployment_set_and_is_not_as_it_was_is_told_by_name() -> None:
    before, after = one(id="q", policy="", delay=0, other=1), one(id="q", policy="{}", delay=0, other=2)
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
