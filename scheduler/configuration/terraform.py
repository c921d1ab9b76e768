"""What a generic Terraform configuration declares: variables, providers, backend, modules; each with file and line.

Reads the root module's `*.tf` and `*.tf.json`, override files last, as Terraform does. Local modules are looked through
for hard-coded values only; their variables are set by the root module.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from scheduler.configuration.constraints import ANY, Type, parse_type
from scheduler.configuration.file_paths import escaping_paths
from scheduler.configuration.files import read_bounded
from scheduler.configuration.generic_files import digest_of
from scheduler.configuration.hcl import Block, Syntax, parse_hcl
from scheduler.configuration.nodes import Node, Origin, Scalar
from scheduler.configuration.report import Finding, Kind, Refused, Severity
from scheduler.configuration.requirements import (
    Requirement,
    declared_requirement,
    implied_requirement,
    with_implied,
)
from scheduler.configuration.suspects import Suspect, suspects_in
from scheduler.configuration.terraform_json import parse_terraform_json
from shared.errors import ConfigurationError

#: Terraform loads these by itself, after or before ours: values that no report would show.
AUTOMATIC_VALUES: Final = ("terraform.tfvars", "terraform.tfvars.json")
AUTOMATIC_SUFFIXES: Final = (".auto.tfvars", ".auto.tfvars.json")
LOCK_FILE: Final = ".terraform.lock.hcl"


@dataclass(frozen=True, kw_only=True)
class Validation:
    """A `validation` block."""

    condition: str
    """The condition's text."""
    message: str
    """What the author says when it does not hold."""
    origin: Origin
    """Where it stands."""
    syntax: Syntax | None = None
    """The condition, for `conditions`."""


@dataclass(frozen=True, kw_only=True)
class Variable:
    """A `variable` block."""

    name: str
    """Its name."""
    origin: Origin
    """Where it stands."""
    type: Type = ANY
    """Its type constraint."""
    default: Node | None = None
    """Its default; None: there is none, or no literal."""
    default_text: str = ""
    """The default as it is written; empty: there is none."""
    default_origin: Origin | None = None
    """Where that stands."""
    required: bool = True
    """Whether there is no default."""
    nullable: bool = True
    """Whether null stays null."""
    sensitive: bool = False
    """Whether its value must not be shown."""
    ephemeral: bool = False
    """Whether its value is in no state."""
    description: str = ""
    """What it is for."""
    validations: tuple[Validation, ...] = ()
    """Its rules."""

    @property
    def secret(self) -> bool:
        """Whether no file may hold its value."""
        return self.sensitive or self.ephemeral


@dataclass(frozen=True, kw_only=True)
class Provider:
    """A `provider` block."""

    name: str
    """Its local name."""
    alias: str | None
    """Its alias."""
    origin: Origin
    """Where it stands."""

    @property
    def key(self) -> str:
        """`name` or `name.alias`, as flock files write it."""
        return self.name if self.alias is None else f"{self.name}.{self.alias}"


@dataclass(frozen=True, kw_only=True)
class Module:
    """A `module` block."""

    name: str
    """Its name."""
    source: str
    """Where it comes from; empty: not a literal."""
    version: str
    """Version constraint; empty: none."""
    origin: Origin
    """Where it stands."""


@dataclass(frozen=True, kw_only=True)
class Generic:
    """One generic configuration."""

    directory: str
    """Its folder, relative to the flock's."""
    digest: str = ""
    """Of all its files."""
    files: dict[str, str] = field(default_factory=dict)
    """Digest of each file."""
    variables: dict[str, Variable] = field(default_factory=dict)
    """By name."""
    providers: dict[str, Provider] = field(default_factory=dict)
    """By `name` or `name.alias`."""
    requirements: dict[str, Requirement] = field(default_factory=dict)
    """Providers that it needs, by local name; declared or implied."""
    modules: dict[str, Module] = field(default_factory=dict)
    """By name."""
    backend: tuple[str, Origin] | None = None
    """Type of the backend that it names, and where."""
    required_version: str = ""
    """Constraint on Terraform's version."""
    outputs: Mapping[str, bool] = field(default_factory=dict)
    """Its outputs, and whether each is sensitive."""
    suspects: tuple[Suspect, ...] = ()
    """What is hard-coded."""
    findings: tuple[Finding, ...] = ()
    """What is wrong with it."""

    @property
    def incomplete(self) -> bool:
        """Whether a file could not be read, so that declarations may be missing here."""
        return any(one.kind in {Kind.SYNTAX, Kind.CONFLICT} for one in self.findings)


@dataclass
class _Draft:
    variables: dict[str, Variable] = field(default_factory=dict)
    providers: dict[str, Provider] = field(default_factory=dict)
    requirements: dict[str, Requirement] = field(default_factory=dict)
    implied: dict[str, Requirement] = field(default_factory=dict)
    modules: dict[str, Module] = field(default_factory=dict)
    backend: tuple[str, Origin] | None = None
    required_version: str = ""
    outputs: dict[str, bool] = field(default_factory=dict)
    suspects: list[Suspect] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def read_generic(directory: Path, *, name: str, shown_as: str, whole: bool = True) -> Generic:
    """Read the configuration in `directory`. Never raises for what is in it: that is in `findings`.

    Args:
        directory: the folder.
        name: as the flock file names it.
        shown_as: the folder in origins and messages; "." for the flock's own.
        whole: False where only the declarations are wanted: local modules and other files are not looked at.
    """
    draft = _Draft()
    sources = [path for path in sorted(directory.iterdir()) if path.is_file() and _is_terraform(path.name)]
    # Terraform merges override files last, in the order of their names.
    for path in sorted(sources, key=lambda path: (_is_override(path.name), path.name)):
        _read_file(path, _shown(shown_as, path.name), draft, root=directory)
    for path in sorted(directory.iterdir()):
        if path.name in AUTOMATIC_VALUES or path.name.endswith(AUTOMATIC_SUFFIXES):
            draft.findings.append(_automatic(Origin(_shown(shown_as, path.name), 1)))
    if whole:
        _read_local_modules(directory, shown_as, draft)
    digest = ""
    files: dict[str, str] = {}
    try:
        digest, files = digest_of(directory) if whole else ("", {})
    except ConfigurationError as error:
        here = Origin(_shown(shown_as, ""), 1)
        draft.findings.append(Finding(kind=Kind.OUTSIDE, origin=here, message=error.message, hint=error.hint))
    return Generic(
        directory=name,
        digest=digest,
        files=files,
        variables=draft.variables,
        providers=draft.providers,
        requirements=_requirements(draft),
        modules=draft.modules,
        backend=draft.backend,
        required_version=draft.required_version,
        outputs=draft.outputs,
        suspects=tuple(sorted(draft.suspects, key=lambda one: (one.origin.file, one.origin.line, one.origin.column))),
        findings=tuple(draft.findings),
    )


def _requirements(draft: _Draft) -> dict[str, Requirement]:
    found = dict(draft.requirements)
    for name, one in draft.implied.items():
        found[name] = with_implied(found.get(name), one)
    return found


def has_terraform_files(directory: Path) -> bool:
    """Whether Terraform would call `directory` a configuration."""
    return any(path.is_file() and _is_terraform(path.name) for path in directory.iterdir())


def _read_file(path: Path, shown: str, draft: _Draft, *, root: Path, inside: PurePosixPath = PurePosixPath()) -> None:
    try:
        blocks = _blocks(path, shown, root)
    except Refused as error:
        draft.findings.append(error.finding)
        return
    for block in blocks:
        try:
            _declare(block, draft, override=_is_override(path.name))
            draft.suspects.extend(suspects_in(block, shown))
            draft.findings.extend(escaping_paths(block, shown, inside))
        except Refused as error:
            draft.findings.append(error.finding)


def _blocks(path: Path, shown: str, root: Path) -> Iterable[Block]:
    content = read_bounded(path, shown, inside=root)
    return parse_terraform_json(content, shown) if path.name.endswith(".json") else parse_hcl(content, shown)


def _declare(block: Block, draft: _Draft, *, override: bool) -> None:
    implied = implied_requirement(block)
    if implied is not None:
        draft.implied[implied.name] = with_implied(draft.implied.get(implied.name), implied)
    match block.type, block.labels:
        case "variable", (name,):
            known = draft.variables.get(name)
            if known is not None and not override:
                raise _twice(block, f"variable {name}", known.origin)
            draft.variables[name] = _variable(name, block, known)
        case "provider", (name,):
            provider = Provider(name=name, alias=block.text("alias") or None, origin=block.origin)
            if provider.key in draft.providers and not override:
                raise _twice(block, f"provider {provider.key}", draft.providers[provider.key].origin)
            draft.providers.setdefault(provider.key, provider)
        case "module", (name,):
            below = draft.modules.get(name)
            if below is not None and not override:
                raise _twice(block, f"module {name}", below.origin)
            draft.modules[name] = Module(
                name=name,
                source=block.text("source") or (below.source if below else ""),
                version=block.text("version") or (below.version if below else ""),
                origin=below.origin if below else block.origin,
            )
        case "output", (name,):
            draft.outputs[name] = _flag(block, "sensitive", draft.outputs.get(name, False), unclear=True)
        case "terraform", ():
            _declare_terraform(block, draft, override=override)
        case _:
            pass


def _declare_terraform(block: Block, draft: _Draft, *, override: bool) -> None:
    versions = [one for one in ("" if override else draft.required_version, block.text("required_version")) if one]
    draft.required_version = ", ".join(versions) or draft.required_version
    for inner in block.blocks:
        if inner.type == "cloud" or (inner.type == "backend" and inner.labels):
            if draft.backend is not None and not override:
                raise _twice(inner, "the state's place", draft.backend[1])
            draft.backend = (inner.labels[0] if inner.labels else inner.type, inner.origin)
        elif inner.type == "required_providers":
            if draft.requirements and not override:
                raise _twice(inner, "required_providers", next(iter(draft.requirements.values())).origin)
            for name, attribute in inner.attributes.items():
                draft.requirements[name] = declared_requirement(name, attribute)


def _variable(name: str, block: Block, known: Variable | None) -> Variable:
    base = known or Variable(name=name, origin=block.origin)
    given = block.attributes
    default = given.get("default")
    return Variable(
        name=name,
        origin=base.origin,
        type=parse_type(given["type"].expression, given["type"].file) if "type" in given else base.type,
        default=default.literal() if default else base.default,
        default_text=default.text if default else base.default_text,
        default_origin=default.origin if default else base.default_origin,
        required=base.required and default is None,
        nullable=_flag(block, "nullable", base.nullable),
        sensitive=_flag(block, "sensitive", base.sensitive, unclear=True),
        ephemeral=_flag(block, "ephemeral", base.ephemeral, unclear=True),
        description=block.text("description") or base.description,
        validations=tuple(_validation(one) for one in block.blocks if one.type == "validation") or base.validations,
    )


def _flag(block: Block, name: str, otherwise: bool, *, unclear: bool | None = None) -> bool:
    """A bool attribute; `unclear` is what it is where it is no literal, None: `otherwise`."""
    attribute = block.attributes.get(name)
    if attribute is None:
        return otherwise
    value = attribute.literal()
    # Terraform takes the texts as well.
    known = {True: True, "true": True, False: False, "false": False}
    if isinstance(value, Scalar) and value.value in known:
        return known[value.value]
    return otherwise if unclear is None else unclear


def _validation(block: Block) -> Validation:
    condition = block.attributes.get("condition")
    message = block.attributes.get("error_message")
    return Validation(
        condition=condition.text if condition else "",
        message=block.text("error_message") or (message.text if message else ""),
        origin=block.origin,
        syntax=condition.expression if condition else None,
    )


#: Sources on this machine. Terraform takes absolute ones as well, but a worker has only the configuration's folder.
_LOCAL: Final = ("./", "../", "/", "file:", "git::file:", "git::/")


def _read_local_modules(directory: Path, shown_as: str, draft: _Draft) -> None:
    """Look through local modules, and theirs, for hard-coded values; refuse those outside the folder."""
    waiting = [(directory, PurePosixPath(), one) for one in draft.modules.values()]
    seen = {directory.resolve()}
    while waiting:
        base, relative, module = waiting.pop()
        if not module.source.startswith(_LOCAL):
            continue
        folder = (base / module.source.removeprefix("git::").removeprefix("file://")).resolve()
        # By its words as well: out and in again leads nowhere where the folder has another name.
        leaves = module.source.startswith(".") and posixpath.normpath(relative / module.source).split("/")[0] == ".."
        if leaves or not folder.is_relative_to(directory.resolve()):
            draft.findings.append(
                Finding(
                    kind=Kind.OUTSIDE,
                    origin=module.origin,
                    message=f"module {module.name}: {module.source} leads out of the generic configuration",
                    hint="a worker gets only that folder: move the module into it",
                )
            )
            continue
        if not folder.is_dir():
            message = f"module {module.name}: there is no folder {module.source}"
            draft.findings.append(
                Finding(kind=Kind.UNRESOLVED, origin=module.origin, message=message, hint="correct `source`")
            )
            continue
        if folder in seen:
            continue
        seen.add(folder)
        inner = _Draft()
        inside = PurePosixPath(folder.relative_to(directory.resolve()).as_posix())
        for path in sorted(folder.iterdir()):
            if path.is_file() and _is_terraform(path.name):
                _read_file(path, _shown(shown_as, str(inside / path.name)), inner, root=directory, inside=inside)
        draft.suspects.extend(inner.suspects)
        draft.findings.extend(inner.findings)
        waiting.extend((folder, relative / module.source, one) for one in inner.modules.values())


def _automatic(origin: Origin) -> Finding:
    return Finding(
        kind=Kind.SHADOWED,
        origin=origin,
        message="Terraform loads this file by itself, beside or over what Interlock renders",
        hint="move its values to `variables` in flock.yaml and remove the file",
        severity=Severity.ERROR,
    )


def _twice(block: Block, what: str, first: Origin) -> Refused:
    return Refused(Kind.CONFLICT, block.origin, f"{what} is declared twice; first in {first}", hint="keep one")


def _shown(folder: str, name: str) -> str:
    return name if folder == "." and name else f"{folder}/{name}" if name else folder


def _is_terraform(name: str) -> bool:
    return name.endswith((".tf", ".tf.json")) and not name.startswith(".")


def _is_override(name: str) -> bool:
    stem = name.removesuffix(".json").removesuffix(".tf")
    return stem == "override" or stem.endswith("_override")
