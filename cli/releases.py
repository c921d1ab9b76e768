"""`interlock release publish | list | show | diff | prune`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import JsonFlag, Output, YesOption, examples

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


@app.command(
    "prune",
    epilog=examples(
        "interlock release prune --dry-run            # what would go",
        "interlock release prune --keep 50 --flock shop --yes",
    ),
)
def prune_releases(
    keep: Annotated[int, typer.Option("--keep", min=1, help="Newest releases of each flock that stay anyway.")] = 20,
    flock: Annotated[str | None, typer.Option("--flock", help="Only releases of this flock.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Delete nothing, say what would be.")] = False,
    yes: YesOption = False,
    json_output: JsonFlag = False,
) -> None:
    """Let old releases go, and files that no release has any more.

    What stays: the newest of each flock; what a roll-out took; what targets deploy or deployed last; what runs need.
    """
    from cli.context import api

    out = Output(as_json=json_output)
    with api() as client:
        if not dry_run and not yes and sys.stdin.isatty():
            found = client.prune_releases(keep=keep, flock=flock, dry_run=True)
            typer.confirm(f"Let {len(found.releases)} releases and {found.files} files go?", abort=True, err=True)
        done = client.prune_releases(keep=keep, flock=flock, dry_run=dry_run)
    out.data(done)
    for one in done.releases:
        out.say(f"{one.digest}  {one.flock}, published {one.created_at}")
    words = "would go" if dry_run else "are gone"
    out.say(f"{len(done.releases)} releases and {done.files} files ({done.size} bytes) {words}")
    if done.more:
        out.note("there is more to let go; say it again")


def publish(client: ApiClient, flock: Path, out: Output) -> Release:
    """Check `flock` and everything that belongs to it, and publish it.

    Raises ConfigurationError that names everything that is wrong; nothing was sent then. Raises PeerError when another
    release arrived than was sent.
    """
    from cli.context import actor, load_own_settings
    from cli.flock_configuration import checked_flock, require_clean
    from cli.release_build import build_release
    from shared.errors import PeerError
    from shared.release_pack import pack_release

    checked = checked_flock(flock, look_up=True)
    require_clean(checked, out)
    built = build_release(checked, load_own_settings(), out.note)
    # Also when it is there already: what the scheduler lost or has damaged of it is put right by that.
    published = client.publish_release(pack_release(built.manifest, built.blobs), actor=actor())
    if published.digest != built.manifest.digest:
        raise PeerError(
            f"release {built.manifest.digest} was published as {published.digest}: it was changed on its way",
            hint="deploy neither; what is between here and the API?",
        )
    return published


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
