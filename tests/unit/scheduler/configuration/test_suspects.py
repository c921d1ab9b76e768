"""Hard-coded values are found where they stand, and what only looks like one is not."""

from __future__ import annotations

import pytest

from scheduler.configuration.hcl import parse_hcl
from scheduler.configuration.suspects import suspects_in
from scheduler.configuration.terraform_json import parse_terraform_json


def found(text: str) -> list[tuple[str, str, int]]:
    return [
        (one.what, one.value, one.origin.line)
        for block in parse_hcl(text.encode(), "x.tf")
        for one in suspects_in(block, "x.tf")
    ]


@pytest.mark.parametrize(
    ("text", "what", "value"),
    [
        ("eu-west-1", "region", "eu-west-1"),
        ("us-gov-east-1", "region", "us-gov-east-1"),
        ("ap-southeast-2c", "zone", "ap-southeast-2c"),
        ("europe-west1", "region", "europe-west1"),
        ("us-central1-b", "zone", "us-central1-b"),
        ("uk-london-1", "region", "uk-london-1"),
        ("111122223333", "account id", "111122223333"),
        ("arn:aws:sns:eu-west-1:111122223333:topic", "ARN", "arn:aws:sns:eu-west-1:111122223333:topic"),
        ("arn:aws-cn:s3:::bucket", "ARN", "arn:aws-cn:s3:::bucket"),
        ("ocid1.compartment.oc1..aaaa", "OCID", "ocid1.compartment.oc1..aaaa"),
        ("https://sqs.eu-west-1.amazonaws.com/111122223333/q", "region", "eu-west-1"),
    ],
)
def test_regions_zones_accounts_and_names_with_them_are_found(text: str, what: str, value: str) -> None:
    assert (what, value, 2) in found(f'locals {{\n  x = "{text}"\n}}\n')


@pytest.mark.parametrize(
    "text",
    [
        "eu-west",
        "my-eu-west-1-bucket",
        "1111222233334",
        "0.1.2",
        "arn:aws:iam::aws:policy/ReadOnlyAccess",
        "us-east-12",
    ],
)
def test_what_only_looks_like_one_is_left_alone(text: str) -> None:
    assert found(f'locals {{\n  x = "{text}"\n}}\n') == []


def test_what_is_meant_to_be_constant_is_not_told() -> None:
    text = (
        'variable "r" {\n  default = "eu-west-1"\n}\n'
        'terraform {\n  backend "s3" {\n    region = "eu-west-1"\n  }\n}\n'
        'output "x" {\n  description = "such as eu-west-1"\n  value = 1\n}\n'
    )
    assert found(text) == []


def test_inside_templates_and_heredocs_the_line_is_that_of_the_value() -> None:
    text = 'locals {\n  a = "x-${var.b}-eu-west-1"\n  c = <<EOT\nfirst\narn:aws:s3:::logs\nEOT\n}\n'
    assert [(value, line) for _, value, line in found(text.replace("-eu", " eu"))] == [
        ("eu-west-1", 2),
        ("arn:aws:s3:::logs", 5),
    ]


def test_the_json_syntax_is_looked_through_too_keys_and_numbers_among_it() -> None:
    text = (
        '{"locals": {"a": "x-${var.b}",\n "b": ["eu-west-1"]},\n "variable": {"r": {"default": "eu-west-2"}},\n'
        ' "resource": {"x_y": {"z": {\n  "zones": {"eu-west-3a": 1}, "owner": 111122223333,'
        ' "description": "eu-west-4"}}}}'
    )
    told = [
        (one.what, one.value, one.origin.line)
        for block in parse_terraform_json(text.encode(), "x.tf.json")
        for one in suspects_in(block, "x.tf.json")
    ]
    assert told == [("region", "eu-west-1", 2), ("zone", "eu-west-3a", 5), ("account id", "111122223333", 5)]


def test_numbers_and_bare_keys_are_found() -> None:
    assert found("locals {\n  owner = 111122223333\n  at = { eu-west-1 = 1, (var.x) = 2 }\n}\n") == [
        ("account id", "111122223333", 2),
        ("region", "eu-west-1", 3),
    ]
