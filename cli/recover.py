"""`interlock recover [RUN]`: what a run left that no state holds, and a run that takes it over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.output import JsonFlag, Output, examples

if TYPE_CHECKING:
    from shared.api_client import ApiClient
    from shared.models import Run
    from shared.recovery.orphans import Orphan, OrphanReport

EXAMPLES = examples(
    "interlock recover                               # which runs left something",
    "interlock recover run-0123456789abcdef          # what, and the import blocks for it",
    "interlock recover run-0123456789abcdef --yes    # take it over into the state",
    "interlock recover run-0123456789abcdef --json | jq -r .imports > imports.tf",
)
LIST_COLUMNS = ("RUN", "TARGET", "KIND", "ENDED", "STATUS", "ORPHANS", "KEPT STATES", "TAKEN OVER BY")
COLUMNS = ("AT", "SERVICE", "OPERATION", "TYPE", "ID", "OUTCOME", "ADDRESS")


def recover(
    run_id: Annotated[
        str | None,
        typer.Argument(help="Id of the run that was cut; left out: those that left something.", metavar="RUN"),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Start a run that takes it over, and follow it to its end.")
    ] = False,
    detach: Annotated[bool, typer.Option("--detach", help="With --yes: print that run's id and return.")] = False,
    target: Annotated[str | None, typer.Option("--target", help="Without RUN: only runs of this target.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Without RUN: also what is settled.")] = False,
    json_output: JsonFlag = False,
) -> None:
    """Show what a cut run left in the cloud that no state holds; with --yes let a run take it over.

    Exit code 0: nothing is left, 2: something is; with --yes: as that run ends.
    """
    from cli.context import api
    from shared import exit_codes

    if run_id is None and (yes or detach):
        raise typer.BadParameter("--yes needs a RUN")
    out = Output(as_json=json_output)
    with api() as client:
        if run_id is None:
            reports = client.orphans(target=target, everything=everything)
            out.data(reports)
            out.table(LIST_COLUMNS, (_row(report) for report in reports), empty="no run left anything that is known")
            code = exit_codes.CHANGES if any(report.open for report in reports) else exit_codes.OK
        else:
            report = client.orphans_of(run_id)
            code = _take_over(client, out, report, detach=detach) if yes else _show(out, report)
    raise typer.Exit(code)


def _show(out: Output, report: OrphanReport) -> int:
    from shared import exit_codes

    code = exit_codes.CHANGES if report.open else exit_codes.OK
    out.data({"report": report, "imports": imports_of(report), "exit_code": code})
    _describe(out, report)
    if report.importable:
        out.say("")
        out.say(imports_of(report).rstrip("\n"))
        out.say("")
    if report.open:
        for line in next_steps(report):
            out.note(line)
    return code


def _take_over(client: ApiClient, out: Output, report: OrphanReport, *, detach: bool) -> int:
    from cli.context import actor
    from cli.follow import Follower
    from cli.outcome import describe, exit_code_of
    from shared import exit_codes

    if not report.open:
        out.data({"report": report, "run": None, "exit_code": exit_codes.OK})
        _describe(out, report)
        return exit_codes.OK
    _describe(out, report)
    run: Run = client.recover(report.run_id, actor=actor())
    if detach:
        out.data({"report": report, "run": run, "exit_code": exit_codes.OK})
        out.say(run.id)
        return exit_codes.OK
    (ended,) = Follower(client, out, [run]).to_the_end()
    code = exit_code_of(ended)
    out.data({"report": client.orphans_of(report.run_id), "run": ended, "exit_code": code})
    out.note(describe(ended))
    return code


def _describe(out: Output, report: OrphanReport) -> None:
    pairs: list[tuple[str, object]] = [
        ("run", f"{report.run_id} ({report.kind.value}, {report.status})"),
        ("target", report.target),
        ("epoch", report.epoch),
        ("ended", report.ended_at),
        ("compared with", "no state" if report.state_serial is None else f"state serial {report.state_serial}"),
        ("trouble", report.trouble or None),
        ("settled", report.settled_by or None),
        ("taken over by", report.recovery_run_id),
    ]
    pairs += [(f"kept state {kept.serial}", _kept(kept)) for kept in report.kept_states]
    out.fields(pairs)
    out.table(
        COLUMNS, (_line(orphan) for orphan in report.orphans), empty="nothing that it made is missing in the state"
    )
    for orphan in report.orphans:
        if orphan.why:
            out.note(f"{orphan.operation} at {orphan.at:%H:%M:%S}: no import block, {orphan.why}")
    if report.more:
        out.note(f"and {report.more} more; `interlock journal ls --run {report.run_id}` has every call")


def imports_of(report: OrphanReport) -> str:
    """The import blocks of a report, for a .tf file. Pure."""
    return "\n".join(orphan.import_block for orphan in report.importable if orphan.import_block is not None)


def next_steps(report: OrphanReport) -> list[str]:
    """What can be done about a report that is open. Pure."""
    unknown = sum(orphan.outcome == "unknown" for orphan in report.orphans)
    without = len(report.orphans) + report.more - len(report.importable)
    steps = [
        f"`interlock recover {report.run_id} --yes` starts a run that takes this over: it accepts a kept state that "
        "continues the stored one, asks the cloud what there is, and imports it into the state. It changes nothing "
        "in the cloud.",
    ]
    if unknown:
        steps.append(f"{unknown} calls had no answer; that run looks them up and settles them.")
    if without:
        steps.append(f"{without} have no import block here; that run places them if it can, and names those it cannot.")
    if report.importable:
        steps.append("Or paste the import blocks into the configuration and apply it.")
    return steps


def _kept(kept: Any) -> str:
    if kept.continues:
        return f"of epoch {kept.epoch}, continues the stored one: the next holder takes it over"
    return f"of epoch {kept.epoch}, does not continue the stored one and stays: {kept.why}"


def _line(orphan: Orphan) -> tuple[object, ...]:
    return (
        orphan.at,
        orphan.service,
        orphan.operation or "unknown",
        orphan.type,
        orphan.id or " ".join(f"{name}={value}" for name, value in list(orphan.names.items())[:3]),
        orphan.outcome,
        orphan.address,
    )


def _row(report: OrphanReport) -> tuple[object, ...]:
    return (
        report.run_id,
        report.target,
        report.kind.value,
        report.ended_at,
        report.status if report.open else f"settled: {report.settled_by}",
        len(report.orphans) + report.more,
        len(report.kept_states),
        report.recovery_run_id,
    )
