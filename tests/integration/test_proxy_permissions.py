"""What a run was not approved for is not signed, and the first such call is the last that changes anything."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from shared.control import AllowanceHolds, AskAllowance, Latched, send_message
from shared.safety.allowance import Allowance, AllowedEntry
from signing_proxy.testing import MemoryJournal
from tests.integration.proxy_cloud import CLIENT_TIMEOUT_S, REGION, Arrival, Cloud, make_server_tls, operations
from tests.integration.proxy_support import ProxyThread, Worker, sqs_call
from tests.integration.proxy_tunnel import Tunnel
from tests.servers import wait_for

QUEUES = Allowance(mode="entries", entries=(AllowedEntry(type="aws_sqs_queue", operation="create"),))


def call(worker: Worker, proxy: ProxyThread, operation: str) -> tuple[int, str]:
    """Status and message of one SQS call."""
    host, headers, body = sqs_call(worker, operation)
    with Tunnel(worker.port, host, proxy.ca) as tunnel:
        status, content = tunnel.call("POST", "/", headers, body)
    return status, content.decode()


def latched(worker: Worker) -> list[Latched]:
    return [event for event in worker.events if isinstance(event, Latched)]


def test_a_plan_reads_and_changes_nothing(cloud: Cloud, proxy: ProxyThread, worker: Worker) -> None:
    proxy.allowances.allowance_now = Allowance.reads("a plan changes nothing")
    ask_again(worker)
    assert call(worker, proxy, "ListQueues")[0] == 200
    status, message = call(worker, proxy, "CreateQueue")
    assert status == 403
    said = json.loads(message)
    assert said["__type"] == "AccessDeniedException"
    assert "sqs:CreateQueue (create) is outside of what this run may do" in said["message"]
    assert "a plan changes nothing" in said["message"]
    assert call(worker, proxy, "ListQueues")[0] == 200
    assert operations(cloud.arrivals) == ["ListQueues", "ListQueues"]


def test_the_first_refused_call_is_the_last_that_changes_anything(
    cloud: Cloud, proxy: ProxyThread, worker: Worker
) -> None:
    proxy.allowances.allowance_now = QUEUES
    ask_again(worker)
    assert call(worker, proxy, "CreateQueue")[0] == 200
    assert call(worker, proxy, "DeleteQueue")[0] == 403
    status, message = call(worker, proxy, "CreateQueue")
    assert status == 403
    assert "halted by an earlier call" in message
    assert "sqs:DeleteQueue" in message
    assert call(worker, proxy, "GetQueueAttributes")[0] == 200
    assert operations(cloud.arrivals) == ["CreateQueue", "GetQueueAttributes"]


def test_the_worker_the_journal_the_status_and_the_metrics_say_what_it_was(
    cloud: Cloud, proxy: ProxyThread, worker: Worker
) -> None:
    proxy.allowances.allowance_now = QUEUES
    ask_again(worker)
    call(worker, proxy, "DeleteQueue")
    call(worker, proxy, "DeleteQueue")
    wait_for("the worker to be told", lambda: latched(worker))
    (event,) = latched(worker)
    assert (event.service, event.operation, event.resource) == ("sqs", "DeleteQueue", {"QueueName": "q1"})
    assert "the approved changes of 1 resource type" in event.reason
    wait_for("the journal", lambda: len(proxy.journal.refusals()) == 2)
    assert proxy.journal.refusals() == ["not_allowed", "latched"]
    first = proxy.journal.intents[0]
    assert (first.operation, first.access, first.resource) == ("DeleteQueue", "write", {"QueueName": "q1"})
    (run,) = proxy.status()["runs"]
    assert "sqs:DeleteQueue" in run["latched"]
    assert run["open"] is True
    assert proxy.count("interlock_proxy_latches_total", service="sqs") == 1
    wait_for("the gauge", lambda: proxy.count("interlock_proxy_latched_runs") == 1)


def test_calls_that_passed_the_check_before_the_latch_are_not_signed_after_it(
    tmp_path: Path, valkey_url: str, cloud: Cloud
) -> None:
    journal = HeldJournal()
    with ProxyThread(tmp_path, valkey_url, cloud.url, journal=journal) as proxy, Worker(proxy, valkey_url) as worker:
        proxy.allowances.allowance_now = QUEUES
        ask_again(worker)
        answers: list[int] = []
        threads = [
            threading.Thread(target=lambda: answers.append(call(worker, proxy, "CreateQueue")[0])) for _ in range(20)
        ]
        for thread in threads:
            thread.start()
        wait_for("all of them in the journal", lambda: journal.waiting == len(threads))
        assert call(worker, proxy, "DeleteQueue")[0] == 403
        journal.let_go()
        for thread in threads:
            thread.join(CLIENT_TIMEOUT_S)
        assert answers == [403] * len(threads)
    assert cloud.arrivals == []


def test_a_call_that_was_signed_but_not_sent_stays_here(tmp_path: Path, valkey_url: str) -> None:
    tls, root = make_server_tls(tmp_path)
    with (
        Cloud(tls=tls) as cloud,
        ProxyThread(tmp_path / "home", valkey_url, cloud.url, upstream_ca=root) as proxy,
        Worker(proxy, valkey_url) as worker,
    ):
        proxy.allowances.allowance_now = QUEUES
        ask_again(worker)
        cloud.handshake_gate.clear()  # its connection is being made: the call is signed, and nothing of it has left
        answers: list[int] = []
        thread = threading.Thread(target=lambda: answers.append(call(worker, proxy, "CreateQueue")[0]))
        thread.start()
        wait_for("the dial", lambda: cloud.accepted == 1)
        assert call(worker, proxy, "DeleteQueue")[0] == 403
        cloud.handshake_gate.set()
        thread.join(CLIENT_TIMEOUT_S)
        assert answers == [502]
        assert cloud.arrivals == []


def test_what_is_on_its_way_when_the_run_is_latched_comes_to_its_end(
    cloud: Cloud, proxy: ProxyThread, worker: Worker
) -> None:
    proxy.allowances.allowance_now = QUEUES
    ask_again(worker)
    cloud.answer_gate.clear()
    host, headers, body = sqs_call(worker)
    with Tunnel(worker.port, host, proxy.ca) as tunnel:
        tunnel.send("POST", "/", headers, body)
        wait_for("the call in the cloud", lambda: cloud.arrivals)
        assert call(worker, proxy, "DeleteQueue")[0] == 403
        cloud.answer_gate.set()
        assert tunnel.receive()[0] == 200
    outcome = proxy.journal.outcome_of("CreateQueue")
    assert outcome is not None
    assert outcome.outcome == "answered"


@pytest.mark.parametrize(
    ("service", "protocol", "ask"),
    [
        ("iam", "query", lambda client: client.create_role(RoleName="r", AssumeRolePolicyDocument="{}")),
        ("ec2", "ec2", lambda client: client.create_vpc(CidrBlock="10.0.0.0/16")),
        ("dynamodb", "json", lambda client: client.delete_table(TableName="t")),
        ("lambda", "rest-json", lambda client: client.delete_function(FunctionName="f")),
        ("s3", "rest-xml", lambda client: client.put_bucket_policy(Bucket="some-bucket", Policy="{}")),
        ("cloudwatch", "smithy-rpc-v2-cbor", lambda client: client.delete_alarms(AlarmNames=["a"])),
    ],
)
def test_a_client_of_every_protocol_understands_the_refusal_and_does_not_try_again(
    cloud: Cloud, proxy: ProxyThread, worker: Worker, service: str, protocol: str, ask: Any
) -> None:
    proxy.allowances.allowance_now = Allowance.reads("a plan changes nothing")
    ask_again(worker)
    client = boto3.client(
        service,
        region_name=REGION,
        aws_access_key_id=worker.access_key,
        aws_secret_access_key=worker.secret_key,
        verify=str(proxy.ca),
        config=Config(proxies={"https": worker.proxy_url}, retries={"total_max_attempts": 5}),
    )
    with pytest.raises(ClientError) as refusal:
        ask(client)
    assert refusal.value.response["Error"]["Code"] in ("AccessDenied", "AccessDeniedException")
    assert "reads only (a plan changes nothing)" in refusal.value.response["Error"]["Message"]
    assert cloud.arrivals == []
    assert proxy.refused("not_allowed") == 1, protocol
    assert proxy.refused("latched") == 0


def ask_again(worker: Worker) -> AllowanceHolds:
    """Tell the proxy to ask the scheduler, as a worker does; what holds now."""
    before = len(holding(worker))
    send_message(worker._control, AskAllowance())
    wait_for("the allowance", lambda: len(holding(worker)) > before)
    return holding(worker)[-1]


def holding(worker: Worker) -> list[AllowanceHolds]:
    return [event for event in worker.events if isinstance(event, AllowanceHolds)]


class HeldJournal(MemoryJournal):
    """Takes the intents of writes only when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = 0
        self._free = threading.Event()

    def let_go(self) -> None:
        self._free.set()

    async def intent(self, intent: Any) -> None:
        if intent.operation == "CreateQueue":
            self.waiting += 1
            await asyncio.to_thread(self._free.wait, CLIENT_TIMEOUT_S)
        await super().intent(intent)


class Scheduler:
    """As much of the scheduler's API as the proxy asks for what a run may do, over real HTTP."""

    def __init__(self) -> None:
        self.answer: tuple[int, str, bytes] = (200, "application/json", b"{}")
        self.cloud = Cloud(answer=lambda arrival: self.answer)

    def says(self, allowance: Allowance) -> None:
        self.answer = (200, "application/json", allowance.model_dump_json().encode())

    @property
    def asked(self) -> list[Arrival]:
        return [arrival for arrival in self.cloud.arrivals if arrival.path.endswith("/allowance")]


@pytest.fixture
def scheduler() -> Iterator[Scheduler]:
    scheduler = Scheduler()
    with scheduler.cloud:
        yield scheduler


@pytest.fixture
def asking(tmp_path: Path, valkey_url: str, cloud: Cloud, scheduler: Scheduler) -> Iterator[ProxyThread]:
    """A proxy that asks the scheduler itself."""
    token = tmp_path / "tokens" / "proxy.token"
    token.parent.mkdir()
    token.write_text("a-token")
    with ProxyThread(tmp_path, valkey_url, cloud.url, api_url=scheduler.cloud.url, allowances=None) as proxy:
        yield proxy


def test_the_proxy_asks_the_scheduler_when_a_run_is_opened_and_again_when_it_is_told_to(
    cloud: Cloud, scheduler: Scheduler, asking: ProxyThread, valkey_url: str
) -> None:
    scheduler.says(Allowance.reads("its safety plan is not accepted"))
    with Worker(asking, valkey_url) as worker:
        wait_for("the question", lambda: scheduler.asked)
        assert scheduler.asked[0].path == f"/v1/runs/{worker.run_id}/allowance"
        assert scheduler.asked[0].headers["authorization"] == "Bearer a-token"
        scheduler.says(QUEUES)
        assert ask_again(worker) == AllowanceHolds(mode="entries", entries=1)
        assert call(worker, asking, "CreateQueue")[0] == 200
        assert call(worker, asking, "SetQueueAttributes")[0] == 200
        assert call(worker, asking, "DeleteQueue")[0] == 403
    assert operations(cloud.arrivals) == ["CreateQueue", "SetQueueAttributes"]


@pytest.mark.parametrize(
    "answer",
    [
        (404, "application/json", b'{"error":{"code":"not_found","message":"no such run"}}'),
        (500, "text/plain", b"oh"),
        (200, "text/html", b"<html>"),
        (200, "application/json", b"{}"),
        (200, "application/json", b'{"mode":"everything"}'),
        (200, "application/json", b'{"mode":"unbounded","granted_by":"me"}'),
    ],
    ids=["not-found", "broken", "no-json", "empty", "another-mode", "another-format"],
)
def test_without_the_schedulers_word_nothing_that_changes_is_signed(
    cloud: Cloud, scheduler: Scheduler, asking: ProxyThread, valkey_url: str, answer: tuple[int, str, bytes]
) -> None:
    scheduler.answer = answer
    with Worker(asking, valkey_url) as worker:
        assert call(worker, asking, "ListQueues")[0] == 200
        status, message = call(worker, asking, "CreateQueue")
        assert status == 403
        assert "the scheduler could not be asked what" in message
        assert latched(worker) == [], "nobody has done what was not approved"
        assert ask_again(worker).mode == "unknown"
        scheduler.says(QUEUES)
        assert ask_again(worker).mode == "entries"
        assert call(worker, asking, "CreateQueue")[0] == 200
    assert operations(cloud.arrivals) == ["ListQueues", "CreateQueue"]


def test_a_scheduler_that_is_gone_takes_back_what_it_had_allowed_at_the_next_question(
    cloud: Cloud, scheduler: Scheduler, asking: ProxyThread, valkey_url: str
) -> None:
    scheduler.says(QUEUES)
    with Worker(asking, valkey_url) as worker:
        assert call(worker, asking, "CreateQueue")[0] == 200
        scheduler.answer = (503, "text/plain", b"")
        assert ask_again(worker).mode == "unknown"
        assert call(worker, asking, "CreateQueue")[0] == 403
    assert operations(cloud.arrivals) == ["CreateQueue"]


class BrokenSource:
    """Who decides has a bug: it raises what nobody expects, answers what is no allowance, or never answers."""

    def __init__(self, how: str) -> None:
        self.how = how
        self.asked = 0

    async def allowance(self, run_id: str) -> Allowance:
        self.asked += 1
        if self.how == "says":
            return QUEUES
        if self.how == "raises":
            raise RuntimeError("a bug in who decides")
        if self.how == "is cancelled":
            raise asyncio.CancelledError
        if self.how == "hangs":
            await asyncio.Event().wait()
        return "everything"  # type: ignore[return-value]


@pytest.mark.parametrize("how", ["raises", "is cancelled", "hangs", "answers nonsense"])
def test_whatever_goes_wrong_in_the_question_nothing_that_changes_is_signed(
    tmp_path: Path, valkey_url: str, cloud: Cloud, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr("signing_proxy.permissions.ASK_LIMIT_S", 0.2)
    source = BrokenSource(how)
    with ProxyThread(tmp_path, valkey_url, cloud.url, allowances=source) as proxy:
        for _ in range(3):
            with Worker(proxy, valkey_url) as worker:
                try:
                    status = call(worker, proxy, "CreateQueue")[0]
                except OSError:
                    status = 0  # the call was killed and the run cut: an exception in a hook is never forwarded
                assert status != 200
                assert latched(worker) == []
        assert source.asked >= 3
    assert cloud.arrivals == []


@pytest.mark.parametrize("how", ["raises", "is cancelled", "hangs", "answers nonsense"])
def test_whatever_goes_wrong_when_it_is_asked_again_takes_back_what_was_allowed(
    tmp_path: Path, valkey_url: str, cloud: Cloud, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """A run that bakes, or begins to take back, must not be left with what its apply was allowed."""
    monkeypatch.setattr("signing_proxy.permissions.ASK_LIMIT_S", 0.2)
    source = BrokenSource("says")
    with ProxyThread(tmp_path, valkey_url, cloud.url, allowances=source) as proxy, Worker(proxy, valkey_url) as worker:
        assert call(worker, proxy, "CreateQueue")[0] == 200
        source.how, before = how, source.asked
        send_message(worker._control, AskAllowance())
        wait_for("the question", lambda: source.asked > before)
        if how == "hangs":
            wait_for("the answer", lambda: holding(worker))
            assert holding(worker)[-1].mode == "unknown"
        try:
            status = call(worker, proxy, "CreateQueue")[0]
        except OSError:
            status = 0  # the call was killed and the run cut: an exception in a hook is never forwarded
        assert status != 200
        assert [event.mode for event in holding(worker) if event.mode != "unknown"] == []
    assert operations(cloud.arrivals) == ["CreateQueue"]
