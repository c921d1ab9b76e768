"""What a request to the demo's cloud asks for, read from its head and body. Pure.

Written apart from the proxy's own classification on purpose: the judge must not share the accused's
eyes. It is cruder and errs to one side only: what it does not know is mutating.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

# Verbs that only read, in every service of the demo. Everything else changes something.
_READING = re.compile(r"^(Get|List|Describe|Head|BatchGet|Query|Scan|Search|Lookup|Select|Simulate)(?![a-z])")
# `Get…` by name, and yet they hand out something new.
_NOT_READING = frozenset({"GetSessionToken", "GetFederationToken", "GetAuthorizationToken"})
_INTERLOCK = re.compile(
    r"\binterlock/1 \(target (?P<target>[a-z0-9.-]+); epoch (?P<epoch>\d+); run (?P<run>run-[0-9a-f]{16})\)"
)
_CBOR_PATH = re.compile(r"^/service/[^/]+/operation/(?P<operation>[A-Za-z]+)$")


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who signed a request, as the signer wrote it into the user agent."""

    target: str
    """The target id."""
    epoch: int
    """The lease's epoch."""
    run: str
    """The run id."""


def caller_of(user_agent: str) -> Caller | None:
    """The caller named in a user agent, or None if it names none (or several: then nobody is believed)."""
    found = list(_INTERLOCK.finditer(user_agent))
    if len(found) != 1:
        return None
    match = found[0]
    return Caller(target=match["target"], epoch=int(match["epoch"]), run=match["run"])


def operation_of(method: str, raw_uri: str, headers: Mapping[str, str], body: bytes) -> str:
    """The operation's name. `headers` has lower-case names.

    Query services name it in `Action`, JSON services in X-Amz-Target, CBOR ones in the path. What is
    left here is S3, whose method and sub-resource give a name such as `PUT ?versioning`.
    """
    if target := headers.get("x-amz-target"):
        return target.rpartition(".")[2]
    parts = urlsplit(raw_uri)
    if match := _CBOR_PATH.match(parts.path):
        return match["operation"]
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        pairs += parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
    for name, value in pairs:
        if name == "Action":
            return value
    sub_resource = next((name for name, value in pairs if not value), "")
    return f"{method} ?{sub_resource}" if sub_resource else method


def is_mutating(operation: str) -> bool:
    """Whether an operation may change the cloud; unknown ones do."""
    if operation in _NOT_READING:
        return True
    if operation.split(" ")[0] in {"GET", "HEAD"}:
        return False
    return _READING.match(operation) is None
