"""When a lock file is needed, and what happens where none can be made. Making one is in tests/integration."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.provider_lock import make_lock, needs_providers
from shared.errors import ConfigurationError
from shared.settings import Settings


@pytest.mark.parametrize(
    ("name", "text", "needed"),
    [
        ("main.tf", 'resource "terraform_data" "x" {}\n', False),
        ("main.tf", 'variable "region" {}\n# provider "aws" {}\n', False),
        ("main.tf", 'module "net" {\n  source = "./net"\n}\n', False),
        ("README.md", 'provider "aws" {}\n', False),
        ("main.tf", 'resource "aws_s3_bucket" "x" {}\n', True),
        ("net/main.tf", 'data "aws_region" "x" {}\n', True),
        ("main.tofu", 'provider "aws" {}\n', True),
        ("main.tf", "terraform {\n  required_providers {\n  }\n}\n", True),
        ("main.tf", 'module "net" {\n  source = "registry.example.com/net/aws"\n}\n', True),
        ("main.tf.json", "{}", True),
    ],
)
def test_a_lock_file_is_needed_where_a_provider_is_not_built_in(name: str, text: str, needed: bool) -> None:
    assert needs_providers({name: text.encode()}) is needed


def test_without_terraform_it_says_what_to_do(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, terraform=tmp_path / "none")
    with pytest.raises(ConfigurationError, match=r"tf has no \.terraform\.lock\.hcl, and INTERLOCK_TERRAFORM") as no:
        make_lock({}, "tf", settings)
    assert "terraform providers lock" in no.value.hint


def test_it_is_what_terraform_init_leaves_in_a_copy(tmp_path: Path) -> None:
    terraform = tmp_path / "terraform"
    terraform.write_text('#!/bin/sh\ntest "$1" = init || exit 3\ncat deep/x.tf > .terraform.lock.hcl\n')
    terraform.chmod(0o700)
    settings = Settings(home=tmp_path, terraform=terraform)
    assert make_lock({"deep/x.tf": b"# from the copy"}, "tf", settings) == b"# from the copy"
    terraform.write_text("#!/bin/sh\nexit 0\n")
    assert make_lock({}, "tf", settings) is None
    terraform.write_text("#!/bin/sh\necho no such provider >&2\nexit 1\n")
    with pytest.raises(ConfigurationError, match="makes none: no such provider"):
        make_lock({}, "tf", settings)
