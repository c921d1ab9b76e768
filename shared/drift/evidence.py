"""What Terraform said while it looked: the stream of `terraform plan -json`. Pure.

The plan file of a plan that failed still holds every resource of the state, also those that Terraform never came to;
they look unchanged there. Only this stream tells which ones it has read.
https://developer.hashicorp.com/terraform/internals/machine-readable-ui
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

MAX_BYTES: Final = 256 * 1024**2
MAX_ERRORS: Final = 1000
_DETAIL: Final = 600


@dataclass(frozen=True, kw_only=True)
class Failure:
    """One error."""

    text: str
    """What Terraform says, in a line."""
    address: str | None = None
    """The resource instance that it is about, where Terraform names one."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What one plan was seen to do."""

    refreshed: Mapping[str, int] = field(default_factory=dict)
    """How many objects were read at each managed address: more than one where a replacement left some."""
    read: frozenset[str] = frozenset()
    """Data sources that were read."""
    failures: tuple[Failure, ...] = ()
    """Errors, in order."""


def evidence(stream: bytes) -> Evidence:
    """Read a stream; lines that are none of Terraform's (a provider's own output) are passed over.

    A stream that is cut proves less, never more.
    """
    refreshed: Counter[str] = Counter()
    read: set[str] = set()
    failures: list[Failure] = []
    for line in stream[:MAX_BYTES].split(b"\n"):
        if not line.startswith(b"{"):
            continue
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            continue
        match message:
            case {"type": "refresh_complete", "hook": {"resource": {"addr": str(address)}}}:
                refreshed[address] += 1
            case {"type": "apply_complete", "hook": {"resource": {"addr": str(address)}, "action": "read"}}:
                read.add(address)
            case {"type": "diagnostic", "diagnostic": {"severity": "error"}} if len(failures) < MAX_ERRORS:
                failures.append(_failure(message["diagnostic"]))
            case _:
                pass
    return Evidence(refreshed=dict(refreshed), read=frozenset(read), failures=tuple(failures))


def _failure(diagnostic: Mapping[str, Any]) -> Failure:
    summary, detail = (" ".join(str(diagnostic.get(name) or "").split()) for name in ("summary", "detail"))
    text = f"{summary[:_DETAIL]}: {detail[:_DETAIL]}" if detail else summary[:_DETAIL]
    address = diagnostic.get("address")
    return Failure(text=text or "an error without a message", address=address if isinstance(address, str) else None)
