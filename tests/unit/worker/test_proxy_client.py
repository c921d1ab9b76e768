"""The control socket, against a proxy that says what the test wants."""

from __future__ import annotations

import queue
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shared.control import (
    Acked,
    AllowanceHolds,
    AskAllowance,
    Attach,
    Attached,
    Cut,
    Done,
    Latched,
    Open,
    Poll,
    Refused,
    Shut,
)
from shared.errors import LeaseRefused, PeerError, Unavailable
from shared.lease.timing import LeaseTiming
from tests.unit.worker.fake_proxy import FakeProxy
from tests.unit.worker.support import RUN, TARGET
from worker.proxy_client import ProxyClient

ATTACH = Attach(
    run_id=RUN,
    target=TARGET,
    epoch=1,
    lease_id="1-" + "0" * 32,
    timing=LeaseTiming(),
    access_key_id="AKIA",
    secret_access_key="s",
    proxy_user=RUN,
    proxy_password="p",
    state_username=RUN,
    listen="fd",
)


@pytest.fixture
def proxy() -> Iterator[FakeProxy]:
    with tempfile.TemporaryDirectory() as folder:
        fake = FakeProxy(Path(folder))
        yield fake
        fake.close()


@pytest.fixture
def cuts() -> queue.Queue[str]:
    return queue.Queue()


@pytest.fixture
def client(proxy: FakeProxy, cuts: queue.Queue[str]) -> Iterator[ProxyClient]:
    connected = ProxyClient(proxy.path, cuts.put)
    yield connected
    connected.close()


def test_attach_hands_the_listener_over(proxy: FakeProxy, client: ProxyClient) -> None:
    proxy.answers[Attach] = Attached(seq=1)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert client.attach(ATTACH, listener).seq == 1
        (fd,) = proxy.fds
        with socket.socket(fileno=proxy.fds.pop()) as copy:
            assert copy.fileno() == fd
            assert copy.getsockname() == listener.getsockname()


def test_a_refusal_names_the_proxys_reason(proxy: FakeProxy, client: ProxyClient) -> None:
    proxy.answers[Attach] = Refused(reason="another lease")
    with pytest.raises(LeaseRefused, match="another lease"):
        client.attach(ATTACH, None)


def test_poll_tells_whether_the_gate_is_open(proxy: FakeProxy, client: ProxyClient) -> None:
    proxy.answers[Poll] = Shut(reason="not yet")
    assert client.poll() == Shut(reason="not yet")
    proxy.answers[Poll] = Open(deadline_ms=5)
    assert client.poll() == Open(deadline_ms=5)


def test_done_waits_for_the_acknowledgement_and_no_cut_is_reported_for_it(
    proxy: FakeProxy, client: ProxyClient, cuts: queue.Queue[str]
) -> None:
    proxy.answers[Done] = Acked(in_flight=0)
    assert client.done().in_flight == 0
    proxy.vanish()
    client.close()
    assert cuts.empty()


def test_a_cut_is_reported_at_once_and_is_no_answer(
    proxy: FakeProxy, client: ProxyClient, cuts: queue.Queue[str]
) -> None:
    proxy.answers[Poll] = Shut(reason="cut")
    client.poll()
    proxy.say(Cut(reason="deadline passed", in_flight=3))
    assert cuts.get(timeout=60) == "deadline passed"
    assert client.poll() == Shut(reason="cut")


def test_a_proxy_that_dies_is_reported_as_a_cut(proxy: FakeProxy, client: ProxyClient, cuts: queue.Queue[str]) -> None:
    proxy.answers[Poll] = Shut(reason="x")
    client.poll()
    proxy.vanish()
    assert cuts.get(timeout=60) == "the signing proxy is gone"
    with pytest.raises(Unavailable, match="gone"):
        client.poll()


def test_an_answer_out_of_place_is_the_proxys_fault(proxy: FakeProxy, client: ProxyClient) -> None:
    proxy.answers[Poll] = Acked(in_flight=0)
    with pytest.raises(PeerError, match="Acked"):
        client.poll()


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.write_text("")])
def test_no_proxy_is_said_with_the_remedy(tmp_path: Path, make: Callable[[Path], object]) -> None:
    path = tmp_path / "proxy.sock"
    make(path)
    with pytest.raises(Unavailable, match="does not answer") as caught:
        ProxyClient(path, lambda _: None)
    assert "interlock proxy" in caught.value.hint


def test_a_refreshed_allowance_is_an_answer(proxy: FakeProxy, client: ProxyClient) -> None:
    proxy.answers[AskAllowance] = AllowanceHolds(mode="entries", entries=3)
    assert client.refresh_allowance() == AllowanceHolds(mode="entries", entries=3)
    proxy.answers[AskAllowance] = Shut(reason="x")
    with pytest.raises(PeerError):
        client.refresh_allowance()


def test_a_latch_is_reported_at_once_and_is_no_answer(proxy: FakeProxy) -> None:
    told: queue.Queue[Latched] = queue.Queue()
    client = ProxyClient(proxy.path, lambda _: None, told.put)
    proxy.answers[Poll] = Open(deadline_ms=5)
    client.poll()
    latch = Latched(service="sqs", operation="DeleteQueue", resource={"QueueUrl": "q"}, reason="outside")
    proxy.say(latch)
    assert told.get(timeout=60) == latch
    assert client.poll() == Open(deadline_ms=5)
    client.close()
