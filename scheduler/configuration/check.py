"""Every target rendered and judged, offline: one report."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from scheduler.configuration.conditions import broken_rules
from scheduler.configuration.constraints import Type, check_type
from scheduler.configuration.documents import SECTIONS
from scheduler.configuration.fleet import Flock
from scheduler.configuration.nodes import ListNode, MapNode, Node, Origin, Path, Scalar, dotted, leaves
from scheduler.configuration.render import DEFAULT, PATIENCE, LayerValues, RenderedTarget, Renderer
from scheduler.configuration.report import Finding, Kind, Refused, Report, Severity, close_to, report
from scheduler.configuration.sections import misreferring
from scheduler.configuration.targets import plan_targets
from scheduler.configuration.terraform import Generic, Variable

#: Of all targets of a flock; each is in memory until the report is written.
MAX_RENDERED_CHARS: Final = 512 * 2**20
#: State backends that Terraform has.
BACKENDS: Final = ("azurerm", "consul", "cos", "gcs", "http", "kubernetes", "local", "oci", "oss", "pg", "remote", "s3")
#: What may be said of Interlock's own backend: how often a connection that broke is tried again, and after how long.
OWN_BACKEND: Final = "http"
OWN_BACKEND_ARGUMENTS: Final[Mapping[str, Type]] = dict.fromkeys(PATIENCE, Type(kind="number"))
#: Ends of names of arguments that hold a secret, of every provider.
_SECRET_ARGUMENT: Final = re.compile(
    r"(?:^|_)(?:password|passwd|passphrase|secret|secret_key|secret_id|access_key|private_key|api_key|token|conn_str"
    r"|credentials)$",
    re.IGNORECASE,
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
    """Render every target of `flock` and say everything that is wrong. Raises Refused for more than fits in memory."""
    plans, findings = plan_targets(flock)
    renderer = Renderer(flock=flock)
    targets = tuple(_bounded(flock, (renderer.render(plan) for plan in plans)))
    layers: list[LayerValues] = []
    reached: dict[int, list[RenderedTarget]] = {}
    for target in targets:
        for section in SECTIONS:
            for layer in renderer.layers(target.plan, section):
                if id(layer) not in reached:
                    layers.append(layer)
                reached.setdefault(id(layer), []).append(target)
    complete = not any(one.severity is Severity.ERROR for one in (*findings, *flock.findings))
    findings.extend(flock.findings)
    findings.extend(renderer.findings)
    findings.extend(_misplaced(flock, {plan.id for plan in plans}))
    findings.extend(misreferring(flock, plans))
    for layer in layers:
        findings.extend(_undeclared(flock, layer, reached[id(layer)]))
        findings.extend(_in_clear(flock, layer, reached[id(layer)]))
    for target in targets:
        generic = flock.generics.get(target.plan.configuration)
        findings.extend(target.findings)
        if generic is not None:
            findings.extend(_of_target(target, generic, renderer))
    findings.extend(_secret_defaults(flock.generics.values()))
    findings.extend(_foreign_backends(flock.generics.values()))
    if complete:
        # Where targets are missing, what is theirs would look idle.
        findings.extend(_idle(flock, layers, targets))
    return Checked(flock=flock, targets=targets, report=report(findings))


def _bounded(flock: Flock, targets: Iterable[RenderedTarget]) -> Iterator[RenderedTarget]:
    size = 0
    for target in targets:
        size += sum(map(len, target.files.values()))
        if size > MAX_RENDERED_CHARS:
            raise Refused(
                Kind.SCHEMA,
                flock.document.origin("targets"),
                f"what is rendered for all targets together is larger than {MAX_RENDERED_CHARS // 2**20} MiB",
                hint="split the flock, or let the configuration read large values from a file of its own",
            )
        yield target


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
            if place != region.model.name and place in flock.regions:
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
    every = {flock.document.model.configuration, *(one.configuration for one in flock.document.model.targets)} - {None}
    wanted = {target.plan.configuration for target in targets} if layer.reach == "target" else every
    generics = [one for name, one in sorted(flock.generics.items()) if name in wanted]
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
    """Runs keep their state in Interlock, fenced by the lease; a layer only says how patient Terraform is with it."""
    for name in layer.patch.entries:
        if name == OWN_BACKEND:
            continue
        meant = close_to(name, BACKENDS) if name not in BACKENDS else None
        if meant is None and name in BACKENDS:
            message = f"{name}: runs keep their state in Interlock, where the lease fences it, and in no other backend"
        else:
            message = f"{name}: there is no such backend"
        yield Finding(
            kind=Kind.MISSPELT if meant else Kind.CONFLICT if name in BACKENDS else Kind.SCHEMA,
            origin=layer.patch.keys.get(name, layer.patch.origin),
            message=message,
            hint=f"did you mean {meant!r}?" if meant else f"remove it; `backend` takes only {_OWN}",
        )


_OWN: Final = f"{OWN_BACKEND}: {{{', '.join(OWN_BACKEND_ARGUMENTS)}}}"


def _in_clear(flock: Flock, layer: LayerValues, targets: list[RenderedTarget]) -> Iterator[Finding]:
    """Values of sensitive variables, whether they take effect or a higher layer hides them."""
    if layer.section != "variables":
        return
    generics = {target.plan.configuration for target in targets} & flock.generics.keys()
    for name, value in layer.values.entries.items():
        variables = [flock.generics[one].variables.get(name) for one in generics]
        if _says_something(value) and any(one is not None and one.secret for one in variables):
            yield Finding(
                kind=Kind.SECRET,
                origin=_first_origin(value),
                message=f"{name}: the variable is sensitive, and its value stands here in clear",
                hint=f"remove it and change the secret; {INSTEAD}",
            )


def _says_something(value: Node) -> bool:
    """Whether a value could hold a secret; the keys of a map could as well."""
    match value:
        case Scalar():
            return value.value not in {None, ""}
        case ListNode():
            return bool(value.items)
        case MapNode():
            return bool(value.entries)


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
            continue
        yield from map(mine, _secrets_among(value, (name,)))
        if name == OWN_BACKEND:
            yield from map(mine, _own_arguments(value))


def _own_arguments(arguments: MapNode) -> Iterator[Finding]:
    for name, value in arguments.entries.items():
        if name in OWN_BACKEND_ARGUMENTS:
            yield from check_type(value, OWN_BACKEND_ARGUMENTS[name], (OWN_BACKEND, name))
            continue
        meant = close_to(name, OWN_BACKEND_ARGUMENTS)
        yield Finding(
            kind=Kind.MISSPELT if meant else Kind.CONFLICT,
            origin=arguments.key_origin(name),
            message=f"{OWN_BACKEND}.{name}: Interlock says where a target's state is; only {_OWN} may be set",
            hint=f"did you mean {meant!r}?" if meant else "remove it",
        )


def _of_value(variable: Variable, value: Node) -> Iterator[Finding]:
    name = variable.name
    if isinstance(value, Scalar) and value.value is None:
        if not variable.nullable and variable.required:
            message = f"{name}: null, but the variable is not nullable and has no default"
            yield Finding(kind=Kind.MISTYPED, origin=value.origin, message=message, hint="give it a value")
        return
    if variable.secret:
        # Told of each layer; a message about its type would show it.
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
    hint = f"set it in {places}: a {variable.type}"
    return Finding(
        kind=Kind.MISSING,
        origin=variable.origin,
        message=f"{variable.name}: no layer sets it and it has no default",
        hint=f"it is sensitive, so no file may hold it; {INSTEAD}" if variable.secret else hint,
    )


#: Files are published, releases kept: neither may hold a secret, and nothing else reaches a run.
INSTEAD: Final = (
    "let a data source read the secret by its name, which an ordinary variable holds, or give the variable "
    "`default = null`"
)


def _secrets_among(arguments: MapNode, path: Path) -> Iterator[Finding]:
    for where, leaf in leaves(arguments, path):
        if isinstance(leaf, Scalar) and leaf.value not in {None, ""} and _named_secret(where):
            if isinstance(leaf.value, str) and leaf.value.startswith("${"):
                continue
            yield Finding(
                kind=Kind.SECRET,
                origin=leaf.origin,
                message=f"{dotted(where)}: a secret in clear",
                hint="remove it: the signing proxy holds the credentials",
            )


def _named_secret(path: Path) -> bool:
    return any(isinstance(step, str) and _SECRET_ARGUMENT.search(step) for step in path[1:])


def _secret_defaults(generics: Iterable[Generic]) -> Iterator[Finding]:
    for generic in generics:
        for variable in generic.variables.values():
            default = variable.default
            if not variable.secret or variable.required:
                continue
            if default is None or _says_something(default):
                yield Finding(
                    kind=Kind.SECRET,
                    origin=variable.default_origin or variable.origin,
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
