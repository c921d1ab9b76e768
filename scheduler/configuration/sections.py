"""The sections of flock.yaml that set no values: `safety`, `rollback`, `drift`. Shown, and held against the targets."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from pydantic import BaseModel

from scheduler.configuration.fleet import Flock
from scheduler.configuration.models import FlockFile
from scheduler.configuration.report import Finding, Kind, did_you_mean
from scheduler.configuration.targets import TargetPlan
from scheduler.configuration.terraform import Generic
from shared.errors import ConfigurationError
from shared.rollback.places import outputs_of, place_of, placed
from shared.rollback.settings import CheckSettings

SECTIONS: Final = ("safety", "rollback", "drift")


def sections(flock: FlockFile, target: TargetPlan | None = None) -> dict[str, Any]:
    """The sections that a flock has, with their defaults, for programs; for a target with its checks as it has them."""
    found = {name: section for name in SECTIONS if isinstance(section := getattr(flock, name), BaseModel)}
    shown = {name: section.model_dump(mode="json") for name, section in found.items()}
    if flock.rollback is not None and target is not None:
        shown["rollback"]["checks"] = [_placed(one, target).model_dump(mode="json") for one in flock.rollback.checks]
    return shown


def section_lines(flock: FlockFile, target: TargetPlan | None = None) -> Iterator[str]:
    """The same for people, one line for each setting: `rollback.bake_s = 600`."""
    for name, section in sections(flock, target).items():
        for path, value in _flat(section):
            yield f"{name}{path} = {json.dumps(value, ensure_ascii=False)}"


def misreferring(flock: Flock, targets: Iterable[TargetPlan]) -> Iterator[Finding]:
    """Checks that ask for an output that a target's configuration does not have, or that is a secret."""
    rollback = flock.document.model.rollback
    wanted = [(at, one) for at, one in enumerate(rollback.checks if rollback else ()) if outputs_of(one)]
    if not wanted:
        return
    of: dict[str, list[str]] = {}
    for target in targets:
        of.setdefault(target.configuration, []).append(target.id)
    for configuration, ids in of.items():
        generic = flock.generics.get(configuration)
        if generic is None or generic.incomplete:
            # What could not be read may declare it.
            continue
        for at, check in wanted:
            yield from _unusable(flock, at, check, generic, tuple(ids))


def _unusable(flock: Flock, at: int, check: CheckSettings, generic: Generic, ids: tuple[str, ...]) -> Iterator[Finding]:
    origin = flock.document.origin("rollback", "checks", at)
    for name in sorted(outputs_of(check)):
        if name not in generic.outputs:
            yield Finding(
                kind=Kind.UNRESOLVED,
                origin=origin,
                message=f"check {check.name}: {generic.directory} has no output {name!r}",
                hint=did_you_mean(name, generic.outputs, otherwise="add the output, or correct the check"),
                targets=ids,
            )
        elif generic.outputs[name]:
            yield Finding(
                kind=Kind.SECRET,
                origin=origin,
                message=f"check {check.name}: output {name!r} of {generic.directory} is sensitive",
                hint="a check is shown as it is carried out: let it ask for something that is no secret",
                targets=ids,
            )


def _placed(check: CheckSettings, target: TargetPlan) -> CheckSettings:
    """The check as far as it is known before the deployment: outputs stay references."""
    later = {f"output.{name}": f"${{output.{name}}}" for name in outputs_of(check)}
    try:
        return placed(check, {**place_of(target=target.id, provider_region=target.provider_region), **later})
    except ConfigurationError:
        return check


def _flat(value: Any) -> Iterator[tuple[str, Any]]:
    """Settings by path; lists of plain values stay whole, what is not set is left out."""
    for key, item in value.items() if isinstance(value, Mapping) else enumerate(value):
        step = f"[{key}]" if isinstance(key, int) else f".{key}"
        nested = isinstance(item, Mapping) or (isinstance(item, list) and any(isinstance(one, Mapping) for one in item))
        if nested:
            yield from ((f"{step}{path}", leaf) for path, leaf in _flat(item))
        elif item is not None and item != []:
            yield step, item
