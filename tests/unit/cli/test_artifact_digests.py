"""From a tag to a digest, against a registry in this process."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from cli import artifact_digests
from cli.artifact_digests import look_up, look_up_all
from cli.registry_credentials import DockerConfig
from scheduler.configuration.fleet import load_flock
from scheduler.configuration.report import ManyRefused
from tests.unit.scheduler.configuration.fleets import FILES, write

DIGEST = "sha256:" + "d" * 64
MANIFEST = b'{"schemaVersion": 2}'
NONE = DockerConfig(path=Path("/nowhere/config.json"), entries={}, helpers=frozenset())


class Registry:
    """Answers as registries do; what a tag names can be moved."""

    def __init__(self, *, token: bool = False, header: bool = True) -> None:
        self.tags = {"4.2": DIGEST}
        self.token = token
        self.header = header
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(f"{request.method} {request.url}")
        if request.url.path == "/token":
            assert dict(request.url.params) == {"service": "r", "scope": "repository:team/shop:pull"}
            return httpx.Response(200, json={"token": "anonymous"})
        if self.token and request.headers.get("Authorization") != "Bearer anonymous":
            challenge = 'Bearer realm="https://auth.example.com/token",service="r",scope="repository:team/shop:pull"'
            return httpx.Response(401, headers={"WWW-Authenticate": challenge})
        tag = request.url.path.rpartition("/")[2]
        if request.url.path != f"/v2/team/shop/manifests/{tag}" or tag not in self.tags:
            return httpx.Response(404)
        assert "application/vnd.oci.image.index.v1+json" in request.headers["Accept"]
        headers = {"Docker-Content-Digest": self.tags[tag]} if self.header else {}
        return httpx.Response(200, headers=headers, content=b"" if request.method == "HEAD" else MANIFEST)


def asked(registry: Callable[[httpx.Request], httpx.Response], source: str, version: str = "4.2") -> str:
    with httpx.Client(transport=httpx.MockTransport(registry)) as http:
        return look_up(http, source, version, NONE)


@pytest.mark.parametrize("source", ["r.example.com/team/shop", "oci://r.example.com/team/shop"])
def test_a_tag_is_what_the_registry_says_it_names(source: str) -> None:
    registry = Registry()
    assert asked(registry, source) == DIGEST
    assert registry.asked == ["HEAD https://r.example.com/v2/team/shop/manifests/4.2"]


def test_a_registry_on_this_machine_is_asked_without_tls() -> None:
    registry = Registry()
    assert asked(registry, "localhost:5000/team/shop") == DIGEST
    assert registry.asked[0].startswith("HEAD http://localhost:5000/")


def test_an_anonymous_token_is_fetched_where_the_registry_says() -> None:
    assert asked(Registry(token=True), "r.example.com/team/shop") == DIGEST


def test_a_registry_that_names_no_digest_is_asked_for_the_content() -> None:
    assert asked(Registry(header=False), "r.example.com/team/shop") == f"sha256:{hashlib.sha256(MANIFEST).hexdigest()}"


def away(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("no route")


def private(request: httpx.Request) -> httpx.Response:
    return httpx.Response(401, headers={"WWW-Authenticate": 'Basic realm="r"'})


def odd(request: httpx.Request) -> httpx.Response:
    return httpx.Response(401, headers={"WWW-Authenticate": 'Bearer realm="http://auth.example.com/token"'})


def nowhere(request: httpx.Request) -> httpx.Response:
    return httpx.Response(401, headers={"WWW-Authenticate": 'Bearer realm="https://[auth/token"'})


@pytest.mark.parametrize(
    ("registry", "source", "version", "why"),
    [
        (Registry(), "r.example.com/team/shop", "9.9", "answered 404"),
        (Registry(), "r.example.com/team/shop", "4.2/../..", "is no tag"),
        (Registry(), "team/shop", "4.2", "is no repository in a registry"),
        (Registry(), "https://r.example.com/team/shop", "4.2", "is no repository in a registry"),
        (Registry(), "r.example.com/../x", "4.2", "is no repository in a registry"),
        (away, "r.example.com/team/shop", "4.2", "did not answer: no route"),
        (private, "r.example.com/team/shop", "4.2", "asks for user and password: `docker login r.example.com`"),
        (odd, "r.example.com/team/shop", "4.2", "credentials of a kind"),
        (nowhere, "r.example.com/team/shop", "4.2", "did not answer: Invalid IPv6 URL"),
    ],
)
def test_what_cannot_be_looked_up_is_an_error_that_says_why(
    registry: Callable[[httpx.Request], httpx.Response], source: str, version: str, why: str
) -> None:
    with pytest.raises(LookupError, match=why):
        asked(registry, source, version)


def test_only_artifacts_without_a_digest_are_looked_up_and_all_that_fail_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifact_digests, "look_up", lambda http, source, version, config: f"{source}@{version}")
    flock = FILES["flock.yaml"]
    assert isinstance(flock, str)
    more = flock.replace("artifacts:\n", "artifacts:\n  chart: {source: r.example.com/chart, version: '1'}\n")
    document = load_flock(write(tmp_path, {**FILES, "flock.yaml": more})).document
    assert look_up_all(document) == {"chart": "r.example.com/chart@1"}
    bare = more.replace(", version: '1'", "").replace("artifacts:\n", "artifacts:\n  other: {source: x}\n")
    document = load_flock(write(tmp_path, {**FILES, "flock.yaml": bare})).document
    with pytest.raises(ManyRefused) as refused:
        look_up_all(document)
    assert [one.message for one in refused.value.findings] == [
        f"artifact '{name}' has neither a digest nor a version" for name in ("other", "chart")
    ]
    assert refused.value.findings[0].origin.line == 5
