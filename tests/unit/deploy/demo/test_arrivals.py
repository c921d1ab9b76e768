"""The cloud's log: what was written comes back, in order of arrival, and half a line is waited for."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.demo.arrivals import Arrived, Done, LogTail, read_calls


def arrived(seq: int, at_ms: float) -> Arrived:
    return Arrived(
        seq=seq,
        arrived_ns=int(at_ms * 1e6),
        arrived_boot_ms=at_ms,
        host="s3.amazonaws.com",
        method="PUT",
        path="/",
        service="s3",
        region="us-east-1",
        operation="PUT",
        mutating=True,
        access_key="AKIA",
        signature="ok",
    )


def lines(*entries: Arrived | Done) -> list[str]:
    return [entry.model_dump_json() + "\n" for entry in entries]


def test_a_request_is_joined_with_its_answer() -> None:
    (call,) = read_calls(lines(arrived(1, 5), Done(seq=1, status=201, done_ns=9)))
    assert call.arrived == arrived(1, 5)
    assert call.done is not None
    assert call.done.status == 201


def test_a_request_without_an_answer_stays_open() -> None:
    (call,) = read_calls(lines(arrived(1, 5)))
    assert call.done is None


def test_calls_come_in_the_order_in_which_the_kernel_got_them() -> None:
    calls = read_calls(lines(arrived(1, 7), arrived(2, 5), arrived(3, 6)))
    assert [call.arrived.seq for call in calls] == [2, 3, 1]


def test_the_line_being_written_is_left_out() -> None:
    assert len(read_calls([*lines(arrived(1, 5)), lines(arrived(2, 6))[0][:20]])) == 1


@pytest.mark.parametrize(
    "line", ['{"event":"done","seq":7,"status":200,"done_ns":1}\n', '{"event":"arrived"}\n', "x\n"]
)
def test_a_log_that_makes_no_sense_is_refused(line: str) -> None:
    with pytest.raises(ValueError):
        read_calls([line])


def test_a_call_whose_signature_was_refused_is_not_accepted() -> None:
    assert arrived(1, 1).accepted
    assert not arrived(1, 1).model_copy(update={"signature": "unsigned"}).accepted


def test_the_tail_reads_each_complete_line_once(tmp_path: Path) -> None:
    path = tmp_path / "cloud.jsonl"
    tail = LogTail(path)
    assert tail.read() == []
    first, second = lines(arrived(1, 5), arrived(2, 6))
    path.write_text(first + second[:30])
    assert [entry.seq for entry in tail.read()] == [1]
    assert tail.read() == []
    with path.open("a") as log:
        log.write(second[30:] + lines(Done(seq=1, status=200, done_ns=1))[0])
    assert [(type(entry), entry.seq) for entry in tail.read()] == [(Arrived, 2), (Done, 1)]
