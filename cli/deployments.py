"""`interlock plan | apply | destroy`: make a run, follow it to its end, exit as it ended."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import JsonFlag, Output, YesOption, examples

if TYPE_CHECKING:
    from shared.api_client import ApiClient
    from shared.errors import InterlockError
    from shared.models import Run, RunKind

# Of a thousand targets the first few show what an id looks like.
MAX_NAMED = 20
PLAN_EXAMPLES = examples(
    "interlock plan -f flock.yaml             # every target of the file",
    "interlock plan shop.eu-west-1            # exit code 2: there are changes",
    "interlock plan shop.eu-west-1 --release 3fa9c1",
)
APPLY_EXAMPLES = examples(
    "interlock apply shop.eu-west-1 -f flock.yaml",
    "interlock apply shop.eu-west-1 --detach --json | jq -r '.runs[].id'",
)
DESTROY_EXAMPLES = examples("interlock destroy shop.eu-west-1", "interlock destroy shop.eu-west-1 --yes")

TargetArgument = Annotated[
    str | None,
    typer.Argument(help="Target id, flock.region or flock.region.name. Left out: all of --file.", metavar="[TARGET]"),
]
FileOption = Annotated[
    Path | None,
    typer.Option("--file", "-f", help="Flock file: published and registered first, as by `interlock flock register`."),
]
ReleaseOption = Annotated[
    str | None,
    typer.Option("--release", help="Deploy this release; left out: what was registered or applied last."),
]
DetachOption = Annotated[bool, typer.Option("--detach", help="Print the run's id and return at once.")]


def plan(
    target: TargetArgument = None,
    file: FileOption = None,
    release: ReleaseOption = None,
    detach: DetachOption = False,
    json_output: JsonFlag = False,
) -> None:
    """Show what an apply would change. Exit code 0: nothing, 2: something, 1: it failed."""
    _carry_out("plan", target, file, release, detach=detach, out=Output(as_json=json_output))


def apply(
    target: TargetArgument = None,
    file: FileOption = None,
    release: ReleaseOption = None,
    detach: DetachOption = False,
    json_output: JsonFlag = False,
) -> None:
    """Plan and apply. Should a worker die on the way, the run that takes over is followed."""
    _carry_out("apply", target, file, release, detach=detach, out=Output(as_json=json_output))


def destroy(
    target: TargetArgument = None,
    file: FileOption = None,
    yes: YesOption = False,
    release: ReleaseOption = None,
    detach: DetachOption = False,
    json_output: JsonFlag = False,
) -> None:
    """Destroy everything that the target's state holds."""
    if target is None and file is None and release is None:
        raise _nothing_named()
    if not yes and sys.stdin.isatty():
        typer.confirm(
            f"Destroy all resources of {target or f'every target of {file or release}'}?", abort=True, err=True
        )
    _carry_out("destroy", target, file, release, detach=detach, out=Output(as_json=json_output))


def _carry_out(
    kind_name: str, target: str | None, file: Path | None, release: str | None, *, detach: bool, out: Output
) -> None:
    from cli.context import api
    from cli.releases import find_digest
    from shared.models import RunKind

    if file is not None and release is not None:
        raise typer.BadParameter("--file publishes a release of its own; name either it or --release")
    with api() as client:
        digest = None if release is None else find_digest(client, release)
        chosen = (
            choose_targets(client, target, file) if digest is None or target else sorted(client.release(digest).targets)
        )
        runs = [create_run(client, one, RunKind(kind_name), argv=(), release_digest=digest) for one in chosen]
        raise typer.Exit(finish(client, out, runs, detach=detach))


def choose_targets(client: ApiClient, target: str | None, file: Path | None) -> list[str]:
    """The target ids a command is about, registering `file` first.

    Raises BadParameter when neither says which, and when `target` is not one of `file`'s.
    """
    from cli.flocks import register

    if file is None:
        if target is None:
            raise _nothing_named()
        return [target]
    declared = [one.id for one in register(client, file)]
    if target is None:
        return declared
    if target not in declared:
        raise typer.BadParameter(f"{file} declares no target {target!r}; it declares {', '.join(declared)}")
    return [target]


def create_run(
    client: ApiClient, target: str, kind: RunKind, *, argv: tuple[str, ...], release_digest: str | None = None
) -> Run:
    """Ask the API for a run. An unknown target is answered with those that there are.

    Raises BadParameter for a command that is not UTF-8: JSON could not carry it unchanged.
    """
    from cli.context import actor
    from shared.errors import ApiError, Unavailable
    from shared.lease.keys import TARGET_PATTERN

    if not TARGET_PATTERN.match(target):
        raise _unknown_target(client, target)
    try:
        "".join(argv).encode()
    except UnicodeEncodeError:
        raise typer.BadParameter("the command holds bytes that are not UTF-8; put them into a script") from None
    try:
        return client.create_run(target=target, kind=kind, argv=argv, actor=actor(), release_digest=release_digest)
    except ApiError as error:
        if error.status != 404 or error.code == "unknown_release":
            raise
        raise _unknown_target(client, target) from error
    except Unavailable as error:
        # An answer that did not come says nothing about what the API did; "apply" again would queue a second run.
        look = f"`interlock run ls --target {target}` shows whether the run was queued all the same"
        raise Unavailable(error.message, hint=f"{error.hint} {look}") from error


def _nothing_named() -> typer.BadParameter:
    return typer.BadParameter("name a TARGET, or a flock file with -f; `interlock flock ls` lists targets")


def _unknown_target(client: ApiClient, target: str) -> InterlockError:
    from shared.errors import ConfigurationError

    known = [one.id for one in client.targets()]
    more = f" and {len(known) - MAX_NAMED} more" if len(known) > MAX_NAMED else ""
    listed = f"known targets: {', '.join(known[:MAX_NAMED])}{more}" if known else "no target is registered yet"
    return ConfigurationError(
        f"unknown target {target!r}", hint=f"{listed}; `interlock flock register FILE` declares them"
    )


def finish(client: ApiClient, out: Output, runs: list[Run], *, detach: bool) -> int:
    """Follow `runs` to their end (unless `detach`), report how they ended, and return the exit code."""
    from cli.follow import Follower
    from cli.outcome import describe, exit_code_of, worst
    from cli.unused import after_runs
    from shared import exit_codes

    if detach:
        out.data({"runs": runs, "exit_code": exit_codes.OK})
        for run in runs:
            out.say(run.id)
        return exit_codes.OK
    ended = Follower(client, out, runs).to_the_end()
    code = worst(exit_code_of(run) for run in ended)
    for run in ended:
        out.note(describe(run))
    out.data({"runs": ended, "unused": after_runs(client, out, ended), "exit_code": code})
    return code
