"""Looks up what an artifact's version names now, in an OCI registry, so that a release can pin it.

By the distribution specification (opencontainers/distribution-spec, "Pulling manifests"): HEAD of the tag's manifest
answers with its digest; a 401 says where a token is to be had (distribution.github.io, "Token Authentication
Specification"), or asks for user and password. Credentials are those of the operator's Docker configuration
(`registry_credentials`); without any the token is an anonymous one.
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Final
from urllib.parse import urlsplit

import httpx

from cli.registry_credentials import HUB, Credentials, DockerConfig, read_docker_config
from scheduler.configuration.documents import Document
from scheduler.configuration.models import FlockFile
from scheduler.configuration.report import Finding, Kind, ManyRefused

TIMEOUT_S: Final = 20.0
MAX_MANIFEST_BYTES: Final = 4 * 1024**2
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", re.ASCII)
_SOURCE: Final = re.compile(
    r"(?:oci://|docker://)?(?P<host>[A-Za-z0-9.-]+(?::\d{1,5})?)/(?P<name>[a-z0-9]+(?:[._/-]+[a-z0-9]+)*)", re.ASCII
)
_ACCEPT: Final = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
_CHALLENGE: Final = re.compile(r'(realm|service|scope)="([^"]*)"', re.IGNORECASE)
#: Where Docker Hub's registry listens, whatever its images are called by.
_HUB_HOST: Final = "registry-1.docker.io"
_CLIENT_ID: Final = "interlock"
_HINT: Final = "correct `source` and `version`, or give the artifact's `digest`"


def look_up_all(document: Document[FlockFile], config: DockerConfig | None = None) -> dict[str, str]:
    """The digests of all artifacts that have a version and no digest, by the artifact's name.

    Args:
        document: the flock.
        config: credentials; None: the operator's own.

    Raises ManyRefused with every artifact that cannot be pinned, ConfigurationError for a Docker configuration that
    cannot be read.
    """
    found: dict[str, str] = {}
    findings = []
    wanted = [(name, one) for name, one in document.model.artifacts.items() if one.digest is None]
    if not wanted:
        return found
    config = config or read_docker_config()
    # The environment's own proxies and certificates hold as for any tool, its .netrc does not: only what is named here.
    with httpx.Client(timeout=TIMEOUT_S, auth=_NoAuth()) as http:
        for name, artifact in wanted:
            try:
                if artifact.version is None:
                    raise LookupError(f"artifact {name!r} has neither a digest nor a version")
                found[name] = look_up(http, artifact.source, artifact.version, config)
            except LookupError as error:
                part = "source" if artifact.version is None else "version"
                origin = document.origin("artifacts", name, part)
                findings.append(Finding(kind=Kind.UNRESOLVED, origin=origin, message=str(error), hint=_HINT))
    if findings:
        raise ManyRefused(findings)
    return found


def look_up(http: httpx.Client, source: str, version: str, config: DockerConfig) -> str:
    """The digest that a tag names now.

    Args:
        http: sends the requests.
        source: `registry.example.com/team/shop`; a registry on this machine is asked without TLS.
        version: the tag.
        config: credentials by registry.

    Raises LookupError that says why there is none.
    """
    place = _SOURCE.fullmatch(source)
    if place is None or ("." not in place["host"] and ":" not in place["host"] and place["host"] != "localhost"):
        raise LookupError(f"{source!r} is no repository in a registry (registry.example.com/name)")
    if _TAG.fullmatch(version) is None:
        raise LookupError(f"{version!r} is no tag")
    host, name = place["host"], place["name"]
    where = _HUB_HOST if host in HUB else host
    url = f"{'http' if _is_here(where) else 'https'}://{where}/v2/{name}/manifests/{version}"
    headers = {"Accept": _ACCEPT}
    try:
        answer = http.head(url, headers=headers)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            credentials = config.find(host, name)
            headers["Authorization"] = _authorization(http, answer, name, credentials, config.hint(host))
            answer = http.head(url, headers=headers)
        if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            raise LookupError(f"{source}:{version}: {host} does not let us read it: {config.hint(host)}")
        if not answer.is_success:
            raise LookupError(f"{source}:{version}: the registry answered {answer.status_code}")
        digest = str(answer.headers.get("Docker-Content-Digest", ""))
        if not _DIGEST.fullmatch(digest):
            digest = _digest_of_content(http, url, headers)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        # The last two: an address that is none, the registry's own or the one it sends us to.
        why = str(error) or type(error).__name__
        raise LookupError(f"{source}:{version}: the registry did not answer: {why}") from error
    return digest


class _NoAuth(httpx.Auth):
    """Adds nothing, also not what a .netrc has."""


def _is_here(host: str) -> bool:
    return host.rpartition("@")[2].partition(":")[0] in ("localhost", "127.0.0.1")


def _authorization(
    http: httpx.Client, answer: httpx.Response, name: str, credentials: Credentials | None, hint: str
) -> str:
    """What the registry's challenge asks for."""
    host, header = answer.url.host, answer.headers.get("WWW-Authenticate", "")
    scheme = header.partition(" ")[0].lower()
    if scheme == "basic" and credentials is not None and credentials.password:
        return _basic(credentials)
    if scheme == "basic":
        raise LookupError(f"{host} asks for user and password: {hint}")
    challenge = {key.lower(): value for key, value in _CHALLENGE.findall(header)}
    realm = urlsplit(challenge.get("realm", ""))
    # Only a registry on this machine may send us to an address without TLS, and only to one on this machine.
    plain = realm.scheme == "http" and _is_here(realm.netloc) and _is_here(answer.url.host)
    if scheme != "bearer" or not (plain or realm.scheme == "https"):
        raise LookupError(f"{host} asks for credentials of a kind that is not supported")
    query = {"scope": challenge.get("scope") or f"repository:{name}:pull"}
    if "service" in challenge:
        query["service"] = challenge["service"]
    if credentials is not None and credentials.identity_token:
        grant = {"grant_type": "refresh_token", "refresh_token": credentials.identity_token, "client_id": _CLIENT_ID}
        given = http.post(realm.geturl(), data={**query, **grant})
    else:
        basic = {"Authorization": _basic(credentials)} if credentials is not None else {}
        given = http.get(realm.geturl(), params=query, headers=basic)
    try:
        body = given.json()
        return f"Bearer {body.get('token') or body['access_token']}"
    except (ValueError, KeyError, AttributeError) as error:
        kind = "refuses our credentials" if credentials is not None else "gives no anonymous token"
        raise LookupError(f"{host} {kind} ({given.status_code}): {hint}") from error


def _basic(credentials: Credentials) -> str:
    packed = base64.b64encode(f"{credentials.username}:{credentials.password}".encode()).decode()
    return f"Basic {packed}"


def _digest_of_content(http: httpx.Client, url: str, headers: dict[str, str]) -> str:
    hashed, size = hashlib.sha256(), 0
    with http.stream("GET", url, headers=headers) as answer:
        if not answer.is_success:
            raise LookupError(f"{url}: the registry answered {answer.status_code}")
        for piece in answer.iter_bytes():
            size += len(piece)
            if size > MAX_MANIFEST_BYTES:
                raise LookupError(f"{url}: a manifest of more than {MAX_MANIFEST_BYTES // 1024**2} MiB")
            hashed.update(piece)
    return f"sha256:{hashed.hexdigest()}"
