"""What an operator's Docker configuration says about registries: `auths` of `config.json`.

The format is Docker's (docs.docker.com, "docker login": `auth` is base64 of user:password; `identitytoken` an OAuth2
refresh token). Keys are host names, with or without scheme and path; Podman's `host/name` keys count as well, the
longest that fits first. Credential helpers are programs, which are not run: what they keep has to be given in `auths`.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from shared.errors import ConfigurationError

MAX_CONFIG_BYTES: Final = 1024**2
#: All of them mean Docker Hub, whose entry has the first one's name.
HUB: Final = ("index.docker.io", "docker.io", "registry-1.docker.io")


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """How to sign in to a registry."""

    username: str
    """User; empty with an identity token alone."""
    password: str
    """Its password, or a token that stands for one; never shown."""
    identity_token: str
    """An OAuth2 refresh token; empty: there is none."""

    def __repr__(self) -> str:
        """Without the secrets."""
        return f"Credentials(username={self.username!r})"


@dataclass(frozen=True, kw_only=True)
class DockerConfig:
    """A config.json, or none."""

    path: Path
    """Where it is, or would be."""
    entries: Mapping[str, Credentials]
    """Credentials by `host` or `host/name`."""
    helpers: frozenset[str]
    """Hosts whose credentials a helper keeps; `*`: those of all others."""

    def find(self, host: str, name: str) -> Credentials | None:
        """The credentials for a repository, the most specific first; None: ask without."""
        hosts = HUB if host in HUB else (host,)
        steps = name.split("/")
        for one in hosts:
            for length in range(len(steps), -1, -1):
                if (found := self.entries.get("/".join((one, *steps[:length])))) is not None:
                    return found
        return None

    def hint(self, host: str) -> str:
        """What to do where a registry wants credentials that are not here."""
        if host in self.helpers or "*" in self.helpers:
            return f"{self.path} leaves them to a credential helper, which is not run: add them to its `auths`"
        return f"`docker login {host}`, or an entry below `auths` in {self.path}"


def read_docker_config(environment: Mapping[str, str] = os.environ) -> DockerConfig:
    """Read `$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`; a file that is not there is an empty one.

    Raises ConfigurationError for one that cannot be read as what it should be. Its contents are never shown.
    """
    folder = environment.get("DOCKER_CONFIG") or Path(environment.get("HOME") or "/") / ".docker"
    path = Path(folder) / "config.json"
    try:
        with path.open("rb") as file:
            content = file.read(MAX_CONFIG_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return DockerConfig(path=path, entries={}, helpers=frozenset())
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}", hint=_HINT) from error
    if len(content) > MAX_CONFIG_BYTES:
        raise ConfigurationError(f"{path} is larger than {MAX_CONFIG_BYTES} bytes", hint=_HINT)
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        raise ConfigurationError(f"{path} is not JSON", hint=_HINT) from None
    auths, helpers = _objects(document, "auths", path), _objects(document, "credHelpers", path)
    entries = {}
    for key, entry in auths.items():
        if (credentials := _credentials(entry, key, path)) is not None:
            entries[_plain(key)] = credentials
    names = {_plain(host) for host in helpers}
    if document.get("credsStore"):
        names.add("*")
    return DockerConfig(path=path, entries=entries, helpers=frozenset(names))


_HINT: Final = "correct it, or name another folder in DOCKER_CONFIG"


def _objects(document: Any, name: str, path: Path) -> dict[str, Any]:
    value = document.get(name, {}) if isinstance(document, dict) else None
    if not isinstance(value, dict):
        raise ConfigurationError(f"{path}: {name} is not an object", hint=_HINT)
    return value


def _credentials(entry: Any, key: str, path: Path) -> Credentials | None:
    """None for an empty entry: that is how Docker notes that a helper has them."""
    if not isinstance(entry, dict) or not all(isinstance(value, str) for value in entry.values()):
        raise ConfigurationError(f"{path}: the entry of {key!r} is not an object of strings", hint=_HINT)
    username, password = entry.get("username", ""), entry.get("password", "")
    if packed := entry.get("auth"):
        try:
            username, colon, password = base64.b64decode(packed, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise ConfigurationError(f"{path}: `auth` of {key!r} is not base64 of text", hint=_HINT) from None
        if not colon:
            raise ConfigurationError(f"{path}: `auth` of {key!r} is not user:password", hint=_HINT)
    token = entry.get("identitytoken", "")
    if not (token or (username and password)):
        return None
    return Credentials(username=username, password=password.rstrip("\0"), identity_token=token)


def _plain(key: str) -> str:
    """`https://index.docker.io/v1/` -> `index.docker.io`; `r.example.com/team/` -> `r.example.com/team`."""
    without = key.partition("://")[2] if "://" in key else key
    without = without.rstrip("/")
    host, _, name = without.partition("/")
    return host if name in ("", "v1", "v2") else without
