"""Alarms of CloudWatch; with a real answer: tests/integration/test_rollback_system.py."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from shared.errors import ConfigurationError
from tests.unit.worker.checks.support import cloudwatch
from tests.unit.worker.support import RUN
from worker.checks.cloudwatch import call_for, decide, evaluate
from worker.checks.evaluation import Evaluation, Grade
from worker.run_directory import RunDirectory

NAMESPACE = "http://monitoring.amazonaws.com/doc/2010-08-01/"


def answer(kind: str = "MetricAlarms", **states: str) -> str:
    members = "".join(
        f"<member><AlarmName>{name}</AlarmName><StateValue>{state}</StateValue></member>"
        for name, state in states.items()
    )
    result = f"<DescribeAlarmsResult><{kind}>{members}</{kind}></DescribeAlarmsResult>"
    return f'<DescribeAlarmsResponse xmlns="{NAMESPACE}">{result}</DescribeAlarmsResponse>'


def graded(body: str, status: int = 200, *alarms: str) -> Evaluation:
    return decide(cloudwatch(*(alarms or ("a", "b"))), status, body)


@pytest.mark.parametrize(
    ("a", "b", "grade"),
    [
        ("OK", "OK", Grade.GOOD),
        ("OK", "ALARM", Grade.BAD),
        ("INSUFFICIENT_DATA", "OK", Grade.NO_DATA),
        ("INSUFFICIENT_DATA", "ALARM", Grade.BAD),
        ("OK", "SOMETHING_NEW", Grade.NO_DATA),
    ],
)
def test_one_alarm_is_bad_and_insufficient_data_is_no_data(a: str, b: str, grade: Grade) -> None:
    assert graded(answer(a=a, b=b)).grade is grade


def test_a_composite_alarm_counts_as_well() -> None:
    assert graded(answer("CompositeAlarms", a="ALARM", b="OK")).detail == "in ALARM: a"


def test_an_alarm_that_is_not_there_is_an_error_and_not_good() -> None:
    found = graded(answer(a="OK"))
    assert (found.grade, found.detail) == (Grade.ERROR, "there is no such alarm: b")


@pytest.mark.parametrize(("status", "body"), [(0, "ConnectionError"), (403, "<Error/>"), (200, "<broken"), (200, "")])
def test_no_answer_is_an_error(status: int, body: str) -> None:
    assert graded(body, status).grade is Grade.ERROR


def test_it_asks_for_both_kinds_by_name_in_the_targets_region() -> None:
    call = call_for(cloudwatch("high", "späte"), "eu-west-1")
    assert (call["host"], call["service"]) == ("monitoring.eu-west-1.amazonaws.com", "monitoring")
    sent = parse_qs(call["body"])
    assert sent["Action"] == ["DescribeAlarms"]
    assert (sent["AlarmNames.member.1"], sent["AlarmNames.member.2"]) == (["high"], ["späte"])
    assert sorted(sent[f"AlarmTypes.member.{one}"][0] for one in (1, 2)) == ["CompositeAlarm", "MetricAlarm"]


def test_or_in_the_region_that_the_check_names() -> None:
    assert call_for(cloudwatch(region="cn-north-1"), "eu-west-1")["host"] == "monitoring.cn-north-1.amazonaws.com.cn"


@pytest.mark.parametrize("region", ["evil.com/x", "eu-west-1.evil", "eu-west-1#"])
def test_what_is_no_region_leads_nowhere(region: str) -> None:
    with pytest.raises(ValueError, match="is no region"):
        call_for(cloudwatch(region=region), "eu-west-1")


class Commands:
    """Answers the question."""

    def __init__(self, directory: RunDirectory, says: str, code: int | None = 0) -> None:
        self.directory = directory
        self.says = says
        self.code = code
        self.asked: list[dict[str, str]] = []

    def run(self, argv: Sequence[str], *, capture: Path | None = None) -> int:
        raise AssertionError

    def run_within(
        self, argv: Sequence[str], *, limit_ms: int, enough: Callable[[], bool], capture: Path | None = None
    ) -> int | None:
        assert capture is not None
        (call,) = json.loads((self.directory.work / Path(argv[-1]).name).read_text())
        self.asked.append(call)
        capture.write_text(self.says)
        return self.code


def ask(commands: Commands, directory: RunDirectory, *, enough: bool = False) -> Evaluation | None:
    return evaluate(
        cloudwatch("a"),
        region="eu-west-1",
        commands=commands,
        directory=directory,
        confined=False,
        enough=lambda: enough,
    )


def asked(tmp_path: Path, says: str, code: int | None = 0, *, enough: bool = False) -> Evaluation | None:
    directory = RunDirectory(tmp_path, RUN)
    directory.create()
    commands = Commands(directory, says, code)
    found = ask(commands, directory, enough=enough)
    assert commands.asked[0]["host"] == "monitoring.eu-west-1.amazonaws.com"
    assert list(directory.work.iterdir()) == []
    return found


def test_the_answer_is_what_the_question_printed(tmp_path: Path) -> None:
    found = asked(tmp_path, json.dumps([{"status": 200, "body": answer(a="OK")}]))
    assert found is not None
    assert found.grade is Grade.GOOD


GOOD = json.dumps([{"status": 200, "body": answer(a="OK")}])


@pytest.mark.parametrize(
    ("says", "code"),
    [
        ("", 1),
        ("", 0),
        (GOOD, 1),
        (GOOD[: len(GOOD) // 2], 0),
        (GOOD + GOOD, 0),
        ("{}", 0),
        ("[]", 0),
        ("null", 0),
        ('[{"status": 200}]', 0),
        ('[{"status": 200, "body": ""}]', 0),
        ('[{"status": "x", "body": ""}]', 0),
        ('[{"status": Infinity, "body": ""}]', 0),
        ("[" * 100_000, 0),
    ],
)
def test_a_question_that_printed_something_else_is_an_error(tmp_path: Path, says: str, code: int) -> None:
    found = asked(tmp_path, says, code)
    assert found is not None
    assert found.grade is Grade.ERROR


def test_one_without_an_answer_in_time_is_an_error_and_one_that_is_not_needed_is_nothing(tmp_path: Path) -> None:
    late = asked(tmp_path, "", None)
    assert late is not None
    assert late.detail == "no answer within 10 s"
    assert asked(tmp_path, "", None, enough=True) is None


@pytest.mark.parametrize("failure", [ConfigurationError("cannot be started", hint="h"), OSError("no space left")])
def test_a_question_that_cannot_be_asked_is_an_error_and_ends_no_bake(tmp_path: Path, failure: Exception) -> None:
    class Broken(Commands):
        def run_within(self, argv: Sequence[str], **_: object) -> int | None:  # type: ignore[override]  # it raises
            raise failure

    directory = RunDirectory(tmp_path, RUN)
    directory.create()
    found = ask(Broken(directory, ""), directory)
    assert found is not None
    assert found.grade is Grade.ERROR
    assert str(failure) in found.detail


def test_what_stands_in_the_place_of_the_question_is_an_error_and_ends_no_bake(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path, RUN)
    directory.create()
    (directory.work / ".interlock_alarms.json").mkdir()
    commands = Commands(directory, GOOD)
    found = ask(commands, directory)
    assert found is not None
    assert found.grade is Grade.ERROR
    assert commands.asked == []
