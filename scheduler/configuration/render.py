"""One target's values, each with its provenance, and the files made of them.

Three files at most, beside the generic ones, none of which is changed: the values of the variables, the backend, and
the arguments of providers. Their digest is what a release pins.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from scheduler.configuration.documents import SECTIONS, Document
from scheduler.configuration.fleet import Flock
from scheduler.configuration.merge import Deep, Drop, Put, layer_patch, merge, resolve
from scheduler.configuration.nodes import ListNode, MapNode, Node, Origin, Scalar, in_layer, plain
from scheduler.configuration.references import Scope, brought, resolve_references
from scheduler.configuration.report import Finding, Kind, Refused
from scheduler.configuration.targets import TargetPlan
from scheduler.configuration.terraform import Generic, Variable
from shared.constants import STATE_HOST

VARIABLES_FILE: Final = "interlock.auto.tfvars.json"
BACKEND_FILE: Final = "interlock_backend_override.tf.json"
PROVIDERS_FILE: Final = "interlock_providers_override.tf.json"

#: A variable that gets the cloud's region without being set, where the configuration declares it.
PROVIDER_REGION: Final = "provider_region"
#: Arguments of Interlock's own backend that a layer may set.
PATIENCE: Final = ("retry_max", "retry_wait_min", "retry_wait_max")
BUILT_IN: Final = "built in"
DEFAULT: Final = "Terraform's default"
LOOKED_UP: Final = "looked up by the version"


@dataclass(frozen=True, kw_only=True)
class LayerValues:
    """One section of one layer."""

    name: str
    """The layer's name, as provenance shows it."""
    reach: str
    """all: every flock; flock: every target of this one; target: those that one entry is for."""
    section: str
    """variables, providers or backend."""
    values: MapNode
    """What it sets, as written."""
    patch: Deep
    """The same as a change of what lies below."""


@dataclass(frozen=True, kw_only=True)
class RenderedTarget:
    """A target as it will be deployed."""

    plan: TargetPlan
    """Where it belongs."""
    flock: str
    """Its flock."""
    generic_digest: str
    """Of the generic files."""
    variables: MapNode
    """Values of variables, with provenance; without Terraform's own defaults."""
    providers: MapNode
    """Arguments of provider blocks."""
    backend: MapNode
    """The state backend."""
    files: dict[str, str]
    """What is laid beside the generic files, by name."""
    digest: str
    """sha256 of target id, configuration and files; what a release pins."""
    sensitive: frozenset[str] = frozenset()
    """Variables whose values are not shown."""
    findings: tuple[Finding, ...] = ()
    """What came up on the way."""

    @property
    def id(self) -> str:
        """The target's id."""
        return self.plan.id

    def section(self, name: str) -> MapNode:
        """One of variables, providers, backend."""
        return {"variables": self.variables, "providers": self.providers, "backend": self.backend}[name]


@dataclass
class Renderer:
    """Renders the targets of one flock; what targets share is merged once."""

    flock: Flock
    """The flock."""
    findings: list[Finding] = field(default_factory=list)
    """What is wrong with layers, whichever target they are for."""
    _layers: dict[tuple[Any, ...], LayerValues | None] = field(default_factory=dict)
    _shared: dict[tuple[str, str], tuple[Deep, list[Finding]]] = field(default_factory=dict)
    _scopes: dict[str, dict[str, Node | None]] = field(default_factory=dict)

    def render(self, plan: TargetPlan) -> RenderedTarget:
        """Render one target."""
        generic = self.flock.generics.get(plan.configuration) or Generic(directory=plan.configuration)
        heard: list[Finding] = []
        sections = {name: self._section(plan, name, generic, heard) for name in SECTIONS}
        given = sections["variables"].entries
        declared = {
            key: _effective(value, generic.variables[key]) for key, value in given.items() if key in generic.variables
        }
        variables = MapNode(entries=declared, origin=sections["variables"].origin, keys=sections["variables"].keys)
        files = {
            VARIABLES_FILE: _json(plain(variables)),
            BACKEND_FILE: _json({"terraform": {"backend": _own_backend(plan.id, plain(sections["backend"]))}}),
        }
        providers = plain(sections["providers"])
        if providers:
            files[PROVIDERS_FILE] = _json({"provider": _provider_blocks(providers)})
        return RenderedTarget(
            plan=plan,
            flock=self.flock.name,
            generic_digest=generic.digest,
            variables=variables,
            providers=sections["providers"],
            backend=sections["backend"],
            files=files,
            digest=_digest(plan, files),
            sensitive=frozenset(name for name, one in generic.variables.items() if one.secret),
            findings=tuple(_for_target(one, plan.id) for one in heard),
        )

    def layers(self, plan: TargetPlan, section: str) -> Iterator[LayerValues]:
        """The layers of one target that set anything in `section`, the lowest first: the precedence, said once."""
        flock, region = self.flock, plan.region_file
        yield from self._layer(flock.document, "flock", "flock", section)
        realm = flock.realms.get(region.model.realm) if region else None
        if realm is not None:
            name = f"realm {realm.model.name}"
            yield from self._layer(realm, name, "all", section)
            yield from self._layer(realm, f"{name}, flock {flock.name}", "flock", section, "flocks", flock.name)
        if region is not None:
            name = f"region {region.model.name}"
            yield from self._layer(region, name, "all", section)
            yield from self._layer(region, f"{name}, flock {flock.name}", "flock", section, "flocks", flock.name)
        yield from self._layer(
            flock.document, f"target entry {plan.entry + 1}", "target", section, "targets", plan.entry
        )
        if region is not None:
            name = f"region {region.model.name}, target {plan.id}"
            yield from self._layer(region, name, "target", section, "targets", plan.id)

    def _layer(
        self, document: Document[Any], name: str, reach: str, section: str, *path: str | int
    ) -> Iterator[LayerValues]:
        key = (id(document), name, section, path)
        if key not in self._layers:
            values = document.section(section, *path)
            self._layers[key] = None
            if values is not None and values.entries:
                placed = in_layer(values, name)
                if isinstance(placed, MapNode):
                    self._layers[key] = self._patched(name, reach, section, placed)
        found = self._layers[key]
        if found is not None:
            yield found

    def _patched(self, name: str, reach: str, section: str, values: MapNode) -> LayerValues | None:
        try:
            return LayerValues(name=name, reach=reach, section=section, values=values, patch=layer_patch(values))
        except Refused as error:
            self.findings.append(error.finding)
            return None

    def _section(self, plan: TargetPlan, section: str, generic: Generic, heard: list[Finding]) -> MapNode:
        layers = list(self.layers(plan, section))
        wide = [layer.patch for layer in layers if layer.reach != "target"]
        own = [layer.patch for layer in layers if layer.reach == "target"]
        if (plan.region, section) not in self._shared:
            complaints: list[Finding] = []
            self._shared[plan.region, section] = (merge(wide, complaints.append), complaints)
        shared, complaints = self._shared[plan.region, section]
        heard.extend(complaints)
        layers_below = []
        if section == "variables":
            layers_below = [_lowest(plan, generic, {*shared.entries, *(key for one in own for key in one.entries)})]
            heard.extend(_merged_into_expressions(generic, merge([shared, *own])))
        merged = resolve(merge([*layers_below, shared, *own], heard.append), heard.append)
        if not isinstance(merged, MapNode):
            raise AssertionError("a section is a map")
        resolved = resolve_references(merged, self._scope(plan), heard.append)
        return resolved if isinstance(resolved, MapNode) else merged

    def _scope(self, plan: TargetPlan) -> Scope:
        """Everything that a value of this target can refer to."""
        if plan.region not in self._scopes:
            self._scopes[plan.region] = {**self._artifacts(), **_region_scope(plan)}
        return {
            **self._scopes[plan.region],
            "region.provider_region": _text(plan.provider_region, plan.provider_region_origin, _said_by(plan)),
            "target.id": _text(plan.id, plan.origin),
            "target.name": _text(plan.name, plan.origin),
            "target.phase": _text(plan.phase, plan.origin),
        }

    def _artifacts(self) -> dict[str, Node | None]:
        document = self.flock.document
        scope: dict[str, Node | None] = {"flock.name": _text(self.flock.name, document.origin("name"))}
        for name, artifact in document.model.artifacts.items():
            for part in ("source", "version", "digest"):
                origin = document.origin("artifacts", name, part)
                scope[f"artifact.{name}.{part}"] = _text(getattr(artifact, part), origin)
            if artifact.digest is None and name in self.flock.artifact_digests:
                origin = document.origin("artifacts", name, "version")
                scope[f"artifact.{name}.digest"] = _text(self.flock.artifact_digests[name], origin, LOOKED_UP)
        return scope


def _region_scope(plan: TargetPlan) -> dict[str, Node | None]:
    region = plan.region_file
    if region is None:
        name = _text(plan.region, plan.origin)
        return {"region.name": name, "region.realm": None, "region.account": None, "region.zones": None}
    here = f"region {region.model.name}"
    zones = region.tree.entries.get("zones")
    return {
        "region.name": _text(region.model.name, region.origin("name"), here),
        "region.realm": _text(region.model.realm, region.origin("realm"), here),
        "region.account": _text(region.model.account, region.origin("account"), here),
        "region.zones": in_layer(zones, here) if isinstance(zones, ListNode) else None,
    }


def _said_by(plan: TargetPlan) -> str:
    """The layer that says how the cloud calls the region: the region's file, or the target's entry in the flock's."""
    region = plan.region_file
    if region is not None and region.origin("name").file == plan.provider_region_origin.file:
        return f"region {region.model.name}"
    return f"target entry {plan.entry + 1}"


def _text(value: str | None, origin: Origin, layer: str = BUILT_IN) -> Scalar | None:
    placed = Origin(origin.file, origin.line, origin.column, layer)
    return None if value is None else Scalar(value=value, origin=placed, text=value)


def _lowest(plan: TargetPlan, generic: Generic, wanted: set[str]) -> Deep:
    """Terraform's defaults of the variables that some layer changes, and the cloud's region where that is declared."""
    entries: dict[str, Node] = {}
    keys: dict[str, Origin] = {}
    for name in wanted & generic.variables.keys():
        default = generic.variables[name].default
        if default is not None:
            entries[name] = in_layer(default, DEFAULT)
            keys[name] = default.origin
    region = _text(plan.provider_region, plan.provider_region_origin)
    if PROVIDER_REGION in generic.variables and region is not None:
        entries[PROVIDER_REGION] = region
    return Deep(entries={name: Put(node=node) for name, node in entries.items()}, origin=plan.origin, keys=keys)


def _effective(value: Node, variable: Variable) -> Node:
    """What Terraform makes of it: for null its default, where the variable is not nullable."""
    if variable.nullable or variable.default is None or not isinstance(value, Scalar) or value.value is not None:
        return value
    return brought(in_layer(variable.default, DEFAULT), value.origin)


def _merged_into_expressions(generic: Generic, patch: Deep) -> Iterator[Finding]:
    """Edits of a default that only Terraform can evaluate: what they would be merged into is not known here."""
    for name, change in patch.entries.items():
        variable = generic.variables.get(name)
        if variable is None or variable.required or variable.default is not None or isinstance(change, Put | Drop):
            continue
        yield Finding(
            kind=Kind.UNRESOLVED,
            origin=patch.keys.get(name, change.origin),
            message=f"{name}: its default is an expression, so nothing can be merged into it or appended to it",
            hint=f"say $replace, or write the default in {variable.origin} as a literal",
        )


def _own_backend(target: str, said: dict[str, Any]) -> dict[str, Any]:
    """Interlock's own state backend, behind the signing proxy; the run's password is not written anywhere."""
    address = f"https://{STATE_HOST}/v1/state/{target}"
    patience = said.get("http")
    return {
        "http": {
            "address": address,
            "lock_address": address,
            "unlock_address": address,
            "update_method": "POST",
            "lock_method": "LOCK",
            "unlock_method": "UNLOCK",
            # Refusals end at once; what is retried is a connection that broke.
            "retry_max": 3,
            "retry_wait_min": 1,
            "retry_wait_max": 5,
        }
        | {key: value for key, value in (patience if isinstance(patience, dict) else {}).items() if key in PATIENCE}
    }


def _provider_blocks(providers: dict[str, Any]) -> dict[str, list[Any]]:
    blocks: dict[str, list[Any]] = {}
    for key in sorted(providers):
        name, _, alias = key.partition(".")
        arguments = providers[key] if isinstance(providers[key], dict) else {}
        blocks.setdefault(name, []).append({**arguments, "alias": alias} if alias else arguments)
    return blocks


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _digest(plan: TargetPlan, files: dict[str, str]) -> str:
    content = {
        "target": plan.id,
        "region": plan.region,
        "provider_region": plan.provider_region,
        "configuration": plan.configuration,
        "files": {name: hashlib.sha256(text.encode()).hexdigest() for name, text in files.items()},
    }
    packed = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
    return f"sha256:{hashlib.sha256(packed).hexdigest()}"


def _for_target(finding: Finding, target: str) -> Finding:
    return Finding(
        kind=finding.kind,
        origin=finding.origin,
        message=finding.message,
        hint=finding.hint,
        severity=finding.severity,
        targets=(target,),
    )
