"""Settings: where they come from, what they default to, and how wrong ones are reported."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from shared.errors import ConfigurationError
from shared.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if name.startswith("INTERLOCK_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_every_option_is_documented() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_paths_and_urls_follow_home_and_redis(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, redis_url="unix:///r.sock")
    assert settings.proxy_socket == tmp_path / "proxy.sock"
    assert settings.ca_dir == tmp_path / "ca"
    assert settings.database_url == f"sqlite:///{tmp_path}/interlock.db"
    assert settings.broker_url == "unix:///r.sock"


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERLOCK_TTL_MS", "12000")
    monkeypatch.setenv("INTERLOCK_REGIONS", "eu-west-1, us-east-1,")
    monkeypatch.setenv("INTERLOCK_UPSTREAM_OVERRIDES", '{"*.amazonaws.com": "http://127.0.0.1:5001"}')
    settings = load_settings()
    assert settings.timing.ttl_ms == 12_000
    assert settings.regions == ("eu-west-1", "us-east-1")
    assert settings.upstream_overrides == {"*.amazonaws.com": "http://127.0.0.1:5001"}


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "interlock.toml").write_text('node = "file"\nregions = ["a", "b"]\n')
    assert load_settings().node == "file"
    assert load_settings().regions == ("a", "b")
    monkeypatch.setenv("INTERLOCK_NODE", "env")
    assert load_settings().node == "env"
    assert load_settings(node="argument").node == "argument"


def test_the_file_may_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other.toml").write_text('node = "other"\n')
    monkeypatch.setenv("INTERLOCK_CONFIG", str(tmp_path / "other.toml"))
    assert load_settings().node == "other"


@pytest.mark.parametrize(
    ("sentence", "name", "value", "message"),
    [
        ("a TTL smaller than three renewals", "TTL_MS", "5000", "three times renew_ms"),
        ("a delta larger than the TTL", "DELTA_MS", "20000", "smaller than ttl_ms"),
        ("a port that is none", "API_PORT", "70000", "api_port"),
        ("a Redis that is none", "REDIS_URL", "http://x", "redis_url.*must start with redis://"),
        ("a Redis at a port that is none", "REDIS_URL", "redis://:secret@x:y", "redis_url.*its port"),
        ("a broker that no transport is for", "BROKER_URL", "garbage://x", "broker_url.*must start with .* amqps://"),
        ("an API without a scheme", "API_URL", "localhost:8420", "api_url: must start with http:// or https://"),
        ("an API at a port that is none", "API_URL", "http://x:y", "api_url: its port"),
        ("an API without a host", "API_URL", "http://:8420", "api_url: names no host"),
        ("an API with half an address", "API_URL", "http://[::1", "api_url: .*IPv6"),
        ("no region", "REGIONS", ",", "regions"),
        ("a node with spaces", "NODE", "a b", "node"),
        ("a file that is not there", "CONFIG", "/nowhere.toml", "not a file"),
    ],
)
def test_a_wrong_option_is_named(
    sentence: str, name: str, value: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"INTERLOCK_{name}", value)
    with pytest.raises(ConfigurationError, match=message):
        load_settings()


def test_only_what_is_wrong_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERLOCK_REDIS_URL", "http://:secret@x")
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    assert str(caught.value) == (
        "settings: redis_url: must start with redis://, rediss://, unix://, redis+sentinel://, rediss+sentinel://, "
        "redis+cluster:// or rediss+cluster://"
    )


@pytest.mark.parametrize("text", ["ttl = 1\n", "not toml"])
def test_a_file_with_a_mistake_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "interlock.toml").write_text(text)
    with pytest.raises(ConfigurationError, match="settings: "):
        load_settings()


def test_they_are_frozen() -> None:
    with pytest.raises(Exception, match="frozen"):
        load_settings().node = "x"  # type: ignore[misc]


def test_home_is_private(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path / "a" / "b")
    settings.prepare()
    settings.prepare()
    assert stat.S_IMODE(settings.home.stat().st_mode) == 0o700


def test_a_home_of_ours_that_was_open_is_closed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(0o755)
    load_settings(home=home).prepare()
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o1777, 0o777, 0o1755])
def test_a_shared_directory_is_refused_and_left_as_it_is(tmp_path: Path, mode: int) -> None:
    shared = tmp_path / "tmp"
    shared.mkdir()
    shared.chmod(mode)
    with pytest.raises(ConfigurationError, match="is shared") as caught:
        load_settings(home=shared).prepare()
    assert stat.S_IMODE(shared.stat().st_mode) == mode
    assert f"{shared}/interlock" in caught.value.hint


def test_a_directory_of_somebody_else_is_refused_and_left_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o755)
    owner = tmp_path.stat().st_uid
    monkeypatch.setattr("shared.settings.os.geteuid", lambda: owner + 1)
    with pytest.raises(ConfigurationError, match="another user"):
        load_settings(home=tmp_path).prepare()
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def test_a_home_that_cannot_be_is_said_clearly(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="cannot be created"):
        load_settings(home=tmp_path / "file" / "home").prepare()


class TestToken:
    def test_it_comes_from_the_environment_first(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("INTERLOCK_TOKEN", "secret")
        settings = load_settings()
        assert settings.read_token("worker") == "secret"
        assert "secret" not in repr(settings)

    def test_else_from_the_file_of_the_role(self, tmp_path: Path) -> None:
        settings = load_settings(home=tmp_path)
        settings.token_path("proxy").parent.mkdir()
        settings.token_path("proxy").write_text("secret\n")
        assert settings.read_token("proxy") == "secret"

    def test_without_either_it_says_what_to_do(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match="INTERLOCK_TOKEN is not set") as caught:
            load_settings(home=tmp_path).read_token("worker")
        assert "set INTERLOCK_TOKEN" in caught.value.hint

    @pytest.mark.parametrize("token", ["t\u00f6ken", "two words", "line\nbreak"])
    def test_what_no_header_can_carry_is_no_token(self, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("INTERLOCK_TOKEN", token)
        with pytest.raises(ConfigurationError, match="INTERLOCK_TOKEN holds characters") as caught:
            load_settings().read_token("worker")
        assert token not in str(caught.value)

    def test_an_empty_file_is_no_token(self, tmp_path: Path) -> None:
        settings = load_settings(home=tmp_path)
        settings.token_path("worker").parent.mkdir()
        settings.token_path("worker").write_text("\n")
        with pytest.raises(ConfigurationError, match="is empty"):
            settings.read_token("worker")

    def test_an_unknown_role_is_a_bug(self) -> None:
        with pytest.raises(ValueError, match="no such role"):
            load_settings().token_path("../x")
