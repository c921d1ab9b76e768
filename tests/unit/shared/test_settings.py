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

    def test_an_empty_file_is_no_token(self, tmp_path: Path) -> None:
        settings = load_settings(home=tmp_path)
        settings.token_path("worker").parent.mkdir()
        settings.token_path("worker").write_text("\n")
        with pytest.raises(ConfigurationError, match="is empty"):
            settings.read_token("worker")

    def test_an_unknown_role_is_a_bug(self) -> None:
        with pytest.raises(ValueError, match="no such role"):
            load_settings().token_path("../x")
