"""What a run may have signed, as the scheduler says it."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from shared.safety.allowance import Allowance, AllowedEntry
from shared.safety.entries import Operation
from signing_proxy.needs import ACTIONS

QUEUE = AllowedEntry(type="aws_sqs_queue", operation="create")


def test_it_survives_the_wire() -> None:
    sent = Allowance(mode="entries", entries=(QUEUE,), why="safety plan sha256:0")
    assert Allowance.model_validate_json(sent.model_dump_json()) == sent


@pytest.mark.parametrize("mode", ["reads", "unbounded"])
def test_entries_count_in_one_mode_only(mode: str) -> None:
    with pytest.raises(ValidationError, match="takes no entries"):
        Allowance.model_validate({"mode": mode, "entries": [QUEUE.model_dump()]})


def test_a_mode_that_is_not_known_is_no_allowance() -> None:
    with pytest.raises(ValidationError):
        Allowance.model_validate({"mode": "everything"})


def test_it_is_said_in_a_few_words() -> None:
    assert Allowance.reads().summary == "reads only"
    assert Allowance.unbounded().summary == "everything"
    assert Allowance(mode="entries", entries=(QUEUE,)).summary == "the approved changes of 1 resource type"


def test_every_operation_of_a_safety_plan_is_known_to_the_proxy() -> None:
    assert {operation.value for operation in Operation} - set(ACTIONS) == {"unknown"}
