"""Exit codes are documented and must not move."""

from __future__ import annotations

from shared import exit_codes


def test_the_codes_are_these() -> None:
    codes = {name: value for name, value in vars(exit_codes).items() if name.isupper()}
    assert codes == {
        "OK": 0,
        "ERROR": 1,
        "CHANGES": 2,
        "USAGE": 64,
        "UNAVAILABLE": 69,
        "LEASE_LOST": 75,
        "REFUSED": 77,
        "CANCELED": 130,
    }
