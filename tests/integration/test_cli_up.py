"""`interlock up` for real: everything on one machine, used by the other commands as a person would use them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared import exit_codes
from tests.integration.system import FAST_LEASE, ROOT, alive, descendants, eventually

BOUND_S = 240
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIAEXAMPLEEXAMPLEEX",
    "AWS_SECRET_ACCESS_KEY": "example-secret",
    "AWS_EC2_METADATA_DISABLED": "true",
}
FLOCK = "name: job\nconfiguration: tf\ntargets:\n- region: here\n"


class Up:
    """One `interlock up` with a home of its own, and the other commands beside it."""

    def __init__(self, directory: Path) -> None:
        self.home = directory / "home"
        self.directory = directory
        self.process: subprocess.Popen[str] | None = None
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("INTERLOCK_")}
        ours = {"PYTHONPATH": str(ROOT), "INTERLOCK_HOME": str(self.home), "NO_COLOR": "1"}
        self.environment = inherited | FAST_LEASE | CREDENTIALS | ours

    def start(self) -> dict[str, Any]:
        """Start it and wait for its own word that it is ready; returns that."""
        with (self.directory / "up.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "cli", "up", "--json", "--port", "0", "--region", "here"],
                env=self.environment,
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"up ended before it was ready:\n{self.log()[-5000:]}"
        ready: dict[str, Any] = json.loads(line)
        assert ready["event"] == "ready"
        return ready

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Signal it and wait for its end."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        with self.process:
            return self.process.wait(BOUND_S)

    def log(self) -> str:
        return (self.directory / "up.log").read_text(errors="replace")

    def interlock(self, *argv: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run another command to its end; it finds everything by the home directory alone."""
        return subprocess.run(
            [sys.executable, "-m", "cli", *argv],
            env=self.environment | settings,
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=BOUND_S,
            check=False,
        )

    def begin(self, *argv: str) -> subprocess.Popen[str]:
        """Start another command and go on."""
        return subprocess.Popen(
            [sys.executable, "-m", "cli", *argv],
            env=self.environment,
            cwd=self.directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def api(self, *argv: str) -> Any:
        """The JSON that a command prints."""
        done = self.interlock(*argv, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A running `up` with one target, job.here, and a worker of its region."""
    directory = tmp_path_factory.mktemp("up")
    (directory / "tf").mkdir()
    (directory / "tf" / "main.tf").write_text('output "nothing" { value = "here" }\n')
    (directory / "flock.yaml").write_text(FLOCK)
    running = Up(directory)
    try:
        running.start()
        done = running.interlock("flock", "register", "flock.yaml")
        assert done.returncode == 0, done.stderr
        yield running
    finally:
        if running.process is not None:
            running.stop()


def wait_for_line(process: subprocess.Popen[str], word: str) -> None:
    """Read a command's output up to the line that says `word`."""
    assert process.stdout is not None
    for line in process.stdout:
        if word in line:
            return
    pytest.fail(f"it ended without saying {word!r}: {process.stderr.read() if process.stderr else ''}")


def end(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for a command's end; its exit code and what it said on stderr."""
    _, err = process.communicate(timeout=BOUND_S)
    return process.returncode, err


def test_other_commands_find_it_without_configuration(up: Up) -> None:
    record = json.loads((up.home / "up.json").read_text())
    assert (up.home / "up.json").stat().st_mode & 0o777 == 0o600
    assert set(record["processes"]) == {"valkey", "server", "beat", "proxy", "worker"}
    assert [target["id"] for target in up.api("flock", "ls")] == ["job.here"]


def test_a_second_up_on_the_same_home_is_refused_and_the_first_goes_on(up: Up) -> None:
    before = (up.home / "up.json").read_text()
    done = up.interlock("up", "--port", "0")
    assert done.returncode == exit_codes.USAGE
    assert "already running" in done.stderr
    assert f"pid {json.loads(before)['pid']}" in done.stderr
    assert "Traceback" not in done.stderr
    assert (up.home / "up.json").read_text() == before


def test_doctor_finds_nothing_broken(up: Up) -> None:
    done = up.interlock("doctor", "--json")
    found = {one["name"]: one for one in json.loads(done.stdout)["findings"]}
    assert done.returncode == 0, found
    for name in ("sandbox", "valkey", "redis", "api", "proxy", "ca", "credentials", "up", "lease-ttl", "home"):
        assert found[name]["status"] == "ok", found[name]


def test_doctor_fails_for_what_is_broken_and_says_how_to_mend_it(up: Up) -> None:
    done = up.interlock("doctor", "--json", INTERLOCK_REDIS_URL="redis://127.0.0.1:9/0", INTERLOCK_TOKEN="wrong")
    found = {one["name"]: one for one in json.loads(done.stdout)["findings"]}
    assert done.returncode == exit_codes.ERROR
    for name in ("redis", "api"):
        assert found[name]["status"] == "fail", found[name]
        assert found[name]["mend"], found[name]


def test_every_process_serves_health_and_metrics(up: Up) -> None:
    import httpx

    urls = json.loads((up.home / "up.json").read_text())["health_urls"]
    assert set(urls) == {"server", "beat", "proxy", "worker"}
    for name, url in urls.items():
        assert httpx.get(f"{url}/healthz", timeout=30).status_code == 200, name
        assert httpx.get(f"{url}/readyz", timeout=30).status_code == 200, name
        assert "interlock_" in httpx.get(f"{url}/metrics", timeout=30).text, name


def test_a_commands_output_and_exit_code_are_ours(up: Up) -> None:
    done = up.interlock("exec", "--target", "job.here", "--", "sh", "-c", "echo from inside; exit 7")
    assert done.returncode == 7, done.stderr
    assert "from inside\n" in done.stdout
    run = up.api("run", "ls", "--limit", "1")[0]
    assert (run["status"], run["exit_code"], run["kind"]) == ("errored", 7, "exec")
    assert "from inside" in up.interlock("run", "logs", run["id"]).stdout
    assert up.interlock("exec", "--target", "job.here", "--", "true").returncode == 0


def test_the_lease_of_a_running_command_is_seen_and_after_it_is_released(up: Up) -> None:
    process = up.begin("exec", "--target", "job.here", "--", "sh", "-c", "echo begun; exec sleep 600")
    wait_for_line(process, "begun")
    for source in ([], ["--redis"]):
        views = {view["target"]: view for view in up.api("lease", "ls", *source)}
        assert views["job.here"]["state"] == "held"
    assert "held" in up.interlock("lease", "show", "job.here").stdout
    assert "state=held" in up.interlock("lease", "watch", "--count", "1").stdout
    process.send_signal(signal.SIGINT)
    assert end(process)[0] == exit_codes.CANCELED
    assert up.api("lease", "show", "job.here")["state"] == "released"


def test_a_revoked_lease_has_its_own_exit_code(up: Up) -> None:
    process = up.begin("exec", "--target", "job.here", "--", "sh", "-c", "echo begun; sleep 600")
    wait_for_line(process, "begun")
    assert up.interlock("lease", "revoke", "job.here", "--reason", "wrong account").returncode == 0
    code, said = end(process)
    assert code == exit_codes.REFUSED, said
    assert "revoked by an operator" in said


def test_an_interrupt_cancels_the_run_and_waits_for_its_end(up: Up) -> None:
    process = up.begin("exec", "--target", "job.here", "--", "sh", "-c", "echo begun; exec sleep 600")
    wait_for_line(process, "begun")
    process.send_signal(signal.SIGINT)
    code, said = end(process)
    assert code == exit_codes.CANCELED, said
    assert up.api("run", "ls", "--limit", "1")[0]["status"] == "canceled"


def test_a_lost_lease_has_its_own_exit_code_and_the_worker_is_started_again(up: Up) -> None:
    process = up.begin("exec", "--target", "job.here", "--", "sh", "-c", "echo begun; exec sleep 600")
    wait_for_line(process, "begun")
    assert up.process is not None
    worker = json.loads((up.home / "up.json").read_text())["processes"]["worker"]
    left = descendants(worker)
    os.kill(worker, signal.SIGKILL)
    code, said = end(process)
    assert code == exit_codes.LEASE_LOST, said
    assert "lost its lease" in said
    eventually(lambda: not any(alive(pid) for pid in left), "what the worker left ends")
    assert up.interlock("exec", "--target", "job.here", "--", "true").returncode == 0
    assert "worker | restarted (pid" in up.log()


def test_an_unknown_target_is_answered_with_the_known_ones(up: Up) -> None:
    for words in (("apply", "job.there"), ("exec", "--target", "job.there", "--", "true")):
        done = up.interlock(*words)
        assert done.returncode == exit_codes.USAGE
        assert done.stderr.startswith("error: unknown target 'job.there'\nhint: known targets: job.here")


def test_a_directory_without_terraform_files_is_refused(up: Up) -> None:
    (up.directory / "empty").mkdir()
    path = up.directory / "empty.yaml"
    path.write_text(FLOCK.replace("configuration: tf", "configuration: empty").replace("job", "other"))
    done = up.interlock("apply", "-f", str(path))
    assert done.returncode == exit_codes.USAGE
    assert "holds no Terraform files" in done.stderr
    assert "Traceback" not in done.stderr
    assert [target["id"] for target in up.api("flock", "ls")] == ["job.here"]


@pytest.mark.parametrize(
    ("content", "word"),
    [("name: [", "not valid YAML"), ("name: job\n", "configuration"), (FLOCK + "colour: red\n", "colour")],
)
def test_an_invalid_flock_file_is_named_with_the_place(up: Up, content: str, word: str) -> None:
    path = up.directory / "bad.yaml"
    path.write_text(content)
    done = up.interlock("plan", "-f", str(path))
    assert done.returncode == exit_codes.USAGE
    assert "bad.yaml" in done.stderr
    assert word in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.terraform
def test_plan_apply_and_destroy_follow_detailed_exit_codes(up: Up) -> None:
    assert up.interlock("plan", "job.here").returncode == exit_codes.CHANGES
    applied = up.interlock("apply", "-f", "flock.yaml", "--json")
    assert applied.returncode == exit_codes.OK, applied.stderr
    assert json.loads(applied.stdout)["runs"][0]["status"] == "applied"
    assert up.interlock("plan", "job.here").returncode == exit_codes.OK
    assert up.interlock("destroy", "job.here").returncode == exit_codes.OK


@pytest.mark.terraform
def test_a_provider_that_cannot_be_found_is_one_clear_end(up: Up) -> None:
    (up.directory / "tf2").mkdir()
    (up.directory / "tf2" / "main.tf").write_text(
        'terraform {\n  required_providers {\n    nobody = { source = "example/nobody" }\n  }\n}\n'
    )
    path = up.directory / "nobody.yaml"
    path.write_text(FLOCK.replace("configuration: tf", "configuration: tf2").replace("job", "nobody"))
    unlocked = up.interlock("apply", "-f", str(path))
    assert unlocked.returncode == exit_codes.USAGE, unlocked.stderr
    assert "has no .terraform.lock.hcl" in unlocked.stderr
    assert "terraform providers lock" in unlocked.stderr, "it says what to do"
    (up.directory / "tf2" / ".terraform.lock.hcl").write_text(
        'provider "registry.terraform.io/example/nobody" {\n  version = "1.0.0"\n}\n'
    )
    done = up.interlock("apply", "-f", str(path))
    assert done.returncode == exit_codes.ERROR, done.stderr
    assert "example/nobody" in done.stdout + done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert "apply of nobody.here" in last
    assert "failed" in last
    assert "INTERLOCK_PLUGIN_DIR" in done.stderr, "it says what to do"


@pytest.mark.terraform
def test_an_invalid_configuration_is_named_with_its_file_and_nothing_is_applied(up: Up) -> None:
    (up.directory / "tf3").mkdir()
    (up.directory / "tf3" / "main.tf").write_text('resource "terraform_data" "one" {\n  no_such_argument = 1\n}\n')
    path = up.directory / "broken.yaml"
    path.write_text(FLOCK.replace("configuration: tf", "configuration: tf3").replace("job", "broken"))
    done = up.interlock("apply", "-f", str(path))
    assert done.returncode == exit_codes.ERROR, done.stderr
    assert "no_such_argument" in done.stdout + done.stderr
    assert "main.tf" in done.stdout + done.stderr
    assert "correct it" in done.stderr, "it says what to do"
    assert "Traceback" not in done.stderr


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Up]:
    """An `up` that a test may end as it likes."""
    running = Up(tmp_path)
    try:
        yield running
    finally:
        if running.process is not None:
            running.stop()


def test_a_signal_stops_everything_in_order_and_leaves_nothing(fresh: Up) -> None:
    pids = fresh.start()["processes"]
    everything = [pid for top in pids.values() for pid in (top, *descendants(top))]
    assert fresh.stop(signal.SIGINT) == 0, fresh.log()[-5000:]
    assert not (fresh.home / "up.json").exists()
    assert not any(alive(pid) for pid in everything)
    stops = [line.split("|")[0].strip() for line in fresh.log().splitlines() if "| stopping (pid" in line]
    assert stops == ["worker", "proxy", "beat", "server", "valkey"]
    assert "Traceback" not in fresh.log()
    # The same home may be used again, with the same tokens.
    tokens = (fresh.home / "tokens" / "admin.token").read_text()
    fresh.start()
    assert (fresh.home / "tokens" / "admin.token").read_text() == tokens
    assert fresh.api("flock", "ls") == []


def test_a_stop_cancels_what_is_running_so_that_it_ends_cleanly(fresh: Up) -> None:
    (fresh.directory / "tf").mkdir()
    (fresh.directory / "tf" / "main.tf").write_text("")
    (fresh.directory / "flock.yaml").write_text(FLOCK)
    fresh.start()
    assert fresh.interlock("flock", "register", "flock.yaml").returncode == 0
    process = fresh.begin("exec", "--target", "job.here", "--", "sh", "-c", "echo begun; exec sleep 600")
    wait_for_line(process, "begun")
    assert fresh.stop() == 0, fresh.log()[-5000:]
    assert end(process)[0] != 0
    assert "killing" not in fresh.log()
    fresh.start()
    eventually(
        lambda: fresh.api("run", "ls")[0]["status"] == "canceled",
        f"the run is over and not lost\n{fresh.log()[-3000:]}",
    )


def test_an_up_that_is_killed_takes_its_parts_along_and_does_not_block_the_next(fresh: Up) -> None:
    pids = fresh.start()["processes"].values()
    fresh.stop(signal.SIGKILL)
    eventually(lambda: not any(alive(pid) for pid in pids), "its parts end")
    assert (fresh.home / "up.json").exists(), "nobody was there to remove it: the next commands must not believe it"
    done = fresh.interlock("flock", "ls")
    assert done.returncode == exit_codes.UNAVAILABLE
    fresh.start()
    assert fresh.api("flock", "ls") == []
