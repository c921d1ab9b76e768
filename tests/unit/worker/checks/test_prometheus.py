"""A query to Prometheus."""

from __future__ import annotations

import json
import socket

import pytest

from tests.unit.worker.checks.support import prometheus, read_head, serving
from worker.checks.asking import Answer
from worker.checks.evaluation import Evaluation, Grade
from worker.checks.prometheus import decide, evaluate


def vector(*values: str) -> bytes:
    result = [{"metric": {}, "value": [1.0, value]} for value in values]
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}}).encode()


def decided(body: bytes, status: int = 200, **check: object) -> Evaluation:
    return decide(prometheus(**check), Answer(status=status, body=body))


@pytest.mark.parametrize(
    ("values", "grade"),
    [
        (("0.5", "1"), Grade.GOOD),
        (("0.5", "1.5"), Grade.BAD),
        (("+Inf",), Grade.BAD),
        ((), Grade.NO_DATA),
        (("NaN",), Grade.NO_DATA),
        (("0.5", "NaN"), Grade.NO_DATA),
        (("NaN", "2"), Grade.BAD),
    ],
)
def test_one_value_beyond_the_bound_is_bad_and_nothing_to_judge_by_is_no_data(
    values: tuple[str, ...], grade: Grade
) -> None:
    assert decided(vector(*values)).grade is grade


def test_a_zero_below_the_bound_is_bad() -> None:
    found = decided(vector("0"), above=None, below=1.0)
    assert (found.grade, found.detail) == (Grade.BAD, "0 is below 1")


def test_a_scalar_is_judged_too() -> None:
    body = json.dumps({"status": "success", "data": {"resultType": "scalar", "result": [1.0, "3"]}}).encode()
    assert decided(body).detail == "3 is above 1"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>"),
        (200, b"[" * 100_000),
        (200, b"[]"),
        (200, b'{"status":"success"}'),
        (200, b'{"status":"success","data":{"resultType":"matrix","result":[]}}'),
        (200, b'{"status":"success","data":{"resultType":"vector","result":[{"value":[1,"x"]}]}}'),
        (200, b""),
        (200, b'{"status":"success","data":{"resultType":"vector","result":""}}'),
        (200, b'{"status":"success","data":{"resultType":"vector","result":{}}}'),
        (200, b'{"status":"success","data":{"resultType":"scalar","result":[1]}}'),
        (200, b'{"status":"success","data":{"resultType":"scalar","result":[1,1' + b"0" * 400 + b"]}}"),
        (204, vector("0")),
        (400, b'{"status":"error","error":"parse error"}'),
        (503, vector("0")),
    ],
)
def test_what_is_no_result_is_an_error(status: int, body: bytes) -> None:
    assert decided(body, status).grade is Grade.ERROR


def test_the_error_of_prometheus_is_told() -> None:
    found = decided(b'{"status":"error","error":"parse error"}', 400)
    assert found.detail == "status 400: parse error"


def test_the_query_is_sent_as_it_is_written() -> None:
    heads: list[bytes] = []

    def answer(connection: socket.socket) -> None:
        heads.append(read_head(connection))
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + vector("0"))
        connection.close()

    with serving(answer) as port:
        check = prometheus(url=f"http://127.0.0.1:{port}/prom/", query='up{job="a b"} == 1', timeout_s=7)
        assert evaluate(check, hosts=["127.0.0.1"]).grade is Grade.GOOD
    assert heads[0].startswith(b"GET /prom/api/v1/query?query=up%7Bjob%3D%22a+b%22%7D+%3D%3D+1&timeout=7s HTTP/1.1\r\n")


def test_one_that_may_not_be_asked_is_an_error() -> None:
    assert evaluate(prometheus(), hosts=["elsewhere"]).grade is Grade.ERROR
