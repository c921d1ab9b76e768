"""Terraform's version constraints: `~> 1.9`, `>= 1.6, < 2.0`, `1.9.8`; by the rules of its documentation.

A pre-release (`1.10.0-rc1`) satisfies only a constraint that names exactly it.
"""

from __future__ import annotations

import re
from typing import Final

_VERSION: Final = re.compile(
    r"v?(\d{1,9}(?:\.\d{1,9}){0,2})(-[0-9A-Za-z.-]{1,64})?(?:\+[0-9A-Za-z.-]{1,64})?", re.ASCII
)
_OPERATORS: Final = ("=", "!=", ">=", "<=", ">", "<", "~>")


def satisfies(version: str, constraint: str) -> bool:
    """Whether `version` is one that `constraint` allows.

    Args:
        version: `1.9.8`, or with a suffix.
        constraint: conditions between commas, all of which have to hold; without an operator: exactly this one.

    Raises:
        ValueError: either is not written as it should be.
    """
    have, have_suffix, _ = _parsed(version)
    held = True
    for part in constraint.split(","):
        operator, wanted = _condition(part)
        want, want_suffix, given = _parsed(wanted)
        exact = have == want and have_suffix == want_suffix
        if have_suffix or want_suffix:
            held &= not exact if operator == "!=" else exact and operator != ">" and operator != "<"
        else:
            held &= _holds(operator, have, want, given)
    return held


def check_constraint(constraint: str) -> str:
    """Return `constraint` as it is. Raises ValueError for what is none."""
    satisfies("0.0.0", constraint)
    return constraint


def _holds(operator: str, have: tuple[int, ...], want: tuple[int, ...], given: int) -> bool:
    match operator:
        case "=":
            return have == want
        case "!=":
            return have != want
        case ">=":
            return have >= want
        case "<=":
            return have <= want
        case ">":
            return have > want
        case "<":
            return have < want
        case _:
            # Only the last of the numbers that were written may grow; of a single one, anything above it.
            fixed = max(given - 1, 0)
            return have >= want and have[:fixed] == want[:fixed]


def _condition(part: str) -> tuple[str, str]:
    text = part.strip()
    operator = text[: len(text) - len(text.lstrip("=!<>~"))]
    if operator not in ("", *_OPERATORS):
        raise ValueError(f"{part.strip()!r}: there is no operator {operator!r}; there are {', '.join(_OPERATORS)}")
    return operator or "=", text.removeprefix(operator).strip()


def _parsed(text: str) -> tuple[tuple[int, ...], str, int]:
    found = _VERSION.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text.strip()!r} is no version; write it as 1.9.8, or constraints like `>= 1.6, < 2.0`")
    numbers = [int(number) for number in found[1].split(".")]
    return tuple(numbers + [0] * (3 - len(numbers))), found[2] or "", len(numbers)
