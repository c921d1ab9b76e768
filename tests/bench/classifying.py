"""What it costs to tell a call's service, operation and class from its request."""

from __future__ import annotations

import time
from collections.abc import Mapping

from signing_proxy.access import access_table
from signing_proxy.catalog import load_model
from signing_proxy.classify import classify
from signing_proxy.service_index import service_index
from tests.bench.report import percentile, progress, record, spread_of

ROUNDS = 2_000
FORM = "application/x-www-form-urlencoded; charset=utf-8"

#: One call of each protocol that a provider speaks: service, method, host, path, query, headers, body.
CALLS: tuple[tuple[str, str, str, str, str, Mapping[str, str], bytes], ...] = (
    ("iam", "POST", "iam.amazonaws.com", "/", "", {"content-type": FORM}, b"Action=CreateRole&RoleName=r&Version=1"),
    ("ec2", "POST", "ec2.eu-west-1.amazonaws.com", "/", "", {"content-type": FORM}, b"Action=DescribeVpcs&Version=1"),
    (
        "sqs",
        "POST",
        "sqs.eu-west-1.amazonaws.com",
        "/",
        "",
        {"x-amz-target": "AmazonSQS.CreateQueue", "content-type": "application/x-amz-json-1.0"},
        b'{"QueueName":"q"}',
    ),
    ("connect", "GET", "connect.eu-west-1.amazonaws.com", "/users/instance/user", "", {}, b""),
    ("s3", "GET", "bucket.s3.eu-west-1.amazonaws.com", "/", "policy", {}, b""),
    ("s3", "PUT", "bucket.s3.eu-west-1.amazonaws.com", "/some/key", "x-id=PutObject", {}, b""),
    (
        "monitoring",
        "POST",
        "monitoring.eu-west-1.amazonaws.com",
        "/service/GraniteServiceVersion20100801/operation/PutMetricAlarm",
        "",
        {"smithy-protocol": "rpc-v2-cbor", "content-type": "application/cbor"},
        b"\xa0",
    ),
)


def measure() -> None:
    """classify.p50_us, over one call of each protocol in turn."""
    progress("classify: service, operation and class of a call")
    models = {service: tuple(load_model(name) for name in service_index()[service].models) for service, *_ in CALLS}
    access_table()  # read once in a proxy's life
    taken: list[float] = []
    for _ in range(ROUNDS):
        for service, method, host, path, query, headers, body in CALLS:
            begun = time.perf_counter_ns()
            classify(
                service=service,
                models=models[service],
                method=method,
                host=host,
                path=path,
                query=query,
                headers=headers,
                body=body,
            )
            taken.append((time.perf_counter_ns() - begun) / 1_000)
    record("classify.p50_us", value=percentile(taken, 0.5), unit="us", goal=50, n=len(taken), spread=spread_of(taken))
