"""`interlock plan`: makes one, and `plan show | approve | compare` for what a plan does.

`plan TARGET` and `plan approve RUN` are one group: a target's id holds a dot, so it is never one of the words.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from cli import deployments
from cli.output import JsonFlag, Output, YesOption, examples

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.safety.entries import Entry, SafetyPlan
    from shared.safety.records import SafetyRecord

MAKE = "make"
MAX_CALLS = 10_000
ENTRY_COLUMNS = ("OPERATION", "TYPE", "ADDRESS")
LABELLED_COLUMNS = (*ENTRY_COLUMNS, "UNDONE", "BECAUSE")
COMPARED_COLUMNS = ("WHERE", *ENTRY_COLUMNS)


class _PlanGroup(TyperGroup):
    """Anything that is no command of the group is an argument of the command that makes a plan."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        helps = {"-h", "--help"}
        if not args or (args[0] not in self.commands and args[0] not in helps):
            args = [MAKE, *args]
        return list(super().parse_args(ctx, args))


app = typer.Typer(
    cls=_PlanGroup,
    help="Show what an apply would change; look at, approve and compare what a plan does.\n\n"
    "`interlock plan [TARGET] [-f FILE | --release R]` makes a plan. Exit code 0: it changes nothing, 2: something, "
    "1: it failed.",
    epilog=deployments.PLAN_EXAMPLES,
)
app.command(MAKE, hidden=True, epilog=deployments.PLAN_EXAMPLES)(deployments.plan)

RunArgument = Annotated[
    str, typer.Argument(help="Id of the run that made the plan, as `interlock run ls` shows it.", metavar="RUN")
]


@app.command(
    "show",
    epilog=examples(
        "interlock plan show run-0123456789abcdef",
        "interlock plan show run-0123456789abcdef --unused   # after its apply: what it did not need",
    ),
)
def show(
    run_id: RunArgument,
    unused: Annotated[
        bool, typer.Option("--unused", help="Of an apply: what was approved and not needed by its release so far.")
    ] = False,
    json_output: JsonFlag = False,
) -> None:
    """Show what a plan does, who approved it, and what is new in it."""
    from cli.context import api
    from cli.plan_usage import without_a_call

    out = Output(as_json=json_output)
    with api() as client:
        if unused:
            left = client.unused_of_safety_plan(run_id)
            silent = without_a_call(
                client.safety_plan(run_id).plan.entries, client.journal(run=run_id, limit=MAX_CALLS)
            )
            out.data({**left.model_dump(mode="json"), "without_a_call": silent})
            out.table(ENTRY_COLUMNS, _rows(left.unused), empty="everything that was approved was needed")
            out.note(f"{len(left.unused)} of {left.approved} approved entries were not needed, {left.note}")
            for entry in silent:
                out.note(f"planned, and no call of it was answered: {entry}")
            return
        record = client.safety_plan(run_id)
    out.data(record)
    _show(out, record)


@app.command(
    "approve",
    epilog=examples(
        "interlock plan approve run-0123456789abcdef",
        "interlock plan approve run-0123456789abcdef --yes",
        "interlock plan approve run-0123456789abcdef --consent aws_db_instance.orders   # it cannot be undone",
    ),
)
def approve(
    run_id: RunArgument,
    consent: Annotated[
        list[str] | None,
        typer.Option(
            "--consent", help="Address of what cannot be undone and is agreed to; may be given several times."
        ),
    ] = None,
    yes: YesOption = False,
    json_output: JsonFlag = False,
) -> None:
    """Approve what a plan does: for its target, and as far as safety rules ask for every one whose plan does no more.

    A phase with approval asks for one of each target's own plan in its roll-out. In a flock with a `rollback` section
    what cannot be undone, or only with data lost, needs consent by name for each target: --consent ADDRESS.
    """
    from cli.context import actor, api

    out = Output(as_json=json_output)
    with api() as client:
        record = client.safety_plan(run_id)
        for operation, _, address, undone, why in _labelled(record.plan):
            out.note(f"{operation:<22}{address}" + (f"  ({undone}: {why})" if why else ""))
        if not yes and sys.stdin.isatty():
            typer.confirm(f"Approve these {len(record.plan.entries)} entries?", abort=True, err=True)
        approved = client.approve_safety_plan(run_id, record.digest, actor=actor(), consents=consent or [])
    out.data(approved)
    out.say(f"{approved.digest} is {approved.verdict}")
    for entry in approved.verdict.unconsented:
        out.note(
            f"`interlock plan approve {run_id} --consent '{entry.address.removesuffix(' (deposed)')}'` agrees to it"
        )


@app.command(
    "compare",
    epilog=examples(
        "terraform show -json my.tfplan > my.json",
        "interlock plan compare run-0123456789abcdef my.json",
        "terraform show -json my.tfplan | interlock plan compare run-0123456789abcdef -",
    ),
)
def compare(
    run_id: RunArgument,
    file: Annotated[
        Path, typer.Argument(help="Output of `terraform show -json PLAN`, made here; - for stdin.", metavar="FILE")
    ],
    json_output: JsonFlag = False,
) -> None:
    """Compare a plan that was made here with the one that a run made. Exit code 0: they do the same, 2: they do not."""
    from cli.context import api
    from shared import exit_codes
    from shared.safety.comparison import compare as compare_plans
    from shared.safety.making import safety_plan
    from shared.safety.plan_document import parse

    out = Output(as_json=json_output)
    local = safety_plan(parse(_content(file)))
    with api() as client:
        remote = client.safety_plan(run_id).plan
    difference = compare_plans(local, remote)
    out.data({**difference.model_dump(mode="json"), "same": difference.same})
    rows = [("here", *row) for row in _rows(difference.only_left)]
    rows += [(run_id, *row) for row in _rows(difference.only_right)]
    out.table(COMPARED_COLUMNS, rows, empty=f"both do the same, {len(difference.both)} entries")
    raise typer.Exit(exit_codes.OK if difference.same else exit_codes.CHANGES)


def _content(file: Path) -> bytes:
    from shared.errors import ConfigurationError
    from shared.safety.plan_document import MAX_BYTES

    try:
        if str(file) == "-":
            return sys.stdin.buffer.read(MAX_BYTES + 1)
        with file.open("rb") as opened:
            return opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(
            f"{file} cannot be read: {error.strerror}", hint="give the output of `terraform show -json PLAN`"
        ) from error


def _show(out: Output, record: SafetyRecord) -> None:
    names = ("run_id", "target", "release_digest", "digest")
    out.fields((name, getattr(record, name)) for name in names)
    out.fields(
        [
            ("verdict", record.verdict),
            ("approved", ", ".join(f"{one.approver} at {one.approved_at:%F %T}" for one in record.approvals)),
        ]
    )
    out.say("")
    out.table(LABELLED_COLUMNS, _labelled(record.plan), empty="it does nothing")


def _labelled(plan: SafetyPlan) -> list[tuple[str, str, str, str, str]]:
    """Each entry and how far a rollback could undo it; why, where it could not."""
    from shared.rollback.reversibility import label
    from shared.safety.entries import in_order

    rows = []
    for entry in in_order(plan.entries):
        known = label(entry, one_way_only=entry.address in plan.one_way, existing=entry.address in plan.taken_over)
        undone = known.reversibility.value.replace("_", " ")
        rows.append(
            (entry.operation.value, entry.type, entry.address, undone, known.why if known.needs_consent else "")
        )
    return rows


def _rows(entries: Iterable[Entry]) -> list[tuple[str, str, str]]:
    from shared.safety.entries import in_order

    return [(entry.operation.value, entry.type, entry.address) for entry in in_order(entries)]
