"""Every target rendered and judged, offline: one report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from scheduler.configuration.conditions import broken_rules
from scheduler.configuration.constraints import check_type
from scheduler.configuration.documents import SECTIONS
from scheduler.configuration.fleet import Flock
from scheduler.configuration.nodes import MapNode, Node, Origin, Path, Scalar, dotted, leaves, plain
from scheduler.configuration.render import DEFAULT, LayerValues, RenderedTarget, Renderer
from scheduler.configuration.report import Finding, Kind, Report, Severity, close_to, report
from scheduler.configuration.targets import plan_targets
from scheduler.configuration.terraform import Generic, Variable

#: State backends that Terraform has; `local` would lose the state with the run's folder.
BACKENDS: Final = ("azurerm", "consul", "cos", "gcs", "http", "kubernetes", "oci", "oss", "pg", "s3")
#: Arguments that say which state it is; of other backends all do.
_STATE_IDENTITY: Final[Mapping[str, tuple[str, ...]]] = {
    "azurerm": ("storage_account_name", "container_name", "key"),
    "consul": ("address", "path"),
    "cos": ("bucket", "prefix", "key"),
    "gcs": ("bucket", "prefix"),
    "http": ("address",),
    "kubernetes": ("namespace", "secret_suffix"),
    "oss": ("bucket", "prefix", "key"),
    "pg": ("conn_str", "schema_name"),
    "s3": ("bucket", "key"),
}
_SECRET_ARGUMENTS: Final = frozenset(
    {
        "password",
        "access_key",
        "secret_key",
        "token",
        "sas_token",
        "client_secret",
        "conn_str",
        "access_token",
        "secret_id",
    }
)


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A flock, rendered and judged."""

    flock: Flock
    """What it was rendered from."""
    targets: tuple[RenderedTarget, ...]
    """Every target, in the order of the flock file."""
    report: Report
    """What is wrong."""

    @property
    def by_id(self) -> dict[str, RenderedTarget]:
        """The targets by id."""
        return {target.id: target for target in self.targets}


def check(flock: Flock) -> Checked:
    """Render every target of `flock` and say everything that is wrong."""
    plans, findings = plan_targets(flock)
    renderer = Renderer(flock=flock)
    targets = tuple(renderer.render(plan) for plan in plans)
    layers: list[LayerValues] = []
    reached: dict[int, list[RenderedTarget]] = {}
    for target in targets:
        for section in SECTIONS:
            for layer in renderer.layers(target.plan, section):
                if id(layer) not in reached:
                    layers.append(layer)
                reached.setdefault(id(layer), []).append(target)
    complete = not findings and not flock.findings
    findings.extend(flock.findings)
    findings.extend(renderer.findings)
    findings.extend(_misplaced(flock, {plan.id for plan in plans}))
    for layer in layers:
        findings.extend(_undeclared(flock, layer, reached[id(layer)]))
    for target in targets:
        generic = flock.generics.get(target.plan.configuration)
        findings.extend(target.findings)
        if generic is not None:
            findings.extend(_of_target(target, generic, renderer))
    findings.extend(_one_state_twice(targets))
    findings.extend(_secret_defaults(flock.generics.values()))
    findings.extend(_foreign_backends(flock.generics.values()))
    if complete:
        # Where targets are missing, what is theirs would look idle.
        findings.extend(_idle(flock, layers, targets))
    return Checked(flock=flock, targets=targets, report=report(findings))


def _misplaced(flock: Flock, ids: set[str]) -> Iterator[Finding]:
    """Sections of region and realm files that belong to nobody."""
    names = {flock.name, *flock.others}
    for document in (*flock.realms.values(), *flock.regions.values()):
        for name in document.model.flocks:
            if name not in names:
                meant = close_to(name, names)
                yield Finding(
                    kind=Kind.MISSPELT if meant else Kind.UNRESOLVED,
                    origin=document.origin("flocks", name),
                    message=f"there is no flock {name!r}",
                    hint=f"did you mean {meant!r}?" if meant else f"the flocks here are {', '.join(sorted(names))}",
                )
    for region in flock.regions.values():
        for target in region.model.targets:
            owner, place = target.split(".")[:2]
            origin = region.origin("targets", target)
            if place != region.model.name:
                message, kind = f"{target} is no target of region {region.model.name}", Kind.CONFLICT
                yield Finding(kind=kind, origin=origin, message=message, hint=f"it belongs into regions/{place}.yaml")
            elif target not in ids and owner not in flock.others:
                here = [one for one in ids if one.split(".")[1] == region.model.name]
                meant = close_to(target, here)
                yield Finding(
                    kind=Kind.MISSPELT if meant else Kind.UNRESOLVED,
                    origin=origin,
                    message=f"there is no target {target!r}",
                    hint=f"did you mean {meant!r}?" if meant else f"targets here: {', '.join(sorted(here)) or 'none'}",
                )


def _undeclared(flock: Flock, layer: LayerValues, targets: list[RenderedTarget]) -> Iterator[Finding]:
    """Names that a layer sets and no generic configuration has: of its target, or of any where it is for several."""
    if layer.section == "backend":
        yield from _bad_backend(layer)
        return
    wanted = {target.plan.configuration for target in targets} if layer.reach == "target" else set(flock.generics)
    generics = [flock.generics[name] for name in sorted(wanted & flock.generics.keys())]
    if len(generics) < len(wanted) or any(one.incomplete for one in generics):
        # What could not be read may declare it.
        return
    known = {name for generic in generics for name in getattr(generic, layer.section)}
    shared = layer.reach == "all" and bool(flock.others)
    for name in layer.patch.entries:
        if name in known:
            continue
        what = "variable" if layer.section == "variables" else "provider block"
        unset = known - {key for target in targets for key in target.section(layer.section).entries}
        meant = close_to(name, unset if shared else known)
        where = ", ".join(sorted({generic.directory for generic in generics}))
        hint = f"did you mean {meant!r}?" if meant else f"declare it in {where}, or remove it here"
        if layer.section == "providers" and not meant:
            hint = f'an override needs a block to override: add provider "{name.partition(".")[0]}" {{}} to {where}'
        yield Finding(
            kind=Kind.UNUSED if shared and not meant else Kind.MISSPELT if meant else Kind.UNDECLARED,
            origin=layer.patch.keys.get(name, layer.patch.origin),
            message=f"{name}: the generic configuration has no such {what}",
            hint="another flock may have it" if shared and not meant else hint,
            severity=Severity.NOTE if shared and not meant else Severity.ERROR,
        )


def _bad_backend(layer: LayerValues) -> Iterator[Finding]:
    for index, name in enumerate(layer.patch.entries):
        origin = layer.patch.keys.get(name, layer.patch.origin)
        if name not in BACKENDS:
            meant = close_to(name, BACKENDS)
            hint = f"did you mean {meant!r}?" if meant else f"one of {', '.join(BACKENDS)}"
            if name == "local":
                hint = "a run's folder is thrown away; leave `backend` out and Interlock keeps the state"
            message = f"{name}: there is no such backend, or not for remote runs"
            yield Finding(kind=Kind.MISSPELT if meant else Kind.SCHEMA, origin=origin, message=message, hint=hint)
        elif index:
            message = f"{name}: a second backend in one layer"
            yield Finding(kind=Kind.CONFLICT, origin=origin, message=message, hint="a target has one state; keep one")


def _of_target(target: RenderedTarget, generic: Generic, renderer: Renderer) -> Iterator[Finding]:
    def mine(finding: Finding) -> Finding:
        return replace(finding, targets=(target.id,))

    for name, variable in generic.variables.items():
        value = target.variables.entries.get(name)
        if value is None:
            if variable.required:
                yield mine(_missing(variable, target))
            continue
        yield from map(mine, _of_value(variable, value))
    for name, value in target.providers.entries.items():
        if not isinstance(value, MapNode):
            message, hint = f"{name}: a provider takes a map of arguments", f"write {name}: {{ argument: value }}"
            yield mine(Finding(kind=Kind.MISTYPED, origin=value.origin, message=message, hint=hint))
        else:
            yield from map(mine, _secrets_among(value, (name,)))
    for name, value in target.backend.entries.items():
        if not isinstance(value, MapNode):
            message, hint = f"{name}: a backend takes a map of arguments", f"write {name}: {{ argument: value }}"
            yield mine(Finding(kind=Kind.MISTYPED, origin=value.origin, message=message, hint=hint))
        else:
            yield from map(mine, _secrets_among(value, (name,)))
    if len(target.backend.entries) > 1:
        names = " and ".join(sorted(target.backend.entries))
        message = f"layers name {names} as backends; a target has one state"
        hint = "remove one with `backend: {$remove: [...]}`"
        yield mine(Finding(kind=Kind.CONFLICT, origin=target.backend.origin, message=message, hint=hint))


def _of_value(variable: Variable, value: Node) -> Iterator[Finding]:
    name = variable.name
    if isinstance(value, Scalar) and value.value is None:
        if not variable.nullable and variable.required:
            message = f"{name}: null, but the variable is not nullable and has no default"
            yield Finding(kind=Kind.MISTYPED, origin=value.origin, message=message, hint="give it a value")
        return
    if variable.sensitive or variable.ephemeral:
        written = [leaf for _, leaf in leaves(value) if isinstance(leaf, Scalar) and leaf.value not in {None, ""}]
        if written:
            yield Finding(
                kind=Kind.SECRET,
                origin=written[0].origin,
                message=f"{name}: the variable is sensitive, and its value stands here in clear",
                hint="set the secret's name or ARN instead and let a data source read it; then change the secret",
            )
        return
    faults = list(check_type(value, variable.type, (name,)))
    yield from faults
    if not faults:
        for rule in broken_rules(name, value, variable.validations):
            yield Finding(
                kind=Kind.INVALID,
                origin=_first_origin(value),
                message=f"{name}: {rule.message or rule.condition}",
                hint=f"the rule stands in {rule.origin}: {rule.condition}",
            )


def _missing(variable: Variable, target: RenderedTarget) -> Finding:
    places = f"`variables` of {target.plan.origin.file}"
    if target.plan.region_file is not None:
        places += f" or of {target.plan.region_file.tree.origin.file}"
    return Finding(
        kind=Kind.MISSING,
        origin=variable.origin,
        message=f"{variable.name}: no layer sets it and it has no default",
        hint=f"set it in {places}: a {variable.type}",
    )


def _secrets_among(arguments: MapNode, path: Path) -> Iterator[Finding]:
    for where, leaf in leaves(arguments, path):
        if isinstance(leaf, Scalar) and leaf.value not in {None, ""} and where[-1] in _SECRET_ARGUMENTS:
            if isinstance(leaf.value, str) and leaf.value.startswith("${"):
                continue
            yield Finding(
                kind=Kind.SECRET,
                origin=leaf.origin,
                message=f"{dotted(where)}: a secret in clear",
                hint="remove it: the signing proxy holds the credentials",
            )


def _secret_defaults(generics: Iterable[Generic]) -> Iterator[Finding]:
    for generic in generics:
        for variable in generic.variables.values():
            default = variable.default
            if not variable.sensitive or default is None:
                continue
            if any(isinstance(leaf, Scalar) and leaf.value not in {None, ""} for _, leaf in leaves(default)):
                yield Finding(
                    kind=Kind.SECRET,
                    origin=default.origin,
                    message=f"{variable.name}: the variable is sensitive, and its default stands here in clear",
                    hint="remove the default and change the secret",
                )


def _foreign_backends(generics: Iterable[Generic]) -> Iterator[Finding]:
    for generic in generics:
        if generic.backend is not None and generic.backend[0] == "cloud":
            yield Finding(
                kind=Kind.CONFLICT,
                origin=generic.backend[1],
                message="a `cloud` block cannot be overridden by a state backend",
                hint="remove the block; Interlock sets the backend of each target",
            )


def _one_state_twice(targets: tuple[RenderedTarget, ...]) -> Iterator[Finding]:
    first: dict[str, RenderedTarget] = {}
    for target in targets:
        for kind, arguments in target.backend.entries.items():
            values = plain(arguments)
            if not isinstance(values, dict):
                continue
            names = _STATE_IDENTITY.get(kind, tuple(sorted(values)))
            identity = repr((kind, [values.get(name) for name in names]))
            other = first.setdefault(identity, target)
            if other is not target:
                yield Finding(
                    kind=Kind.CONFLICT,
                    origin=_first_origin(arguments),
                    message=f"targets {other.id} and {target.id} have one state",
                    hint="let ${target.id} be part of its key, or leave `backend` out",
                    targets=(other.id, target.id),
                )


def _idle(flock: Flock, layers: list[LayerValues], targets: tuple[RenderedTarget, ...]) -> Iterator[Finding]:
    """Values that take effect in no target: every one that they reach overrides them."""
    used: set[Origin] = set()
    for target in targets:
        for section in SECTIONS:
            for _, leaf in leaves(target.section(section)):
                used.add(leaf.origin)
                if isinstance(leaf, Scalar) and leaf.via is not None:
                    used.add(leaf.via)
    declared = {name for generic in flock.generics.values() for name in (*generic.variables, *generic.providers)}
    for layer in layers:
        for path, leaf in leaves(layer.values):
            if (
                leaf.origin in used
                or not isinstance(leaf, Scalar)
                or any(_directive(step) for step in path if step != "$append")
            ):
                continue
            if layer.section != "backend" and path[0] not in declared:
                # Told as undeclared already.
                continue
            yield Finding(
                kind=Kind.SHADOWED,
                origin=leaf.origin,
                message=f"{dotted(path)}: takes effect in no target; higher layers override it in all",
                hint="remove it, or the values above it",
                severity=Severity.NOTE if layer.reach == "all" and flock.others else Severity.WARNING,
            )


def _directive(step: Any) -> bool:
    return isinstance(step, str) and step == "$remove"


def _first_origin(node: Node) -> Origin:
    """The first leaf that no default gave."""
    origins = [leaf.origin for _, leaf in leaves(node)]
    return next((origin for origin in origins if origin.layer != DEFAULT), origins[0])
