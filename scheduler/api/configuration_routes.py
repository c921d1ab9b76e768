"""Routes: what can be known of a flock before a lease is taken. Files come with the request, and nothing is kept."""

import json
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import APIRouter, Response
from pydantic import Field

from scheduler.api.access import allow
from scheduler.api.failures import error_response
from scheduler.api.request_body import RequestBody
from scheduler.configuration.atlantis import import_atlantis
from scheduler.configuration.check import Checked, check
from scheduler.configuration.diff import diff
from scheduler.configuration.fleet import load_flock
from scheduler.configuration.preview import preview_region
from scheduler.configuration.report import Finding, ManyRefused
from scheduler.configuration.uploads import unpacked
from scheduler.configuration.views import inspection, rendering
from shared.errors import ApiError, ConfigurationError
from shared.models import Label, TargetId
from shared.release_manifest import FilePath

router = APIRouter(prefix="/v1/configuration", tags=["configuration"], dependencies=[allow()])

#: What a caller is told to wait who came while another flock was looked at.
RETRY_AFTER_S: Final = 5
#: Looking at a large flock keeps a core busy; a second one at the same time would be felt by everybody else. Nobody
#: waits for a turn here: the threads that would wait are those that renewals of leases and states are answered with.
_TURN: Final = threading.BoundedSemaphore(1)

Files = Annotated[dict[FilePath, str], Field(min_length=1, max_length=5000, description="content by relative path")]


class FlockUpload(RequestBody):
    """A flock with everything that belongs to it."""

    files: Files
    flock: FilePath = Field(default="flock.yaml", description="which of the files is the flock's")


class RenderUpload(FlockUpload):
    """The same, with what is wanted of it."""

    targets: list[TargetId] = Field(default=[], max_length=1000, description="only these; none: all")
    explain: bool = Field(default=False, description="each value's file, line and layer")


class DiffUpload(RequestBody):
    """Two flocks."""

    before: FlockUpload = Field(description="the old one")
    after: FlockUpload = Field(description="the new one")


class RegionUpload(RequestBody):
    """A fleet, and the region file that would be new in it."""

    files: Files
    region: FilePath = Field(description="which of the files is the new region's")


class AtlantisUpload(RequestBody):
    """A repository that Atlantis serves."""

    files: Files
    atlantis: FilePath = Field(default="atlantis.yaml", description="which of the files is Atlantis's")
    name: Label = Field(description="name of the flock")
    region: Label | None = Field(default=None, description="of projects whose name, workspace and folder name none")


@router.post("/inspect")
def inspect(upload: FlockUpload) -> Response:
    """What the generic configurations let regions set, and what is hard-coded in them."""

    def look(root: Path) -> dict[str, Any]:
        flock = load_flock(root / upload.flock, inside=root)
        return {
            "configurations": [inspection(one, flock.document.model) for one in flock.generics.values()],
            "findings": _told(flock.findings),
        }

    return _looked_at(upload.files, look=look, refused={"configurations": []})


@router.post("/validate")
def validate(upload: FlockUpload) -> Response:
    """Every target checked, without Terraform: all findings at once."""

    def look(root: Path) -> dict[str, Any]:
        checked = check(load_flock(root / upload.flock, inside=root))
        return {"targets": [one.id for one in checked.targets], "findings": _told(checked.report.findings)}

    return _looked_at(upload.files, look=look, refused={"targets": []})


@router.post("/render")
def render(upload: RenderUpload) -> Response:
    """The values and files of each target, with `explain` the origin of every value."""

    def look(root: Path) -> dict[str, Any]:
        checked = check(load_flock(root / upload.flock, inside=root))
        wanted = upload.targets or list(checked.by_id)
        if unknown := [name for name in wanted if name not in checked.by_id]:
            raise ConfigurationError(f"there is no target {unknown[0]}", hint="leave `targets` out to see all")
        targets = [checked.by_id[name] for name in wanted]
        # Files only where they may be used: a value in clear that is a secret is an error.
        files = {} if checked.report.errors else {one.id: one.files for one in targets}
        said = checked.flock.document.model
        rendered = [{**rendering(one, said, explain=upload.explain), "files": files.get(one.id, {})} for one in targets]
        return {"targets": rendered, "findings": _told(checked.report.findings)}

    return _looked_at(upload.files, look=look, refused={"targets": []})


@router.post("/diff")
def compare(upload: DiffUpload) -> Response:
    """The targets that change from one flock to the other, and how."""

    def look(before: Path, after: Path) -> dict[str, Any]:
        old = check(load_flock(before / upload.before.flock, inside=before))
        new = check(load_flock(after / upload.after.flock, inside=after))
        return {"changes": [one.data() for one in diff(old, new)], "findings": _told(_of_both(old, new))}

    return _looked_at(upload.before.files, upload.after.files, look=look, refused={"changes": []})


@router.post("/region")
def region(upload: RegionUpload) -> Response:
    """What a new region would bring to each flock of the fleet, in which order, and what is missing."""

    def look(root: Path) -> dict[str, Any]:
        previews = preview_region(root / upload.region, root, inside=root)
        return {"flocks": [one.data() for one in previews], "findings": []}

    return _looked_at(upload.files, look=look, refused={"flocks": []})


@router.post("/import")
def import_(upload: AtlantisUpload) -> Response:
    """An atlantis.yaml as a flock.yaml, and what is not carried over."""

    def look(root: Path) -> dict[str, Any]:
        made = import_atlantis(root / upload.atlantis, name=upload.name, region=upload.region)
        return {"flock": made.flock, "text": made.text, "findings": _told(made.findings)}

    return _looked_at(upload.files, look=look, refused={"flock": None, "text": ""})


def _looked_at(*uploads: dict[str, str], look: Callable[..., dict[str, Any]], refused: dict[str, Any]) -> Response:
    """Run `look` on the folders of the uploads, one request at a time. What cannot be used at all is findings too."""
    if not _TURN.acquire(blocking=False):
        answer = error_response(
            503, "busy", "another configuration is being looked at", f"try again in {RETRY_AFTER_S} seconds"
        )
        answer.headers["Retry-After"] = str(RETRY_AFTER_S)
        return answer
    roots: list[Path] = []
    try:
        with ExitStack() as stack:
            roots.extend(stack.enter_context(unpacked(files)) for files in uploads)
            try:
                data = look(*roots)
            except ManyRefused as error:
                data = {**refused, "findings": _told(error.findings)}
            return Response(json.dumps(_stripped(data, roots), ensure_ascii=False), media_type="application/json")
    except ConfigurationError as error:
        message, hint = _stripped([error.message, error.hint or ""], roots)
        raise ApiError(message, status=422, code="invalid", hint=hint) from error
    finally:
        _TURN.release()


def _stripped[Data](data: Data, roots: Sequence[Path]) -> Data:
    """Places as the caller knows them: without the folders that the files were put into."""
    text = json.dumps(data)
    for name in (str(one) for root in roots for one in (root.resolve(), root)):
        written = json.dumps(name)[1:-1]
        text = text.replace(f"{written}/", "").replace(written, ".")
    stripped: Data = json.loads(text)
    return stripped


def _told(findings: tuple[Finding, ...]) -> list[dict[str, Any]]:
    return [one.data() for one in findings]


def _of_both(old: Checked, new: Checked) -> tuple[Finding, ...]:
    return (*old.report.errors, *new.report.errors)
