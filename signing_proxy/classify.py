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


_TARGET = re.compile(r"([\w.-]{1,128})\.(\w{1,128})", re.ASCII)
_CBOR_PATH = re.compile(r"/service/([\w.]{1,128})/operation/(\w{1,128})", re.ASCII)
_QUEUE_PATH = re.compile(r"/\d{1,12}/[\w-]{1,80}(\.fifo)?", re.ASCII)
_SLASH = re.compile(r"%(?:2f|5c)", re.IGNORECASE)
_ARN = re.compile(r"arn(?::|%3a)", re.IGNORECASE)
# The last label of this kind is the endpoint's own; a bucket before it may be called in any way.
_S3_HOST = re.compile(r"((?P<before>.+)\.)?(?P<endpoint>s3(-[a-z0-9-]+)?)(\.[a-z0-9.-]*)?")
# No other character set: a name could be read in another way then.
_JSON_TYPE = re.compile(r"application/x-amz-json-1\.[01](; ?charset=utf-8)?")
_FORM_TYPE = re.compile(r"application/x-www-form-urlencoded(; ?charset=utf-8)?")
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
    models = _models_at(service, models, host)
    objects = service == "s3" and not _is_s3_control(host)
    clear = objects or not _REWRITABLE.search(path)
    if clear and not any(model.ambiguous(query) for model in models):
        found += _by_name(service, models, method, path, query, headers, body)
        found += _by_route(service, models, method, host, path, query, headers, body)
    if len({operation.operation for operation in found}) == 1:
        return found[0]
    protocol = found[0].protocol if found else (Protocol(models[0].protocol) if models else _guess(headers))
    return Operation(service=service, operation=UNKNOWN_OPERATION, protocol=protocol)


def _by_name(
    service: str,
    models: tuple[ServiceModel, ...],
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    body: bytes,
) -> list[Operation]:
    """One operation for each way in which the request names one: by target header, by RPC path, by Action.

    Unknown is what names it in a protocol that no model lists, or as no client of that protocol does: who knows what
    the service reads then.
    """
    rest_only = bool(models) and all(model.protocol.startswith("rest-") for model in models)
    usual = method == "POST" and "content-encoding" not in headers
    kind = headers.get("content-type", "").lower()
    found: list[Operation] = []
    if "x-amz-target" in headers:
        # Exactly one name: of two targets, in one header or in two, the service may take the other one.
        target = _TARGET.fullmatch(headers["x-amz-target"])
        fits = usual and path == "/" and _JSON_TYPE.fullmatch(kind) is not None
        prefix, name = (target[1], target[2]) if target is not None and fits else ("", "")
        found.append(_named(service, models, name, Protocol.JSON, body, prefix=prefix))
    rpc = _CBOR_PATH.fullmatch(path)
    if "smithy-protocol" in headers or (rpc is not None and not rest_only):
        fits = usual and headers.get("smithy-protocol") == "rpc-v2-cbor" and kind in ("", "application/cbor")
        prefix, name = (rpc[1], rpc[2]) if rpc is not None and fits else ("", "")
        found.append(_named(service, models, name, Protocol.CBOR, body, prefix=prefix))
    if not rest_only:  # to the others Action is a parameter like any other
        protocol = Protocol.EC2 if any(model.protocol == "ec2" for model in models) else Protocol.QUERY
        for action in _actions(service, method, path, query, headers, body):
            found.append(_named(service, models, action, protocol, body))
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
    """The operations that method and path mean to the REST services among the models.

    A service may decode encoded slashes before it looks at a path: Unknown is what would mean another operation then,
    and a read by another method than GET or HEAD with such a slash. Names have them, so other writes may too, and ARNs
    have them at each call.
    """
    getting, disguised, outside = method in ("GET", "HEAD"), None, False
    if service == "s3" and not _is_s3_control(host):
        path = s3_path(host, path)
    elif _SLASH.search(path):
        outside = any(_SLASH.search(step) and not _ARN.match(step) for step in path.split("/"))
        disguised = _SLASH.sub("/", path) if outside or not getting else None
    found: list[Operation] = []
    for model in models:
        match = model.match(method, path, query, headers)
        other = model.match(method, disguised, query, headers) if disguised is not None else None
        if other is not None and (match is None or match[0] != other[0]):
            found.append(Operation(service=service, operation=UNKNOWN_OPERATION, protocol=Protocol(model.protocol)))
        elif match is not None:
            operation, labels = match
            kind = class_of(service, operation, body)
            if outside and kind.reads and not getting:
                operation, kind = UNKNOWN_OPERATION, OperationClass.UNKNOWN
            found.append(
                Operation(
                    service=service,
                    operation=operation,
                    protocol=Protocol(model.protocol),
                    kind=kind,
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
    match = _S3_HOST.fullmatch(host)
    return path if match is None or match["before"] is None else f"/{match['before']}{path}"


def _is_s3_control(host: str) -> bool:
    match = _S3_HOST.fullmatch(host)
    return match is not None and match["endpoint"] in ("s3-control", "s3-control-fips")


def _models_at(service: str, models: tuple[ServiceModel, ...], host: str) -> tuple[ServiceModel, ...]:
    # Services can share a signing name: then the host says which of them reads the request.
    if len(models) < 2:
        return models
    if service == "s3":
        control = _is_s3_control(host)
        return tuple(model for model in models if (model.name == "s3control") is control)
    return tuple(model for model in models if model.serves(host)) or models


def _named(
    service: str,
    models: tuple[ServiceModel, ...],
    name: str,
    protocol: Protocol,
    body: bytes,
    *,
    prefix: str | None = None,
) -> Operation:
    # botocore sends a prefix with its Java package (three services have one), the SDK for Go the shape's name alone.
    speaking = [
        model
        for model in models
        if protocol in model.protocols and prefix in (None, model.target_prefix, model.target_prefix.rpartition(".")[2])
    ]
    shown, kind = UNKNOWN_OPERATION, OperationClass.UNKNOWN
    if speaking and re.fullmatch(rf"\w{{1,{MAX_NAME}}}", name):
        shown = name
        if any(name in model.operations for model in speaking):
            kind = class_of(service, name, body)
    elif models and not any(protocol in model.protocols for model in models):
        protocol = Protocol(models[0].protocol)
    return Operation(service=service, operation=shown, protocol=protocol, kind=kind)


def _actions(service: str, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> list[str]:
    """Every Action that a Query-protocol request names, in the query or in a form; empty for one that can't be read.

    A body is a form unless its type says clearly that it is none: who knows what a service makes of other types. A name
    counts in the query of a GET without a body, or in a plain form that is posted, without one in its query.
    """
    in_query, in_form = _named_actions(query), []
    kind = headers.get("content-type", "").lower()
    if "form-urlencoded" in kind or not ("json" in kind or "cbor" in kind):
        in_form = _named_actions(body.decode("utf-8", "replace"))
    fits = (path == "/" or (service == "sqs" and _QUEUE_PATH.fullmatch(path))) and "content-encoding" not in headers
    if in_query:
        fits = fits and method == "GET" and not body and ";" not in query
    elif in_form:
        # Clients encode whatever is not ASCII; the semicolon was a separator once (HTML 4.01, appendix B.2.2).
        fits = fits and method == "POST" and _FORM_TYPE.fullmatch(kind) and body.isascii() and b";" not in body
    return in_query + in_form if fits else [""] * bool(in_query or in_form)


def _named_actions(text: str) -> list[str]:
    fields = text.split("&", MAX_FORM_FIELDS)
    if len(fields) > MAX_FORM_FIELDS:
        return [""]  # an action that nobody has looked for is none that is known
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
