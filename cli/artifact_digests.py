"""Looks up what an artifact's version names now, in an OCI registry, so that a release can pin it.

By the distribution specification (opencontainers/distribution-spec, "Pulling manifests"): HEAD of the tag's manifest
answers with its digest; a 401 says where an anonymous token is to be had.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final
from urllib.parse import urlsplit

import httpx

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
_CHALLENGE: Final = re.compile(r'(realm|service|scope)="([^"]*)"')
_HINT: Final = "correct `source` and `version`, or give the artifact's `digest`"


def look_up_all(document: Document[FlockFile]) -> dict[str, str]:
    """The digests of all artifacts that have a version and no digest, by the artifact's name.

    Raises ManyRefused with every artifact that cannot be pinned.
    """
    found: dict[str, str] = {}
    findings = []
    with httpx.Client(timeout=TIMEOUT_S) as http:
        for name, artifact in document.model.artifacts.items():
            if artifact.digest is not None:
                continue
            try:
                if artifact.version is None:
                    raise LookupError(f"artifact {name!r} has neither a digest nor a version")
                found[name] = look_up(http, artifact.source, artifact.version)
            except LookupError as error:
                part = "source" if artifact.version is None else "version"
                origin = document.origin("artifacts", name, part)
                findings.append(Finding(kind=Kind.UNRESOLVED, origin=origin, message=str(error), hint=_HINT))
    if findings:
        raise ManyRefused(findings)
    return found


def look_up(http: httpx.Client, source: str, version: str) -> str:
    """The digest that a tag names now.

    Args:
        http: sends the requests.
        source: `registry.example.com/team/shop`; a registry on this machine is asked without TLS.
        version: the tag.

    Raises LookupError that says why there is none.
    """
    place = _SOURCE.fullmatch(source)
    if place is None or ("." not in place["host"] and ":" not in place["host"] and place["host"] != "localhost"):
        raise LookupError(f"{source!r} is no repository in a registry (registry.example.com/name)")
    if _TAG.fullmatch(version) is None:
        raise LookupError(f"{version!r} is no tag")
    here = place["host"].partition(":")[0] in ("localhost", "127.0.0.1")
    url = f"{'http' if here else 'https'}://{place['host']}/v2/{place['name']}/manifests/{version}"
    headers = {"Accept": _ACCEPT}
    try:
        answer = http.head(url, headers=headers)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            headers["Authorization"] = f"Bearer {_token(http, answer, here=here)}"
            answer = http.head(url, headers=headers)
        if not answer.is_success:
            raise LookupError(f"{source}:{version}: the registry answered {answer.status_code}")
        digest = str(answer.headers.get("Docker-Content-Digest", ""))
        if not _DIGEST.fullmatch(digest):
            digest = _digest_of_content(http, url, headers)
    except httpx.HTTPError as error:
        why = str(error) or type(error).__name__
        raise LookupError(f"{source}:{version}: the registry did not answer: {why}") from error
    return digest


def _token(http: httpx.Client, answer: httpx.Response, *, here: bool) -> str:
    """An anonymous token, from where the registry says."""
    challenge = dict(_CHALLENGE.findall(answer.headers.get("WWW-Authenticate", "")))
    realm = challenge.pop("realm", "")
    if urlsplit(realm).scheme != "https" and not here:
        raise LookupError(f"{answer.url.host} asks for credentials of a kind that is not supported")
    given = http.get(realm, params=challenge)
    try:
        body = given.json()
        return str(body.get("token") or body["access_token"])
    except (ValueError, KeyError, AttributeError) as error:
        raise LookupError(f"{answer.url.host} gives no anonymous token for it; is it private?") from error


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
