"""What Terraform says of guarded resources, and the override that lifts their guard."""

from __future__ import annotations

import pytest

from shared.rollback.guards import FILE_NAME, guarded, lifting, place_of


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("aws_t.n", ("", "aws_t.n")),
        ('aws_t.n["a.b"]', ("", "aws_t.n")),
        ('module.net["x.y"].module.inner[0].aws_t.n[3]', ("net.inner", "aws_t.n")),
    ],
)
def test_a_resource_is_found_in_its_module(address: str, place: tuple[str, str]) -> None:
    assert place_of(address) == place


def says(address: str, severity: str = "error") -> dict[str, str]:
    return {
        "severity": severity,
        "detail": f"Resource {address} has lifecycle.prevent_destroy set, but the plan calls for this resource to be "
        "destroyed. To avoid this error …",
    }


def test_what_terraform_will_not_destroy_is_told_once_by_its_address() -> None:
    key = 'module.a["has lifecycle"].aws_t.n["b c"]'
    assert guarded([says("aws_t.a[0]"), says(key), says("aws_t.a[0]")]) == ("aws_t.a[0]", key)


@pytest.mark.parametrize(
    "diagnostic",
    [
        {},
        {"severity": "error", "detail": None},
        {"severity": "error", "detail": "Resource aws_t.a has a postcondition"},
        says("aws_t.a", "warning"),
        says('aws_t.a" {}'),
        says("aws_t"),
        says("data.aws_t.a"),
    ],
)
def test_other_words_name_nothing(diagnostic: dict[str, str]) -> None:
    assert guarded([diagnostic]) == ()


def test_the_override_names_each_resource_once_and_counts_last() -> None:
    text = lifting(["aws_t.b", "aws_t.a", "aws_t.b"])
    assert text.count("prevent_destroy = false") == 2
    assert text.index('resource "aws_t" "a"') < text.index('resource "aws_t" "b"')
    assert FILE_NAME.endswith("_override.tf")
    assert max(FILE_NAME, "zz_override.tf", "override.tf") == FILE_NAME
