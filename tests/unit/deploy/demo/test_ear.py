"""The demo hears from the cloud's log how far an apply has come and when nothing is on its way."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.demo import ear
from deploy.demo.arrivals import Arrived, Done
from deploy.demo.ear import CloudEar


class Cloud:
    """A log that a test writes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seq = 0
        path.touch()

    def arrives(self, at_ms: float = 100, **changes: object) -> int:
        self.seq += 1
        entry = {
            "seq": self.seq,
            "arrived_ns": 0,
            "arrived_boot_ms": at_ms,
            "host": "h",
            "method": "POST",
            "path": "/",
            "service": "sqs",
            "region": "eu-west-1",
            "operation": "CreateQueue",
            "mutating": True,
            "access_key": "A",
            "signature": "ok",
            "target": "orders.eu",
            "epoch": 1,
            **changes,
        }
        self._write(Arrived.model_validate(entry))
        return self.seq

    def answers(self, seq: int) -> None:
        self._write(Done(seq=seq, status=200, done_ns=1))

    def _write(self, entry: Arrived | Done) -> None:
        with self.path.open("a") as log:
            log.write(entry.model_dump_json() + "\n")


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    return Cloud(tmp_path / "cloud.jsonl")


@pytest.fixture
def heard(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> CloudEar:
    monkeypatch.setattr(ear, "boot_ms", lambda: 1000.0)
    listening = CloudEar(cloud.path, lambda entry: None)
    listening.close()  # The thread would only race with the test, which looks by itself.
    return listening


def test_mutating_calls_are_counted_by_epoch(cloud: Cloud, heard: CloudEar) -> None:
    cloud.arrives()
    cloud.arrives(epoch=2)
    cloud.arrives(mutating=False)
    cloud.arrives(signature="unsigned")
    cloud.arrives(target=None, epoch=None)
    heard.look()
    assert heard.count("orders.eu", 1) == 1
    assert heard.count("orders.eu", 2) == 1
    assert heard.count("orders.us", 1) == 0


def test_it_is_not_quiet_before_anything_has_come(heard: CloudEar) -> None:
    assert heard.quiet_for_ms("orders.eu") == 0


def test_it_is_not_quiet_while_a_call_is_unanswered(cloud: Cloud, heard: CloudEar) -> None:
    first, second = cloud.arrives(at_ms=100), cloud.arrives(at_ms=400)
    cloud.answers(first)
    heard.look()
    assert heard.quiet_for_ms("orders.eu") == 0
    cloud.answers(second)
    heard.look()
    assert heard.quiet_for_ms("orders.eu") == 600


def test_another_target_s_calls_do_not_disturb_the_quiet(cloud: Cloud, heard: CloudEar) -> None:
    cloud.answers(cloud.arrives(at_ms=100))
    cloud.arrives(at_ms=900, target="orders.us")
    heard.look()
    assert heard.quiet_for_ms("orders.eu") == 900


def test_the_thread_hears_what_is_written(cloud: Cloud) -> None:
    import threading

    came = threading.Event()
    listening = CloudEar(cloud.path, lambda entry: came.set())
    try:
        cloud.arrives()
        assert came.wait(timeout=60)
    finally:
        listening.close()
