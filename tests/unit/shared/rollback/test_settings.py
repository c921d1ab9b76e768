"""The `rollback` section: what may stand there, and which trigger takes a deployment back."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from shared.models import describe
from shared.rollback.settings import (
    LOOK_GRACE_S,
    Cause,
    CloudwatchCheck,
    MissingData,
    PrometheusCheck,
    RollbackSettings,
    Trigger,
    check_url,
    trigger_of,
)

HTTP = {"type": "http", "name": "up", "url": "https://shop.example.com/health", "missing_data": "breaching"}
COMMAND = {"type": "command", "name": "smoke", "command": ["./smoke.sh", "${target.id}"], "missing_data": "ignore"}
PROMETHEUS = {
    "type": "prometheus", "name": "errors", "url": "http://prometheus:9090", "query": "rate(errors[1m])",
    "above": 0.5, "missing_data": "not_breaching",
}  # fmt: skip
CLOUDWATCH = {"type": "cloudwatch", "name": "alarms", "alarms": ["shop-${region.name}"], "missing_data": "ignore"}


def settings(**given: Any) -> RollbackSettings:
    return RollbackSettings.model_validate(given)


def complaint(**given: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        settings(**given)
    return describe(caught.value)


def test_with_nothing_said_everything_takes_a_deployment_back_and_nothing_is_watched() -> None:
    plain = settings()
    assert set(plain.on) == set(Cause)
    assert (plain.bake_s, plain.checks, plain.preproduction_test, plain.phases_done, plain.recover) == (
        0, (), False, False, "report",
    )  # fmt: skip


def test_what_was_written_is_read_back_the_same() -> None:
    given = settings(bake_s=86_400, checks=[HTTP, COMMAND, PROMETHEUS, CLOUDWATCH], recover="auto")
    assert RollbackSettings.model_validate_json(given.model_dump_json()) == given
    assert [trigger_of(check) for check in given.checks] == [
        Trigger.HEALTH, Trigger.HEALTH, Trigger.ALARM, Trigger.ALARM,
    ]  # fmt: skip
    assert [check.missing_data for check in given.checks] == [
        MissingData.BREACHING, MissingData.IGNORE, MissingData.NOT_BREACHING, MissingData.IGNORE,
    ]  # fmt: skip


@pytest.mark.parametrize("check", [HTTP, COMMAND, PROMETHEUS, CLOUDWATCH], ids=lambda check: check["type"])
def test_every_check_says_itself_what_missing_data_counts_as(check: dict[str, Any]) -> None:
    silent = {key: value for key, value in check.items() if key != "missing_data"}
    assert "missing_data: Field required" in complaint(checks=[silent])


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"bake_s": -1}, "bake_s"),
        ({"bake_s": 86_401}, "bake_s: Input should be less than or equal to 86400"),
        ({"bake_s": 1.0}, "bake_s"),
        ({"bake_s": True}, "bake_s"),
        ({"on": ["alarms"]}, "on.0"),
        ({"recover": "always"}, "recover"),
        ({"preproduction": True}, "preproduction: Extra inputs"),
        ({"checks": [{**HTTP, "type": "https"}]}, "checks.0"),
        ({"checks": [HTTP, HTTP]}, "two checks are called up"),
        ({"checks": [HTTP], "on": ["error"]}, "check up would change nothing: `on` does not list health"),
        ({"checks": [PROMETHEUS], "on": ["health"]}, "`on` does not list alarm"),
        ({"checks": [{**HTTP, "every_s": 0}]}, "every_s"),
        ({"checks": [{**HTTP, "timeout_s": 301}]}, "timeout_s"),
        ({"checks": [{**HTTP, "failures": 0}]}, "failures"),
        ({"checks": [{**HTTP, "status": []}]}, "status"),
        ({"checks": [{**HTTP, "status": [600]}]}, "status"),
        ({"checks": [{**HTTP, "method": "HEAD", "contains": "ok"}]}, "HEAD has no body"),
        ({"checks": [{**HTTP, "url": "https://${region.nam}/"}]}, "to nothing else"),
        ({"checks": [{**HTTP, "url": "https://x/${output.}"}]}, "to nothing else"),
        ({"checks": [{**HTTP, "url": "${output.host}/health"}]}, "begins with http"),
        ({"checks": [{**COMMAND, "command": []}]}, "command"),
        ({"checks": [{**COMMAND, "command": ["a\x00b"]}]}, "unprintable"),
        ({"checks": [{**COMMAND, "command": ["a"] * 65}]}, "command"),
        ({"checks": [{**PROMETHEUS, "above": None}]}, "say when a value is bad"),
        ({"checks": [{**PROMETHEUS, "above": float("nan")}]}, "above"),
        ({"checks": [{**PROMETHEUS, "above": "0.5"}]}, "above"),
        ({"checks": [{**CLOUDWATCH, "alarms": []}]}, "alarms"),
        ({"checks": [{**CLOUDWATCH, "alarms": ["x" * 256]}]}, "alarms"),
        ({"checks": [{**HTTP, "name": f"c{at}"} for at in range(33)]}, "checks"),
    ],
)  # fmt: skip
def test_what_may_not_stand_there_is_named(given: dict[str, Any], what: str) -> None:
    assert what in complaint(**given)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://host/", "begins with http"),
        ("file:///etc/passwd", "begins with http"),
        ("//host", "begins with http"),
        ("https:///path", "has a host"),
        ("https://user:secret@host/", "no password"),
        ("https://user@host/", "no password"),
        ("https://host/#top", "fragment"),
        ("https://host/a b", "space"),
        ("https://host/\r\nHost: other", "unprintable"),
        ("https://host:99999/", "no URL"),
        ("https://[::1/", "no URL"),
    ],
)
def test_a_check_asks_nothing_but_a_plain_url(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        check_url(url)


def test_ports_queries_and_addresses_of_version_6_are_plain() -> None:
    for url in ("http://host:8080/a?b=c", "https://[::1]:8443/"):
        check_url(url)


TAKEN_BACK = {
    Trigger.APPLY_ERROR: {"on": ["error"]},
    Trigger.HALTED: {"on": ["halt"]},
    Trigger.LOST: {"on": ["lost"]},
    Trigger.HEALTH: {"on": ["health"]},
    Trigger.ALARM: {"on": ["alarm"]},
    Trigger.PREPRODUCTION_TEST: {"on": [], "preproduction_test": True},
}


@pytest.mark.parametrize("trigger", TAKEN_BACK)
def test_a_trigger_counts_where_the_flock_names_it_and_nowhere_else(trigger: Trigger) -> None:
    named = settings(**TAKEN_BACK[trigger])
    assert {one for one in Trigger if named.takes_back(one)} == {trigger, Trigger.OPERATOR}
    assert not settings(on=[]).takes_back(trigger)


def test_what_was_not_watched_to_the_end_is_taken_back_for_its_first_check_or_as_a_test() -> None:
    assert settings().unwatched() is None
    assert settings(preproduction_test=True).unwatched() is Trigger.PREPRODUCTION_TEST
    assert settings(checks=[PROMETHEUS], preproduction_test=True).unwatched() is Trigger.ALARM


@pytest.mark.parametrize(
    ("bounds", "value", "bad"),
    [
        ({"above": 1}, 1.0, False),
        ({"above": 1}, 1.1, True),
        ({"above": 1}, float("inf"), True),
        ({"below": 0}, 0.0, False),
        ({"below": 0}, -0.1, True),
        ({"above": 5, "below": 1}, 3.0, False),
        ({"above": 5, "below": 1}, 0.0, True),
    ],
)
def test_a_value_of_prometheus_is_bad_outside_of_its_bounds(bounds: dict[str, Any], value: float, bad: bool) -> None:
    check = PrometheusCheck.model_validate({**PROMETHEUS, "above": None, **bounds})
    assert check.bad(value) is bad


def test_not_a_number_is_no_value() -> None:
    with pytest.raises(ValueError, match="no data"):
        PrometheusCheck.model_validate(PROMETHEUS).bad(float("nan"))


def test_alarms_are_looked_up_where_the_target_is_unless_said_otherwise() -> None:
    assert CloudwatchCheck.model_validate(CLOUDWATCH).region is None


def test_without_checks_a_deployment_is_watched_for_its_bake_time_and_no_longer() -> None:
    assert settings(bake_s=600).watched_s == 600


@pytest.mark.parametrize(
    ("checks", "more_s"),
    [
        ([HTTP], 2 * (10 + LOOK_GRACE_S)),
        ([HTTP, PROMETHEUS], 2 * (10 + LOOK_GRACE_S)),
        ([{**HTTP, "timeout_s": 300}, COMMAND], 2 * (300 + LOOK_GRACE_S)),
        ([COMMAND, CLOUDWATCH], 3 * (10 + LOOK_GRACE_S)),
        ([{**COMMAND, "timeout_s": 300, "name": f"c{number}"} for number in range(32)], 33 * (300 + LOOK_GRACE_S)),
    ],
    ids=["one", "side by side", "the longest", "one after the other", "as many as there may be"],
)
def test_checks_that_do_not_answer_may_take_as_long_as_they_say_once_the_bake_time_is_over(
    checks: list[dict[str, Any]], more_s: int
) -> None:
    assert settings(bake_s=600, checks=checks).watched_s == 600 + more_s
