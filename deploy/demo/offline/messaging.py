"""Queues, topics, event rules, alarms."""

import json
import threading
from collections.abc import Callable
from typing import ClassVar

from deploy.demo.offline.aws import tag_list, tag_map, unless_absent
from deploy.demo.offline.base import JSON, NUMBER, TAGS, AwsResource, State, computed, given, optional, required

# A queue's attributes may be read stale for a while; like the real provider this one looks until they have
# been right for long enough. It is also what leaves the demo time to strike in the middle of an apply.
SETTLE_LOOKS = 12
SETTLE_PAUSE_S = 2.0
_QUEUE_GONE = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")


class Queue(AwsResource):
    TYPE = "sqs_queue"
    NUMBERS: ClassVar[dict[str, str]] = {
        "VisibilityTimeout": "visibility_timeout_seconds",
        "MessageRetentionPeriod": "message_retention_seconds",
    }
    ATTRIBUTES = (
        required("name", replace=True),
        *(optional(name, NUMBER) for name in NUMBERS.values()),
        computed("arn"),
        computed("url"),
        optional("tags", TAGS),
    )

    def make(self, planned: State) -> State:
        url = self.aws.client("sqs").create_queue(
            QueueName=planned["name"], Attributes=self._numbers(planned), **given(planned, tags="tags")
        )["QueueUrl"]
        settle(lambda: self.observe({"id": url}) is not None)
        return {"id": url}

    def observe(self, state: State) -> State | None:
        sqs = self.aws.client("sqs")
        found = unless_absent(sqs.get_queue_attributes, *_QUEUE_GONE, QueueUrl=state["id"], AttributeNames=["All"])
        if found is None:
            return None
        attributes = found["Attributes"]
        return {
            "id": state["id"],
            "url": state["id"],
            "arn": attributes["QueueArn"],
            "name": attributes["QueueArn"].rpartition(":")[2],
            **{name: int(attributes[argument]) for argument, name in self.NUMBERS.items()},
            "tags": sqs.list_queue_tags(QueueUrl=state["id"]).get("Tags") or None,
        }

    def change(self, current: State, planned: State) -> None:
        sqs = self.aws.client("sqs")
        sqs.set_queue_attributes(QueueUrl=current["id"], Attributes=self._numbers(planned))
        sqs.tag_queue(QueueUrl=current["id"], Tags=planned["tags"] or {})
        if stale := [key for key in current["tags"] or {} if key not in (planned["tags"] or {})]:
            sqs.untag_queue(QueueUrl=current["id"], TagKeys=stale)

    def remove(self, current: State) -> None:
        self.aws.client("sqs").delete_queue(QueueUrl=current["id"])

    def _numbers(self, planned: State) -> dict[str, str]:
        return {argument: str(number) for argument, number in given(planned, **self.NUMBERS).items()}


class QueuePolicy(AwsResource):
    TYPE = "sqs_queue_policy"
    ATTRIBUTES = (required("queue_url", replace=True), required("policy", JSON))

    def make(self, planned: State) -> State:
        self._put(planned)
        return {"id": planned["queue_url"]}

    def observe(self, state: State) -> State | None:
        found = unless_absent(
            self.aws.client("sqs").get_queue_attributes,
            *_QUEUE_GONE,
            QueueUrl=state["id"],
            AttributeNames=["Policy"],
        )
        policy = (found or {}).get("Attributes", {}).get("Policy")
        if not policy:
            return None
        return {"id": state["id"], "queue_url": state["id"], "policy": json.loads(policy)}

    def change(self, current: State, planned: State) -> None:
        self._put(planned)

    def remove(self, current: State) -> None:
        self.aws.client("sqs").set_queue_attributes(QueueUrl=current["id"], Attributes={"Policy": ""})

    def _put(self, planned: State) -> None:
        url = planned["queue_url"]
        self.aws.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(planned["policy"])})
        settle(lambda: self.observe({"id": url}) is not None)


class Topic(AwsResource):
    TYPE = "sns_topic"
    ATTRIBUTES = (
        required("name", replace=True),
        computed("arn"),
        optional("policy", JSON),
        optional("tags", TAGS),
    )

    def make(self, planned: State) -> State:
        answer = self.aws.client("sns").create_topic(Name=planned["name"], Tags=tag_list(planned["tags"]))
        self._police(answer["TopicArn"], planned)
        return {"id": answer["TopicArn"]}

    def observe(self, state: State) -> State | None:
        sns, arn = self.aws.client("sns"), state["id"]
        found = unless_absent(sns.get_topic_attributes, "NotFound", TopicArn=arn)
        if found is None:
            return None
        policy = json.loads(found["Attributes"]["Policy"])
        tags = sns.list_tags_for_resource(ResourceArn=arn)["Tags"]
        return {"id": arn, "arn": arn, "name": arn.rpartition(":")[2], "policy": policy, "tags": tag_map(tags)}

    def change(self, current: State, planned: State) -> None:
        self._police(current["id"], planned)
        self.aws.client("sns").tag_resource(ResourceArn=current["id"], Tags=tag_list(planned["tags"]))

    def remove(self, current: State) -> None:
        self.aws.client("sns").delete_topic(TopicArn=current["id"])

    def _police(self, arn: str, planned: State) -> None:
        if planned["policy"] is not None:
            text = json.dumps(planned["policy"])
            self.aws.client("sns").set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=text)


class Subscription(AwsResource):
    TYPE = "sns_topic_subscription"
    ATTRIBUTES = (
        required("topic_arn", replace=True),
        required("protocol", replace=True),
        required("endpoint", replace=True),
        computed("arn"),
    )

    def make(self, planned: State) -> State:
        answer = self.aws.client("sns").subscribe(
            TopicArn=planned["topic_arn"],
            Protocol=planned["protocol"],
            Endpoint=planned["endpoint"],
            ReturnSubscriptionArn=True,
        )
        return {"id": answer["SubscriptionArn"]}

    def observe(self, state: State) -> State | None:
        sns = self.aws.client("sns")
        found = unless_absent(sns.get_subscription_attributes, "NotFound", SubscriptionArn=state["id"])
        if found is None:
            return None
        attributes = found["Attributes"]
        return {
            "id": state["id"],
            "arn": state["id"],
            "topic_arn": attributes["TopicArn"],
            "protocol": attributes["Protocol"],
            "endpoint": attributes["Endpoint"],
        }

    def remove(self, current: State) -> None:
        self.aws.client("sns").unsubscribe(SubscriptionArn=current["id"])


class EventRule(AwsResource):
    TYPE = "cloudwatch_event_rule"
    ATTRIBUTES = (
        required("name", replace=True),
        optional("description"),
        optional("schedule_expression"),
        computed("arn"),
        optional("tags", TAGS),
    )

    def make(self, planned: State) -> State:
        self._put(planned, Tags=tag_list(planned["tags"]))
        return {"id": planned["name"]}

    def observe(self, state: State) -> State | None:
        events = self.aws.client("events")
        rule = unless_absent(events.describe_rule, "ResourceNotFoundException", Name=state["id"])
        if rule is None:
            return None
        return {
            "id": rule["Name"],
            "name": rule["Name"],
            "description": rule.get("Description"),
            "schedule_expression": rule.get("ScheduleExpression"),
            "arn": rule["Arn"],
            "tags": tag_map(events.list_tags_for_resource(ResourceARN=rule["Arn"])["Tags"]),
        }

    def change(self, current: State, planned: State) -> None:
        self._put(planned)
        self.aws.client("events").tag_resource(ResourceARN=current["arn"], Tags=tag_list(planned["tags"]))

    def remove(self, current: State) -> None:
        self.aws.client("events").delete_rule(Name=current["id"])

    def _put(self, planned: State, **more: object) -> None:
        described = given(planned, Description="description", ScheduleExpression="schedule_expression")
        self.aws.client("events").put_rule(Name=planned["name"], **described, **more)


class Alarm(AwsResource):
    TYPE = "cloudwatch_metric_alarm"
    SETTINGS: ClassVar[dict[str, str]] = {
        "AlarmDescription": "alarm_description",
        "Namespace": "namespace",
        "MetricName": "metric_name",
        "Statistic": "statistic",
        "ComparisonOperator": "comparison_operator",
    }
    NUMBERS: ClassVar[dict[str, str]] = {
        "Threshold": "threshold",
        "Period": "period",
        "EvaluationPeriods": "evaluation_periods",
    }
    ATTRIBUTES = (
        required("alarm_name", replace=True),
        *(optional(name) for name in SETTINGS.values()),
        *(optional(name, NUMBER) for name in NUMBERS.values()),
        computed("arn"),
        optional("tags", TAGS),
    )

    def make(self, planned: State) -> State:
        self._put(planned)
        return {"id": planned["alarm_name"]}

    def observe(self, state: State) -> State | None:
        cloudwatch = self.aws.client("cloudwatch")
        alarms = cloudwatch.describe_alarms(AlarmNames=[state["id"]])["MetricAlarms"]
        if not alarms:
            return None
        alarm = alarms[0]
        numbers = {name: alarm.get(argument) for argument, name in self.NUMBERS.items()}
        return {
            "id": alarm["AlarmName"],
            "alarm_name": alarm["AlarmName"],
            "arn": alarm["AlarmArn"],
            **{name: alarm.get(argument) for argument, name in self.SETTINGS.items()},
            # A threshold comes back as 100.0; Terraform's number for it is 100.
            **{name: int(number) if number == int(number) else number for name, number in numbers.items()},
            "tags": tag_map(cloudwatch.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"]),
        }

    def change(self, current: State, planned: State) -> None:
        self._put(planned)

    def remove(self, current: State) -> None:
        self.aws.client("cloudwatch").delete_alarms(AlarmNames=[current["id"]])

    def _put(self, planned: State) -> None:
        self.aws.client("cloudwatch").put_metric_alarm(
            AlarmName=planned["alarm_name"],
            Tags=tag_list(planned["tags"]),
            **given(planned, **self.SETTINGS, **self.NUMBERS),
        )


def settle(right: Callable[[], bool], *, looks: int = SETTLE_LOOKS, pause_s: float = SETTLE_PAUSE_S) -> None:
    """Look until `right` was true for that many looks in a row, with as many chances again.

    Raises:
        LookupError: it did not stay true.
    """
    in_a_row, pause = 0, threading.Event()
    for _ in range(2 * looks):
        in_a_row = in_a_row + 1 if right() else 0
        if in_a_row == looks:
            return
        pause.wait(pause_s)
    raise LookupError("the queue's attributes did not settle")


TYPES = (Queue, QueuePolicy, Topic, Subscription, EventRule, Alarm)
