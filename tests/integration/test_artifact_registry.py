"""Artifacts looked up in a registry that speaks the distribution API over real HTTP."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.artifact_digests import look_up
from cli.registry_credentials import read_docker_config
from tests.registry import PASSWORD, REFRESH, USER, Registry


@pytest.fixture
def registry() -> Iterator[Registry]:
    with Registry() as made:
        yield made


def pinned(registry: Registry, folder: Path, name: str, tag: str = "4.2", auths: Any = None) -> str:
    """What a tag names, for an operator with this Docker configuration."""
    (folder / "config.json").write_text(json.dumps({"auths": auths or {}}))
    config = read_docker_config({"DOCKER_CONFIG": str(folder)})
    with httpx.Client() as http:
        return look_up(http, f"{registry.host}/{name}", tag, config)


def login(registry: Registry, **entry: str) -> dict[str, Any]:
    packed = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    return {registry.host: entry or {"auth": packed}}


def test_a_tag_is_pinned_and_names_something_else_once_it_was_moved(registry: Registry, tmp_path: Path) -> None:
    first = registry.push("team/shop", "4.2", "first")
    assert pinned(registry, tmp_path, "team/shop") == first
    second = registry.push("team/shop", "4.2", "second")
    assert pinned(registry, tmp_path, "team/shop") == second != first
    assert registry.seen == [("HEAD", "/v2/team/shop/manifests/4.2", "")] * 2


def test_an_anonymous_token_is_enough_where_the_registry_says_so(registry: Registry, tmp_path: Path) -> None:
    digest = registry.push("public", "4.2")
    registry.asks["public"] = "token"
    assert pinned(registry, tmp_path, "public") == digest
    assert [(method, path, kind) for method, path, kind in registry.seen] == [
        ("HEAD", "/v2/public/manifests/4.2", ""),
        ("GET", "/token", ""),
        ("HEAD", "/v2/public/manifests/4.2", "Bearer"),
    ]


@pytest.mark.parametrize("asks", ["login", "basic"])
def test_the_operators_login_opens_a_private_repository(registry: Registry, tmp_path: Path, asks: str) -> None:
    digest = registry.push("private", "4.2")
    registry.asks["private"] = asks
    assert pinned(registry, tmp_path, "private", auths=login(registry)) == digest
    with pytest.raises(LookupError, match=f"`docker login {registry.host}`"):
        pinned(registry, tmp_path, "private")
    wrong = {registry.host: {"username": USER, "password": "wrong"}}
    with pytest.raises(LookupError, match="docker login") as refused:
        pinned(registry, tmp_path, "private", auths=wrong)
    assert "wrong" not in str(refused.value)


def test_an_identity_token_is_exchanged(registry: Registry, tmp_path: Path) -> None:
    digest = registry.push("private", "4.2")
    registry.asks["private"] = "login"
    auths = login(registry, identitytoken=REFRESH)
    assert pinned(registry, tmp_path, "private", auths=auths) == digest
    assert ("POST", "/token", "") in registry.seen


def test_credentials_of_one_registry_are_not_sent_to_another(registry: Registry, tmp_path: Path) -> None:
    registry.push("private", "4.2")
    registry.asks["private"] = "basic"
    with pytest.raises(LookupError):
        pinned(registry, tmp_path, "private", auths={"other.example.com": {"username": USER, "password": PASSWORD}})
    assert {kind for _, _, kind in registry.seen} == {""}


def test_a_tag_or_a_registry_that_is_not_there_is_an_error(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="answered 404"):
        pinned(registry, tmp_path, "team/shop", "9.9")
    with Registry() as gone:
        pass
    with pytest.raises(LookupError, match="did not answer"):
        pinned(gone, tmp_path, "team/shop")
