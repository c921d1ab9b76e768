"""An operator's Docker configuration."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from cli.registry_credentials import MAX_CONFIG_BYTES, Credentials, DockerConfig, read_docker_config
from shared.errors import ConfigurationError

HOST = "r.example.com"


def packed(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def read(tmp_path: Path, document: Any) -> DockerConfig:
    content = document if isinstance(document, str) else json.dumps(document)
    (tmp_path / "config.json").write_text(content)
    return read_docker_config({"DOCKER_CONFIG": str(tmp_path)})


@pytest.mark.parametrize("key", [HOST, f"https://{HOST}", f"https://{HOST}/v2/", f"{HOST}/"])
def test_user_and_password_are_found_however_the_key_is_written(tmp_path: Path, key: str) -> None:
    found = read(tmp_path, {"auths": {key: {"auth": packed("anna:pass:word")}}}).find(HOST, "team/shop")
    assert found is not None
    assert (found.username, found.password) == ("anna", "pass:word")


def test_both_may_be_written_out(tmp_path: Path) -> None:
    found = read(tmp_path, {"auths": {HOST: {"username": "anna", "password": "word"}}}).find(HOST, "shop")
    assert found == Credentials(username="anna", password="word", identity_token="")


@pytest.mark.parametrize("half", [{"username": "anna"}, {"password": "word"}, {"auth": packed("anna:")}])
def test_half_a_login_is_none(tmp_path: Path, half: dict[str, str]) -> None:
    assert read(tmp_path, {"auths": {HOST: half}}).find(HOST, "shop") is None


def test_an_identity_token_is_kept(tmp_path: Path) -> None:
    entry = {"auth": packed("00000000-0000-0000-0000-000000000000:"), "identitytoken": "refresh"}
    found = read(tmp_path, {"auths": {HOST: entry}}).find(HOST, "shop")
    assert found is not None
    assert found.identity_token == "refresh"


@pytest.mark.parametrize("host", ["docker.io", "index.docker.io", "registry-1.docker.io"])
def test_the_hub_has_one_entry_under_its_old_name(tmp_path: Path, host: str) -> None:
    config = read(tmp_path, {"auths": {"https://index.docker.io/v1/": {"auth": packed("anna:word")}}})
    assert config.find(host, "library/redis") is not None


def test_the_longest_key_that_fits_counts(tmp_path: Path) -> None:
    names = {HOST: "host", f"{HOST}/team": "team", f"{HOST}/team/shop": "shop", f"{HOST}/tea": "tea"}
    config = read(tmp_path, {"auths": {key: {"auth": packed(f"{name}:word")} for key, name in names.items()}})
    found = {name: config.find(HOST, name) for name in ("team/shop", "team/other", "teas/x")}
    assert {name: one.username for name, one in found.items() if one} == {
        "team/shop": "shop",
        "team/other": "team",
        "teas/x": "host",
    }
    assert config.find("other.example.com", "team/shop") is None


def test_another_port_is_another_registry(tmp_path: Path) -> None:
    assert read(tmp_path, {"auths": {f"{HOST}:5000": {"auth": packed("a:b")}}}).find(HOST, "shop") is None


def test_what_a_helper_keeps_is_said_to_be_there(tmp_path: Path) -> None:
    config = read(tmp_path, {"auths": {HOST: {}}, "credHelpers": {HOST: "ecr-login"}})
    assert config.find(HOST, "shop") is None
    assert "credential helper, which is not run" in config.hint(HOST)
    assert "docker login" in config.hint("other.example.com")
    assert "credential helper" in read(tmp_path, {"credsStore": "desktop"}).hint("other.example.com")


def test_no_file_is_an_empty_one(tmp_path: Path) -> None:
    config = read_docker_config({"HOME": str(tmp_path)})
    assert (config.path, dict(config.entries)) == (tmp_path / ".docker" / "config.json", {})


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ([], "auths is not an object"),
        ({"auths": []}, "auths is not an object"),
        ({"credHelpers": 1}, "credHelpers is not an object"),
        ({"auths": {HOST: "x"}}, "is not an object of strings"),
        ({"auths": {HOST: {"auth": "?"}}}, "is not base64 of text"),
        ({"auths": {HOST: {"auth": packed("secret-without-colon")}}}, "is not user:password"),
        (" " * (MAX_CONFIG_BYTES + 1), "is larger than"),
    ],
)
def test_what_cannot_be_read_is_an_error_that_shows_no_secret(tmp_path: Path, document: Any, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why) as refused:
        read(tmp_path, document)
    assert "secret-without-colon" not in f"{refused.value}{refused.value.hint}"


def test_credentials_do_not_show_their_secrets() -> None:
    assert repr(Credentials(username="anna", password="word", identity_token="t")) == "Credentials(username='anna')"
