"""`interlock flock inspect | render | validate | diff`: everything that can be known before a lease is taken."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import JsonFlag, Output, examples

if TYPE_CHECKING:
    from scheduler.configuration.check import Checked
    from scheduler.configuration.diff import TargetChange
    from scheduler.configuration.nodes import Node
    from scheduler.configuration.render import RenderedTarget
    from scheduler.configuration.report import Finding
    from scheduler.configuration.terraform import Generic, Variable

FlockArgument = Annotated[Path, typer.Argument(help="flock.yaml, or the folder that holds it.", metavar="[FLOCK]")]
HERE = Path()

INSPECT_EXAMPLES = examples("interlock flock inspect examples/shop", "interlock flock inspect --json | jq .")
RENDER_EXAMPLES = examples(
    "interlock flock render examples/shop --explain",
    "interlock flock render examples/shop --target shop.eu-west-1.edge --out build/rendered",
)
VALIDATE_EXAMPLES = examples(
    "interlock flock validate examples/shop",
    "interlock flock validate examples/shop --offline     # without Terraform and its providers",
)
DIFF_EXAMPLES = examples(
    "interlock flock diff git:main examples/shop     # what a pull request reaches",
    "interlock flock diff old/shop new/shop --json",
)


def inspect(flock: FlockArgument = HERE, json_output: JsonFlag = False) -> None:
    """Show what a flock's generic configuration lets regions set, and what is hard-coded in it."""
    from scheduler.configuration.fleet import load_flock
    from scheduler.configuration.report import printable
    from scheduler.configuration.sections import section_lines
    from scheduler.configuration.views import inspection

    out = Output(as_json=json_output)
    loaded = load_flock(flock)
    said = loaded.document.model
    out.data([inspection(generic, said) for generic in loaded.generics.values()])
    for generic in loaded.generics.values():
        _show_generic(out, generic)
    for line in section_lines(said):
        out.say(printable(line))
    show_findings(out, loaded.findings)
    if loaded.findings:
        raise typer.Exit(exit_code(loaded.findings))


def render(
    flock: FlockArgument = HERE,
    target: Annotated[list[str] | None, typer.Option("--target", help="Only this target; may be repeated.")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Each value with file, line and layer.")] = False,
    out_folder: Annotated[
        Path | None, typer.Option("--out", help="Write the files to DIR/<target>/ as well.", metavar="DIR")
    ] = None,
    json_output: JsonFlag = False,
) -> None:
    """Show the values of each target, and with --explain where every one of them comes from."""
    from scheduler.configuration.report import printable
    from scheduler.configuration.sections import section_lines
    from scheduler.configuration.views import rendering

    out = Output(as_json=json_output)
    checked = checked_flock(flock)
    chosen = choose(checked, target or [])
    said = checked.flock.document.model
    out.data([rendering(one, said, explain=explain) for one in chosen])
    for one in chosen:
        out.say(f"{one.id}  {one.digest}")
        for path, value, origin in explanation(checked, one) if explain else _values(one):
            out.say(printable(f"  {path} = {value}" + (f"    {origin}" if origin else "")))
        for line in section_lines(said, one.plan):
            out.say(printable(f"  {line}"))
    show_findings(out, checked.report.findings)
    if checked.report.errors:
        raise typer.Exit(exit_code(checked.report.findings))
    if out_folder is not None:
        write_files(chosen, out_folder)


def validate(
    flock: FlockArgument = HERE,
    offline: Annotated[bool, typer.Option("--offline", help="Start no Terraform, ask no registry.")] = False,
    json_output: JsonFlag = False,
) -> None:
    """Check all targets and report everything that is wrong at once; then let Terraform validate each."""
    from scheduler.configuration.report import ManyRefused, report

    out = Output(as_json=json_output)
    try:
        checked = checked_flock(flock, look_up=not offline)
    except ManyRefused as error:
        # There are no targets to speak of, but the report has its usual form.
        out.data({"targets": [], "findings": [one.data() for one in error.findings]})
        show_findings(out, error.findings)
        raise typer.Exit(error.exit_code) from None
    findings = checked.report.findings
    if not offline and not checked.report.errors:
        from cli.context import load_own_settings
        from cli.terraform_check import terraform_findings

        findings = report([*findings, *terraform_findings(checked, load_own_settings())]).findings
    out.data({"targets": [one.id for one in checked.targets], "findings": [one.data() for one in findings]})
    show_findings(out, findings)
    code = exit_code(findings)
    if code:
        raise typer.Exit(code)
    out.say(f"{len(checked.targets)} targets of {checked.flock.name}: nothing is wrong")


def diff(
    before: Annotated[str, typer.Argument(help="The old flock: a path, or git:REV[:PATH].", metavar="A")],
    after: Annotated[str, typer.Argument(help="The new flock: a path, or git:REV[:PATH].", metavar="B")],
    json_output: JsonFlag = False,
) -> None:
    """Name the targets whose values change, and how. Exit code 0: none, 2: some."""
    from cli.revisions import checked_out
    from scheduler.configuration.diff import diff as compare
    from shared import exit_codes

    out = Output(as_json=json_output)
    with checked_out(before, other=after) as old_path, checked_out(after, other=before) as new_path:
        old, new = checked_flock(old_path), checked_flock(new_path)
        for name, one in ((before, old), (after, new)):
            if one.report.errors:
                out.note(f"{name} has {len(one.report.errors)} errors; `interlock flock validate` shows them")
        changes = compare(old, new)
    out.data([change.data() for change in changes])
    for change in changes:
        _show_change(out, change)
    if not changes:
        out.say("no target changes")
        return
    out.say(f"{len(changes)} of {len(old.by_id.keys() | new.by_id.keys())} targets change")
    raise typer.Exit(exit_codes.CHANGES)


def checked_flock(path: Path, *, look_up: bool = False) -> Checked:
    """Read and check a flock.

    Args:
        path: flock.yaml, or the folder that holds it.
        look_up: whether to ask registries for the digests of artifacts that only have a version.

    Raises ConfigurationError where flock.yaml cannot be used at all, and for a version that cannot be looked up.
    """
    from dataclasses import replace

    from scheduler.configuration.check import check
    from scheduler.configuration.fleet import load_flock

    flock = load_flock(path)
    if look_up:
        from cli.artifact_digests import look_up_all

        flock = replace(flock, artifact_digests=look_up_all(flock.document))
    return check(flock)


def require_clean(checked: Checked, out: Output) -> None:
    """Print what is only to be known on stderr. Raises ConfigurationError with every error when there is one."""
    from scheduler.configuration.report import ManyRefused

    show_findings(out, tuple(one for one in checked.report.findings if one not in checked.report.errors))
    if checked.report.errors:
        raise ManyRefused(checked.report.errors)


def choose(checked: Checked, wanted: list[str]) -> list[RenderedTarget]:
    """The targets named, or all. Raises BadParameter for one that there is not."""
    from scheduler.configuration.report import did_you_mean

    known = checked.by_id
    for name in wanted:
        if name not in known:
            hint = did_you_mean(name, known, otherwise="`interlock flock render` shows all")
            raise typer.BadParameter(f"{checked.flock.name} has no target {name!r}; {hint}")
    return [known[name] for name in wanted] if wanted else list(checked.targets)


def explanation(checked: Checked, target: RenderedTarget) -> list[tuple[str, str, str]]:
    """Path, value and origin of each leaf, and of the defaults that Terraform will use."""
    from scheduler.configuration.diff import flat
    from scheduler.configuration.nodes import Scalar
    from scheduler.configuration.render import DEFAULT

    rows = []
    for path, (leaf, hidden) in flat(target).items():
        via = f", through {leaf.via}" if isinstance(leaf, Scalar) and leaf.via is not None else ""
        rows.append((path, _written(leaf, hidden=hidden), f"{leaf.origin} ({leaf.origin.layer}{via})"))
    generic = checked.flock.generics.get(target.plan.configuration)
    for name, variable in generic.variables.items() if generic else ():
        if name not in target.variables.entries and not variable.required:
            value = _default(variable)
            rows.append((f"variables.{name}", value, f"{variable.origin} ({DEFAULT})"))
    return sorted(rows)


def write_files(targets: list[RenderedTarget], folder: Path) -> None:
    """Write each target's files to `folder`/<target>/."""
    for target in targets:
        place = folder / target.id
        place.mkdir(parents=True, exist_ok=True)
        for name, text in target.files.items():
            (place / name).write_text(text, encoding="utf-8")


def _values(target: RenderedTarget) -> list[tuple[str, str, str]]:
    from scheduler.configuration.diff import flat

    return [(path, _written(leaf, hidden=hidden), "") for path, (leaf, hidden) in sorted(flat(target).items())]


def _written(node: Node | None, *, hidden: bool) -> str:
    import json

    from scheduler.configuration.diff import shown

    return json.dumps(shown(node, hidden=hidden), ensure_ascii=False)


def _default(variable: Variable) -> str:
    """A default for people: its value, or the expression that only Terraform evaluates."""
    if variable.default is None and not variable.secret:
        return variable.default_text
    return _written(variable.default, hidden=variable.secret)


def _show_generic(out: Output, generic: Generic) -> None:
    from scheduler.configuration.report import printable

    out.say(printable(f"{generic.directory}  {generic.digest}"))
    rows = [
        (
            one.name,
            one.type,
            "required" if one.required else _default(one),
            ", ".join(
                word for word, holds in (("sensitive", one.sensitive), ("not nullable", not one.nullable)) if holds
            ),
            one.origin,
        )
        for one in generic.variables.values()
    ]
    out.table(("VARIABLE", "TYPE", "DEFAULT", "", "WHERE"), rows, empty="no variables")
    for one in generic.variables.values():
        for rule in one.validations:
            out.say(printable(f"{one.name} must hold: {rule.condition}    {rule.origin}"))
    for provider in generic.providers.values():
        out.say(printable(f"provider {provider.key}    {provider.origin}"))
    for needed in generic.requirements.values():
        version = f" {needed.version}" if needed.version else ""
        out.say(printable(f"needs {needed.source}{version}{' (implied)' if needed.implied else ''}    {needed.origin}"))
    for module in generic.modules.values():
        out.say(printable(f"module {module.name} from {module.source}    {module.origin}"))
    if generic.backend:
        out.say(printable(f"backend {generic.backend[0]}, replaced for each target    {generic.backend[1]}"))
    for suspect in generic.suspects:
        out.say(printable(f"hard-coded {suspect.what} {suspect.value}    {suspect.origin}"))


def _show_change(out: Output, change: TargetChange) -> None:
    from scheduler.configuration.report import printable

    out.say(f"{change.target}: {change.what}")
    for name, (old, new) in change.placement.items():
        out.say(f"  {name}: {old or 'nothing'} -> {new or 'nothing'}")
    for file in change.generic_files:
        out.say(f"  generic file {file}")
    for one in change.changes:
        old = "nothing" if one.before is None else f"{_written(one.before, hidden=one.sensitive)} ({one.before.origin})"
        new = "nothing" if one.after is None else f"{_written(one.after, hidden=one.sensitive)} ({one.after.origin})"
        out.say(printable(f"  {one.path}: {old} -> {new}"))


def show_findings(out: Output, findings: tuple[Finding, ...]) -> None:
    """Each finding with its way out, on stderr."""
    from scheduler.configuration.report import printable

    for one in findings:
        out.note(one.line() + (f"\n  {printable(one.hint)}" if one.hint else ""))


def exit_code(findings: tuple[Finding, ...]) -> int:
    """64 where one of them is an error."""
    from scheduler.configuration.report import Severity
    from shared import exit_codes

    return exit_codes.USAGE if any(one.severity is Severity.ERROR for one in findings) else exit_codes.OK
