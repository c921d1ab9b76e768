"""What a check refers to, put in for one target. Pure.

${flock.name} ${target.id} ${region.name} ${region.provider_region}    known before the deployment
${output.NAME}                                                         what the deployment's output says
$${                                                                    a ${ that is meant for somebody else
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from shared.errors import ConfigurationError
from shared.rollback.settings import REFERENCE, CheckSettings, check_url

MAX_PLACED: Final = 16 * 1024
_OUTPUT: Final = "output."


def place_of(*, target: str, provider_region: str) -> dict[str, str]:
    """What is known of a target before its deployment, by the names that checks use."""
    flock, region = target.split(".")[:2]
    return {
        "flock.name": flock,
        "target.id": target,
        "region.name": region,
        "region.provider_region": provider_region,
    }


def outputs_of(check: CheckSettings) -> frozenset[str]:
    """The names of the outputs that it needs."""
    names = (
        match["name"]
        for field in check.placeable
        for text in _texts(getattr(check, field))
        for match in REFERENCE.finditer(text)
    )
    return frozenset(name.removeprefix(_OUTPUT) for name in names if name and name.startswith(_OUTPUT))


def placed(check: CheckSettings, values: Mapping[str, str]) -> CheckSettings:
    """The check with every reference replaced, as it is carried out. What is put in is not looked through again.

    Args:
        check: as the flock says it.
        values: by name: `place_of`, and `output.NAME` for each output that is a text, a number or a bool.

    Raises:
        ConfigurationError: something that it refers to is not there, or what comes out is no URL.
    """

    def put(match: re.Match[str]) -> str:
        name = match["name"]
        if name is None:
            return "${"
        if name not in values:
            what = "is no output of the deployment that is a text" if name.startswith(_OUTPUT) else "is not known"
            raise ConfigurationError(f"check {check.name}: {name} {what}", hint="correct what the check refers to")
        return values[name]

    def replaced(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(replaced, value))
        if isinstance(value, str):
            value = REFERENCE.sub(put, value)
            if len(value) > MAX_PLACED:
                raise ConfigurationError(
                    f"check {check.name}: too long with what it refers to", hint="shorten the output"
                )
        return value

    result = check.model_copy(update={name: replaced(getattr(check, name)) for name in check.placeable})
    url = getattr(result, "url", None)
    try:
        if url is not None:
            check_url(url)
    except ValueError as error:
        hint = "correct its `url`, or what that refers to"
        raise ConfigurationError(f"check {check.name}: {error}", hint=hint) from None
    return result


def _texts(value: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value or ()
