"""Queues, topics, event rules, alarms: a whole life each; and how a queue is waited for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from deploy.demo.offline import messaging
from deploy.demo.offline.aws import Aws
from tests.unit.deploy.demo.offline.lifecycle import TAGS, change, create, lives


@pytest.fixture(autouse=True)
def looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks once instead of for 24 s."""

    def once(right: Callable[[], bool]) -> None:
        assert right()

    monkeypatch.setattr(messaging, "settle", once)


@pytest.fixture
def queue(aws: Aws) -> dict[str, object]:
    return create(
        messaging.Queue,
        aws,
        name="orders",
        visibility_timeout_seconds=60,
        message_retention_seconds=86400,
        tags=TAGS,
    )


def test_a_queue_lives(aws: Aws) -> None:
    made = lives(
        messaging.Queue, aws, name="orders", visibility_timeout_seconds=60, message_retention_seconds=86400, tags=TAGS
    )
    assert made["id"] == made["url"]
    assert made["arn"] == "arn:aws:sqs:eu-west-1:123456789012:orders"


def test_a_queue_changes_its_numbers(aws: Aws, queue: dict[str, object]) -> None:
    change(messaging.Queue, aws, queue, visibility_timeout_seconds=90)


def test_a_queue_policy_lives(aws: Aws, queue: dict[str, object]) -> None:
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:SendMessage"}]}
    lives(messaging.QueuePolicy, aws, queue_url=queue["id"], policy=policy)


def test_a_topic_lives(aws: Aws) -> None:
    made = lives(messaging.Topic, aws, name="orders", tags=TAGS)
    assert made["id"] == made["arn"]
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sns:Publish"}]}
    lives(messaging.Topic, aws, name="orders", tags=None, policy=policy)


def test_a_topics_policy_is_changed_in_place(aws: Aws) -> None:
    topic = create(messaging.Topic, aws, name="orders", tags=None)
    given = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "sns:Publish"}]}
    assert change(messaging.Topic, aws, topic, policy=given)["policy"] == given


def test_a_subscription_lives(aws: Aws, queue: dict[str, object]) -> None:
    topic = create(messaging.Topic, aws, name="orders", tags=None)
    lives(messaging.Subscription, aws, topic_arn=topic["arn"], protocol="sqs", endpoint=queue["arn"])


def test_an_event_rule_lives_and_changes(aws: Aws) -> None:
    wanted = {"name": "nightly", "description": "At night.", "schedule_expression": "rate(1 day)", "tags": TAGS}
    lives(messaging.EventRule, aws, **wanted)
    made = create(messaging.EventRule, aws, **wanted)
    change(messaging.EventRule, aws, made, description="Every night.")


def test_an_alarm_lives_and_its_threshold_is_a_whole_number(aws: Aws) -> None:
    made = lives(
        messaging.Alarm,
        aws,
        alarm_name="backlog",
        alarm_description="Too many.",
        namespace="AWS/SQS",
        metric_name="ApproximateNumberOfMessagesVisible",
        statistic="Maximum",
        comparison_operator="GreaterThanThreshold",
        threshold=100,
        period=300,
        evaluation_periods=2,
        tags=TAGS,
    )
    assert repr(made["threshold"]) == "100"


settle = messaging.settle


def test_settling_wants_the_same_answer_many_times_in_a_row() -> None:
    answers = iter([True, False, True, True, True])
    settle(lambda: next(answers), looks=3, pause_s=0)
    assert next(answers, "all asked") == "all asked"


def test_what_does_not_settle_is_given_up() -> None:
    asked: list[bool] = []

    def flaps() -> bool:
        asked.append(len(asked) % 2 == 0)
        return asked[-1]

    with pytest.raises(LookupError, match="did not settle"):
        settle(flaps, looks=3, pause_s=0)
    assert len(asked) == 6
