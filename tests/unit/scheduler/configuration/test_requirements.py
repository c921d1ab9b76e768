"""Which providers a block needs, said or implied."""

from __future__ import annotations

import pytest

from scheduler.configuration.hcl import Block, parse_hcl
from scheduler.configuration.report import Refused
from scheduler.configuration.requirements import declared_requirement, implied_requirement, with_implied


def block(text: str) -> Block:
    return parse_hcl(f"{text}\n".encode(), "x.tf")[0]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('resource "aws_vpc" "a" {}', "aws"),
        ('data "aws_vpc" "a" {\n  provider = other\n}', "other"),
        ('ephemeral "vault_secret" "a" {\n  provider = vault.west\n}', "vault"),
        ('resource "aws_vpc" "a" {\n  provider = "old.west"\n}', "old"),
        ('provider "google" {}', "google"),
        ('resource "terraform_data" "a" {}', None),
        ('resource "aws_vpc" "a" {\n  provider = ["x"]\n}', "aws"),
        ('variable "aws_x" {}', None),
        ('output "aws_x" {}', None),
    ],
)
def test_a_block_implies_its_provider(text: str, name: str | None) -> None:
    found = implied_requirement(block(text))
    assert (found.name if found else None) == name


def test_a_version_in_a_provider_block_is_a_further_constraint() -> None:
    attributes = block('required_providers {\n  aws = { source = "own/aws", version = "~> 5.0" }\n}').attributes
    declared = declared_requirement("aws", attributes["aws"])
    implied = implied_requirement(block('provider "aws" {\n  version = "< 6"\n}'))
    assert implied is not None
    both = with_implied(declared, implied)
    assert (both.source, both.version, both.implied) == ("own/aws", "~> 5.0, < 6", False)
    assert with_implied(None, implied) is implied


def test_an_entry_that_is_neither_text_nor_object_is_refused() -> None:
    with pytest.raises(Refused, match="must be an object"):
        declared_requirement("aws", block("required_providers {\n  aws = [1]\n}").attributes["aws"])
