"""`interlock drift list | show | check | rules`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import JsonFlag, Output, cell, examples

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from shared.api_client import ApiClient
    from shared.drift.records import DriftDetail, DriftStanding
    from shared.drift.report import DriftReport, RollUp

app = typer.Typer(
    help="See what was changed outside, and check for it.",
    no_args_is_help=True,
)

COLUMNS = ("TARGET", "STANDING", "SINCE", "DRIFTED", "CHECKED", "DUE", "NOTE")
RESOURCE_COLUMNS = ("RESOURCE", "STATUS", "CAUSE", "ATTRIBUTE", "STATE", "CLOUD")
RULE_COLUMNS = ("FLOCK", "ADDRESS", "ATTRIBUTE", "VALUE", "EXPIRES", "HITS", "LAST", "REASON")
STANDINGS = ("in_sync", "drifted", "not_checked")
FlockOption = Annotated[str | None, typer.Option("--flock", help="Only targets of this flock.")]


@app.command(
    "list",
    epilog=examples(
        "interlock drift list",
        "interlock drift list --flock shop --standing drifted",
        "interlock drift list --json | jq -r '.[] | select(.roll_up == \"drifted\").target'",
    ),
)
def list_standings(
    flock: FlockOption = None,
    standing: Annotated[
        str | None, typer.Option("--standing", help="Only targets that stand so: in_sync, drifted, not_checked.")
    ] = None,
    json_output: JsonFlag = False,
) -> None:
    """List where targets stand, as checks have confirmed it."""
    from cli.context import api
    from shared.drift.report import RollUp

    if standing is not None and standing not in STANDINGS:
        raise typer.BadParameter(f"unknown standing {standing!r}; one of: {', '.join(STANDINGS)}")
    out = Output(as_json=json_output)
    with api() as client:
        found = client.drift(flock=flock, roll_up=RollUp(standing) if standing is not None else None)
    out.data(found)
    rows = [
        (
            one.target,
            _named(one.roll_up),
            one.since,
            one.drifted or "",
            one.checked_at,
            one.due_at,
            _note(one),
        )
        for one in found
    ]
    out.table(COLUMNS, rows, empty="no targets; `interlock flock register FILE` declares them")


@app.command(
    "show",
    epilog=examples(
        "interlock drift show shop.eu-west-1      # exit code 0: in sync, 2: drifted, 1: not known",
        "interlock drift show shop.eu-west-1 --all",
        "interlock drift show shop.eu-west-1 --json | jq .calls   # the proof that it only read",
    ),
)
def show(
    target: Annotated[str, typer.Argument(help="Target id, flock.region or flock.region.name.", metavar="TARGET")],
    everything: Annotated[bool, typer.Option("--all", help="Also resources that are in sync.")] = False,
    json_output: JsonFlag = False,
) -> None:
    """Show where a target stands and what its newest check found.

    Exit code 0: the target stands as in sync, 2: as drifted, 1: it is not known whether it has drifted.
    """
    from cli.context import api
    from shared import exit_codes
    from shared.drift.report import RollUp

    out = Output(as_json=json_output)
    with api() as client:
        detail = client.drift_of(target)
    out.data(detail)
    if not out.as_json:
        _show(out, detail, everything=everything)
    codes = {RollUp.IN_SYNC: exit_codes.OK, RollUp.DRIFTED: exit_codes.CHANGES}
    stands = detail.standing.roll_up
    raise typer.Exit(codes.get(stands, exit_codes.ERROR) if stands is not None else exit_codes.ERROR)


@app.command(
    "check",
    epilog=examples(
        "interlock drift check shop.eu-west-1     # exit code 2: it has drifted",
        "interlock drift check --flock shop",
        "interlock drift check --flock shop --detach --json | jq -r '.runs[].id'",
    ),
)
def check(
    targets: Annotated[
        list[str] | None, typer.Argument(help="Target ids; left out: all of --flock.", metavar="[TARGET]...")
    ] = None,
    flock: FlockOption = None,
    detach: Annotated[bool, typer.Option("--detach", help="Print the runs' ids and return at once.")] = False,
    json_output: JsonFlag = False,
) -> None:
    """Check targets for drift now: reads only, and canceled when anything else wants the target.

    Exit code 0: in sync, 2: something has drifted, 1: a check failed or could not look at everything.
    """
    from cli.context import actor, api
    from cli.deployments import finish

    if bool(targets) == (flock is not None):
        raise typer.BadParameter("name targets, or their flock with --flock; `interlock flock ls` lists both")
    out = Output(as_json=json_output)
    with api() as client:
        names = targets or _targets_of(client, flock or "")
        queued = client.check_drift(names, actor=actor())
        raise typer.Exit(finish(client, out, list(queued.runs), detach=detach))


@app.command(
    "rules", epilog=examples("interlock drift rules", "interlock drift rules --flock shop --json | jq '.[] | .hits'")
)
def rules(flock: FlockOption = None, json_output: JsonFlag = False) -> None:
    """List the ignore rules of flocks, how often each took something off, and which have expired."""
    from cli.context import api

    out = Output(as_json=json_output)
    with api() as client:
        found = client.drift_rules(flock=flock)
    out.data(found)
    rows = [
        (
            one.flock,
            one.rule.address,
            one.rule.attribute or "*",
            one.rule.value or "*",
            f"{one.rule.expires}{' (expired)' if one.expired else ''}",
            one.hits,
            one.last_hit_at,
            one.rule.reason,
        )
        for one in found
    ]
    out.table(RULE_COLUMNS, rows, empty="no ignore rules; `drift: ignore:` in flock.yaml has them")


def _targets_of(client: ApiClient, flock: str) -> list[str]:
    from shared.errors import ConfigurationError

    names = [one.id for one in client.targets() if one.flock == flock and one.release_digest is not None]
    if not names:
        raise ConfigurationError(
            f"no target of flock {flock!r} has a release to be compared with", hint="`interlock flock ls` lists targets"
        )
    return names


def _named(roll_up: RollUp | None) -> str:
    return "unknown" if roll_up is None else roll_up.value.replace("_", " ")


def _note(one: DriftStanding) -> str:
    parts = []
    if one.pending is not None:
        parts.append(f"one check found it {_named(one.pending)}")
    if one.failures:
        parts.append(f"{one.failures} checks in a row said nothing: {one.last_reason or 'no reason given'}")
    if one.changes > 1:
        parts.append(f"changed {one.changes} times lately")
    if one.remediation:
        parts.append(one.remediation)
    return "; ".join(parts)


def _show(out: Output, detail: DriftDetail, *, everything: bool) -> None:
    standing, check = detail.standing, detail.check
    out.fields(
        [
            ("target", standing.target),
            ("standing", _named(standing.roll_up)),
            ("since", standing.since),
            ("confirmed_by", standing.run_id),
            ("due", standing.due_at),
            ("note", _note(standing)),
        ]
    )
    if check is None or detail.report is None:
        out.note(f"no check has said anything yet; `interlock drift check {standing.target}` makes one")
        return
    counts = ", ".join(f"{count} {status.value.replace('_', ' ')}" for status, count in check.counts.items())
    found = f"{_named(check.roll_up)} ({counts or 'nothing'})"
    out.fields(
        [
            ("newest_check", f"{check.run_id}, {cell(check.created_at)}: {found}"),
            ("against", check.release_digest),
            ("ignored", f"{check.ignored} changes, by rule" if check.ignored else None),
            ("expired", "; ".join(f"{rule.address} since {rule.expires}" for rule in check.expired)),
        ]
    )
    if (calls := detail.calls) is not None:
        out.fields([("signed", f"{calls.reads} reads, {calls.writes} writes; {calls.refused} refused")])
        out.note(f"`interlock journal ls --run {check.run_id}` shows each call that was signed for it")
    for gap in detail.report.gaps:
        out.note(f"not complete: {gap}")
    out.say("")
    out.table(
        RESOURCE_COLUMNS, _rows(detail.report, everything=everything), empty="everything was read, and nothing differs"
    )


def _rows(report: DriftReport, *, everything: bool) -> Iterator[tuple[object, ...]]:
    for one in report.resources:
        if not everything and one.status.value == "in_sync" and one.cause is None:
            continue
        cause = one.cause.value if one.cause is not None else ""
        first: Iterable[object] = (one.address, one.status.value, cause)
        for change in one.attributes:
            before, after = ("(sensitive)",) * 2 if change.sensitive else (change.before, change.after)
            where = (
                change.path
                + (" (ignored)" if change.ignored else "")
                + ("" if one.cause is None or change.cause is one.cause else f" ({change.cause.value})")
            )
            yield (*first, where, before, after)
            first = ("", "", "")
        if one.more_attributes:
            yield (*first, f"and {one.more_attributes} more", "", "")
        elif not one.attributes:
            yield (*first, "", one.reason, "")
