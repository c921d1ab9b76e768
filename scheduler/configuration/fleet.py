"""Reads a flock, its realms, regions and generic configurations from disk. Whatever is wrong is a finding."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from scheduler.configuration.documents import Document, read_document
from scheduler.configuration.models import MAX_REGIONS, FlockFile, RealmFile, RegionFile
from scheduler.configuration.nodes import MapNode, Origin, Scalar
from scheduler.configuration.report import Finding, Kind, ManyRefused, Refused
from scheduler.configuration.terraform import Generic, has_terraform_files, read_generic
from scheduler.configuration.yaml_source import MAX_FILE_BYTES, parse_yaml
from shared.errors import ConfigurationError

FLOCK_FILE: Final = "flock.yaml"
REGIONS: Final = "regions"
REALMS: Final = "realms"
#: Folders searched for other flocks; what lies deeper or is hidden is not looked at.
MAX_FOLDERS: Final = 5000
_SKIPPED: Final = frozenset({"node_modules", "__pycache__"})


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
    findings: tuple[Finding, ...] = ()
    """What was wrong with files other than flock.yaml."""

    @property
    def name(self) -> str:
        """The flock's name."""
        return self.document.model.name

    def folder(self, configuration: str) -> Path:
        """The folder of one of its generic configurations."""
        return self.path.parent / configuration


def load_flock(path: Path, *, extra_region: Path | None = None) -> Flock:
    """Read the flock at `path`: flock.yaml, or the folder that holds it.

    Args:
        path: as the user names it; origins are written relative to the same place.
        extra_region: a region file that is looked at as if it were in regions/.

    Raises:
        Refused: flock.yaml cannot be used at all. Everything else is in `findings`.
        ConfigurationError: there is none.
    """
    file = path / FLOCK_FILE if path.is_dir() else path
    document, findings = _read(file, FlockFile)
    if document is None:
        raise ManyRefused(findings)
    fleet = Path(os.path.normpath(file.parent / document.model.fleet))
    if Path(document.model.fleet).is_absolute() or not fleet.is_dir():
        raise Refused(
            Kind.UNRESOLVED,
            document.origin("fleet"),
            f"fleet: there is no folder {document.model.fleet!r}",
            hint="a path relative to flock.yaml; the folder above regions/ and realms/",
        )
    realms = _read_folder(fleet / REALMS, RealmFile, findings)
    regions = _read_folder(fleet / REGIONS, RegionFile, findings)
    has_regions = (fleet / REGIONS).is_dir()
    if extra_region is not None:
        extra, wrong = _read(extra_region, RegionFile)
        findings.extend(wrong)
        if extra is not None:
            has_regions = True
            regions[extra.model.name] = extra
    return Flock(
        path=file,
        document=document,
        realms=realms,
        regions=regions,
        has_realms=(fleet / REALMS).is_dir(),
        has_regions=has_regions,
        generics=_read_generics(file, document, findings),
        others=frozenset(flock_names(fleet) - {document.model.name}),
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


def flock_names(fleet: Path) -> set[str]:
    """Names of the flocks of a fleet, as far as their files can be read."""
    if not (fleet / REGIONS).is_dir() and not (fleet / REALMS).is_dir():
        # No values are shared, so nobody asks who the others are.
        return set()
    names = set()
    for path in find_flocks(fleet):
        try:
            tree = parse_yaml(_content(path, str(path)), str(path))
        except ConfigurationError:
            continue
        name = tree.entries.get("name") if isinstance(tree, MapNode) else None
        if isinstance(name, Scalar) and isinstance(name.value, str):
            names.add(name.value)
    return names


def _read[Model: BaseModel](path: Path, model: type[Model]) -> tuple[Document[Model] | None, list[Finding]]:
    try:
        return read_document(_content(path, str(path)), str(path), model)
    except Refused as error:
        return None, [error.finding]


def _content(path: Path, shown: str) -> bytes:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise Refused(
                Kind.SYNTAX,
                Origin(shown, 1),
                f"larger than {MAX_FILE_BYTES // 2**20} MiB",
                hint="is this the right file?",
            )
        return path.read_bytes()
    except OSError as error:
        raise Refused(
            Kind.SYNTAX, Origin(shown, 1), f"cannot be read: {error.strerror}", hint="give the path of a readable file"
        ) from error


def _read_folder[Model: RealmFile](
    folder: Path, model: type[Model], findings: list[Finding]
) -> dict[str, Document[Model]]:
    found: dict[str, Document[Model]] = {}
    for path in _yaml_files(folder):
        if len(found) >= MAX_REGIONS:
            raise ConfigurationError(f"{folder} holds more than {MAX_REGIONS} files", hint="split the fleet")
        document, wrong = _read(path, model)
        findings.extend(wrong)
        if document is None:
            continue
        if document.model.name != path.stem:
            findings.append(
                Finding(
                    kind=Kind.CONFLICT,
                    origin=document.origin("name"),
                    message=f"the file is called {path.name}, but its name is {document.model.name!r}",
                    hint="rename one of them",
                )
            )
        found.setdefault(document.model.name, document)
    return found


def _yaml_files(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from sorted(
            path for path in folder.iterdir() if path.suffix in {".yaml", ".yml"} and not path.name.startswith(".")
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
