"""The `interlock` command: its groups, its global options, and the way out of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from cli import (
    atlantis_import,
    demo,
    deployments,
    doctor,
    drift,
    execution,
    flocks,
    journal,
    leases,
    notify,
    plans,
    processes,
    recover,
    regions,
    releases,
    rollback,
    rollouts,
    runs,
    up_command,
    version,
)
from cli.chaos import command as chaos
from cli.failures import Interrupted, report
from cli.output import examples, json_wanted, wants_json
from shared import exit_codes

SEE = "Start here"
DEPLOY = "Deployments"
LOOK = "Look and intervene"
PROCESSES = "Single processes"


class _Root(TyperGroup):
    """All commands. An interrupt leaves them as an error, with a message and in JSON mode an object, like any other."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise Interrupted from error


app = typer.Typer(
    name="interlock",
    cls=_Root,
    help="Runs Terraform so that only the holder of a target's lease gets a cloud call signed.",
    epilog=examples(
        "interlock demo                        # watch it prevent an overlap",
        "interlock up                          # everything on this machine",
        "interlock apply -f flock.yaml         # deploy (in another terminal)",
        "interlock lease watch                 # who may act on what, live",
    ),
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def global_options(
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON, and only JSON, to stdout.")] = False,
    no_color: Annotated[bool, typer.Option("--no-color", help="No colours (NO_COLOR does the same).")] = False,
) -> None:
    """Runs Terraform so that only the holder of a target's lease gets a cloud call signed."""
    # Declared for --help and for the parser; `main` has acted on both before anything was parsed.


app.command("up", rich_help_panel=SEE, epilog=up_command.EXAMPLES)(up_command.up)
app.command("demo", rich_help_panel=SEE, epilog=demo.EXAMPLES)(demo.demo)
app.command("doctor", rich_help_panel=SEE, epilog=doctor.EXAMPLES)(doctor.doctor)
app.command("version", rich_help_panel=SEE, epilog=version.EXAMPLES)(version.version)
app.add_typer(flocks.app, name="flock", rich_help_panel=DEPLOY)
app.add_typer(regions.app, name="region", rich_help_panel=DEPLOY)
app.command("import", rich_help_panel=DEPLOY, epilog=atlantis_import.EXAMPLES)(atlantis_import.import_file)
app.add_typer(releases.app, name="release", rich_help_panel=DEPLOY)
app.add_typer(rollouts.app, name="rollout", rich_help_panel=DEPLOY)
app.add_typer(plans.app, name="plan", rich_help_panel=DEPLOY)
app.command("apply", rich_help_panel=DEPLOY, epilog=deployments.APPLY_EXAMPLES)(deployments.apply)
app.command("destroy", rich_help_panel=DEPLOY, epilog=deployments.DESTROY_EXAMPLES)(deployments.destroy)
app.command(
    "exec",
    rich_help_panel=DEPLOY,
    epilog=execution.EXAMPLES,
    # The first word that is not ours starts the command; what follows it is never taken for an option of ours.
    context_settings={"allow_interspersed_args": False},
)(execution.execute)
app.add_typer(runs.app, name="run", rich_help_panel=LOOK)
app.add_typer(rollback.app, name="rollback", rich_help_panel=LOOK)
app.add_typer(drift.app, name="drift", rich_help_panel=LOOK)
app.command("recover", rich_help_panel=LOOK, epilog=recover.EXAMPLES)(recover.recover)
app.add_typer(leases.app, name="lease", rich_help_panel=LOOK)
app.add_typer(journal.app, name="journal", rich_help_panel=LOOK)
app.add_typer(notify.app, name="notify", rich_help_panel=LOOK)
app.add_typer(chaos.app, name="chaos", rich_help_panel=LOOK)
app.command("server", rich_help_panel=PROCESSES, epilog=processes.SERVER_EXAMPLES)(processes.server)
app.command("beat", rich_help_panel=PROCESSES, epilog=processes.BEAT_EXAMPLES)(processes.beat)
app.command("proxy", rich_help_panel=PROCESSES, epilog=processes.PROXY_EXAMPLES)(processes.proxy)
app.command("worker", rich_help_panel=PROCESSES, epilog=processes.WORKER_EXAMPLES)(processes.worker)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. Whatever it raises ends as two lines on stderr."""
    words = list(sys.argv[1:] if argv is None else argv)
    as_json = wants_json(words)
    token = json_wanted.set(as_json)
    if "--no-color" in words[: words.index("--") if "--" in words else len(words)]:
        # Before anything is printed: help and usage errors obey it too.
        os.environ["NO_COLOR"] = "1"
    try:
        result = get_command(app)(args=words, prog_name="interlock", standalone_mode=False)
        sys.stdout.flush()
    except SystemExit as error:
        # From a shell-completion request, or a process command's framework.
        return error.code if isinstance(error.code, int) else exit_codes.OK if error.code is None else exit_codes.ERROR
    except BaseException as error:  # noqa: BLE001 - the top: the alternative is a traceback
        return report(error, as_json=as_json)
    finally:
        json_wanted.reset(token)
    return result if isinstance(result, int) else exit_codes.OK
