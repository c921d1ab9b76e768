"""Settings as a command sees them."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from cli.context import actor, api, lease_store, load_settings, without_password
from cli.up_record import UpLock, UpRecord, write_record
from shared.errors import ConfigurationError, Unavailable


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INTERLOCK_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    write_record(
        tmp_path,
        UpRecord(
            pid=1,
            api_url="http://127.0.0.1:1111",
            redis_url="redis://:pw@127.0.0.1:2222/0",
            embedded_redis=True,
            processes={},
            health_urls={},
            started_at="2026-01-02T03:04:05+00:00",
        ),
    )
    return tmp_path


def test_a_running_up_is_found_without_configuration(home: Path) -> None:
    with UpLock(home):
        settings = load_settings()
    assert settings.api_url == "http://127.0.0.1:1111"
    assert settings.redis_url == "redis://:pw@127.0.0.1:2222/0"


def test_what_the_user_names_wins_over_the_record(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERLOCK_API_URL", "http://elsewhere:1")
    with UpLock(home):
        settings = load_settings()
    assert settings.api_url == "http://elsewhere:1"
    assert settings.redis_url == "redis://:pw@127.0.0.1:2222/0"


def test_the_record_of_an_up_that_was_killed_is_not_believed(home: Path) -> None:
    assert load_settings().api_url == "http://127.0.0.1:8420"


def test_without_a_token_nothing_is_sent_and_the_message_says_where_one_comes_from(home: Path) -> None:
    with pytest.raises(ConfigurationError, match="no API token") as caught, api():
        pass
    assert "INTERLOCK_TOKEN" in caught.value.hint


def test_an_api_that_is_not_there_is_one_clear_error(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERLOCK_TOKEN", "t")
    monkeypatch.setenv("INTERLOCK_API_URL", "http://127.0.0.1:9")
    with pytest.raises(Unavailable, match=r"the API at http://127.0.0.1:9 did not answer"), api() as client:
        client.targets()


def test_a_redis_that_is_not_there_is_named_without_its_password(home: Path) -> None:
    settings = load_settings(redis_url="redis://:pw@127.0.0.1:9/0")
    with pytest.raises(Unavailable, match=r"redis://:\*\*\*@127\.0\.0\.1:9/0") as caught, lease_store(settings):
        pass
    assert "INTERLOCK_REDIS_URL" in caught.value.hint


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://h:1/0", "redis://h:1/0"),
        ("redis://:pw@h:1/0", "redis://:***@h:1/0"),
        ("rediss://user:p%40w@h:1/0", "rediss://user:***@h:1/0"),
        ("unix:///run/x.sock", "unix:///run/x.sock"),
        ("unix:///run/x.sock?password=pw&db=1", "unix:///run/x.sock?password=***&db=1"),
        (
            "redis+sentinel://u:pw@a:1,b:2/set/0?sentinel_password=x",
            "redis+sentinel://u:***@a:1,b:2/set/0?sentinel_password=***",
        ),
        ("redis+cluster://a:1,b:2", "redis+cluster://a:1,b:2"),
    ],
)
def test_passwords_never_reach_a_message(url: str, shown: str) -> None:
    assert without_password(url) == shown


def test_the_actor_is_a_user_at_a_host_even_where_the_user_has_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise OSError("no entry")

    assert actor().endswith(f"@{socket.gethostname()}")
    monkeypatch.setattr("getpass.getuser", nameless)
    assert actor() == f"unknown@{socket.gethostname()}"
