"""What a request asks for: service, operation, its class, and the protocol its answers are written in.

Pure. The HTTP method says nothing: most IAM reads are POSTs. Read is only what a model knows and what the table of
``access`` calls a read; everything else is a write.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal
from urllib.parse import unquote_plus

from signing_proxy.access import OperationClass, class_of
from signing_proxy.catalog import ServiceModel

MAX_FORM_FIELDS = 5000
MAX_NAME = 128
UNKNOWN_OPERATION = "Unknown"


class Protocol(StrEnum):
    """How a service writes its answers, errors included."""

    QUERY = "query"
    EC2 = "ec2"
    JSON = "json"
    REST_JSON = "rest-json"
    REST_XML = "rest-xml"
    CBOR = "smithy-rpc-v2-cbor"


@dataclass(frozen=True, kw_only=True)
class Operation:
    """A classified request."""

    service: str
    """The signing name, as in the credential scope: s3, iam, monitoring …"""
    operation: str
    """The operation's name in the API reference; Unknown where no model has it."""
    protocol: Protocol
    """How an answer has to be written."""
    kind: OperationClass = OperationClass.UNKNOWN
    """Its class."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Values in the path: Bucket, Key, Id …"""

    @property
    def access(self) -> Literal["read", "write"]:
        """write for everything that may change something, and for everything unknown."""
        return "read" if self.kind.reads else "write"


_TARGET = re.compile(r"[\w.-]{1,128}\.(\w{1,128})", re.ASCII)
# Empty and dot segments, and encoded characters that need no encoding (RFC 3986 section 2.3): no client writes them.
_REWRITABLE = re.compile(r"//|/\.\.?(/|$)|(?i:%(2[de]|3[0-9]|[46][1-9a-f]|[57][0-9a]|5f|7e))")
# Answers that hold usable credentials: they must never reach a sandbox.
_SECRET_ANSWERS = re.compile(
    r"Assume\w+|Get(Cluster|Role|Temporary|Federated)?\w*Credentials\w*|GetTemporary\w+"
    r"|Get(Session|Federation|Authorization|DelegatedAccess|WebIdentity|IdentityCenterAuth)Token"
    r"|CreateAccessKey|(Create|Reset)ServiceSpecificCredential|CreateSession|CreateLoginProfile|GetDataAccess"
    r"|GenerateDbAuthToken\w*"
)
_HARMLESS_STS = frozenset({"GetCallerIdentity", "GetAccessKeyInfo", "DecodeAuthorizationMessage"})
# The same, under names that are harmless elsewhere.
_FURTHER_SECRET_ANSWERS = frozenset(
    {
        ("cloudwatch", "GetSpaceDataAccess"),
        ("codepipeline", "GetJobDetails"),
        ("codepipeline", "GetThirdPartyJobDetails"),
        ("codepipeline", "PollForJobs"),
        ("datazone", "GetConnection"),
        ("gamelift", "CreateBuild"),
        ("gamelift", "GetComputeAccess"),
        ("gamelift", "RequestUploadCredentials"),
        ("lightsail", "CreateBucketAccessKey"),
        ("lightsail", "GetBucketAccessKeys"),
        ("signin", "CreateOAuth2Token"),
        ("ssm", "GetAccessToken"),
    }
)
_SECRET_SERVICES = frozenset(service for service, _ in _FURTHER_SECRET_ANSWERS) | frozenset(
    [
        "account-access",
        "connect",
        "deadline",
        "eks-auth",
        "elasticmapreduce",
        "emr-containers",
        "iam",
        "ecr",
        "ecr-public",
        "codeartifact",
        "cognito-identity",
        "redshift",
        "redshift-serverless",
        "awsssoportal",
        "sso",
        "lakeformation",
        "s3",
        "s3express",
        "rolesanywhere",
        "iot",
        "dsql",
    ]
)


def classify(
    *,
    service: str,
    models: tuple[ServiceModel, ...],
    method: str,
    host: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    body: bytes,
) -> Operation:
    """Name the operation of a request. ``headers`` are by lower-case name; ``models`` are those of the signing name.

    A request that names two operations (a target header and an Action, say) could be read one way here and another
    way by the service: it is Unknown, hence a write. The same goes for a path that a service may rewrite before it
    looks at it; in S3 such a path is just the name of an object.
    """
    found: list[Operation] = []
    if len(models) > 1:
        # Services can share a signing name: then the host says which of them reads the request.
        models = tuple(model for model in models if model.serves(host)) or models
    if not _REWRITABLE.search(path) or (service == "s3" and "s3-control" not in host):
        found += _by_name(service, models, path, query, headers, body)
        found += _by_route(service, models, method, host, path, query, headers, body)
    if len({operation.operation for operation in found}) == 1:
        return found[0]
    protocol = found[0].protocol if found else (Protocol(models[0].protocol) if models else _guess(headers))
    return Operation(service=service, operation=UNKNOWN_OPERATION, protocol=protocol)


def _by_name(
    service: str,
    models: tuple[ServiceModel, ...],
    path: str,
    query: str,
    headers: Mapping[str, str],
    body: bytes,
) -> list[Operation]:
    """The operations that the request names, by target header, Action, or RPC path."""
    if models and all(model.protocol.startswith("rest-") for model in models):
        return []  # such a service looks at method and path only, whatever else a client may write
    found: list[Operation] = []
    target = headers.get("x-amz-target")
    if target is not None:
        # Exactly one name: of two targets, in one header or in two, the service may take the other one.
        named = _TARGET.fullmatch(target)
        found.append(_named(service, models, named[1] if named else "", Protocol.JSON, body))
    cbor = re.fullmatch(r"/service/[\w.]+/operation/(\w{1,128})", path)
    if cbor is not None or "smithy-protocol" in headers:
        found.append(_named(service, models, cbor[1] if cbor else "", Protocol.CBOR, body))
    for action in _actions(query, headers, body):
        found.append(_named(service, models, action, Protocol.EC2 if service == "ec2" else Protocol.QUERY, body))
    return found


def _by_route(
    service: str,
    models: tuple[ServiceModel, ...],
    method: str,
    host: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    body: bytes,
) -> list[Operation]:
    """The operations that method and path mean to the REST services among the models."""
    if service == "s3" and "s3-control" not in host:
        path = s3_path(host, path)
    found: list[Operation] = []
    for model in models:
        if service == "s3" and (model.name == "s3control") != ("s3-control" in host):
            continue
        match = model.match(method, path, query, headers)
        if match is not None:
            operation, labels = match
            found.append(
                Operation(
                    service=service,
                    operation=operation,
                    protocol=Protocol(model.protocol),
                    kind=class_of(service, operation, body),
                    labels={name: value for name, value in labels.items() if value},
                )
            )
    return found


def holds_secrets(operation: Operation) -> bool:
    """Whether the answer of this operation would, or could, hand usable credentials to the caller."""
    if operation.service == "sts":
        return operation.operation not in _HARMLESS_STS
    if operation.service not in _SECRET_SERVICES:
        return False
    if operation.operation == UNKNOWN_OPERATION:
        return True  # two operations named, or none that we can read: the service might read CreateAccessKey
    if (operation.service, operation.operation) in _FURTHER_SECRET_ANSWERS:
        return True
    return _SECRET_ANSWERS.fullmatch(operation.operation) is not None


def s3_path(host: str, path: str) -> str:
    """The path-style path of an S3 request: a virtual-host bucket becomes the first segment."""
    match = re.fullmatch(r"(?P<bucket>.+?)\.s3[.-][a-z0-9.-]+", host)
    if match is None or host.startswith(("s3.", "s3-")):
        return path
    return f"/{match['bucket']}{path}"


def _named(service: str, models: tuple[ServiceModel, ...], name: str, protocol: Protocol, body: bytes) -> Operation:
    known = any(name in model.operations for model in models)
    shown = name if re.fullmatch(rf"\w{{1,{MAX_NAME}}}", name) else UNKNOWN_OPERATION
    kind = class_of(service, name, body) if known else OperationClass.UNKNOWN
    return Operation(service=service, operation=shown, protocol=protocol, kind=kind)


def _actions(query: str, headers: Mapping[str, str], body: bytes) -> list[str]:
    """Every Action that a Query-protocol request names, in the query or in a form; empty for one that can't be read.

    A body is a form unless its type says clearly that it is none: who knows what a service makes of other types. No
    client names the Action in the query and sends a body as well, which could be packed or in any character set.
    """
    found = _named_actions(query)
    kind = headers.get("content-type", "").lower()
    if found and body:
        found.append("")
    elif "form-urlencoded" in kind or not ("json" in kind or "cbor" in kind):
        found += _named_actions(body.decode("utf-8", "replace"))
    return found


def _named_actions(text: str) -> list[str]:
    fields = text.split("&", MAX_FORM_FIELDS)
    if len(fields) > MAX_FORM_FIELDS:
        raise ValueError(f"a form of more than {MAX_FORM_FIELDS} fields")
    found = []
    for text_field in fields:
        name, _, value = text_field.partition("=")
        # Decoding costs: a name of another length, without anything to decode, is none of ours.
        plain = len(name) != len("action") and "%" not in name and "+" not in name and name == name.strip()
        if not plain and value and unquote_plus(name).strip().lower() == "action":
            found.append(unquote_plus(value))
    return found


def _guess(headers: Mapping[str, str]) -> Protocol:
    kind = headers.get("content-type", "")
    if "cbor" in kind:
        return Protocol.CBOR
    return Protocol.JSON if "json" in kind else Protocol.QUERY
