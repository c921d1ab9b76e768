"""Terraform's version constraints."""

from __future__ import annotations

import pytest

from shared.versions import check_constraint, satisfies


@pytest.mark.parametrize(
    ("constraint", "allowed", "refused"),
    [
        ("1.9.8", ["1.9.8", "v1.9.8"], ["1.9.7", "1.9.9", "1.9.8-rc1"]),
        ("= 1.9", ["1.9.0"], ["1.9.1"]),
        ("!= 1.9.8", ["1.9.7"], ["1.9.8"]),
        (">= 1.6, < 2.0", ["1.6.0", "1.99.1"], ["1.5.7", "2.0.0", "1.10.0-rc1"]),
        ("> 1.6", ["1.6.1"], ["1.6.0"]),
        ("<= 1.6.3", ["1.6.3"], ["1.6.4"]),
        ("~> 1.9", ["1.9.0", "1.10.3"], ["1.8.9", "2.0.0"]),
        ("~> 1.9.2", ["1.9.2", "1.9.9"], ["1.9.1", "1.10.0"]),
        ("~> 1", ["1.0.0", "2.3.4"], ["0.9.0"]),
        ("1.10.0-rc1", ["1.10.0-rc1"], ["1.10.0", "1.10.0-rc2"]),
        ("!= 1.10.0-rc1", ["1.10.0"], ["1.10.0-rc1"]),
    ],
)
def test_a_constraint_allows_what_terraforms_does(constraint: str, allowed: list[str], refused: list[str]) -> None:
    assert [version for version in [*allowed, *refused] if satisfies(version, constraint)] == allowed


@pytest.mark.parametrize("constraint", ["", "latest", "=> 1.9", "1.9,", "1.9.8.7", ">=", "1.x", "1.9 1.8"])
def test_what_is_no_constraint_is_refused(constraint: str) -> None:
    with pytest.raises(ValueError, match=r"operator|no version"):
        check_constraint(constraint)


def test_a_version_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="no version"):
        satisfies("dev", ">= 1.0")
