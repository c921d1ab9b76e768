"""`interlock release publish | list | show | diff`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import JsonFlag, Output, examples

if TYPE_CHECKING:
    from shared.api_client import ApiClient
    from shared.models import Release
    from shared.release_manifest import Manifest

app = typer.Typer(help="Publish releases and look at them: immutable, named by their content.", no_args_is_help=True)

FlockArgument = Annotated[Path, typer.Argument(help="flock.yaml, or the folder that holds it.", metavar="[FLOCK]")]
ReleaseArgument = Annotated[
    str, typer.Argument(help="Its digest, `sha256:…`, or as much of it as makes it unique.", metavar="RELEASE")
]
HERE = Path()
COLUMNS = ("RELEASE", "FLOCK", "TARGETS", "ACTOR", "PUBLISHED")
TARGET_COLUMNS = ("TARGET", "PHASE", "REGION", "PROVIDER REGION", "CONFIGURATION", "FILES")
MIN_PREFIX_CHARS = 6
MAX_SEARCHED = 1000


@app.command(
    "publish",
    epilog=examples("interlock release publish", "interlock release publish examples/shop --json | jq -r .digest"),
)
def publish_release(flock: FlockArgument = HERE, json_output: JsonFlag = False) -> None:
    """Check a flock, pin its artifacts and publish it as a release. Nothing is deployed, no target changes."""
    from cli.context import api

    out = Output(as_json=json_output)
    with api() as client:
        release = publish(client, flock, out)
    out.data(release)
    out.say(f"{release.digest}  {release.flock}, {len(release.targets)} targets")


@app.command("list", epilog=examples("interlock release list", "interlock release list --flock shop --json"))
def list_releases(
    flock: Annotated[str | None, typer.Option("--flock", help="Only releases of this flock.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most this many, the newest first.")] = 50,
    json_output: JsonFlag = False,
) -> None:
    """List releases, the newest first."""
    from cli.context import api

    out = Output(as_json=json_output)
    with api() as client:
        found = client.releases(flock=flock, limit=limit)
    out.data(found)
    rows = [(one.digest, one.flock, one.target_count, one.actor, one.created_at) for one in found]
    out.table(COLUMNS, rows, empty="no releases; `interlock release publish` makes one")


@app.command("show", epilog=examples("interlock release show 3fa9c1", "interlock release show 3fa9c1 --json"))
def show_release(release: ReleaseArgument, json_output: JsonFlag = False) -> None:
    """Show what a release consists of."""
    from cli.context import api

    out = Output(as_json=json_output)
    with api() as client:
        digest = find_digest(client, release)
        found, manifest = client.release(digest), fetch_manifest(client, digest)
    out.data({**found.model_dump(mode="json"), "manifest": manifest.model_dump(mode="json")})
    out.fields(
        (
            ("release", found.digest),
            ("flock", found.flock),
            ("published", f"{found.created_at} by {found.actor}"),
            ("terraform", manifest.terraform or "what the configuration allows"),
            *((f"artifact {name}", f"{one.source}@{one.digest}") for name, one in manifest.artifacts.items()),
            *((f"phase {phase.name}", f"{len(phase.targets)} targets") for phase in manifest.phases),
        )
    )
    rows = [
        (name, one.phase, one.region, one.provider_region, one.configuration, len(manifest.files_of(name)))
        for name, one in sorted(manifest.targets.items())
    ]
    out.table(TARGET_COLUMNS, rows, empty="")


@app.command("diff", epilog=examples("interlock release diff 3fa9c1 8d04be"))
def diff_releases(before: ReleaseArgument, after: ReleaseArgument, json_output: JsonFlag = False) -> None:
    """Name the targets that differ between two releases, and how. Exit code 0: none, 2: some."""
    from cli.context import api
    from cli.release_diff import compare
    from shared import exit_codes

    out = Output(as_json=json_output)
    with api() as client:
        old_digest, new_digest = find_digest(client, before), find_digest(client, after)
        old, new = fetch_manifest(client, old_digest), fetch_manifest(client, new_digest)
        changes = compare(
            old,
            new,
            old_files=lambda target: fetch_files(client, old_digest, old, target),
            new_files=lambda target: fetch_files(client, new_digest, new, target),
        )
    out.data(changes)
    for change in changes:
        out.say(f"{change['target']}: {change['change']}")
        for file in change["files"]:
            out.say(f"  {file['change']} {file['path']}")
            for value in file["values"]:
                out.say(f"    {value['path']}: {value['before']!r} -> {value['after']!r}")
    if not changes:
        out.say("no target changes")
        return
    out.say(f"{len(changes)} of {len(old.targets.keys() | new.targets.keys())} targets change")
    raise typer.Exit(exit_codes.CHANGES)


def publish(client: ApiClient, flock: Path, out: Output) -> Release:
    """Check `flock` and everything that belongs to it, and publish it; a release that is there already is not sent.

    Raises ConfigurationError that names everything that is wrong; nothing was sent then.
    """
    from cli.context import actor, load_own_settings
    from cli.flock_configuration import checked_flock, require_clean
    from cli.release_build import build_release
    from shared.errors import ApiError
    from shared.release_pack import pack_release

    checked = checked_flock(flock, look_up=True)
    require_clean(checked, out)
    built = build_release(checked, load_own_settings(), out.note)
    try:
        return client.release(built.manifest.digest)
    except ApiError as error:
        if error.status != 404:
            raise
    return client.publish_release(pack_release(built.manifest, built.blobs), actor=actor())


def find_digest(client: ApiClient, name: str) -> str:
    """The digest that begins like `name`. Raises BadParameter when there is none, or more than one."""
    wanted = name if name.startswith("sha256:") else f"sha256:{name}"
    if len(wanted) == len("sha256:") + 64:
        return wanted
    if len(wanted) < len("sha256:") + MIN_PREFIX_CHARS:
        raise typer.BadParameter(f"{name!r} is too short; give at least {MIN_PREFIX_CHARS} digits")
    found = [one.digest for one in client.releases(limit=MAX_SEARCHED) if one.digest.startswith(wanted)]
    if len(found) != 1:
        what = "more than one release begins" if found else "no release begins"
        raise typer.BadParameter(f"{what} with {name!r}; `interlock release list` shows all")
    return found[0]


def fetch_manifest(client: ApiClient, digest: str) -> Manifest:
    """The manifest of a release, checked against its digest."""
    from shared.release_manifest import parse_manifest

    return parse_manifest(client.release_manifest(digest), digest=digest)


def fetch_files(client: ApiClient, digest: str, manifest: Manifest, target: str) -> dict[str, bytes]:
    """The files of one target by path, checked against the manifest."""
    from shared.release_pack import unpack_blobs

    listed = manifest.files_of(target)
    contents = unpack_blobs(client.release_files(digest, target), {file.digest: path for path, file in listed.items()})
    return {path: contents[file.digest] for path, file in listed.items()}
