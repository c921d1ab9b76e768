"""Service, operation, read or write."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from signing_proxy.catalog import ServiceModel, load_model
from signing_proxy.classify import UNKNOWN_OPERATION, Operation, Protocol, classify, holds_secrets, s3_path
from signing_proxy.service_index import read_model, service_index

FORM = "application/x-www-form-urlencoded"
JSON = "application/x-amz-json-1.0"
ALARM = "/service/GraniteServiceVersion20100801/operation/PutMetricAlarm"
ALARMS = "/service/GraniteServiceVersion20100801/operation/DescribeAlarms"
MODELS: dict[str, tuple[ServiceModel, ...]] = {}


def models(service: str) -> tuple[ServiceModel, ...]:
    if service not in MODELS:
        entry = service_index().get(service)
        MODELS[service] = tuple(load_model(name) for name in entry.models) if entry else ()
    return MODELS[service]


def classified(
    service: str,
    method: str = "POST",
    path: str = "/",
    query: str = "",
    *,
    host: str = "h.amazonaws.com",
    body: bytes = b"",
    **headers: str,
) -> Operation:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return classify(
        service=service,
        models=models(service),
        method=method,
        host=host,
        path=path,
        query=query,
        headers=named,
        body=body,
    )


@pytest.mark.parametrize(
    ("service", "action", "access"),
    [
        ("iam", "GetRole", "read"),
        ("iam", "ListRoles", "read"),
        ("iam", "CreateRole", "write"),
        ("iam", "GenerateCredentialReport", "write"),
        ("ec2", "DescribeVpcs", "read"),
        ("ec2", "RunInstances", "write"),
        ("sts", "GetCallerIdentity", "read"),
        ("sts", "GetSessionToken", "write"),
        ("sns", "Publish", "write"),
        ("iam", "GetNothingOfTheKind", "write"),
    ],
)
def test_query_services_say_it_in_the_action(service: str, action: str, access: str) -> None:
    body = f"Version=1&Action={action}&X=1".encode()
    operation = classified(service, body=body, content_type=FORM + "; charset=utf-8")
    assert (operation.operation, operation.access) == (action, access)
    assert operation.protocol is (Protocol.EC2 if service == "ec2" else Protocol.QUERY)
    assert classified(service, "GET", query=f"Action={action}").operation == action


@pytest.mark.parametrize(
    ("service", "target", "access"),
    [
        ("dynamodb", "DynamoDB_20120810.CreateTable", "write"),
        ("dynamodb", "DynamoDB_20120810.Query", "read"),
        ("dynamodb", "DynamoDB_20120810.ExecuteStatement", "write"),
        ("ssm", "AmazonSSM.GetParameter", "read"),
        ("sqs", "AmazonSQS.ReceiveMessage", "write"),
        ("logs", "Logs_20140328.DescribeLogGroups", "read"),
    ],
)
def test_json_services_say_it_in_the_target(service: str, target: str, access: str) -> None:
    operation = classified(service, x_amz_target=target, content_type="application/x-amz-json-1.1")
    assert (operation.operation, operation.access) == (target.rpartition(".")[2], access)
    assert operation.protocol is Protocol.JSON


@pytest.mark.parametrize(
    ("prefix", "known"),
    [
        ("com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101", True),
        ("CloudTrail_20131101", True),
        ("v20131101.CloudTrail_20131101", False),
        ("CloudTrail_20111111", False),
    ],
)
def test_a_target_is_named_with_its_package_or_without(prefix: str, known: bool) -> None:
    """As botocore and as the SDK for Go name it, and no other way."""
    found = classified("cloudtrail", x_amz_target=f"{prefix}.CreateTrail", content_type="application/x-amz-json-1.1")
    assert (found.operation == "CreateTrail") is known


def test_a_cbor_service_says_it_in_the_path() -> None:
    operation = classified("monitoring", path=ALARM, smithy_protocol="rpc-v2-cbor", content_type="application/cbor")
    assert (operation.operation, operation.access, operation.protocol) == ("PutMetricAlarm", "write", Protocol.CBOR)


VIRTUAL = "b.s3.eu-west-1.amazonaws.com"


@pytest.mark.parametrize(
    ("method", "host", "path", "query", "operation", "access"),
    [
        ("GET", "s3.amazonaws.com", "/", "", "ListBuckets", "read"),
        ("PUT", VIRTUAL, "/", "", "CreateBucket", "write"),
        ("PUT", "s3.eu-west-1.amazonaws.com", "/b", "", "CreateBucket", "write"),
        ("PUT", VIRTUAL, "/k/x", "", "PutObject", "write"),
        ("PUT", VIRTUAL, "/k", "partNumber=1&uploadId=2", "UploadPart", "write"),
        ("GET", VIRTUAL, "/k", "x-id=GetObject", "GetObject", "read"),
        ("GET", VIRTUAL, "/", "policy", "GetBucketPolicy", "read"),
        ("GET", VIRTUAL, "/", "policy=", "GetBucketPolicy", "read"),
        ("DELETE", VIRTUAL, "/", "policy", "DeleteBucketPolicy", "write"),
        ("POST", VIRTUAL, "/", "delete", "DeleteObjects", "write"),
        ("GET", VIRTUAL, "/", "list-type=2&prefix=", "ListObjectsV2", "read"),
        ("HEAD", VIRTUAL, "/", "", "HeadBucket", "read"),
        ("OPTIONS", VIRTUAL, "/", "", UNKNOWN_OPERATION, "write"),
    ],
)
def test_s3_says_it_in_method_path_and_query(
    method: str, host: str, path: str, query: str, operation: str, access: str
) -> None:
    found = classified("s3", method, path, query, host=host)
    assert (found.operation, found.access, found.protocol) == (operation, access, Protocol.REST_XML)


def test_a_copy_is_told_from_a_put_by_its_header() -> None:
    assert classified("s3", "PUT", "/k", host=VIRTUAL, x_amz_copy_source="x/y").operation == "CopyObject"


def test_path_labels_are_decoded() -> None:
    operation = classified("s3", "PUT", "/a%20b/c", host=VIRTUAL)
    assert operation.labels == {"Bucket": "b", "Key": "a b/c"}
    zone = classified("route53", "GET", "/2013-04-01/hostedzone/Z1/rrset")
    assert (zone.operation, zone.access, zone.labels) == ("ListResourceRecordSets", "read", {"Id": "Z1"})


@pytest.mark.parametrize(
    "request_of",
    [
        lambda: classified("iam", body=b"Action=CreateRole", content_type=FORM, x_amz_target="x.GetRole"),
        lambda: classified("iam", query="Action=GetRole", body=b"Action=CreateRole", content_type=FORM),
        lambda: classified("iam", query="Action=GetRole&Action=CreateRole"),
        lambda: classified("dynamodb", x_amz_target="D.Query,D.DeleteTable"),
        lambda: classified("dynamodb", x_amz_target="D.DeleteTable,D.Query"),
        lambda: classified("sqs", path="/service/S/operation/ListQueues", x_amz_target="AmazonSQS.DeleteQueue"),
        lambda: classified("monitoring", path="/service/G/operation/%50utMetricAlarm", query="Action=DescribeAlarms"),
        lambda: classified(
            "monitoring",
            path="/x/service/G/operation/PutMetricAlarm",
            query="Action=DescribeAlarms",
            smithy_protocol="rpc-v2-cbor",
        ),
        lambda: classified("iam", query="Action=GetRole", body=b"Action=CreateRole", content_type=FORM.title()),
        lambda: classified("iam", query="Action=GetRole", body=b"Action=CreateRole"),
        lambda: classified("iam", query="Action=GetRole", body=gzip.compress(b"Action=CreateRole"), content_type=FORM),
        lambda: classified("iam", body=b"action=CreateRole&Action=GetRole", content_type=FORM),
        lambda: classified("workspaces-web", "GET", "/portals/x/%73essions/y"),
    ],
    ids=[
        "target-and-action",
        "query-and-form",
        "twice-in-query",
        "two-targets",
        "two-targets-read-last",
        "path-and-target",
        "encoded-path-and-action",
        "prefixed-path-and-action",
        "query-and-form-in-capitals",
        "query-and-untyped-form",
        "query-and-packed-form",
        "two-spellings",
        "encoded-literal",
    ],
)
def test_a_request_that_names_two_operations_is_a_write(request_of: object) -> None:
    assert callable(request_of)
    assert request_of().access == "write"


def test_a_rest_service_is_not_fooled_by_a_target_header() -> None:
    for method in ("DELETE", "GET"):
        operation = classified("lambda", method, "/2015-03-31/functions/f", x_amz_target="x.GetFunction")
        assert (operation.operation, operation.access) == (UNKNOWN_OPERATION, "write")
    assert classified("s3", "GET", "/", host=VIRTUAL, x_amz_target="x.Y").protocol is Protocol.REST_XML


AOSS = "OpenSearchServerless.ListCollections"


@pytest.mark.parametrize(
    "request_of",
    [
        lambda: classified("aoss", "DELETE", "/my-index", x_amz_target=AOSS, content_type=JSON),
        lambda: classified("aoss", "POST", "/_bulk", x_amz_target=AOSS, content_type=JSON),
        lambda: classified("aoss", "GET", "/", x_amz_target=AOSS, content_type=JSON),
        lambda: classified("aoss", x_amz_target=AOSS),
        lambda: classified("aoss", x_amz_target=AOSS, content_type=FORM),
        lambda: classified("aoss", x_amz_target=AOSS, content_type="application/json"),
        lambda: classified("aoss", x_amz_target=AOSS, content_type=JSON, content_encoding="gzip"),
        lambda: classified("aoss", x_amz_target="Other.ListCollections", content_type=JSON),
        lambda: classified("aoss", x_amz_target="ListCollections", content_type=JSON),
        lambda: classified("aoss", x_amz_target=AOSS, content_type=JSON, query="Action=DeleteCollection"),
        lambda: classified("aoss", "GET", query="Action=ListCollections"),
        lambda: classified("aoss", body=b"Action=ListCollections", content_type=FORM),
        lambda: classified("cloudsearch", path="/2013-01-01/documents/batch", x_amz_target="X.DescribeDomains"),
        lambda: classified(
            "iam", x_amz_target="X.ListUsers", content_type="application/cbor", body=b"Action=DeleteUser"
        ),
        lambda: classified("iam", x_amz_target="X.ListUsers", content_type=JSON),
        lambda: classified("iam", x_amz_target="X.ListUsers", content_type=FORM, body=b"Action=ListUsers"),
        lambda: classified("iam", path="/service/X/operation/ListUsers", smithy_protocol="rpc-v2-cbor"),
        lambda: classified("iam", path="/elsewhere", content_type=FORM, body=b"Action=ListUsers"),
        lambda: classified("iam", "PUT", content_type=FORM, body=b"Action=ListUsers"),
        lambda: classified("iam", "DELETE", query="Action=ListUsers"),
        lambda: classified("iam", "POST", query="Action=ListUsers"),
        lambda: classified("iam", "POST", body=b"Action=ListUsers"),
        lambda: classified("iam", content_type=FORM + "; charset=utf-16", body=b"Action=ListUsers"),
        lambda: classified("iam", content_type=FORM + ",text/plain", body=b"Action=ListUsers"),
        lambda: classified("iam", content_type=FORM, content_encoding="gzip", body=b"Action=ListUsers"),
        lambda: classified("iam", content_type=FORM, body=b"Action=ListUsers&X=\xff"),
        lambda: classified("iam", content_type=FORM, body=b"X=1;Action=DeleteUser&Action=ListUsers"),
        lambda: classified("sns", path="/123456789012/queue", content_type=FORM, body=b"Action=ListTopics"),
        lambda: classified("monitoring", path=ALARMS),
        lambda: classified("monitoring", path=ALARMS, smithy_protocol="rpc-v3-cbor"),
        lambda: classified("monitoring", "GET", path=ALARMS, smithy_protocol="rpc-v2-cbor"),
        lambda: classified("monitoring", path=ALARMS, smithy_protocol="rpc-v2-cbor", content_type=FORM),
        lambda: classified("monitoring", path=ALARMS, smithy_protocol="rpc-v2-cbor", content_encoding="gzip"),
        lambda: classified("monitoring", path="/service/Other/operation/DescribeAlarms", smithy_protocol="rpc-v2-cbor"),
        lambda: classified("monitoring", path="/", smithy_protocol="rpc-v2-cbor"),
        lambda: classified("nonesuch", x_amz_target="X.ListThings", content_type=JSON),
    ],
)
def test_a_name_is_believed_only_as_the_services_own_clients_write_it(request_of: object) -> None:
    assert callable(request_of)
    found = request_of()
    assert (found.operation, found.access) == (UNKNOWN_OPERATION, "write")


@pytest.mark.parametrize(
    "request_of",
    [
        lambda: classified("aoss", x_amz_target=AOSS, content_type=JSON),
        lambda: classified("aoss", x_amz_target=AOSS, content_type="application/x-amz-json-1.1; charset=UTF-8"),
        lambda: classified("iam", "GET", query="Action=ListUsers&Version=2010-05-08"),
        lambda: classified("iam", content_type=FORM + ";charset=utf-8", body=b"Action=ListUsers"),
        lambda: classified("monitoring", path=ALARMS, smithy_protocol="rpc-v2-cbor"),
        lambda: classified(
            "monitoring", x_amz_target="GraniteServiceVersion20100801.DescribeAlarms", content_type=JSON
        ),
        lambda: classified("monitoring", content_type=FORM, body=b"Action=DescribeAlarms"),
        lambda: classified("sqs", path="/1234/q.fifo", content_type=FORM, body=b"Action=GetQueueAttributes"),
    ],
)
def test_a_name_in_each_protocol_that_the_model_lists_is_believed(request_of: object) -> None:
    assert callable(request_of)
    assert request_of().access == "read"


def test_a_service_that_nobody_knows_is_a_write_in_the_shape_its_content_suggests() -> None:
    assert classified("nonesuch", content_type="application/json").access == "write"
    assert classified("nonesuch", content_type="application/x-amz-json-1.0").protocol is Protocol.JSON
    assert classified("nonesuch", content_type="application/cbor").protocol is Protocol.CBOR
    assert classified("nonesuch").protocol is Protocol.QUERY


def test_what_has_more_fields_than_are_looked_through_is_an_unknown_write() -> None:
    form = b"Action=TerminateInstances&" + b"&".join(b"InstanceId.%d=i-1" % number for number in range(5001))
    query = "&".join(f"a{number}=1" for number in range(1001))
    for found in (
        classified("ec2", body=form, content_type=FORM),
        classified("ec2", "GET", query=f"Action=DescribeVpcs&{'&'.join(['x=1'] * 5001)}"),
        classified("s3", "DELETE", "/b/k", query=query, host="s3.eu-west-1.amazonaws.com"),
        classified("s3", "GET", "/b/k", query=query, host="s3.eu-west-1.amazonaws.com"),
    ):
        assert (found.operation, found.access) == (UNKNOWN_OPERATION, "write")


def test_an_absurd_name_is_not_repeated() -> None:
    assert classified("dynamodb", x_amz_target="D." + "x" * 500).operation == UNKNOWN_OPERATION
    assert classified("iam", query="Action=%3Cscript%3E").operation == UNKNOWN_OPERATION


@pytest.mark.parametrize(
    ("service", "operation", "secret"),
    [
        ("sts", "AssumeRole", True),
        ("sts", "GetSessionToken", True),
        ("sts", "SomethingNew", True),
        ("sts", "GetCallerIdentity", False),
        ("iam", "CreateAccessKey", True),
        ("iam", "CreateRole", False),
        ("iam", UNKNOWN_OPERATION, True),
        ("ecr", "GetAuthorizationToken", True),
        ("ecr", "CreateRepository", False),
        ("s3", "CreateSession", True),
        ("s3", "PutObject", False),
        ("redshift", "GetClusterCredentials", True),
        ("ssm", "GetParameter", False),
        ("ssm", "GetAccessToken", True),
        ("lightsail", "CreateBucketAccessKey", True),
        ("glue", "CreateSession", False),
    ],
)
def test_answers_with_credentials_are_known(service: str, operation: str, secret: bool) -> None:
    asked = Operation(service=service, operation=operation, protocol=Protocol.QUERY)
    assert holds_secrets(asked) is secret


@pytest.mark.parametrize(
    ("host", "path", "wanted"),
    [
        ("b.s3.amazonaws.com", "/k", "/b/k"),
        ("my.dotted.bucket.s3.eu-west-1.amazonaws.com", "/", "/my.dotted.bucket/"),
        ("b.s3-eu-west-1.amazonaws.com", "/k", "/b/k"),
        ("b.s3.dualstack.eu-west-1.amazonaws.com", "/k", "/b/k"),
        ("s3.eu-west-1.amazonaws.com", "/b/k", "/b/k"),
        ("s3-eu-west-1.amazonaws.com", "/b/k", "/b/k"),
        ("s3-logs.s3.eu-west-1.amazonaws.com", "/k", "/s3-logs/k"),
        ("s3.s3-eu-west-1.amazonaws.com", "/k", "/s3/k"),
        ("s3.logs.s3-x.s3-accelerate.amazonaws.com", "/k", "/s3.logs.s3-x/k"),
        ("a.s3.b.s3.eu-west-1.amazonaws.com", "/k", "/a.s3.b/k"),
        ("as3.eu-west-1.amazonaws.com", "/k", "/k"),
    ],
)
def test_a_virtual_host_bucket_becomes_the_first_segment(host: str, path: str, wanted: str) -> None:
    assert s3_path(host, path) == wanted


@pytest.mark.parametrize(
    ("service", "method", "host", "path"),
    [
        ("s3", "GET", "1.s3-control.eu-west-1.amazonaws.com", "/v20180820/accessgrantsinstance/%64ataaccess"),
        ("s3", "GET", "1.s3-control.eu-west-1.amazonaws.com", "/v20180820/accessgrantsinstance/dataaccess"),
        ("codeartifact", "POST", "h.amazonaws.com", "/v1/%61uthorization-token"),
        ("lakeformation", "POST", "h.amazonaws.com", "//GetTemporaryGlueTableCredentials"),
        ("lakeformation", "POST", "h.amazonaws.com", "/x/../GetTemporaryGlueTableCredentials"),
    ],
)
def test_what_cannot_be_named_counts_as_secret_where_a_service_has_secrets(
    service: str, method: str, host: str, path: str
) -> None:
    assert holds_secrets(classified(service, method, path, host=host))


@pytest.mark.parametrize(
    ("method", "host", "path", "operation"),
    [
        ("PUT", "s3-logs.s3.eu-west-1.amazonaws.com", "/key", "PutObject"),
        ("PUT", "s3-control.s3.eu-west-1.amazonaws.com", "/key", "PutObject"),
        ("PUT", "my-s3-control.s3.eu-west-1.amazonaws.com", "/key", "PutObject"),
        ("GET", "x.s3-control.y.s3-eu-west-1.amazonaws.com", "/v20180820/jobs", "GetObject"),
        ("GET", "1.s3-control.eu-west-1.amazonaws.com", "/v20180820/jobs", "ListJobs"),
        ("GET", "1.s3-control-fips.dualstack.us-east-1.amazonaws.com", "/v20180820/jobs", "ListJobs"),
        ("GET", "s3-control.eu-west-1.amazonaws.com", "/v20180820/jobs", "ListJobs"),
    ],
)
def test_a_bucket_may_be_called_like_an_endpoint(method: str, host: str, path: str, operation: str) -> None:
    assert classified("s3", method, path, host=host, x_amz_account_id="1").operation == operation


@pytest.mark.parametrize(
    ("service", "method", "path", "query"),
    [
        ("chime", "POST", "/channels", "operation=create&operation=search"),
        ("chime", "POST", "/channels", "operation=search&operation=create"),
        ("chime", "POST", "/channels", "operation=search&%6Fperation=create"),
        ("lambda", "GET", "/2018-10-31/layers", "%66ind=LayerVersion&Arn=a"),
        ("lambda", "GET", "/2018-10-31/layers", "find=LayerVersion&Arn=a&Arn=b"),
        ("s3", "GET", "/b", "%70olicy"),
        ("s3", "GET", "/b", "policy&policy"),
    ],
)
def test_a_parameter_that_tells_operations_apart_is_written_once_and_plainly(
    service: str, method: str, path: str, query: str
) -> None:
    host = "s3.amazonaws.com" if service == "s3" else "h.amazonaws.com"
    found = classified(service, method, path, query, host=host)
    assert (found.operation, found.access) == (UNKNOWN_OPERATION, "write")


def test_a_list_in_the_query_and_parameters_that_select_nothing_may_repeat() -> None:
    removed = classified("lambda", "DELETE", "/2017-03-31/tags/arn%3Aaws%3Alambda", "tagKeys=a&tagKeys=b")
    assert removed.operation == "UntagResource"
    assert classified("lambda", "GET", "/2018-10-31/layers", "find=LayerVersion&Arn=a").operation == (
        "GetLayerVersionByArn"
    )
    assert classified("s3", "GET", "/b", "prefix=a&%70refix=b", host="s3.amazonaws.com").operation == "ListObjects"


@pytest.mark.parametrize(
    ("service", "method", "path"),
    [
        ("amplify", "DELETE", "/apps/a/branches/b%2Fjobs%2F1"),
        ("amplify", "POST", "/apps/a/branches/b%2fjobs"),
        ("amplify", "POST", "/apps/a/branches/b%5Cjobs"),
        ("amplify", "POST", "/apps/a%2Fbranches/b"),
        ("amplify", "DELETE", "/apps%2Fa"),
        ("access-analyzer", "POST", "/access-preview/a%2Fb"),
        ("access-analyzer", "POST", "/access-preview/a%5Cb"),
        ("connect", "GET", "/quick-connects/a%2Fb"),
    ],
)
def test_a_slash_in_disguise_makes_no_other_operation(service: str, method: str, path: str) -> None:
    found = classified(service, method, path)
    assert (found.operation, found.access) == (UNKNOWN_OPERATION, "write")


@pytest.mark.parametrize(
    ("service", "method", "path", "operation"),
    [
        ("amplify", "POST", "/apps/a/branches/feature%2Fx", "UpdateBranch"),
        ("eks", "POST", "/tags/arn%3Aaws%3Aeks%3Aeu-west-1%3A123456789012%3Acluster%2Fx", "TagResource"),
        ("eks", "POST", "/tags/arn:aws:eks:eu-west-1:123456789012:cluster%2Fx", "TagResource"),
        ("eks", "GET", "/tags/arn%3Aaws%3Aeks%3Aeu-west-1%3A123456789012%3Acluster%2Fx", "ListTagsForResource"),
        ("access-analyzer", "POST", "/access-preview/arn%3Aaws%3Ax%2Fb", "ListAccessPreviewFindings"),
        ("connect", "GET", "/quick-connects/arn%3Aaws%3Aconnect%3A%3A%3Ainstance%2Fb", "ListQuickConnects"),
    ],
)
def test_a_slash_inside_of_a_name_or_an_arn_is_part_of_it(service: str, method: str, path: str, operation: str) -> None:
    assert classified(service, method, path).operation == operation


def test_object_names_may_look_like_any_path() -> None:
    for path in ("/b/a//b", "/b/../x", "/b/%41", "/b/."):
        assert classified("s3", "PUT", path, host="s3.amazonaws.com").operation == "PutObject"


def test_every_answer_with_a_secret_key_in_the_models_is_known() -> None:
    def holds_key(shapes: dict[str, Any], name: str, above: frozenset[str] = frozenset()) -> bool:
        shape = shapes[name]
        inner = [member["shape"] for member in shape.get("members", {}).values()]
        inner += [shape[part]["shape"] for part in ("member", "value") if part in shape]
        if any(member.lower() == "secretaccesskey" for member in shape.get("members", {})):
            return True
        return any(holds_key(shapes, part, above | {name}) for part in inner if part not in above | {name})

    missed = []
    for service, entry in service_index().items():
        for name in entry.models:
            model = read_model(name)
            assert model is not None, name
            for operation, spec in model["operations"].items():
                asked = Operation(service=service, operation=operation, protocol=Protocol.QUERY)
                if (
                    "output" in spec
                    and holds_key(model["shapes"], spec["output"]["shape"])
                    and not holds_secrets(asked)
                ):
                    missed.append(f"{service}:{operation}")
    assert missed == []
