"""`interlock chaos list | run`: the options, the guards before anything is struck, and the way out."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.chaos.scenarios import ALL, SCENARIOS, Scenario
from cli.output import JsonFlag, Output, examples

if TYPE_CHECKING:
    from cli.chaos.remedies import Commands
    from cli.chaos.story import Plan
    from cli.chaos.verdict import Verdict
    from shared.api_client import ApiClient
    from shared.settings import Settings

# An API behind a partition must not hold up the remedy.
API_TIMEOUT_S = 5.0
# What a lasting blow goes on for beyond the protocol's longest wait.
HOLD_MARGIN_S = 5
DEFAULT_LIMIT_S = 300.0
# The command of a run ends by itself, should nobody be left to cancel it.
RUN_SPARE_S = 600.0

app = typer.Typer(
    help="Strike a staging deployment on purpose and judge how it recovers.",
    no_args_is_help=True,
    epilog=examples(
        "interlock chaos list",
        "interlock chaos run freeze-worker --target shop.staging --dry-run",
        "interlock chaos run all --target shop.staging --yes-this-is-staging",
    ),
)


@app.command("list", epilog=examples("interlock chaos list", "interlock chaos list --json"))
def list_scenarios(json_output: JsonFlag = False) -> None:
    """What there is to strike with, and what each proves."""
    out = Output(as_json=json_output)
    columns = ("name", "does", "proves", "not_shown")
    out.data([{name: getattr(scenario, name) for name in columns} for scenario in SCENARIOS.values()])
    for scenario in SCENARIOS.values():
        out.say(scenario.name)
        out.say(f"  does      {scenario.does}")
        out.say(f"  proves    {scenario.proves}")
        out.say(f"  not shown {scenario.not_shown}")


@app.command(
    "run",
    context_settings={"allow_interspersed_args": True},
    epilog=examples(
        "interlock chaos run kill-worker --target shop.staging --yes-this-is-staging",
        "interlock chaos run freeze-proxy -t shop.staging --commands chaos.toml --dry-run",
        "interlock chaos run all -t shop.staging --commands chaos.toml --yes-this-is-staging --json",
    ),
)
def run(
    scenario: Annotated[str, typer.Argument(help="A scenario's name, or all.")],
    target: Annotated[str, typer.Option("--target", "-t", help="The target to work on; nothing else is touched.")],
    command: Annotated[
        list[str] | None,
        typer.Argument(
            help="With --mutating: what calls the cloud instead of the harmless probe.", metavar="[-- CMD…]"
        ),
    ] = None,
    staging: Annotated[
        bool, typer.Option("--yes-this-is-staging", help="Without it nothing is struck: parts of it will be killed.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done and do nothing.")] = False,
    strike_command: Annotated[
        str | None, typer.Option("--strike-command", help="Command that strikes; {node} and {role} are filled in.")
    ] = None,
    heal_command: Annotated[
        str | None, typer.Option("--heal-command", help="Command that undoes it; run whatever happens.")
    ] = None,
    commands: Annotated[
        Path | None, typer.Option("--commands", help="TOML file with `strike` and `heal` for each scenario.")
    ] = None,
    pid: Annotated[int | None, typer.Option("--pid", min=2, help="The process here that is struck.")] = None,
    cut: Annotated[
        list[str] | None, typer.Option("--cut", help="partition: HOST:PORT to cut off instead of Redis and API.")
    ] = None,
    hold: Annotated[
        float | None, typer.Option("--hold", min=0, help="Seconds until a lasting blow is healed at the latest.")
    ] = None,
    limit: Annotated[
        float, typer.Option("--limit", min=1, max=3600, help="Seconds within which the target must have recovered.")
    ] = DEFAULT_LIMIT_S,
    mutating: Annotated[bool, typer.Option("--mutating", help="Run CMD, which may change things.")] = False,
    others_too: Annotated[
        bool, typer.Option("--others-too", help="Strike although runs of other targets are active.")
    ] = False,
    json_output: JsonFlag = False,
) -> None:
    """Strike, watch the deployment recover, and judge it by its journal.

    Exit code 0: every verdict passed; 1: one did not, or a blow could not be undone (the message says how to).
    """
    from cli.context import load_settings
    from shared.errors import ConfigurationError

    out = Output(as_json=json_output)
    chosen = _scenarios(scenario)
    if bool(command) != mutating:
        raise ConfigurationError(
            "--mutating and a command after -- belong together", hint="left out, a harmless probe calls the cloud"
        )
    if pid is not None and len(chosen) > 1:
        raise ConfigurationError("--pid names one process, and all scenarios strike several", hint="run one scenario")
    settings = load_settings()
    own = _commands(chosen, strike_command, heal_command, commands)
    plans = [
        _plan(one, settings, target, tuple(command or ()), own.get(one.name), pid, cut or (), hold, limit)
        for one in chosen
    ]
    if dry_run:
        _show(out, plans)
        return
    if not staging:
        raise ConfigurationError(
            f"`chaos run` kills and freezes parts of the deployment at {settings.api_url}",
            hint="if that is staging, say so: --yes-this-is-staging; --dry-run shows what would be done",
        )
    verdicts = []
    with _client(settings) as client, _signals_interrupt():
        for plan in plans:
            _refuse_busy(client, target, others_too=others_too)
            verdicts.append(_play(client, out, plan))
            _say(out, verdicts[-1])
    passed = all(verdict.passed for verdict in verdicts)
    out.data({"passed": passed, "verdicts": [verdict.as_json() for verdict in verdicts]})
    raise typer.Exit(0 if passed else 1)


def _scenarios(name: str) -> list[Scenario]:
    if name == ALL:
        return list(SCENARIOS.values())
    if name not in SCENARIOS:
        raise typer.BadParameter(f"no scenario {name!r}; there are {', '.join(SCENARIOS)}, and {ALL}")
    return [SCENARIOS[name]]


def _commands(
    chosen: Sequence[Scenario], strike: str | None, heal: str | None, file: Path | None
) -> Mapping[str, Commands]:
    from cli.chaos.remedies import commands_from, load_commands
    from shared.errors import ConfigurationError

    found = dict(load_commands(file)) if file is not None else {}
    if strike is not None or heal is not None:
        if len(chosen) > 1:
            raise ConfigurationError(
                "--strike-command is for one scenario", hint="for all of them put the commands into a file: --commands"
            )
        found[chosen[0].name] = commands_from(chosen[0], strike, heal, where="--strike-command")
    return found


def _plan(
    scenario: Scenario,
    settings: Settings,
    target: str,
    argv: tuple[str, ...],
    commands: Commands | None,
    pid: int | None,
    cut: Sequence[str],
    hold_s: float | None,
    limit_s: float,
) -> Plan:
    from cli.chaos.arsenal import choose
    from cli.chaos.probe import probe_command
    from cli.chaos.story import Plan

    held_s = hold_s if hold_s is not None else settings.timing.embargo_ms / 1000 + HOLD_MARGIN_S
    weapon = choose(scenario, settings, target=target, commands=commands, pid=pid, cut=cut, hold_s=held_s)
    return Plan(
        scenario=scenario,
        target=target,
        argv=argv or probe_command(limit_s + RUN_SPARE_S),
        strike=weapon.make,
        blow=weapon.blow,
        node=weapon.node,
        hold_s=held_s,
        limit_s=limit_s,
    )


@contextmanager
def _client(settings: Settings) -> Iterator[ApiClient]:
    from shared.api_client import ApiClient

    with ApiClient(settings.api_url, settings.read_token("admin"), timeout_s=API_TIMEOUT_S) as client:
        yield client


@contextmanager
def _signals_interrupt() -> Iterator[None]:
    """SIGTERM and SIGHUP end the command as Ctrl-C does: with everything healed."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before: dict[int, Any] = {one: signal.signal(one, interrupt) for one in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _refuse_busy(client: ApiClient, target: str, *, others_too: bool) -> None:
    """Raises ConfigurationError when somebody else's runs would be struck."""
    from shared.errors import ConfigurationError
    from shared.models import RunStatus

    known = client.target(target)
    active = [run for status in RunStatus if not status.terminal for run in client.runs(status=status)]
    here = [run.id for run in active if run.target == known.id]
    if here:
        raise ConfigurationError(
            f"{target} is in use: {', '.join(here)}", hint="name a target on which nothing runs, or cancel these"
        )
    others = [run.id for run in active if run.status is not RunStatus.PENDING]
    if others and not others_too:
        raise ConfigurationError(
            f"runs of other targets are active and may be struck as well: {', '.join(others)}",
            hint="wait for them, or strike all the same: --others-too",
        )


def _play(client: ApiClient, out: Output, plan: Plan) -> Verdict:
    from cli.chaos.story import Story
    from cli.context import actor
    from shared.clock import SystemClock

    def say(text: str) -> None:
        out.note(f"{plan.scenario.name}: {text}")

    return Story(client, SystemClock(), say, actor=f"chaos, {actor()}").play(plan)


def _show(out: Output, plans: Sequence[Plan]) -> None:
    from cli.chaos.strikes import shown

    documents = []
    for plan in plans:
        strike = plan.strike({"role": plan.scenario.role.value, "scenario": plan.scenario.name, "target": plan.target})
        documents.append(
            {
                "scenario": plan.scenario.name,
                "does": strike.what,
                "command": shown(strike.blow) if strike.blow else None,
                "then": "the lease is revoked" if plan.scenario.revokes else None,
                "heal": shown(strike.remedy) if strike.remedy else None,
                "healed_after_s_at_most": plan.hold_s if strike.remedy else None,
            }
        )
    out.data(documents)
    for document in documents:
        out.fields(document.items())
        out.say("")
    out.say(f"two runs of {plans[0].target} call the cloud meanwhile; nothing was done")


def _say(out: Output, verdict: Verdict) -> None:
    word = "passed" if verdict.passed else "FAILED"
    out.say(f"{verdict.scenario}: {word}")
    out.fields(
        [
            ("  struck", f"epoch {verdict.epoch} of {verdict.target} on {verdict.node}"),
            ("  overlaps", verdict.overlaps),
            ("  calls after the lease's end", verdict.after_end),
            ("  calls judged", verdict.calls),
            ("  calls of unknown outcome", verdict.unknown),
            ("  lease lived on", verdict.survived or None),
            ("  lease ended", _after(verdict.ended_after_s)),
            ("  granted anew", _after(verdict.granted_after_s)),
            ("  next holder's first call", _after(verdict.first_call_after_s)),
            ("  healed", _after(verdict.healed_after_s)),
        ]
    )
    for reason in verdict.reasons:
        out.say(f"  {reason}")


def _after(seconds: float | None) -> str | None:
    return None if seconds is None else f"after {seconds:.2f} s"
