"""One change behind Terraform's back, and what the parts of the table have in common."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Values = Mapping[str, Any]
#: The values in the state of the resource at an address.
Of = Callable[[str], Values]
#: The parameters of a call, from the resource's values and a look at those of others.
Parameters = Callable[[Values, Of], dict[str, Any]]

GONE = "gone"
"""Instead of paths: the resource is no longer there."""
INJECTED = {"injected": "yes"}


@dataclass(frozen=True, kw_only=True)
class Injection:
    """One change."""

    address: str
    """Of the resource that is changed."""
    paths: tuple[str, ...]
    """Attributes that differ then; GONE alone: it is deleted."""
    service: str
    """boto3's name."""
    method: str
    """Of boto3's client."""
    parameters: Parameters
    """Of the call."""


def one(address: str, paths: str, call: str, parameters: Parameters | dict[str, Any]) -> Injection:
    """A row: `paths` in one string, `call` as service.method."""
    service, _, method = call.partition(".")
    made: Parameters = parameters if callable(parameters) else lambda values, of: parameters
    return Injection(address=address, paths=tuple(paths.split()), service=service, method=method, parameters=made)


def policy(sid: str, **more: Any) -> str:
    """A document that denies everything, but for what is said otherwise; None leaves a member out."""
    statement = {"Sid": sid, "Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*", **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [{k: v for k, v in statement.items() if v is not None}]})
