"""Routes: what can be known of a flock before a lease is taken. Files come with the request, and nothing is kept."""

import json
import threading
from collections.abc import Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from scheduler.api.access import allow
from scheduler.configuration.atlantis import import_atlantis
from scheduler.configuration.check import Checked, check
from scheduler.configuration.diff import diff
from scheduler.configuration.fleet import load_flock
from scheduler.configuration.preview import preview_region
from scheduler.configuration.report import Finding, ManyRefused
from scheduler.configuration.uploads import unpacked
from scheduler.configuration.views import inspection, rendering
from scheduler.configuration.yaml_text import yaml_text
from shared.errors import ApiError, ConfigurationError
from shared.models import Label, TargetId
from shared.release_manifest import FilePath

router = APIRouter(prefix="/v1/configuration", tags=["configuration"], dependencies=[allow()])

#: Looking at a large flock keeps a core busy; a second one at the same time would be felt by everybody else.
WAIT_S: Final = 60
_TURN: Final = threading.BoundedSemaphore(1)

Files = Annotated[dict[FilePath, str], Field(min_length=1, max_length=5000, description="content by relative path")]


class _Upload(BaseModel):
    model_config = ConfigDict(extra="forbid")


class FlockUpload(_Upload):
    """A flock with everything that belongs to it."""

    files: Files
    flock: FilePath = Field(default="flock.yaml", description="which of the files is the flock's")


class RenderUpload(FlockUpload):
    """The same, with what is wanted of it."""

    targets: list[TargetId] = Field(default=[], max_length=1000, description="only these; none: all")
    explain: bool = Field(default=False, description="each value's file, line and layer")


class DiffUpload(_Upload):
    """Two flocks."""

    before: FlockUpload = Field(description="the old one")
    after: FlockUpload = Field(description="the new one")


class RegionUpload(_Upload):
    """A fleet, and the region file that would be new in it."""

    files: Files
    region: FilePath = Field(description="which of the files is the new region's")


class AtlantisUpload(_Upload):
    """A repository that Atlantis serves."""

    files: Files
    atlantis: FilePath = Field(default="atlantis.yaml", description="which of the files is Atlantis's")
    name: Label = Field(description="name of the flock")
    region: Label | None = Field(default=None, description="of projects whose name, workspace and folder name none")


@router.post("/inspect")
def inspect(upload: FlockUpload) -> Response:
    """What the generic configurations let regions set, and what is hard-coded in them."""

    def look(root: Any) -> dict[str, Any]:
        flock = load_flock(root / upload.flock)
        return {
            "configurations": [inspection(one) for one in flock.generics.values()],
            "findings": _told(flock.findings),
        }

    return _looked_at(upload.files, look, refused={"configurations": []})


@router.post("/validate")
def validate(upload: FlockUpload) -> Response:
    """Every target checked, without Terraform: all findings at once."""

    def look(root: Any) -> dict[str, Any]:
        checked = check(load_flock(root / upload.flock))
        return {"targets": [one.id for one in checked.targets], "findings": _told(checked.report.findings)}

    return _looked_at(upload.files, look, refused={"targets": []})


@router.post("/render")
def render(upload: RenderUpload) -> Response:
    """The values and files of each target, with `explain` the origin of every value."""

    def look(root: Any) -> dict[str, Any]:
        checked = check(load_flock(root / upload.flock))
        wanted = upload.targets or list(checked.by_id)
        if unknown := [name for name in wanted if name not in checked.by_id]:
            raise ConfigurationError(f"there is no target {unknown[0]}", hint="leave `targets` out to see all")
        targets = [checked.by_id[name] for name in wanted]
        # Files only where they may be used: a value in clear that is a secret is an error.
        files = {} if checked.report.errors else {one.id: one.files for one in targets}
        rendered = [{**rendering(one, explain=upload.explain), "files": files.get(one.id, {})} for one in targets]
        return {"targets": rendered, "findings": _told(checked.report.findings)}

    return _looked_at(upload.files, look, refused={"targets": []})


@router.post("/diff")
def compare(upload: DiffUpload) -> Response:
    """The targets that change from one flock to the other, and how."""
    after = upload.after

    def look(root: Any) -> dict[str, Any]:
        old = check(load_flock(root / upload.before.flock))

        def then(other: Any) -> dict[str, Any]:
            new = check(load_flock(other / after.flock))
            return {"changes": [one.data() for one in diff(old, new)], "findings": _told(_of_both(old, new))}

        with unpacked(after.files) as other:
            return _stripped(then(other), other)

    return _looked_at(upload.before.files, look, refused={"changes": []})


@router.post("/region")
def region(upload: RegionUpload) -> Response:
    """What a new region would bring to each flock of the fleet, in which order, and what is missing."""

    def look(root: Any) -> dict[str, Any]:
        return {"flocks": [one.data() for one in preview_region(root / upload.region, root)], "findings": []}

    return _looked_at(upload.files, look, refused={"flocks": []})


@router.post("/import")
def import_(upload: AtlantisUpload) -> Response:
    """An atlantis.yaml as a flock.yaml, and what is not carried over."""

    def look(root: Any) -> dict[str, Any]:
        made = import_atlantis(root / upload.atlantis, name=upload.name, region=upload.region)
        return {"flock": made.flock, "text": yaml_text(made.flock), "findings": _told(made.findings)}

    return _looked_at(upload.files, look, refused={"flock": None, "text": ""})


def _looked_at(files: dict[str, str], look: Callable[[Any], dict[str, Any]], *, refused: dict[str, Any]) -> Response:
    """Run `look` on the files, one request at a time. What cannot be used at all is findings too."""
    if not _TURN.acquire(timeout=WAIT_S):
        raise ApiError("another configuration is being looked at", status=503, code="busy", hint="try again")
    try:
        with unpacked(files) as root:
            try:
                data = look(root)
            except ManyRefused as error:
                data = {**refused, "findings": _told(error.findings)}
            return Response(json.dumps(_stripped(data, root), ensure_ascii=False), media_type="application/json")
    except ConfigurationError as error:
        raise ApiError(error.message, status=422, code="invalid", hint=error.hint or "") from error
    finally:
        _TURN.release()


def _stripped(data: dict[str, Any], root: Any) -> dict[str, Any]:
    """Places as the caller knows them: without the folder that the files were put into."""
    text = json.dumps(data).replace(f"{root}/", "").replace(str(root), ".")
    stripped: dict[str, Any] = json.loads(text)
    return stripped


def _told(findings: tuple[Finding, ...]) -> list[dict[str, Any]]:
    return [one.data() for one in findings]


def _of_both(old: Checked, new: Checked) -> tuple[Finding, ...]:
    return (*old.report.errors, *new.report.errors)
