"""What was found, as programs read it: the JSON of the commands and of the API."""

from __future__ import annotations

from typing import Any

from scheduler.configuration.diff import flat, shown, where
from scheduler.configuration.models import FlockFile
from scheduler.configuration.nodes import plain
from scheduler.configuration.render import RenderedTarget
from scheduler.configuration.sections import sections
from scheduler.configuration.terraform import Generic


def inspection(generic: Generic, flock: FlockFile) -> dict[str, Any]:
    """What a generic configuration declares, and the sections of its flock that set no values, for programs."""
    return {
        "configuration": generic.directory,
        "digest": generic.digest,
        "required_version": generic.required_version,
        "variables": [
            {
                "name": one.name,
                "type": str(one.type),
                "required": one.required,
                "default": plain(one.default) if one.default is not None and not one.secret else None,
                "default_expression": one.default_text if one.default is None and not one.secret else "",
                "nullable": one.nullable,
                "sensitive": one.sensitive,
                "ephemeral": one.ephemeral,
                "description": one.description,
                "validations": [{"condition": rule.condition, "message": rule.message} for rule in one.validations],
                "file": one.origin.file,
                "line": one.origin.line,
            }
            for one in generic.variables.values()
        ],
        "providers": [
            {"name": one.name, "alias": one.alias, "file": one.origin.file, "line": one.origin.line}
            for one in generic.providers.values()
        ],
        "required_providers": [
            {"name": one.name, "source": one.source, "version": one.version, "aliases": list(one.aliases),
             "implied": one.implied, "file": one.origin.file, "line": one.origin.line}
            for one in generic.requirements.values()
        ],
        "backend": generic.backend[0] if generic.backend else None,
        "modules": [
            {"name": one.name, "source": one.source, "version": one.version, "file": one.origin.file,
             "line": one.origin.line}
            for one in generic.modules.values()
        ],
        "outputs": [{"name": name, "sensitive": sensitive} for name, sensitive in generic.outputs.items()],
        "hard_coded": [
            {"what": one.what, "value": one.value, "file": one.origin.file, "line": one.origin.line}
            for one in generic.suspects
        ],
        "sections": sections(flock),
    }  # fmt: skip


def rendering(target: RenderedTarget, flock: FlockFile, *, explain: bool) -> dict[str, Any]:
    """A target's values for programs, and its flock's other sections; with `explain` each leaf's origin."""
    data: dict[str, Any] = {
        "target": target.id,
        "region": target.plan.region,
        "realm": target.plan.realm,
        "provider_region": target.plan.provider_region,
        "phase": target.plan.phase,
        "configuration": target.plan.configuration,
        "generic_digest": target.generic_digest,
        "digest": target.digest,
        "values": {path: shown(leaf, hidden=hidden) for path, (leaf, hidden) in flat(target).items()},
        "sections": sections(flock, target.plan),
    }
    if explain:
        data["origins"] = {path: where(leaf) for path, (leaf, _) in flat(target).items()}
    return data
