"""What a plan would take over: asked for, told apart from our own, and never thought absent without an answer.

The formats of a real cloud: tests/integration/test_existing_questions.py.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs

import pytest

from shared.models import JournalRecord
from shared.recovery.building import Call
from shared.recovery.existing import MAX_CALLS, find_existing
from shared.recovery.questions import Answer, NotAnswered
from shared.recovery.upserts import UPSERTS
from shared.rollback.precedents import Precedents
from shared.safety.entries import Existing
from signing_proxy.catalog import load_model
from signing_proxy.classify import classify
from signing_proxy.service_index import service_index
from tests.unit.worker.support import RUN, record

IDENTITY = (
    "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::1234:user/u</Arn>"
    "<Account>1234</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
)
ZONE = "<GetHostedZoneResponse><HostedZone><Name>example.com.</Name></HostedZone></GetHostedZoneResponse>"
TOPIC = "arn:aws:sns:eu-west-1:1234:alerts"
THERE = Answer(status=200, body="{}")
GONE = Answer(status=400, body="ResourceNotFoundException")


class Cloud:
    """Answers everything alike, but for who asks and what a zone is called."""

    def __init__(self, answer: Answer = THERE) -> None:
        self.answer = answer
        self.calls: list[Call] = []
        self.identity = Answer(status=200, body=IDENTITY)

    def __call__(self, calls: Sequence[Call]) -> list[Answer]:
        self.calls += [call for call in calls if call.service != "sts"]
        return [self._answer(call) for call in calls]

    def _answer(self, call: Call) -> Answer:
        if call.service == "sts":
            return self.identity
        if call.service == "route53" and "rrset" not in call.path:
            return Answer(status=200, body=ZONE)
        return self.answer


def planned(kind: str, values: dict[str, Any], *actions: str, name: str = "a", **more: Any) -> dict[str, Any]:
    change = {"actions": list(actions or ("create",)), "after": values, "after_unknown": more.pop("unknown", {})}
    return {"address": f"{kind}.{name}", "mode": "managed", "type": kind, "change": change, **more}


def held(kind: str, values: dict[str, Any]) -> dict[str, Any]:
    one = {"address": f"{kind}.held", "mode": "managed", "type": kind, "values": values}
    return {"values": {"root_module": {"resources": [one]}}}


def find(
    cloud: Cloud,
    *changes: dict[str, Any],
    precedents: Precedents | None = None,
    made: Sequence[JournalRecord] = (),
    **more: Any,
) -> frozenset[Existing]:
    plan = {"resource_changes": list(changes), "configuration": {"root_module": {}}, **more}
    return find_existing(plan, region="eu-west-1", precedents=precedents or Precedents(), made=made, transport=cloud)


RULE = planned("aws_cloudwatch_event_rule", {"name": "nightly", "event_bus_name": None})
NIGHTLY = Existing(address="aws_cloudwatch_event_rule.a", type="aws_cloudwatch_event_rule", certain=True)
MAY_BE = NIGHTLY.model_copy(update={"certain": False})
ALERTS = planned("aws_sns_topic", {"name": "alerts"})
THEIR_TOPIC = Existing(address="aws_sns_topic.a", type="aws_sns_topic", id=TOPIC, certain=True)


def test_what_is_there_is_named_and_what_is_not_is_not() -> None:
    cloud = Cloud()
    assert find(cloud, RULE) == {NIGHTLY}
    (call,) = cloud.calls
    assert json.loads(call.body) == {"Name": "nightly", "EventBusName": "default"}
    assert find(Cloud(GONE), RULE) == frozenset()


def test_a_topic_is_asked_for_in_the_callers_account() -> None:
    cloud = Cloud()
    assert find(cloud, ALERTS) == {THEIR_TOPIC}
    assert parse_qs(cloud.calls[0].body)["TopicArn"] == [TOPIC]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=0, body="TimeoutError"),
        Answer(status=403, body="AccessDenied"),
        Answer(status=500, body=""),
        Answer(status=400, body="ValidationException"),
        Answer(status=301, body=""),
    ],
)
def test_what_nobody_answers_may_exist(answer: Answer) -> None:
    assert find(Cloud(answer), RULE) == {MAY_BE}


def test_where_no_question_gets_through_all_may_exist() -> None:
    def broken(calls: Sequence[Call]) -> list[Answer]:
        raise NotAnswered("the sandbox is gone")

    plan = {"resource_changes": [RULE, ALERTS], "configuration": {"root_module": {}}}
    there = find_existing(plan, region="eu-west-1", precedents=Precedents(), made=(), transport=broken)
    assert {(one.address, one.certain) for one in there} == {
        ("aws_cloudwatch_event_rule.a", False),
        ("aws_sns_topic.a", False),
    }


def test_where_nobody_knows_whose_account_it_is_a_topic_may_exist() -> None:
    cloud = Cloud()
    cloud.identity = Answer(status=403, body="<Error/>")
    assert find(cloud, ALERTS) == {Existing(address="aws_sns_topic.a", type="aws_sns_topic")}
    assert cloud.calls == []


def test_an_answer_that_cannot_be_read_may_mean_anything() -> None:
    alarm = planned("aws_cloudwatch_metric_alarm", {"alarm_name": "slow"})
    assert {one.certain for one in find(Cloud(Answer(status=200, body="<Describe")), alarm)} == {False}


@pytest.mark.parametrize(
    ("body", "certain"),
    [
        ('{"Targets": [{"Id": "t"}]}', {True}),
        ('{"Targets": [{"Id": "other"}]}', set()),
        ('{"Targets": [{"Id": "other"}], "NextToken": "more"}', {False}),
    ],
)
def test_of_a_list_only_the_same_counts_and_one_that_is_cut_short_says_nothing(body: str, certain: set[bool]) -> None:
    target = planned("aws_cloudwatch_event_target", {"rule": "r", "target_id": "t", "event_bus_name": "default"})
    assert {one.certain for one in find(Cloud(Answer(status=200, body=body)), target)} == certain


def test_what_the_plan_has_no_name_for_yet_is_not_asked_for() -> None:
    cloud = Cloud()
    prefixed = planned("aws_sns_topic", {}, unknown={"name": True})
    within = planned("aws_s3_bucket_policy", {"policy": "{}"}, unknown={"bucket": True})
    bus = planned("aws_cloudwatch_event_rule", {"name": "r"}, unknown={"event_bus_name": True})
    assert find(cloud, prefixed, within, bus) == frozenset()
    assert cloud.calls == []


def test_only_what_is_made_is_asked_for_the_new_half_of_a_replacement_too() -> None:
    cloud = Cloud()
    other = planned("aws_iam_role", {"name": "r"})
    assert find(cloud, planned("aws_sns_topic", {"name": "alerts"}, "update"), other) == frozenset()
    assert cloud.calls == []
    assert find(cloud, planned("aws_sns_topic", {"name": "alerts"}, "create", "delete")) == {THEIR_TOPIC}


def test_what_the_state_holds_is_no_find() -> None:
    cloud = Cloud()
    again = planned("aws_sns_topic", {"name": "alerts"}, "delete", "create")
    assert find(cloud, again, prior_state=held("aws_sns_topic", {"name": "alerts"})) == frozenset()
    assert cloud.calls == []
    assert find(cloud, again, prior_state=held("aws_sns_topic", {"name": "older"})) == {THEIR_TOPIC}


ATTACHED = "aws_iam_role_policy_attachment"
LIST = "<R><ListAttachedRolePoliciesResult><AttachedPolicies>{}</AttachedPolicies></ListAttachedRolePoliciesResult></R>"
MEMBER = "<member><PolicyArn>arn:theirs</PolicyArn></member>"


@pytest.mark.parametrize(
    ("kind", "values", "unknown", "body"),
    [
        (ATTACHED, {"role": "app"}, "policy_arn", LIST.format("")),
        ("aws_sns_topic_subscription", {"topic_arn": TOPIC, "protocol": "sqs"}, "endpoint", "<R/>"),
        ("aws_cloudwatch_event_target", {"rule": "nightly"}, "target_id", '{"Targets": []}'),
    ],
)
def test_what_has_no_name_yet_on_something_that_is_there_is_not_asked_for(
    kind: str, values: dict[str, Any], unknown: str, body: str
) -> None:
    cloud = Cloud(Answer(status=200, body=body))
    assert find(cloud, planned(kind, values, unknown={unknown: True})) == frozenset()
    assert cloud.calls == []


def test_what_the_state_holds_beside_it_does_not_stand_for_it() -> None:
    theirs = planned(ATTACHED, {"role": "app", "policy_arn": "arn:theirs"})
    beside = {"prior_state": held(ATTACHED, {"role": "app", "policy_arn": "arn:own"})}
    cloud = Cloud(Answer(status=200, body=LIST.format(MEMBER)))
    assert {(one.address, one.certain) for one in find(cloud, theirs, **beside)} == {(f"{ATTACHED}.a", True)}
    own = planned(ATTACHED, {"role": "app", "policy_arn": "arn:own"})
    assert find(Cloud(), own, **beside) == frozenset()


def test_what_has_no_region_is_asked_for_whatever_region_its_provider_has() -> None:
    aliased = {"alias": "us", "expressions": {"region": {"references": ["var.second"]}}}
    kinds = (ATTACHED, "aws_sns_topic")
    resources = [{"address": f"{kind}.a", "provider_config_key": "aws.us"} for kind in kinds]
    configuration = {"provider_config": {"aws.us": aliased}, "root_module": {"resources": resources}}
    elsewhere = {"configuration": configuration}
    attached = planned(ATTACHED, {"role": "app", "policy_arn": "arn:own"})
    cloud = Cloud(Answer(status=200, body=LIST.format("")))
    assert find(cloud, attached, **elsewhere) == frozenset()
    assert [call.service for call in cloud.calls] == ["iam"]
    assert {one.certain for one in find(Cloud(), ALERTS, **elsewhere)} == {False}


def test_what_the_create_would_be_refused_for_is_not_asked_for() -> None:
    parameter = planned("aws_ssm_parameter", {"name": "/p", "overwrite": None})
    assert find(Cloud(), parameter) == frozenset()
    overwrites = planned("aws_ssm_parameter", {"name": "/p", "overwrite": True})
    assert {one.certain for one in find(Cloud(), overwrites)} == {True}


def test_a_short_name_of_a_record_is_that_within_its_zone() -> None:
    values = {"zone_id": "Z1", "name": "*", "type": "A", "allow_overwrite": True}
    body = (
        "<ListResourceRecordSetsResponse><ResourceRecordSets><ResourceRecordSet><Name>\\052.example.com.</Name>"
        "<Type>A</Type></ResourceRecordSet></ResourceRecordSets><IsTruncated>true</IsTruncated>"
        "</ListResourceRecordSetsResponse>"
    )
    cloud = Cloud(Answer(status=200, body=body))
    assert {one.certain for one in find(cloud, planned("aws_route53_record", values))} == {True}
    assert cloud.calls[-1].query == "maxitems=100&name=%2A.example.com&type=A"
    # What is looked for stands first: what follows does not matter.
    assert find(cloud, planned("aws_route53_record", values | {"name": "www"})) == frozenset()


def test_in_a_region_that_nobody_knows_it_may_exist() -> None:
    configuration = {
        "provider_config": {"aws.x": {"alias": "x", "expressions": {"region": {"references": ["var.x"]}}}},
        "root_module": {
            "resources": [{"address": "aws_cloudwatch_event_rule.a", "provider_config_key": "aws.x"}],
        },
    }
    cloud = Cloud(GONE)
    assert find(cloud, RULE, configuration=configuration) == {MAY_BE}
    assert cloud.calls == []


def test_what_an_earlier_try_made_was_not_there_before() -> None:
    made = record("sns", "CreateTopic", {"Name": "alerts"}, {"TopicArn": TOPIC})
    tried = Precedents(tries=(RUN,))
    for one in (made, record("sns", "CreateTopic", {"Name": "alerts"})):
        assert find(Cloud(), ALERTS, precedents=tried, made=[one]) == frozenset()
    # Not even where nobody answers: the journal knows.
    assert find(Cloud(Answer(status=0, body="")), ALERTS, precedents=tried, made=[made]) == frozenset()


def test_what_another_run_made_or_something_else_was_made_does_not_count() -> None:
    tried = Precedents(tries=(RUN,))
    others = record("sns", "CreateTopic", {"Name": "alerts"}, {}, run_id="run-fedcba9876543210")
    other_name = record("sns", "CreateTopic", {"Name": "news"}, {})
    other_region = record("sns", "CreateTopic", {"Name": "alerts"}, {}, region="us-east-1")
    assert find(Cloud(), ALERTS, precedents=tried, made=[others, other_name, other_region]) == {THEIR_TOPIC}


def test_what_an_earlier_try_found_stays_found_wherever_it_is_made_now() -> None:
    made = record("sns", "CreateTopic", {"Name": "alerts"}, {"TopicArn": TOPIC})
    elsewhere = THEIR_TOPIC.model_copy(update={"address": "aws_sns_topic.before"})
    for earlier in (THEIR_TOPIC, elsewhere, Existing(address="aws_sns_topic.a", type="aws_sns_topic")):
        tried = Precedents(tries=(RUN,), existing=frozenset({earlier}))
        assert find(Cloud(), ALERTS, precedents=tried, made=[made]) == {THEIR_TOPIC}


def test_what_is_too_much_to_ask_may_exist() -> None:
    many = [
        planned("aws_cloudwatch_event_rule", {"name": f"r{number}"}, name=f"r{number}")
        for number in range(MAX_CALLS + 3)
    ]
    cloud = Cloud(GONE)
    assert {one.certain for one in find(cloud, *many)} == {False}
    assert len(cloud.calls) == MAX_CALLS
    assert len(find(Cloud(GONE), *many)) == 3


class Everything(dict[str, Any]):
    """Values that have every attribute."""

    def get(self, key: str, default: Any = None) -> Any:
        return {"name": "www", "zone_id": "Z1", "type": "A", "region": None}.get(key, "word")


@pytest.mark.parametrize("kind", sorted(UPSERTS))
def test_every_question_is_a_read_for_the_proxy(kind: str) -> None:
    cloud = Cloud()
    find(cloud, planned(kind, Everything(name="www")))
    assert cloud.calls
    for call in cloud.calls:
        entry = service_index()[call.service]
        operation = classify(
            service=call.service,
            models=tuple(load_model(name) for name in entry.models),
            method=call.method,
            host=call.host,
            path=call.path,
            query=call.query,
            headers=call.headers,
            body=call.body.encode(),
        )
        assert operation.access == "read", (call, operation)
