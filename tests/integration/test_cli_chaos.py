"""`interlock chaos` against a real deployment: each scenario strikes real processes and comes to a real verdict."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from cli.chaos.targets import processes_of
from shared import exit_codes
from shared.settings import Settings
from tests.integration.system import eventually
from tests.integration.test_cli_up import FLOCK, Up, wait_for_line
from tests.servers import SentinelSet

CHAOS = ("chaos", "run")
STAGING = ("--target", "job.here", "--yes-this-is-staging", "--json")
# Long enough for the protocol's longest wait with FAST_LEASE: 4 s of TTL, 0.5 s of G, 2 s of Q.
HOLD_S = "8"


class _Answers(BaseHTTPRequestHandler):
    """A cloud that knows no operation, as AWS answers the probe."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        body = b"<ErrorResponse><Error><Code>InvalidAction</Code></Error></ErrorResponse>"
        self.send_response(400)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class _Cloud(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections that the proxy cuts are what is tested, no error."""


@contextmanager
def a_cloud() -> Iterator[str]:
    server = _Cloud(("127.0.0.1", 0), _Answers)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def deployed(directory: Path, **settings: str) -> Iterator[Up]:
    """A running `interlock up` with one target, job.here, in front of a cloud."""
    (directory / "tf").mkdir()
    (directory / "tf" / "main.tf").write_text("")
    (directory / "flock.yaml").write_text(FLOCK)
    running = Up(directory)
    with a_cloud() as cloud:
        running.environment["INTERLOCK_UPSTREAM_OVERRIDES"] = json.dumps({"*.amazonaws.com": cloud})
        running.environment |= settings
        try:
            running.start()
            done = running.interlock("flock", "register", "flock.yaml")
            assert done.returncode == 0, done.stderr
            yield running
        finally:
            if running.process is not None:
                running.stop()


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with deployed(tmp_path_factory.mktemp("chaos")) as running:
        yield running


def verdict_of(done: subprocess.CompletedProcess[str], up: Up) -> dict[str, Any]:
    """The one verdict of a command that came to one."""
    assert done.stdout, done.stderr
    document = json.loads(done.stdout)
    assert "verdicts" in document, f"{done.stderr}\n{up.log()[-4000:]}"
    verdict: dict[str, Any] = document["verdicts"][0]
    assert verdict["passed"] is document["passed"] is (done.returncode == 0)
    return verdict


@pytest.mark.parametrize(
    ("scenario", "options"),
    [
        ("kill-worker", ()),
        ("freeze-worker", ("--hold", HOLD_S)),
        ("freeze-proxy", ("--hold", HOLD_S)),
        pytest.param("partition", ("--hold", HOLD_S), marks=pytest.mark.debian),
        ("redis-failover", ()),
    ],
)
def test_each_scenario_strikes_a_deployment_that_keeps_its_promise(
    up: Up, scenario: str, options: tuple[str, ...]
) -> None:
    done = up.interlock(*CHAOS, scenario, *STAGING, *options)
    verdict = verdict_of(done, up)
    assert verdict["passed"], f"{verdict}\n{done.stderr}\n{up.log()[-4000:]}"
    assert verdict["scenario"] == scenario
    assert verdict["shown"]
    assert (verdict["overlaps"], verdict["after_end"], verdict["stuck"]) == (0, 0, 0)
    assert 0 < verdict["ended_after_s"] <= verdict["granted_after_s"] <= verdict["first_call_after_s"]
    assert f"{scenario}: struck:" in done.stderr
    assert (verdict["healed_after_s"] is not None) == bool(options)


def test_a_failover_by_sentinel_is_judged_whether_the_lease_lives_on_or_not(tmp_path: Path) -> None:
    sentinels = SentinelSet(replicas=1)
    try:
        settings = {"INTERLOCK_REDIS_URL": sentinels.url, "INTERLOCK_REDIS_REPLICAS": "1"}
        with deployed(tmp_path, **settings) as up:
            before = sentinels.primary()
            verdict = verdict_of(up.interlock(*CHAOS, "redis-failover", *STAGING, "--hold", HOLD_S), up)
            assert verdict["passed"], f"{verdict}\n{up.log()[-4000:]}"
            assert sentinels.primary() is not before
            assert verdict["shown"]
    finally:
        sentinels.close()


FORGER = """
import os, signal, subprocess, sys, time, uuid
from datetime import UTC, datetime
from shared.api_client import ApiClient
from shared.errors import ApiError
from shared.models import JournalIntent

how, run_id, url, admin, proxy, *pids = sys.argv[1:]
if how == "strike":
    for pid in pids:
        os.kill(int(pid), signal.SIGSTOP)
    subprocess.Popen([sys.executable, __file__, "forge", *sys.argv[2:]], start_new_session=True)
    sys.exit(0)
with ApiClient(url, admin) as client:
    run = client.run(run_id)
with ApiClient(url, proxy) as client:
    for _ in range(100):
        call = JournalIntent(
            run_id=run.id, target=run.target, epoch=run.epoch, call_id=uuid.uuid4().hex, service="sns",
            operation="DeleteTopic", access="write", host="sns.here.amazonaws.com", method="POST", path="/",
            region="here", at_wall=datetime.now(UTC),
        )
        try:
            client.journal_intent(call)
        except ApiError as error:
            sys.exit(error.code)
        time.sleep(0.2)
"""


def test_a_proxy_that_goes_on_signing_after_the_lease_has_ended_fails_the_verdict(up: Up, tmp_path: Path) -> None:
    """Worker and proxy are frozen, so nobody cuts; somebody with the proxy's token goes on as if without a gate."""
    script = tmp_path / "forger.py"
    script.write_text(FORGER)
    settings = Settings(home=up.home)
    pids = [str(pid) for name in ("worker", "proxy") for pid in processes_of(settings, name, None)]
    url = json.loads((up.home / "up.json").read_text())["api_url"]
    tokens = [(up.home / "tokens" / f"{role}.token").read_text().strip() for role in ("admin", "proxy")]
    strike = shlex.join([sys.executable, str(script), "strike", "{run}", url, *tokens, *pids])
    heal = shlex.join(["kill", "-CONT", *pids])
    done = up.interlock(*CHAOS, "freeze-worker", *STAGING, "--strike-command", strike, "--heal-command", heal)
    verdict = verdict_of(done, up)
    assert done.returncode == exit_codes.ERROR
    assert not verdict["passed"]
    assert verdict["after_end"] > 0, f"{verdict}\n{done.stderr}"
    assert any("after the lease had ended" in reason for reason in verdict["reasons"])


def is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def active_runs(up: Up) -> list[str]:
    return [run["id"] for run in up.api("run", "ls") if run["finished_at"] is None]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_what_was_frozen_goes_on_however_the_command_ends(up: Up, number: signal.Signals) -> None:
    (pid, *_) = processes_of(Settings(home=up.home), "worker", None)
    process = up.begin(*CHAOS, "freeze-worker", *STAGING)
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if "struck:" in line:
                break
        # A signal was sent; on a busy machine it takes a while until the process is on a core again to notice.
        eventually(lambda: is_stopped(pid), "the worker is frozen")
        process.send_signal(number)
        eventually(lambda: not is_stopped(pid), f"the worker goes on after {number.name}")
        process.communicate(timeout=120)
        assert process.returncode == (-number if number == signal.SIGKILL else exit_codes.CANCELED)
        assert number == signal.SIGKILL or active_runs(up) == [], "the runs that were made for it are canceled"
    finally:
        process.kill()
        process.communicate()
        for run_id in active_runs(up):
            up.interlock("run", "cancel", run_id)
        eventually(lambda: not active_runs(up), "every run is over")


def test_nothing_is_struck_on_a_target_that_is_in_use(up: Up) -> None:
    process = up.begin("exec", "--target", "job.here", "--", "sh", "-c", "echo begun; exec sleep 600")
    try:
        wait_for_line(process, "begun")
        done = up.interlock(*CHAOS, "kill-worker", *STAGING)
        assert done.returncode == exit_codes.USAGE
        assert "in use" in done.stderr
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=120)
