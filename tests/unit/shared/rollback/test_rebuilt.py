"""What is only settings, a grant or a link is made again; of everything else that is not known."""

from __future__ import annotations

import pytest

from shared.rollback.rebuilt import is_rebuilt


@pytest.mark.parametrize(
    "kind",
    [
        "aws_security_group",
        "aws_iam_role",
        "aws_iam_role_policy_attachment",
        "aws_route_table_association",
        "aws_lambda_permission",
        "aws_sns_topic_policy",
        "aws_vpc",
        "aws_route53_record",
        "null_resource",
        "terraform_data",
    ],
)
def test_settings_and_links_are(kind: str) -> None:
    assert is_rebuilt(kind)


@pytest.mark.parametrize(
    "kind",
    [
        "",
        "aws_",
        "aws_dynamodb_table",
        "aws_never_heard_of",
        "google_thing_policy",
        "azurerm_role_attachment",
        "policy",
        "aws_guardduty_detector",
        "aws_securityhub_account",
    ],
)
def test_what_holds_data_or_is_not_known_is_not(kind: str) -> None:
    assert not is_rebuilt(kind)
