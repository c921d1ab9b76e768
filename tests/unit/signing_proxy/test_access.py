"""The class of every operation: what the sources agree on, and what people decided."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import botocore
import pytest

from signing_proxy import access
from signing_proxy.access import OperationClass, access_table, class_of
from signing_proxy.catalog import load_model
from signing_proxy.service_index import service_index
from tests.compile import access as compile_access
from tests.compile.access import Known
from tests.compile.reviewed import EXCEPTIONS


@pytest.mark.parametrize(
    ("service", "operation", "kind"),
    [
        ("sqs", "GetQueueAttributes", "read"),
        ("sqs", "CreateQueue", "create"),
        ("sqs", "TagQueue", "update"),
        ("sqs", "DeleteQueue", "delete"),
        ("sqs", "AddPermission", "permission"),
        ("sqs", "SendMessage", "data"),
        ("sqs", "ReceiveMessage", "data"),
        ("s3", "GetObject", "data_read"),
        ("s3", "PutObject", "data"),
        ("s3", "ListObjectsV2", "read"),
        ("s3", "PutBucketPolicy", "permission"),
        ("s3", "HeadBucket", "read"),
        ("dynamodb", "Query", "data_read"),
        ("dynamodb", "DescribeTable", "read"),
        ("iam", "ListRoles", "read"),
        ("iam", "AttachRolePolicy", "permission"),
        ("iam", "GenerateCredentialReport", "create"),
        ("secretsmanager", "GetSecretValue", "secret_read"),
        ("kms", "Decrypt", "secret_read"),
        ("kms", "ScheduleKeyDeletion", "delete"),
        ("ec2", "RunInstances", "create"),
        ("ec2", "TerminateInstances", "delete"),
        ("ec2", "RevokeSecurityGroupEgress", "update"),
        ("sts", "GetCallerIdentity", "read"),
        ("sts", "GetSessionToken", "update"),
        ("sts", "GetFederationToken", "update"),
        ("apigateway", "GetRestApis", "read"),
        ("apigateway", "DeleteRestApi", "delete"),
        ("sqs", "NothingOfTheKind", "unknown"),
        ("nonesuch", "GetThing", "unknown"),
    ],
)
def test_an_operation_has_its_class(service: str, operation: str, kind: str) -> None:
    assert class_of(service, operation) == kind


def test_a_parameter_is_secret_where_its_plain_text_is_asked_for() -> None:
    assert class_of("ssm", "GetParameter", b'{"Name":"/x"}') is OperationClass.READ
    assert class_of("ssm", "GetParameter", b'{"Name":"/x","WithDecryption":true}') is OperationClass.SECRET_READ
    assert class_of("ssm", "GetParameter", b'{"Name":"/x","\\u0057ithDecryption":true}') is OperationClass.SECRET_READ


def test_the_table_knows_every_operation_of_the_models() -> None:
    missing = [
        f"{service}:{operation}"
        for service, entry in service_index().items()
        for name in entry.models
        for operation in load_model(name).operations
        if operation not in access_table().get(service, {})
    ]
    assert missing == [], "botocore was updated: see tests/compile/access.py"


def test_every_exception_has_its_reason_and_is_in_the_table() -> None:
    for (service, operation), (kind, reason) in EXCEPTIONS.items():
        assert len(reason) > 10, (service, operation)
        assert class_of(service, operation, b"WithDecryption") == kind


def compiled(
    operation: str, reference: str | None, documented: str | None = None, *, put: bool = False
) -> OperationClass:
    """The class that an operation gets about which the sources say this."""
    known = Known(service="sqs", operation=operation, marked_write=put, reference=reference, documented=documented)
    return OperationClass(compile_access.class_of(known))


@pytest.mark.parametrize(
    ("operation", "reference", "documented", "put"),
    [
        ("GetThing", "Write", "Read", False),
        ("GetThing", "Read", "Write", False),
        ("ListThings", "Tagging", None, False),
        ("DescribeThing", "Permissions management", None, False),
        ("GetThing", None, "Read", False),
        ("GetThing", "Read", "Read", True),
        ("GetThingToken", "Read", "Read", False),
        ("MakeThing", "Read", "Read", False),
    ],
)
def test_one_source_that_calls_it_no_read_is_enough(
    operation: str, reference: str | None, documented: str | None, put: bool
) -> None:
    assert not compiled(operation, reference, documented, put=put).reads
    assert compiled("GetThing", "Read", "List") is OperationClass.READ


def test_no_operation_that_iam_calls_a_write_is_a_read_except_the_reviewed_ones() -> None:
    table = json.loads(gzip.decompress((Path(access.__file__).parent / "access.json.gz").read_bytes()))
    against_iam = {tuple(name.split(":")) for name in table["reads_that_iam_calls_writes"]}
    assert against_iam <= set(EXCEPTIONS)
    assert len(against_iam) == 6
    assert table["sources"]["botocore"] == botocore.__version__


def test_only_three_classes_change_nothing() -> None:
    assert [kind.value for kind in OperationClass if kind.reads] == ["read", "secret_read", "data_read"]
