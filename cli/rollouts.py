"""`interlock rollout start | list | show | watch | pause | resume | cancel | retry | approve | discard`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cli.output import JsonFlag, Output, YesOption, examples
from cli.releases import ReleaseArgument

if TYPE_CHECKING:
    from shared.api_client import ApiClient
    from shared.rollouts import Rollout

app = typer.Typer(help="Take a release through its phases.", no_args_is_help=True)

RolloutId = Annotated[str, typer.Argument(help="Roll-out id, as printed when it was started.", metavar="ROLLOUT")]
PhaseOption = Annotated[str | None, typer.Option("--phase", help="Only plans of this phase.")]
TargetOption = Annotated[
    list[str] | None, typer.Option("--target", help="Only the plan of this target; may be given several times.")
]
COLUMNS = ("ROLLOUT", "FLOCK", "RELEASE", "STATUS", "ACTOR", "CREATED", "REASON")
PHASE_COLUMNS = ("PHASE", "STATUS", "TARGETS", "AT ONCE", "TOLERATES", "BAKES", "APPROVAL")
TARGET_COLUMNS = ("TARGET", "PHASE", "STAGE", "RUN", "PLAN", "CONFIRMED BY", "REASON")


@app.command(
    "start",
    epilog=examples(
        "interlock rollout start 3fa9c1",
        "interlock rollout start 3fa9c1 --watch",
        "interlock rollout start 3fa9c1 --json | jq -r .id",
    ),
)
def start(
    release: ReleaseArgument,
    watch_it: Annotated[bool, typer.Option("--watch", help="Follow it to its end.")] = False,
    json_output: JsonFlag = False,
) -> None:
    """Roll a release out, phase by phase. The flock's other roll-outs must be over."""
    from cli.context import actor, api
    from cli.releases import find_digest

    out = Output(as_json=json_output)
    with api() as client:
        rollout = client.start_rollout(find_digest(client, release), actor=actor())
        if watch_it:
            out.note(f"{rollout.id} has begun")
            raise typer.Exit(_watch(client, out, rollout.id))
    out.data(rollout)
    out.say(rollout.id)
    out.note(f"`interlock rollout watch {rollout.id}` follows it")


@app.command("list", epilog=examples("interlock rollout list", "interlock rollout list --flock shop --json"))
def list_rollouts(
    flock: Annotated[str | None, typer.Option("--flock", help="Only roll-outs of this flock.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most this many, the newest first.")] = 50,
    json_output: JsonFlag = False,
) -> None:
    """List roll-outs, the newest first."""
    from cli.context import api

    out = Output(as_json=json_output)
    with api() as client:
        found = client.rollouts(flock=flock, limit=limit)
    out.data(found)
    rows = [
        (one.id, one.flock, one.release_digest, one.status.value, one.actor, one.created_at, one.reason)
        for one in found
    ]
    out.table(COLUMNS, rows, empty="no roll-outs; `interlock rollout start RELEASE` begins one")


@app.command("show", epilog=examples("interlock rollout show rollout-0123456789abcdef"))
def show(rollout_id: RolloutId, json_output: JsonFlag = False) -> None:
    """Show a roll-out, its phases and its targets."""
    from cli.context import api

    out = Output(as_json=json_output)
    with api() as client:
        _show(out, client.rollout(rollout_id))


@app.command(
    "watch",
    epilog=examples("interlock rollout watch rollout-0123456789abcdef  # exit code: how it ended"),
)
def watch(rollout_id: RolloutId, json_output: JsonFlag = False) -> None:
    """Follow a roll-out to its end. Exit code 0: succeeded, 1: failed, 130: canceled.

    With --json: one object a change, each on a line of its own.
    """
    from cli.context import api

    out = Output(as_json=json_output)
    with api() as client:
        raise typer.Exit(_watch(client, out, rollout_id))


@app.command("pause", epilog=examples("interlock rollout pause rollout-0123456789abcdef"))
def pause(rollout_id: RolloutId, json_output: JsonFlag = False) -> None:
    """Start nothing any more. What is at work ends as it would have; what is queued waits."""
    _command(rollout_id, "pause", Output(as_json=json_output))


@app.command("resume", epilog=examples("interlock rollout resume rollout-0123456789abcdef"))
def resume(rollout_id: RolloutId, json_output: JsonFlag = False) -> None:
    """Go on with a paused roll-out."""
    _command(rollout_id, "resume", Output(as_json=json_output))


@app.command("cancel", epilog=examples("interlock rollout cancel rollout-0123456789abcdef"))
def cancel(rollout_id: RolloutId, json_output: JsonFlag = False) -> None:
    """Stop a roll-out for good. What is at work is asked to stop; what was applied stays."""
    _command(rollout_id, "cancel", Output(as_json=json_output))


@app.command(
    "retry",
    epilog=examples(
        "interlock rollout retry rollout-0123456789abcdef                # every target that failed",
        "interlock rollout retry rollout-0123456789abcdef --target shop.eu-west-1 --watch",
    ),
)
def retry(
    rollout_id: RolloutId,
    target: Annotated[
        list[str] | None, typer.Option("--target", help="Only this target; may be given several times.")
    ] = None,
    watch_it: Annotated[bool, typer.Option("--watch", help="Follow it to its end.")] = False,
    json_output: JsonFlag = False,
) -> None:
    """Try targets again that failed, from a new plan on. What was frozen goes on when they succeed.

    Where an approval is asked for, each of them needs a new one of its own.
    """
    from cli.context import actor, api

    out = Output(as_json=json_output)
    with api() as client:
        rollout = client.retry_rollout(rollout_id, target or (), actor=actor())
        if watch_it:
            raise typer.Exit(_watch(client, out, rollout.id))
    out.data(rollout)
    out.say(f"{rollout.id} is {rollout.status.value}")


@app.command(
    "approve",
    epilog=examples(
        "interlock rollout approve rollout-0123456789abcdef                # every plan that waits",
        "interlock rollout approve rollout-0123456789abcdef --phase canary",
        "interlock rollout approve rollout-0123456789abcdef --target shop.eu-west-1 --yes",
    ),
)
def approve(
    rollout_id: RolloutId,
    phase: PhaseOption = None,
    target: TargetOption = None,
    yes: YesOption = False,
    json_output: JsonFlag = False,
) -> None:
    """Approve the plans that wait for it and are named: all, those of --phase, or those of --target.

    In a phase with approval exactly these pass. Where only the safety rules ask, what is approved counts for every
    target of the release whose plan does no more. A plan made anew has to be approved anew if it does more.
    """
    _decide(rollout_id, "approve", phase, target or [], yes=yes, out=Output(as_json=json_output))


@app.command(
    "discard", epilog=examples("interlock rollout discard rollout-0123456789abcdef --target shop.eu-west-1 --yes")
)
def discard(
    rollout_id: RolloutId,
    phase: PhaseOption = None,
    target: TargetOption = None,
    yes: YesOption = False,
    json_output: JsonFlag = False,
) -> None:
    """Turn down plans that wait, and take back the approvals of them and of plans that do the same.

    Their targets count against the phase's failure tolerance.
    """
    _decide(rollout_id, "discard", phase, target or [], yes=yes, out=Output(as_json=json_output))


def _command(rollout_id: str, command: Literal["pause", "resume", "cancel"], out: Output) -> None:
    from cli.context import actor, api

    with api() as client:
        rollout = client.command_rollout(rollout_id, command, actor=actor())
    out.data(rollout)
    out.say(f"{rollout.id} is {rollout.status.value}")


def _decide(
    rollout_id: str,
    decision: Literal["approve", "discard"],
    phase: str | None,
    targets: list[str],
    *,
    yes: bool,
    out: Output,
) -> None:
    from cli.context import actor, api
    from cli.rollout_progress import plans_that_wait

    with api() as client:
        rollout = client.rollout(rollout_id)
        plans = plans_that_wait(rollout, phase=phase, targets=targets)
        for name, digest in plans.items():
            run = rollout.target(name)
            out.note(f"{name}  {digest}  `interlock plan show {run.plan_run_id if run else ''}` shows it")
        if not yes and sys.stdin.isatty():
            typer.confirm(f"{decision.capitalize()} {len(plans)} plans?", abort=True, err=True)
        changed = client.decide_plans(rollout_id, decision, plans, actor=actor())
    out.data(changed)
    done = "approved" if decision == "approve" else "discarded"
    out.say(f"{len(plans)} plans {done}; {changed.id} is {changed.status.value}")
    for target in changed.targets:
        if target.id in plans and target.held:
            out.note(f"{target.id} still waits: {target.reason}")


def _watch(client: ApiClient, out: Output, rollout_id: str) -> int:
    from cli.rollout_progress import Watcher

    return Watcher(client, out, rollout_id).to_the_end()


def _show(out: Output, rollout: Rollout) -> None:
    from cli.rollout_progress import phase_row, target_row

    out.data(rollout)
    names = ("id", "flock", "release_digest", "status", "reason", "actor", "created_at", "finished_at")
    out.fields((name, getattr(rollout, name)) for name in names)
    out.say("")
    out.table(PHASE_COLUMNS, [phase_row(rollout, phase) for phase in rollout.phases], empty="no phases")
    out.say("")
    out.table(TARGET_COLUMNS, [target_row(target) for target in rollout.targets], empty="no targets")
