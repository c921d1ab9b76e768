"""Where a call may go, as sentences: this host, that decision."""

from __future__ import annotations

import pytest

from shared.errors import ConfigurationError
from signing_proxy.denial import Denial, Reason
from signing_proxy.destination import DestinationPolicy, Kind, Upstream, is_internal, matches, scope_problem
from signing_proxy.service_index import service_index


def policy(*allowed: str, **overrides: str) -> DestinationPolicy:
    return DestinationPolicy(
        allowed_hosts=allowed or ("*.amazonaws.com", "*.api.aws", "*.on.aws"),
        overrides={name.replace("__", "."): url for name, url in overrides.items()},
        state_host="interlock.internal",
        api_url="http://127.0.0.1:8420",
    )


def reason(decision: Upstream | Denial) -> Reason:
    assert isinstance(decision, Denial)
    return decision.reason


def test_an_allowed_host_goes_where_it_says() -> None:
    decision = policy().decide("SQS.eu-west-1.amazonaws.com.", 443, "https")
    host = "sqs.eu-west-1.amazonaws.com"
    assert decision == Upstream(kind=Kind.CLOUD, scheme="https", host=host, port=443, overridden=False)


def test_an_override_goes_elsewhere() -> None:
    overridden = DestinationPolicy(
        allowed_hosts=("*.amazonaws.com",),
        overrides={"*.amazonaws.com": "http://127.0.0.1:5001"},
        state_host="interlock.internal",
        api_url="http://127.0.0.1:8420",
    )
    decision = overridden.decide("iam.amazonaws.com", 443, "https")
    assert decision == Upstream(kind=Kind.CLOUD, scheme="http", host="127.0.0.1", port=5001, overridden=True)


def test_an_override_does_not_allow_a_host() -> None:
    assert reason(policy("a.test", b__test="http://127.0.0.1:1").decide("b.test", 443, "https")) is (
        Reason.HOST_NOT_ALLOWED
    )


def test_the_state_host_goes_to_the_api() -> None:
    decision = policy().decide("interlock.internal", 443, "https")
    assert decision == Upstream(kind=Kind.STATE, scheme="http", host="127.0.0.1", port=8420, overridden=True)


@pytest.mark.parametrize(
    ("host", "why"),
    [
        ("example.com", Reason.HOST_NOT_ALLOWED),
        ("amazonaws.com", Reason.HOST_NOT_ALLOWED),
        ("evilamazonaws.com", Reason.HOST_NOT_ALLOWED),
        ("sqs.amazonaws.com.evil.com", Reason.HOST_NOT_ALLOWED),
        ("sqs.eu-west-1.amazonaws.com\x00.evil.com", Reason.HOST_NOT_ALLOWED),
        ("a b.amazonaws.com", Reason.HOST_NOT_ALLOWED),
        ("", Reason.HOST_NOT_ALLOWED),
        ("x" * 300 + ".amazonaws.com", Reason.HOST_NOT_ALLOWED),
        ("ec2-203-0-113-9.eu-west-1.compute.amazonaws.com", Reason.HOST_NOT_ALLOWED),
        ("internal-x.eu-west-1.elb.amazonaws.com", Reason.HOST_NOT_ALLOWED),
        ("abc.execute-api.eu-west-1.amazonaws.com", Reason.HOST_NOT_ALLOWED),
        ("db.x.eu-west-1.rds.amazonaws.com", Reason.HOST_NOT_ALLOWED),
        ("search-x.eu-west-1.es.amazonaws.com", Reason.HOST_NOT_ALLOWED),
        ("search-x.aos.eu-west-1.on.aws", Reason.HOST_NOT_ALLOWED),
        ("abc.eu-west-1.aoss.amazonaws.com", Reason.HOST_NOT_ALLOWED),
        ("doc-x.eu-west-1.cloudsearch.amazonaws.com", Reason.HOST_NOT_ALLOWED),
        ("pipeline-x.eu-west-1.osis.amazonaws.com", Reason.HOST_NOT_ALLOWED),
        ("vpce-1.vpce-svc-2.eu-west-1.vpce.amazonaws.com", Reason.HOST_NOT_ALLOWED),
        ("203.0.113.9", Reason.PRIVATE_ADDRESS),
        ("8.8.8.8", Reason.HOST_NOT_ALLOWED),
        ("10.1.2.3", Reason.PRIVATE_ADDRESS),
        ("127.1", Reason.PRIVATE_ADDRESS),
        ("0x7f000001", Reason.PRIVATE_ADDRESS),
        ("[::1]", Reason.PRIVATE_ADDRESS),
        ("fe80::1%eth0", Reason.PRIVATE_ADDRESS),
        ("169.254.169.254", Reason.METADATA_ADDRESS),
        ("169.254.170.2", Reason.METADATA_ADDRESS),
        ("[fd00:ec2::254]", Reason.METADATA_ADDRESS),
        ("fd00:0ec2:0:0::254", Reason.METADATA_ADDRESS),
        ("::ffff:169.254.169.254", Reason.METADATA_ADDRESS),
        ("metadata.google.internal", Reason.METADATA_ADDRESS),
    ],
)
def test_everything_else_goes_nowhere(host: str, why: Reason) -> None:
    assert reason(policy().decide(host, 443, "https")) is why


@pytest.mark.parametrize(
    "host",
    [
        *("rds.eu-west-1.amazonaws.com", "elasticloadbalancing.eu-west-1.amazonaws.com", "es.eu-west-1.amazonaws.com"),
        *("aoss.eu-west-1.amazonaws.com", "cloudsearch.eu-west-1.amazonaws.com", "osis.eu-west-1.amazonaws.com"),
        *("aos.eu-west-1.api.aws", "es-fips.us-east-1.amazonaws.com", "fips.eks.us-east-1.amazonaws.com"),
    ],
)
def test_the_services_behind_customer_hosts_are_open(host: str) -> None:
    assert isinstance(policy().decide(host, 443, "https"), Upstream)


def test_a_customer_host_is_opened_by_its_full_name() -> None:
    host = "abc.execute-api.eu-west-1.amazonaws.com"
    assert isinstance(policy("*.amazonaws.com", host).decide(host, 443, "https"), Upstream)


def test_neither_plaintext_nor_other_ports_are_served() -> None:
    assert reason(policy().decide("sqs.eu-west-1.amazonaws.com", 80, "http")) is Reason.PLAINTEXT
    assert reason(policy().decide("sqs.eu-west-1.amazonaws.com", 444, "https")) is Reason.PORT_NOT_ALLOWED


@pytest.mark.parametrize("url", ["ftp://x", "http://", "127.0.0.1:5001", "http://x:port", "http://x/path"])
def test_an_override_that_is_no_address_is_refused_at_start(url: str) -> None:
    with pytest.raises(ConfigurationError, match="upstream address"):
        policy("*.amazonaws.com", x=url)


@pytest.mark.parametrize(
    ("pattern", "host", "wanted"),
    [
        ("*.a.test", "x.a.test", True),
        ("*.a.test", "x.y.a.test", True),
        ("*.a.test", "a.test", False),
        ("*.a.test", "xa.test", False),
        ("a.test", "a.test", True),
        ("a.test", "x.a.test", False),
    ],
)
def test_patterns(pattern: str, host: str, wanted: bool) -> None:
    assert matches(pattern, host) is wanted


@pytest.mark.parametrize(
    "address",
    [
        *("10.0.0.1", "127.0.0.1", "169.254.1.1", "100.64.0.1", "224.0.0.1", "::1", "fc00::1", "0.0.0.0", "junk"),
        *("fec0::1", "::a9fe:a9fe", "::ffff:a9fe:a9fe", "64:ff9b::a9fe:a9fe", "64:ff9b::a00:1", "2002:a00:1::"),
    ],
)
def test_resolved_addresses_off_the_internet_are_internal(address: str) -> None:
    assert is_internal(address)


@pytest.mark.parametrize("address", ["52.94.236.248", "2600:1f14::1", "64:ff9b::345e:ecf8"])
def test_resolved_addresses_on_the_internet_are_not(address: str) -> None:
    assert not is_internal(address)


@pytest.mark.parametrize(
    ("host", "region", "service", "fits"),
    [
        ("sqs.eu-west-1.amazonaws.com", "eu-west-1", "sqs", True),
        ("sqs.eu-west-1.amazonaws.com", "us-east-1", "sqs", False),
        ("sqs.eu-west-1.amazonaws.com", "eu-west-1", "iam", False),
        ("sqs.eu-west-1.amazonaws.com", "eu-west-1", "nonesuch", False),
        ("iam.amazonaws.com", "us-east-1", "iam", True),
        ("b.s3.amazonaws.com", "eu-west-1", "s3", True),
        ("b.s3.eu-west-1.amazonaws.com", "eu-west-1", "s3", True),
        ("us-west-2.s3.eu-west-1.amazonaws.com", "eu-west-1", "s3", True),
        ("b.s3-eu-west-1.amazonaws.com", "eu-west-1", "s3", True),
        ("1234.s3-control.eu-west-1.amazonaws.com", "eu-west-1", "s3", True),
        ("123456789012.ddb.eu-west-1.amazonaws.com", "eu-west-1", "dynamodb", True),
        ("ec2.eu-west-1.api.aws", "eu-west-1", "ec2", True),
        ("api.ecr.eu-west-1.amazonaws.com", "eu-west-1", "ecr", True),
        ("monitoring.eu-west-1.amazonaws.com", "eu-west-1", "monitoring", True),
        ("sts.cn-north-1.amazonaws.com.cn", "cn-north-1", "sts", True),
        ("cloud.on-premises.test", "anywhere", "anything", True),
    ],
)
def test_a_scope_has_to_fit_its_host(host: str, region: str, service: str, fits: bool) -> None:
    assert (scope_problem(host, region=region, service=service, index=service_index()) is None) is fits
