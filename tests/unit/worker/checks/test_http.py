"""A request to the service."""

from __future__ import annotations

import pytest

from tests.unit.worker.checks.support import http, saying, serving
from worker.checks.asking import Answer
from worker.checks.evaluation import Grade
from worker.checks.http import decide, evaluate


@pytest.mark.parametrize(
    ("status", "body", "grade"),
    [(200, b"I am ok", Grade.GOOD), (204, b"ok", Grade.GOOD), (200, b"no", Grade.BAD), (500, b"ok", Grade.BAD)],
)
def test_it_is_good_when_status_and_body_are_as_wanted(status: int, body: bytes, grade: Grade) -> None:
    check = http(status=[200, 204], contains="ok")
    assert decide(check, Answer(status=status, body=body)).grade is grade


def test_a_redirection_is_good_only_where_it_is_listed() -> None:
    assert decide(http(), Answer(status=302, body=b"")).grade is Grade.BAD
    assert decide(http(status=[302]), Answer(status=302, body=b"")).grade is Grade.GOOD


def test_no_answer_is_an_error_that_says_why() -> None:
    found = evaluate(http(), hosts=[])
    assert found.grade is Grade.ERROR
    assert "http://service.internal/health: service.internal is not in INTERLOCK_CHECK_HOSTS" in found.detail


def test_a_server_is_asked() -> None:
    with serving(saying(b"HTTP/1.1 503 Away\r\n\r\n")) as port:
        found = evaluate(http(f"http://127.0.0.1:{port}/"), hosts=["127.0.0.1"])
    assert (found.grade, found.detail) == (Grade.BAD, f"http://127.0.0.1:{port}/ answered 503")


def test_one_that_hangs_is_an_error_in_time() -> None:
    with serving(lambda _: None) as port:
        assert evaluate(http(f"http://127.0.0.1:{port}/", timeout_s=1), hosts=["127.0.0.1"]).grade is Grade.ERROR
