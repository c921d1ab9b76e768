"""What is known of earlier tries travels whole."""

from __future__ import annotations

from shared.rollback.precedents import Precedents
from shared.safety.entries import Existing


def test_what_was_found_travels_with_the_tries_that_found_it() -> None:
    found = Existing(address="aws_sns_topic.a", type="aws_sns_topic", id="arn:aws:sns:eu-west-1:1:a", certain=True)
    sent = Precedents(tries=("run-0123456789abcdef",), existing=frozenset({found}))
    assert Precedents.model_validate_json(sent.model_dump_json()) == sent
