"""CloudWatch alarms, metric and composite: bad when one of them is in ALARM.

Asked as everything in a sandbox asks: signed by the proxy for the live lease, journaled, a read.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlencode
from xml.etree import ElementTree

from shared.errors import ConfigurationError
from shared.rollback.settings import CloudwatchCheck
from worker import signed_call
from worker.checks.evaluation import Evaluation, Grade
from worker.commands import BoundedCommands
from worker.run_directory import RunDirectory
from worker.sandbox_layout import SIGNED_CALL, WORK, python_runtime

MAX_ANSWER_BYTES: Final = 8 * 1024**2
_CALLS_FILE: Final = ".interlock_alarms.json"
_REGION: Final = re.compile(r"[a-z]{2,8}(-[a-z]{1,16}){1,3}-[0-9]{1,2}")


def call_for(check: CloudwatchCheck, region: str) -> dict[str, Any]:
    """The call, as `signed_call` takes it. Pure. Raises ValueError for what is no region.

    Args:
        check: names the alarms, and perhaps a region.
        region: the target's, in the cloud.
    """
    region = check.region or region
    if not _REGION.fullmatch(region):
        raise ValueError(f"{region!r} is no region")
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    parameters = {"Action": "DescribeAlarms", "Version": "2010-08-01", "MaxRecords": "100"}
    # Without the types composite alarms are left out.
    parameters |= {"AlarmTypes.member.1": "MetricAlarm", "AlarmTypes.member.2": "CompositeAlarm"}
    parameters |= {f"AlarmNames.member.{number}": name for number, name in enumerate(check.alarms, 1)}
    return {
        "service": "monitoring",
        "region": region,
        "host": f"monitoring.{region}.{suffix}",
        "method": "POST",
        "path": "/",
        "query": "",
        "headers": {"content-type": "application/x-www-form-urlencoded; charset=utf-8"},
        "body": urlencode(parameters),
    }


def decide(check: CloudwatchCheck, status: int, body: str) -> Evaluation:
    """What an answer says. Pure.

    Args:
        check: names the alarms.
        status: HTTP status; 0: there was no answer.
        body: its text.
    """
    if status != 200:
        return Evaluation(grade=Grade.ERROR, detail=f"DescribeAlarms answered {status}: {' '.join(body.split())}")
    try:
        states = _states(body)
    except ElementTree.ParseError as error:
        return Evaluation(grade=Grade.ERROR, detail=f"DescribeAlarms: no XML: {error}")
    wanted = {name: states.get(name) for name in check.alarms}
    if bad := [name for name, state in wanted.items() if state == "ALARM"]:
        return Evaluation(grade=Grade.BAD, detail=f"in ALARM: {', '.join(bad)}")
    if gone := [name for name, state in wanted.items() if state is None]:
        return Evaluation(grade=Grade.ERROR, detail=f"there is no such alarm: {', '.join(gone)}")
    if unknown := [name for name, state in wanted.items() if state != "OK"]:
        return Evaluation(grade=Grade.NO_DATA, detail=f"INSUFFICIENT_DATA: {', '.join(unknown)}")
    return Evaluation(grade=Grade.GOOD, detail=f"{len(wanted)} OK")


def evaluate(
    check: CloudwatchCheck,
    *,
    region: str,
    commands: BoundedCommands,
    directory: RunDirectory,
    confined: bool,
    enough: Callable[[], bool],
) -> Evaluation | None:
    """Ask once.

    Args:
        check: with everything it refers to put in.
        region: the target's, in the cloud.
        commands: runs the question.
        directory: of the run.
        confined: whether commands run in a sandbox (decides paths).
        enough: asked meanwhile; once true the question is ended.

    Returns:
        What it said; None: it was ended because it was enough.

    Raises:
        StopRequested: the run has to stop.
        PeerError: the sandbox is gone.
    """
    try:
        call = call_for(check, region)
    except ValueError as error:
        return Evaluation(grade=Grade.ERROR, detail=str(error))
    script = SIGNED_CALL if confined else signed_call.__file__
    work = WORK if confined else str(directory.work)
    capture = directory.captures / "alarms.json"
    argv = [python_runtime().executable, "-I", "-S", "-B", script, f"{work}/{_CALLS_FILE}"]
    try:
        directory.write(_CALLS_FILE, json.dumps([call]))
        code = commands.run_within(argv, limit_ms=check.timeout_s * 1000, enough=enough, capture=capture)
        directory.discard(_CALLS_FILE)
    except (ConfigurationError, OSError) as error:
        return Evaluation(grade=Grade.ERROR, detail=f"the question cannot be asked: {error}")
    if code is None:
        return None if enough() else Evaluation(grade=Grade.ERROR, detail=f"no answer within {check.timeout_s} s")
    if code != 0:
        return Evaluation(grade=Grade.ERROR, detail=f"the question ended with exit code {code}")
    try:
        with capture.open("rb") as file:
            (answer,) = json.loads(file.read(MAX_ANSWER_BYTES))
        return decide(check, int(answer["status"]), str(answer["body"]))
    except (OSError, ValueError, TypeError, KeyError, ArithmeticError, RecursionError) as error:
        # It was printed in the sandbox, where others may have a hand in it.
        return Evaluation(grade=Grade.ERROR, detail=f"the question printed no answer: {type(error).__name__}: {error}")


def _states(body: str) -> dict[str, str]:
    """State by alarm name, whatever namespace the answer has."""
    found = {}
    for member in ElementTree.fromstring(body).iter():  # noqa: S314  # expat bounds entity expansion; the answer is bounded
        texts = {child.tag.rpartition("}")[2]: child.text or "" for child in member}
        if "AlarmName" in texts and "StateValue" in texts:
            found[texts["AlarmName"]] = texts["StateValue"]
    return found
