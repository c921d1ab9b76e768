"""Builds calls to the cloud in the protocols that its services speak. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

#: Services whose host is not called like their signatures.
_HOSTS: Final = {"ecr": "api.ecr", "ses": "email"}
#: Services that speak another version of JSON than 1.1 (`jsonVersion` in botocore's models).
_JSON: Final = {"sqs": "1.0", "states": "1.0", "dynamodb": "1.0"}


@dataclass(frozen=True, kw_only=True)
class Call:
    """One signed call; the names are those of `signed_call.sign`."""

    service: str
    region: str
    host: str
    method: str = "POST"
    path: str = "/"
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)
    body: str = ""


class CallBuilder:
    """Calls in one region."""

    def __init__(self, region: str) -> None:
        """Bind the region.

        Args:
            region: the cloud's.
        """
        self._region = region
        self._suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"

    def query(self, service: str, action: str, version: str, parameters: Mapping[str, str]) -> Call:
        """A call of the query protocol."""
        name = _HOSTS.get(service, service)
        host = f"{name}.{self._suffix}" if service == "iam" else f"{name}.{self._region}.{self._suffix}"
        return Call(
            service=service,
            region="us-east-1" if service == "iam" else self._region,
            host=host,
            headers={"content-type": "application/x-www-form-urlencoded; charset=utf-8"},
            body=urlencode({"Action": action, "Version": version, **parameters}),
        )

    def json(self, service: str, target: str, body: Mapping[str, Any]) -> Call:
        """A call of a service that speaks JSON; `target` names the operation."""
        return Call(
            service=service,
            region=self._region,
            host=f"{_HOSTS.get(service, service)}.{self._region}.{self._suffix}",
            headers={"content-type": f"application/x-amz-json-{_JSON.get(service, '1.1')}", "x-amz-target": target},
            body=json.dumps(body),
        )

    def rest(self, service: str, path: str, query: str, *, region: str = "us-east-1", method: str = "GET") -> Call:
        """A read whose path says what is asked for; path and query as they are signed."""
        host = f"{service}.{self._suffix}" if service == "route53" else f"{service}.{region}.{self._suffix}"
        # S3 wants the body's hash as a header, too.
        headers = {"x-amz-content-sha256": hashlib.sha256(b"").hexdigest()} if service == "s3" else {}
        return Call(service=service, region=region, host=host, method=method, path=path, query=query, headers=headers)
