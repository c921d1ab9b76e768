"""The promise on real processes: API, beat, proxy and workers are the real commands, killed and stopped for real."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from celery import Celery

from shared import exit_codes
from shared.celery_config import TASK_RUN, celery_settings, declare_queues, queue_name
from shared.lease.keys import target_keys
from shared.lease.machine import State
from shared.models import Run, RunKind, RunStatus
from shared.settings import Settings
from tests.integration.system import FAST_LEASE, System, alive, descendants, eventually, register_empty_flock, running
from tests.servers import ValkeyServer

BEGUN_THEN_WAIT = ("sh", "-c", "echo begun; exec sleep 300")


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """One installation for all tests here; `system` brings back what a test killed."""
    valkey = ValkeyServer()
    try:
        with running(tmp_path_factory.mktemp("system"), valkey.url) as started:
            yield started
    finally:
        valkey.close()


@pytest.fixture
def system(installation: System) -> System:
    """A control host and one worker host, all of it alive, with a fresh target to run commands on."""
    if not installation.is_up("server"):
        installation.start_server()
    if not installation.is_up("beat"):
        installation.start_beat("beat")
    if not installation.is_up("host-a-proxy"):
        installation.start_proxy("host-a")
    if not installation.is_up("host-a-worker"):
        installation.start_worker("host-a")
    register_empty_flock(installation)
    return installation


def begin(system: System, *argv: str) -> Run:
    """Start an exec run and wait until its command has printed `begun`."""
    run = system.api().create_run(system.target, RunKind.EXEC, argv=argv)
    eventually(
        lambda: "begun" in system.api().logs(run.id).text,
        f"{run.id} prints: {system.log('host-a-worker')[-3000:]}",
    )
    return system.api().run(run.id)


@contextmanager
def hints(system: System) -> Iterator[Celery]:
    """An application on the system's broker, with the settings that all of them share."""
    settings = Settings(home=system.home, redis_url=system.redis_url, broker_visibility_timeout_s=5)
    app = Celery("hints", set_as_current=False)
    app.conf.update(celery_settings(settings))
    declare_queues(app, ["here"])
    with app:
        yield app


def over(system: System, run: Run) -> Run:
    return system.run_until(run.id, lambda seen: seen.status.terminal, "is over")


def provisioners(system: System, name: str) -> list[int]:
    """The processes of the sandbox below a worker."""
    return [
        pid
        for pid in descendants(system.processes[name].pid)
        if b"sleep" in Path(f"/proc/{pid}/cmdline").read_bytes()
        or b"bwrap" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]


def nothing_left(pids: list[int]) -> None:
    assert pids, "the run had no provisioner to leave behind: the test proves nothing"
    eventually(lambda: not any(alive(pid) for pid in pids), f"provisioner processes {pids} end")


def test_a_command_runs_under_a_lease_and_the_lease_is_released(system: System) -> None:
    run = over(system, system.api().create_run(system.target, RunKind.EXEC, argv=("sh", "-c", "echo hello; exit 7")))
    assert (run.status, run.exit_code, run.epoch) == (RunStatus.ERRORED, 7, 1)
    assert "hello" in system.api().logs(run.id).text
    assert system.store().view(system.target).state is State.RELEASED


def test_the_next_run_gets_the_next_epoch(system: System) -> None:
    first = over(system, system.api().create_run(system.target, RunKind.EXEC, argv=("true",)))
    second = over(system, system.api().create_run(system.target, RunKind.EXEC, argv=("true",)))
    assert (first.epoch, second.epoch) == (1, 2)
    assert {first.status, second.status} == {RunStatus.SUCCEEDED}


def test_two_runs_of_one_target_never_run_side_by_side(system: System) -> None:
    first = begin(system, "sh", "-c", "echo begun; sleep 3")
    second = over(system, system.api().create_run(system.target, RunKind.EXEC, argv=("true",)))
    first = system.api().run(first.id)
    assert first.status is RunStatus.SUCCEEDED
    assert first.finished_at is not None
    assert second.claimed_at is not None
    assert second.claimed_at >= first.finished_at


def test_a_hint_delivered_three_times_runs_once(system: System) -> None:
    run = begin(system, "sh", "-c", "echo begun; sleep 5; echo ended")
    with hints(system) as broker:
        for _ in range(3):
            broker.send_task(TASK_RUN, args=[run.id], queue=queue_name("here"))
    done = over(system, run)
    text = system.api().logs(run.id).text
    assert (done.status, done.epoch, text.count("begun"), text.count("ended")) == (RunStatus.SUCCEEDED, 1, 1, 1)


def test_a_broker_that_delivers_again_in_the_middle_runs_once(
    tmp_path: Path, redis_server_factory: Callable[..., ValkeyServer]
) -> None:
    visibility = {"INTERLOCK_BROKER_VISIBILITY_TIMEOUT_S": 5}
    with running(tmp_path, redis_server_factory().url, **visibility) as system:
        system.start_proxy("host-a")
        system.start_worker("host-a")
        register_empty_flock(system)
        run = begin(system, "sh", "-c", "echo begun; sleep 15; echo ended")
        with hints(system) as broker, broker.connection_for_write() as connection:
            # What every consumer does now and then; asked for here so that it falls into these fifteen seconds.
            restorer = connection.default_channel.qos

            def delivered_again() -> bool:
                restorer.restore_visible(interval=1)
                return system.duplicate_claims() > 0

            eventually(delivered_again, "the broker delivers the message a second time")
        done = over(system, run)
        text = system.api().logs(run.id).text
        assert (done.status, done.epoch, text.count("begun"), text.count("ended")) == (RunStatus.SUCCEEDED, 1, 1, 1)


def test_a_killed_pool_child_leaves_no_provisioner_and_no_run_stuck(system: System) -> None:
    run = begin(system, *BEGUN_THEN_WAIT)
    pids = provisioners(system, "host-a-worker")
    main = system.processes["host-a-worker"].pid
    children = [pid for pid in system.signal_worker("host-a-worker", 0) if pid != main]
    for pid in children:
        _kill(pid)
    nothing_left(pids)
    assert over(system, run).status is RunStatus.LOST
    assert (
        over(system, system.api().create_run(system.target, RunKind.EXEC, argv=("true",))).status is RunStatus.SUCCEEDED
    )


def test_a_killed_worker_leaves_no_provisioner_and_its_target_moves_on(system: System) -> None:
    run = begin(system, *BEGUN_THEN_WAIT)
    pids = provisioners(system, "host-a-worker")
    _kill(system.processes["host-a-worker"].pid)
    nothing_left(pids)
    assert over(system, run).status is RunStatus.LOST
    assert system.store().view(system.target).state is State.SEVERED, (
        "the proxy saw the worker die: no window was waited for"
    )
    system.start_worker("host-a")
    assert over(system, system.api().create_run(system.target, RunKind.EXEC, argv=("true",))).epoch == 2


def test_a_worker_that_is_told_to_stop_waits_for_its_runs_no_longer_than_it_says(system: System) -> None:
    idle = system.processes["host-a-worker"]
    idle.terminate()
    assert idle.wait(30) == 0
    system.start_worker("host-a", INTERLOCK_WORKER_DRAIN_S="1")
    run = begin(system, *BEGUN_THEN_WAIT)
    pids = provisioners(system, "host-a-worker")
    system.processes["host-a-worker"].terminate()
    nothing_left(pids)
    assert over(system, run).status is RunStatus.LOST
    assert system.processes["host-a-worker"].wait(30) == 0


def test_a_killed_beat_stops_no_run_and_a_second_beat_takes_over(system: System) -> None:
    system.start_beat("second-beat")
    run = begin(system, *BEGUN_THEN_WAIT)
    _kill(system.processes["beat"].pid)
    _kill(system.processes["host-a-worker"].pid)
    assert over(system, run).status is RunStatus.LOST


def test_a_killed_api_stops_no_run(system: System) -> None:
    run = begin(system, "sh", "-c", "echo begun; sleep 5; echo ended")
    _kill(system.processes["server"].pid)
    system.processes["server"].wait(30)
    system.start_server()
    assert over(system, run).status is RunStatus.SUCCEEDED
    assert "ended" in system.api().logs(run.id).text


def test_a_frozen_worker_is_cut_before_its_lease_ends_and_learns_that_it_lost(system: System) -> None:
    run = begin(system, *BEGUN_THEN_WAIT)
    pids = provisioners(system, "host-a-worker")
    system.signal_worker("host-a-worker", signal.SIGSTOP)
    over(system, run)
    view = system.store().view(system.target)
    assert view.state is State.SEVERED, "severed, not expired: the proxy cut at its own deadline and said so"
    system.signal_worker("host-a-worker", signal.SIGCONT)
    nothing_left(pids)
    eventually(lambda: "lease_lost" in system.log("host-a-worker"), "the resumed worker says that it lost its lease")
    assert system.api().run(run.id).status is RunStatus.LOST


def test_a_frozen_pool_child_is_not_kept_alive_by_its_workers_main_process(system: System) -> None:
    run = begin(system, *BEGUN_THEN_WAIT)
    main = system.processes["host-a-worker"].pid
    children = [pid for pid in system.signal_worker("host-a-worker", 0) if pid != main]
    for pid in children:
        os.kill(pid, signal.SIGSTOP)
    assert over(system, run).status is RunStatus.LOST
    assert system.store().view(system.target).state is State.SEVERED
    for pid in children:
        os.kill(pid, signal.SIGCONT)
    eventually(lambda: system.log("host-a-worker").count("lease_lost") >= 1, "the resumed child says that it lost")


def test_a_worker_renews_the_leases_of_all_its_runs_in_one_call(system: System) -> None:
    first = begin(system, *BEGUN_THEN_WAIT)
    states = [target_keys(first.target).state]
    register_empty_flock(system)
    second = begin(system, *BEGUN_THEN_WAIT)
    states.append(target_keys(second.target).state)
    with system.store().client.monitor() as commands:
        seen = (commands.next_command()["command"] for _ in range(50_000))
        assert any(all(state in command for state in states) for command in seen)
    for run in (first, second):
        system.api().cancel_run(run.id)
        over(system, run)
    assert "renewing_alone" not in system.log("host-a-worker")


def test_a_worker_whose_main_process_is_frozen_keeps_its_runs(system: System) -> None:
    run = begin(system, "sh", "-c", "echo begun; sleep 8; echo ended")
    main = system.processes["host-a-worker"].pid
    os.kill(main, signal.SIGSTOP)
    try:
        assert over(system, run).status is RunStatus.SUCCEEDED
    finally:
        os.kill(main, signal.SIGCONT)
    assert "renewing_alone" in system.log("host-a-worker")


def test_a_revoked_lease_ends_the_run_and_is_not_taken_up_again(system: System) -> None:
    run = begin(system, *BEGUN_THEN_WAIT)
    pids = provisioners(system, "host-a-worker")
    system.api().revoke_lease(system.target, "maintenance")
    assert over(system, run).status in {RunStatus.CANCELED, RunStatus.LOST}
    nothing_left(pids)


def test_cancel_sends_one_interrupt_and_the_run_says_canceled(system: System) -> None:
    script = "trap 'echo interrupted; exit 3' INT; echo begun; while :; do sleep 0.1; done"
    run = begin(system, "sh", "-c", script)
    system.api().cancel_run(run.id)
    done = over(system, run)
    assert done.status is RunStatus.CANCELED
    assert system.api().logs(run.id).text.count("interrupted") == 1


def test_exec_on_the_command_line_gives_the_commands_exit_code(system: System) -> None:
    ended = interlock(system, "exec", "--target", system.target, "--", "sh", "-c", "echo out; exit 41")
    assert ended.returncode == 41, ended.stderr
    assert "out" in ended.stdout


def test_exec_says_with_its_own_exit_code_that_the_lease_was_lost(system: System) -> None:
    command = [sys.executable, "-m", "cli", "exec", "--target", system.target, "--", *BEGUN_THEN_WAIT]
    with subprocess.Popen(
        command, env=system.environment(), cwd=system.directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as waiting:
        run = eventually(lambda: system.api().runs(target=system.target), "the run exists")[0]
        eventually(lambda: "begun" in system.api().logs(run.id).text, "it began")
        _kill(system.processes["host-a-worker"].pid)
        waiting.communicate(timeout=120)
    assert waiting.returncode == exit_codes.LEASE_LOST


def test_lease_ls_says_who_holds_what(system: System) -> None:
    run = begin(system, *BEGUN_THEN_WAIT)
    ended = interlock(system, "lease", "ls", "--json")
    assert ended.returncode == 0, ended.stderr
    (held,) = [lease for lease in json.loads(ended.stdout) if lease["target"] == system.target]
    assert (held["state"], held["epoch"], held["run_id"]) == ("held", 1, run.id)
    system.api().cancel_run(run.id)
    over(system, run)


def interlock(system: System, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        env=system.environment(),
        cwd=system.directory,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def test_the_fast_lease_is_still_a_valid_timing() -> None:
    from shared.lease.timing import LeaseTiming

    LeaseTiming(
        **{
            name.removeprefix("INTERLOCK_").lower(): int(value)
            for name, value in FAST_LEASE.items()
            if "OBSERVE" not in name
        }
    )
