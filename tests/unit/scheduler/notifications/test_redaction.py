"""What is cut out of free text."""

from __future__ import annotations

import pytest

from scheduler.notifications.redaction import MAX_INPUT_CHARS, one_line, redacted

AWS_SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("dial redis://:hunter2@127.0.0.1:6379/0 failed", "hunter2"),
        ("postgresql://interlock:hunter2@db/x does not answer", "hunter2"),
        ("InvalidClientTokenId for AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
        (f"signed with {AWS_SECRET}", AWS_SECRET),
        (f"aws_secret_access_key = {AWS_SECRET}", AWS_SECRET),
        ("password=hunter2, retrying", "hunter2"),
        ('{"db_password": "hunter 2 \\" x", "name": "x"}', "hunter"),
        ("secret_string: 'hunter2'", "hunter2"),
        ("Authorization: Bearer abcdef.ghijkl", "abcdef"),
        ("curl -H 'authorization: basic aHVudGVyMg=='", "aHVudGVyMg"),
        ("mysql --password hunter2 --host db", "hunter2"),
        ("token whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw leaked", "MfKQ9r8"),
        ("ghp_0123456789abcdefghijklmnopqrstuvwxyz", "0123456789abc"),
        ("https://hooks.slack.com/services/T0/B0/xyzzy", "xyzzy"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc", "eyJzdWIi"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\nowIB\n-----END RSA PRIVATE KEY-----", "MIIE"),
        ("-----BEGIN PRIVATE KEY-----\nMIIEowIB and then it was cut off", "MIIEowIB"),
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str, secret: str) -> None:
    assert secret in text
    assert secret not in redacted(text)
    assert "***" in redacted(text)


@pytest.mark.parametrize(
    "text",
    [
        "the plan of shop.eu-west-1 is not sha256:" + "0a" * 32 + " any more",
        "run-0123456789abcdef of rollout-fedcba9876543210 lost epoch 12",
        'aws_iam_role_policy_attachment.this["reader-of-everything-in-the-bucket"] is MODIFIED: tags',
        "arn:aws:iam::123456789012:role/shop",
        "a token of role worker may not do this",
        "its lease was severed: no reason given",
        "registry.terraform.io/hashicorp/aws/6.12.0/linux_amd64/terraform-provider-aws_v6.12.0_x5",
    ],
)
def test_ids_addresses_and_ordinary_words_stay(text: str) -> None:
    assert redacted(text) == text


def test_a_line_is_one_line_of_what_can_be_seen() -> None:
    assert one_line("a\r\nBcc: x@y\x00\t b\u202e c", 100) == "a Bcc: x@y b c"
    assert one_line("x" * 11, 10) == "x" * 9 + "…"


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "piece", ["a", "ö", "-", "--key", "password", 'password="', "a=", "://", "-----BEGIN ", "aA1", "\n "]
)
def test_no_text_costs_more_time_than_its_length_is_worth(piece: str) -> None:
    for _ in range(5):
        redacted(piece * MAX_INPUT_CHARS)


def test_what_is_too_long_is_cut() -> None:
    assert len(redacted("a " * MAX_INPUT_CHARS)) == MAX_INPUT_CHARS
