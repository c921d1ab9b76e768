"""The bakes and the steps."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import pytest

from shared.models import Run
from shared.rollback.settings import RollbackSettings, Trigger, trigger_of
from shared.rollback.standing import Rollback, RollbackStatus
from tests.rollback_faults.job import Ended
from tests.rollback_faults.scenarios import STEPS, VICTIMS, Bake, Step, bakes, expected, silent_server

URL = "http://127.0.0.1:1/health"


@pytest.mark.parametrize("bake", bakes(URL), ids=str)
def test_a_bake_is_a_section_that_a_flock_may_have_and_its_trigger_one_of_its_checks(bake: Bake) -> None:
    settings = RollbackSettings.model_validate(dict(bake.section))
    if settings.checks and bake.trigger is not None:
        assert bake.trigger in {trigger_of(check).value for check in settings.checks}


def test_every_part_is_killed_at_every_step() -> None:
    assert {(case.victim, case.step) for case in STEPS} == {(victim, step) for victim in VICTIMS for step in Step}
    names = [str(case) for case in (*STEPS, *bakes(URL))]
    assert len(set(names)) == len(names)


def test_the_silent_server_takes_a_connection_and_says_nothing() -> None:
    with silent_server() as url:
        parts = urlsplit(url)
        with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            connection.settimeout(0.3)
            with pytest.raises(TimeoutError):
                connection.recv(1)


def test_only_a_kill_between_a_change_and_its_answer_may_leave_something() -> None:
    lenient = {(case.victim, case.step.value) for case in STEPS if "PARTIAL" in case.outcomes}
    assert lenient == {
        (victim, step) for victim in ("worker", "proxy", "server") for step in ("first-change", "middle")
    }


def test_another_end_than_the_expected_one_is_no_pass() -> None:
    record = {"reasons": [], "why": "because", "passed": True}
    run = Run.model_construct(status="applied")  # type: ignore[call-arg, arg-type]
    rollback = Rollback.model_construct(status=RollbackStatus.ROLLED_BACK, trigger=Trigger.ALARM, result=None)  # type: ignore[call-arg]
    ended = Ended(run=run, rollback=rollback, orphans=())
    assert expected(record, ended, ("ROLLED_BACK",), "alarm")["passed"]
    assert not expected(record, ended, ("ROLLED_BACK", "PARTIAL"), "health")["passed"]
    assert not expected(record, ended, ("APPLIED",), None)["passed"]
    assert expected(record, ended, ("PARTIAL", "ROLLED_BACK"), None)["passed"]
