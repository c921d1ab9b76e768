"""Nothing leaves for a lease that is not live: deadlines, cuts, deaths, lost servers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shared.lease.timing import LeaseTiming
from tests.integration.proxy_cloud import CLIENT_TIMEOUT_S, REAL_KEY, Cloud, make_server_tls, operations
from tests.integration.proxy_support import ProxyThread, Worker, sqs_call
from tests.integration.proxy_tunnel import Tunnel
from tests.servers import ValkeyServer, wait_for


def refused_for_the_lease(worker: Worker, proxy: ProxyThread) -> bool:
    """Whether a call on a new connection gets the local answer for a lost lease."""
    host, headers, body = sqs_call(worker)
    with Tunnel(worker.port, host, proxy.ca) as tunnel:
        status, content = tunnel.call("POST", "/", headers, body)
    return status == 403 and b"ExpiredToken" in content


def test_nothing_is_sent_before_a_renewal_was_confirmed(cloud: Cloud, proxy: ProxyThread, valkey_url: str) -> None:
    worker = Worker(proxy, valkey_url)
    worker.acquire()
    worker.attach()
    try:
        assert refused_for_the_lease(worker, proxy)
        assert cloud.accepted == 0
    finally:
        worker.die()
        worker.store.close()


def test_a_tls_handshake_that_crosses_the_deadline_sends_no_request(tmp_path: Path, valkey_url: str) -> None:
    tls, root = make_server_tls(tmp_path)
    with (
        Cloud(tls=tls) as cloud,
        ProxyThread(tmp_path / "home", valkey_url, cloud.url, upstream_ca=root) as proxy,
        Worker(proxy, valkey_url) as worker,
    ):
        cloud.handshake_gate.clear()
        host, headers, body = sqs_call(worker)
        with Tunnel(worker.port, host, proxy.ca) as tunnel:
            tunnel.send("POST", "/", headers, body)
            wait_for("the dial", lambda: cloud.accepted == 1)
            worker.stop_renewing()
            cut = worker.wait_cut()
            cloud.handshake_gate.set()
            assert tunnel.closed()
        assert (cut.reason, cut.in_flight) == ("deadline passed", 0)
        worker.wait_state("severed")
        outcome = "journal"
        wait_for(outcome, lambda: proxy.journal.outcome_of("CreateQueue") is not None)
        recorded = proxy.journal.outcome_of("CreateQueue")
        assert recorded is not None
        assert recorded.outcome == "refused"
        assert cloud.arrivals == []


def test_a_slow_name_server_that_crosses_the_deadline_lets_nothing_be_dialled(
    tmp_path: Path, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, may_answer, real = threading.Event(), threading.Event(), socket.getaddrinfo

    def slow(host: Any, *args: Any, **options: Any) -> Any:
        if host != "slow.test":
            return real(host, *args, **options)
        asked.set()
        may_answer.wait(CLIENT_TIMEOUT_S)
        return real("127.0.0.1", *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    with (
        Cloud() as cloud,
        ProxyThread(tmp_path, valkey_url, f"http://slow.test:{cloud.port}") as proxy,
        Worker(proxy, valkey_url) as late,
    ):
        host, headers, body = sqs_call(late)
        with Tunnel(late.port, host, proxy.ca) as tunnel:
            tunnel.send("POST", "/", headers, body)
            assert asked.wait(CLIENT_TIMEOUT_S)
            late.stop_renewing()
            late.wait_cut()
            may_answer.set()
            assert tunnel.closed()
        with Worker(proxy, valkey_url) as live:
            host, headers, body = sqs_call(live, "DeleteQueue", QueueUrl="u")
            with Tunnel(live.port, host, proxy.ca) as tunnel:
                assert tunnel.call("POST", "/", headers, body)[0] == 200
        assert operations(cloud.arrivals) == ["DeleteQueue"]
        assert cloud.accepted == 1


def test_a_keep_alive_connection_carries_no_request_after_the_lease(
    cloud: Cloud, proxy: ProxyThread, worker: Worker
) -> None:
    host, headers, body = sqs_call(worker)
    with Tunnel(worker.port, host, proxy.ca) as tunnel:
        assert tunnel.call("POST", "/", headers, body)[0] == 200
        worker.store.revoke(worker.target, worker.lease_id, "operator said so")
        worker.wait_cut()
        try:
            tunnel.send("POST", "/", headers, body)
        except OSError:
            pass
        assert tunnel.closed()
    assert refused_for_the_lease(worker, proxy)
    assert operations(cloud.arrivals) == ["CreateQueue"]
    assert proxy.refused("lease_not_live") == 1


def test_a_revoke_reaches_the_proxy_by_push_and_leaves_calls_in_flight_unknown(
    tmp_path: Path, valkey_url: str, cloud: Cloud
) -> None:
    # Polls are further apart than this test waits for anything: only the push can have done it.
    timing = LeaseTiming(ttl_ms=600_000, renew_ms=150_000, poll_ms=140_000, delta_ms=1000, unknown_ms=100_000)
    with (
        ProxyThread(tmp_path, valkey_url, cloud.url, timing=timing) as proxy,
        Worker(proxy, valkey_url, timing=timing) as worker,
    ):
        cloud.answer_gate.clear()
        host, headers, body = sqs_call(worker)
        with Tunnel(worker.port, host, proxy.ca) as tunnel:
            tunnel.send("POST", "/", headers, body)
            wait_for("the arrival", lambda: len(cloud.arrivals) == 1)
            worker.store.revoke(worker.target, worker.lease_id, "operator said so")
            cut = worker.wait_cut()
            assert tunnel.closed()
        assert (cut.reason, cut.in_flight) == ("lease is revoking", 1)
        wait_for("the journal", lambda: proxy.journal.outcome_of("CreateQueue") is not None)
        outcome = proxy.journal.outcome_of("CreateQueue")
        assert outcome is not None
        assert outcome.outcome == "unknown"
        wait_for("the acknowledgement", lambda: worker.view().attachments[0].acknowledged)
        assert worker.view().attachments[0].in_flight == 1
        assert worker.view().state == "revoking"
        assert refused_for_the_lease(worker, proxy)


def test_after_q_the_unknown_calls_are_acknowledged_as_over(cloud: Cloud, proxy: ProxyThread, worker: Worker) -> None:
    cloud.answer_gate.clear()
    host, headers, body = sqs_call(worker)
    with Tunnel(worker.port, host, proxy.ca) as tunnel:
        tunnel.send("POST", "/", headers, body)
        wait_for("the arrival", lambda: len(cloud.arrivals) == 1)
        worker.store.revoke(worker.target, worker.lease_id, "operator said so")
        assert worker.wait_cut().in_flight == 1
    assert worker.wait_state("severed").all_clear


def test_a_poll_cuts_where_no_push_arrives(
    cloud: Cloud, proxy: ProxyThread, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxy.service.keeper, "on_event", lambda data: None)
    worker.store.client.delete(f"interlock:1:{{{worker.target}}}:state")
    assert worker.wait_cut().reason == "no lease: the state is gone"
    assert refused_for_the_lease(worker, proxy)
    assert cloud.arrivals == []


def test_a_dead_worker_is_cut_and_its_lease_severed_at_once(tmp_path: Path, valkey_url: str, cloud: Cloud) -> None:
    # With a lease that would live for ten minutes: nothing here waits for it.
    timing = LeaseTiming(ttl_ms=600_000, renew_ms=150_000, poll_ms=140_000, delta_ms=1000)
    with (
        ProxyThread(tmp_path, valkey_url, cloud.url, timing=timing) as proxy,
        Worker(proxy, valkey_url, timing=timing) as worker,
    ):
        host, headers, body = sqs_call(worker)
        with Tunnel(worker.port, host, proxy.ca) as tunnel:
            assert tunnel.call("POST", "/", headers, body)[0] == 200
            worker.die()
            assert tunnel.closed()
        view = worker.wait_state("severed")
        assert (view.reason, view.all_clear) == ("worker died", True)
        assert refused_for_the_lease(worker, proxy)
        assert len(cloud.arrivals) == 1


def test_a_stopped_worker_is_cut_at_the_deadline_and_severed_without_an_observer(
    cloud: Cloud, proxy: ProxyThread, worker: Worker
) -> None:
    host, headers, body = sqs_call(worker)
    with Tunnel(worker.port, host, proxy.ca) as tunnel:
        assert tunnel.call("POST", "/", headers, body)[0] == 200
        worker.stop_renewing()
        cut = worker.wait_cut()
        assert tunnel.closed()
    assert cut.reason == "deadline passed"
    view = worker.wait_state("severed")
    assert (view.reason, view.all_clear) == ("deadline passed", True)
    assert refused_for_the_lease(worker, proxy)
    assert len(cloud.arrivals) == 1


def test_a_burned_lease_stays_burned_when_the_worker_wakes_up(cloud: Cloud, proxy: ProxyThread, worker: Worker) -> None:
    worker.stop_renewing()
    worker.wait_cut()
    worker._renewing.set()
    worker.wait_state("severed")
    assert refused_for_the_lease(worker, proxy)
    assert cloud.arrivals == []


def test_without_redis_the_deadline_passes_and_nothing_is_sent_after(
    tmp_path: Path, cloud: Cloud, redis_server_factory: Callable[..., ValkeyServer]
) -> None:
    server = redis_server_factory()
    with ProxyThread(tmp_path, server.url, cloud.url) as proxy, Worker(proxy, server.url) as worker:
        host, headers, body = sqs_call(worker)
        with Tunnel(worker.port, host, proxy.ca) as tunnel:
            assert tunnel.call("POST", "/", headers, body)[0] == 200
            server.stop()
            assert worker.wait_cut().reason == "deadline passed"
            assert tunnel.closed()
        assert refused_for_the_lease(worker, proxy)
        assert len(cloud.arrivals) == 1
        wait_for("no readiness", lambda: not proxy.service.keeper.reachable)


def test_a_restarted_redis_knows_no_lease_and_cuts(
    tmp_path: Path, cloud: Cloud, redis_server_factory: Callable[..., ValkeyServer]
) -> None:
    server = redis_server_factory()
    with ProxyThread(tmp_path, server.url, cloud.url) as proxy, Worker(proxy, server.url) as worker:
        server.restart()
        worker.wait_cut()
        assert refused_for_the_lease(worker, proxy)
        assert cloud.arrivals == []


def test_without_a_journal_no_write_is_signed_and_reads_go_on(cloud: Cloud, proxy: ProxyThread, worker: Worker) -> None:
    proxy.journal.down = True
    host, headers, body = sqs_call(worker)
    with Tunnel(worker.port, host, proxy.ca) as tunnel:
        status, content = tunnel.call("POST", "/", headers, body)
        assert (status, b"AccessDenied" in content, b"journal" in content) == (403, True, True)
        host, headers, body = sqs_call(worker, "ListQueues", MaxResults="1")
        assert tunnel.call("POST", "/", headers, body)[0] == 200
    assert operations(cloud.arrivals) == ["ListQueues"]
    assert proxy.refused("journal_unavailable") == 1


def test_an_outcome_that_cannot_be_recorded_does_not_reach_the_client(
    cloud: Cloud, proxy: ProxyThread, worker: Worker
) -> None:
    cloud.answer_gate.clear()
    host, headers, body = sqs_call(worker)
    with Tunnel(worker.port, host, proxy.ca) as tunnel:
        tunnel.send("POST", "/", headers, body)
        wait_for("the arrival", lambda: len(cloud.arrivals) == 1)
        proxy.journal.down = True
        cloud.answer_gate.set()
        assert tunnel.closed()
    assert proxy.journal.outcome_of("CreateQueue") is None


def test_cutting_one_run_leaves_the_other_alone(
    cloud: Cloud, proxy: ProxyThread, worker: Worker, valkey_url: str
) -> None:
    with Worker(proxy, valkey_url) as other:
        host, headers, body = sqs_call(worker)
        other_host, other_headers, other_body = sqs_call(other, "DeleteQueue", QueueUrl="u")
        with Tunnel(worker.port, host, proxy.ca) as tunnel, Tunnel(other.port, other_host, proxy.ca) as other_tunnel:
            assert tunnel.call("POST", "/", headers, body)[0] == 200
            assert other_tunnel.call("POST", "/", other_headers, other_body)[0] == 200
            worker.die()
            assert tunnel.closed()
            worker.wait_state("severed")
            assert other_tunnel.call("POST", "/", other_headers, other_body)[0] == 200
        assert other.cut is None
    assert operations(cloud.arrivals) == ["CreateQueue", "DeleteQueue", "DeleteQueue"]
    assert {arrival.signed_by for arrival in cloud.arrivals} == {REAL_KEY}


def test_the_next_epoch_of_a_target_is_served_after_the_cut(
    cloud: Cloud, proxy: ProxyThread, worker: Worker, valkey_url: str
) -> None:
    worker.die()
    worker.wait_state("severed")
    with Worker(proxy, valkey_url, target=worker.target, epoch=2) as heir:
        host, headers, body = sqs_call(heir)
        with Tunnel(heir.port, host, proxy.ca) as tunnel:
            assert tunnel.call("POST", "/", headers, body)[0] == 200
        assert refused_for_the_lease(worker, proxy)
    (arrival,) = cloud.arrivals
    assert "epoch 2" in arrival.headers["user-agent"]
