"""Reads a flock, its realms, regions and generic configurations from disk. Whatever is wrong is a finding."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from scheduler.configuration.documents import Document, read_document
from scheduler.configuration.files import read_bounded
from scheduler.configuration.models import MAX_REGIONS, FlockFile, RealmFile, RegionFile
from scheduler.configuration.nodes import MapNode, Origin, Scalar
from scheduler.configuration.report import Finding, Kind, ManyRefused, Refused, Severity
from scheduler.configuration.terraform import Generic, has_terraform_files, read_generic
from scheduler.configuration.yaml_source import parse_yaml
from shared.errors import ConfigurationError

FLOCK_FILE: Final = "flock.yaml"
REGIONS: Final = "regions"
REALMS: Final = "realms"
#: Folders searched for other flocks; what lies deeper or is hidden is not looked at.
MAX_FOLDERS: Final = 5000
_SKIPPED: Final = frozenset({"node_modules", "__pycache__"})
_SUFFIXES: Final = frozenset({".yaml", ".yml"})


@dataclass(frozen=True, kw_only=True)
class Flock:
    """One flock with everything that it is rendered from."""

    path: Path
    """Its flock.yaml."""
    document: Document[FlockFile]
    """What that says."""
    realms: dict[str, Document[RealmFile]] = field(default_factory=dict)
    """By name."""
    regions: dict[str, Document[RegionFile]] = field(default_factory=dict)
    """By name."""
    has_realms: bool = False
    """Whether there is a folder realms/; then every realm has a file."""
    has_regions: bool = False
    """Whether there is a folder regions/; then every region has a file."""
    generics: dict[str, Generic] = field(default_factory=dict)
    """By the folder's name in flock.yaml."""
    artifact_digests: Mapping[str, str] = field(default_factory=dict)
    """What the versions of artifacts that have no digest were found to be, by the artifact's name."""
    others: frozenset[str] = frozenset()
    """Names of the other flocks of the fleet."""
    unreadable: frozenset[str] = frozenset()
    """Names of the realms and regions whose files cannot be used; `findings` says why."""
    findings: tuple[Finding, ...] = ()
    """What was wrong with files other than flock.yaml."""

    @property
    def name(self) -> str:
        """The flock's name."""
        return self.document.model.name

    def folder(self, configuration: str) -> Path:
        """The folder of one of its generic configurations."""
        return self.path.parent / configuration


def load_flock(path: Path, *, extra_region: Path | None = None, inside: Path | None = None) -> Flock:
    """Read the flock at `path`: flock.yaml, or the folder that holds it.

    Args:
        path: as the user names it; origins are written relative to the same place.
        extra_region: a region file that is looked at as if it were in regions/.
        inside: the folder that nothing may be read outside of; None: `fleet` may lead anywhere, as on one's own disk.

    Raises:
        Refused: flock.yaml cannot be used at all. Everything else is in `findings`.
        ConfigurationError: there is none.
    """
    file = path / FLOCK_FILE if path.is_dir() else path
    document, findings = _read(file, FlockFile, inside=inside)
    if document is None:
        raise ManyRefused(findings)
    fleet = Path(os.path.normpath(file.parent / document.model.fleet))
    if inside is not None and not fleet.resolve().is_relative_to(inside.resolve()):
        raise Refused(
            Kind.OUTSIDE,
            document.origin("fleet"),
            "fleet: leads out of the folder that may be read",
            hint="send regions/ and realms/ along, and name the folder above them, relative to flock.yaml",
        )
    if Path(document.model.fleet).is_absolute() or not fleet.is_dir():
        raise Refused(
            Kind.UNRESOLVED,
            document.origin("fleet"),
            f"fleet: there is no folder {document.model.fleet!r}",
            hint="a path relative to flock.yaml; the folder above regions/ and realms/",
        )
    unreadable: set[str] = set()
    realms = _read_folder(fleet, REALMS, RealmFile, findings, unreadable)
    regions = _read_folder(fleet, REGIONS, RegionFile, findings, unreadable)
    has_regions = (fleet / REGIONS).is_dir()
    if extra_region is not None:
        extra, wrong = _read(extra_region, RegionFile, inside=inside)
        findings.extend(wrong)
        if extra is not None:
            has_regions = True
            findings.extend(_unfit(extra_region, extra, regions.get(extra.model.name)))
            regions[extra.model.name] = extra
    names = flock_names(fleet)
    findings.extend(_same_name(document, file, names.get(document.model.name, ())))
    return Flock(
        path=file,
        document=document,
        realms=realms,
        regions=regions,
        has_realms=(fleet / REALMS).is_dir(),
        has_regions=has_regions,
        generics=_read_generics(file, document, findings),
        others=frozenset(names.keys() - {document.model.name}),
        unreadable=frozenset(unreadable),
        findings=tuple(findings),
    )


def find_flocks(folder: Path) -> list[Path]:
    """Every flock.yaml below `folder`. Raises ConfigurationError for a folder that is too large to be a fleet."""
    found = []
    for count, (here, folders, files) in enumerate(os.walk(folder), start=1):
        if count > MAX_FOLDERS:
            raise ConfigurationError(
                f"{folder} holds more than {MAX_FOLDERS} folders",
                hint="name the fleet's folder, the one above regions/",
            )
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _SKIPPED)
        if FLOCK_FILE in files:
            found.append(Path(here) / FLOCK_FILE)
    return found


def flock_names(fleet: Path) -> dict[str, list[Path]]:
    """Names of the flocks of a fleet with the files that say so, as far as those can be read."""
    if not (fleet / REGIONS).is_dir() and not (fleet / REALMS).is_dir():
        # No values are shared, so nobody asks who the others are.
        return {}
    names: dict[str, list[Path]] = {}
    for path in find_flocks(fleet):
        try:
            tree = parse_yaml(read_bounded(path, str(path)), str(path))
        except ConfigurationError:
            continue
        name = tree.entries.get("name") if isinstance(tree, MapNode) else None
        if isinstance(name, Scalar) and isinstance(name.value, str):
            names.setdefault(name.value, []).append(path)
    return names


def _unfit(path: Path, extra: Document[RegionFile], known: Document[RegionFile] | None) -> Iterator[Finding]:
    """Why a file cannot become a region as it is."""
    name, origin = extra.model.name, extra.origin("name")
    if path.stem != name or path.suffix not in _SUFFIXES:
        message = f"the file is called {path.name}, but its name is {name!r}"
        yield Finding(kind=Kind.CONFLICT, origin=origin, message=message, hint=f"call it {name}.yaml")
    if known is not None and Path(known.tree.origin.file).resolve() != path.resolve():
        message = f"there is a region {name!r} already: {known.tree.origin.file}"
        yield Finding(kind=Kind.CONFLICT, origin=origin, message=message, hint="edit that file, or use another name")


def _same_name(document: Document[FlockFile], file: Path, said_by: Iterable[Path]) -> Iterator[Finding]:
    """Other flocks of the fleet with this one's name: their targets would have the same ids, and so the same states."""
    for path in said_by:
        if path.resolve() != file.resolve():
            yield Finding(
                kind=Kind.CONFLICT,
                origin=document.origin("name"),
                message=f"{path} has the name {document.model.name!r} as well, so its targets would have the same ids",
                hint="give each flock a name of its own",
            )


def _read[Model: BaseModel](
    path: Path, model: type[Model], *, inside: Path | None = None
) -> tuple[Document[Model] | None, list[Finding]]:
    try:
        return read_document(read_bounded(path, str(path), inside=inside), str(path), model)
    except Refused as error:
        return None, [error.finding]


def _read_folder[Model: RealmFile](
    fleet: Path, name: str, model: type[Model], findings: list[Finding], unreadable: set[str]
) -> dict[str, Document[Model]]:
    folder = fleet / name
    if not folder.resolve().is_relative_to(fleet.resolve()):
        message = f"links to {folder.resolve()}, outside of the fleet's folder"
        hint = "let `fleet` in flock.yaml name the folder that holds it"
        raise Refused(Kind.OUTSIDE, Origin(str(folder), 1), message, hint=hint)
    found: dict[str, Document[Model]] = {}
    for path in _yaml_files(folder, findings):
        if len(found) >= MAX_REGIONS:
            raise ConfigurationError(f"{folder} holds more than {MAX_REGIONS} files", hint="split the fleet")
        document, wrong = _read(path, model, inside=fleet)
        findings.extend(wrong)
        if document is None:
            unreadable.add(path.stem)
            continue
        first = found.setdefault(document.model.name, document)
        if document.model.name != path.stem:
            message = f"the file is called {path.name}, but its name is {document.model.name!r}"
        elif first is not document:
            message = f"{first.tree.origin.file} says the same name"
        else:
            continue
        origin = document.origin("name")
        findings.append(Finding(kind=Kind.CONFLICT, origin=origin, message=message, hint="rename one of them"))
    return found


def _yaml_files(folder: Path, findings: list[Finding]) -> Iterator[Path]:
    """The files that are read; whatever else looks as if somebody meant it to be read is told."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name.startswith("."):
            continue
        if path.suffix in _SUFFIXES:
            yield path
        elif path.suffix.lower() in {*_SUFFIXES, ".json"} or path.is_dir():
            findings.append(
                Finding(
                    kind=Kind.UNUSED,
                    origin=Origin(str(path), 1),
                    message="is not read",
                    hint=f"only *.yaml and *.yml directly in {folder} are; move or rename it",
                    severity=Severity.WARNING,
                )
            )


def _read_generics(file: Path, document: Document[FlockFile], findings: list[Finding]) -> dict[str, Generic]:
    wanted = {document.model.configuration: document.origin("configuration")}
    for index, entry in enumerate(document.model.targets):
        if entry.configuration is not None:
            wanted.setdefault(entry.configuration, document.origin("targets", index, "configuration"))
    generics = {}
    for name, origin in wanted.items():
        problem = _unusable(file.parent, name)
        if problem is not None:
            findings.append(Finding(kind=problem[0], origin=origin, message=problem[1], hint=problem[2]))
            continue
        shown = os.path.normpath(file.parent / name)
        generics[name] = read_generic(file.parent / name, name=name, shown_as=shown)
        findings.extend(generics[name].findings)
    return generics


def _unusable(folder: Path, name: str) -> tuple[Kind, str, str] | None:
    inside = (folder / name).resolve()
    if Path(name).is_absolute() or not inside.is_relative_to(folder.resolve()):
        return Kind.OUTSIDE, f"{name!r} leads out of the flock's folder", "use a path below flock.yaml"
    if not inside.is_dir():
        return Kind.UNRESOLVED, f"there is no folder {name!r}", "a path relative to flock.yaml; correct it"
    if not has_terraform_files(inside):
        hint = "put *.tf or *.tf.json files directly into it, or name another folder"
        return Kind.UNRESOLVED, f"the folder {name!r} holds no Terraform files", hint
    return None
