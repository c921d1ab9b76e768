"""Every operation of botocore's models, as botocore's own serializers write it, is told by the request alone.

In every protocol that a model speaks. What is missed is listed here, since no request can tell it: the same bytes go to
the same host for both names.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from botocore.model import ServiceModel as BotocoreModel
from botocore.serialize import create_serializer

from signing_proxy.access import OperationClass
from signing_proxy.catalog import load_model
from signing_proxy.classify import Operation, classify
from signing_proxy.service_index import read_model, service_index
from tests.compile.reviewed import EXCEPTIONS

#: (signing name, operation) -> the name it is told by.
ONE_REQUEST_TWO_NAMES = {
    ("s3", "GetBucketLifecycle"): "GetBucketLifecycleConfiguration",
    ("s3", "GetBucketNotification"): "GetBucketNotificationConfiguration",
    ("s3", "ListDirectoryBuckets"): "ListBuckets",
    ("s3", "PutBucketLifecycle"): "PutBucketLifecycleConfiguration",
    ("s3", "PutBucketNotification"): "PutBucketNotificationConfiguration",
}
GOAL = 0.999


def value(shape: Any, above: tuple[str, ...] = ()) -> Any:
    """A value of this shape with what is required, and nothing else."""
    if shape.type_name == "structure":
        if shape.is_document_type or shape.name in above:
            return {}
        needed = set(shape.required_members) | (set(list(shape.members)[:1]) if shape.is_tagged_union else set())
        return {name: value(shape.members[name], (*above, shape.name)) for name in shape.members if name in needed}
    if shape.type_name == "list":
        return [] if shape.name in above else [value(shape.member, above)]
    if shape.type_name == "string":
        return shape.enum[0] if shape.enum else "abcdefgh12345"
    simple = {"integer": 1, "long": 1, "float": 1.0, "double": 1.0, "boolean": True, "blob": b"x", "map": {}}
    return simple.get(shape.type_name, datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC))


def text_of(body: Any) -> bytes:
    if isinstance(body, dict):
        body = urlencode(body, doseq=True)
    return body.encode() if isinstance(body, str) else body or b""


def requests() -> Iterator[tuple[str, str, str, Operation]]:
    """Signing name, operation, protocol, and what the request was taken for."""
    for service, entry in service_index().items():
        models = tuple(load_model(name) for name in entry.models)
        for name in entry.models:
            model = BotocoreModel(read_model(name), name)
            host = f"{model.metadata['endpointPrefix']}.eu-west-1.amazonaws.com"
            for protocol in model.metadata.get("protocols") or [model.metadata["protocol"]]:
                serializer = create_serializer(protocol, include_validation=False)
                for operation in model.operation_names:
                    described = model.operation_model(operation)
                    parameters = value(described.input_shape) if described.input_shape is not None else {}
                    made = serializer.serialize_to_request(parameters, described)
                    path, _, fixed = made["url_path"].partition("?")
                    query = made.get("query_string") or ""
                    if not isinstance(query, str):
                        query = urlencode(list(query.items()) if isinstance(query, dict) else query, doseq=True)
                    yield (
                        service,
                        operation,
                        protocol,
                        classify(
                            service=service,
                            models=models,
                            method=made["method"],
                            host=host,
                            path=path or "/",
                            query="&".join(part for part in (fixed, query) if part),
                            headers={key.lower(): str(header) for key, header in made["headers"].items()},
                            body=text_of(made["body"]),
                        ),
                    )


def test_every_operation_in_every_protocol_is_told_by_its_request() -> None:
    missed: dict[tuple[str, str], str] = {}
    counted: dict[str, int] = {}
    unclassed = []
    for service, operation, protocol, found in requests():
        counted[protocol] = counted.get(protocol, 0) + 1
        if found.operation != operation:
            missed[service, operation] = found.operation
        if found.kind is OperationClass.UNKNOWN:
            unclassed.append(f"{service}:{operation}")
    assert set(counted) == {"query", "ec2", "json", "rest-json", "rest-xml", "smithy-rpc-v2-cbor"}
    total = sum(counted.values())
    assert total > 20_000
    assert missed == ONE_REQUEST_TWO_NAMES
    assert (total - len(missed)) / total >= GOAL
    assert unclassed == []


def test_an_exception_is_an_operation_that_there_is() -> None:
    known = {
        (service, operation)
        for service, entry in service_index().items()
        for name in entry.models
        for operation in load_model(name).operations
    }
    assert set(EXCEPTIONS) <= known
