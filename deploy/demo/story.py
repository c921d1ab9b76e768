"""`interlock demo`: the main job with one worker frozen and one killed, judged by the cloud's own log.

Act 1  orders.eu is applied by host-a's worker, which is frozen in the middle, its Terraform left running.
       The proxy cuts it before the lease ends; host-b's worker is granted the next epoch, recovers, converges.
       Resumed, host-a's worker learns that it lost.
Act 2  orders.us is applied by host-a's worker meanwhile; it is killed in the middle. host-b takes over at once.
Act 3  A fresh plan of both must be empty; the cloud's log, its inventory and the states are judged.

`--unfenced` plays act 1 with a proxy that never says no, and shows the overlap that follows.
"""

import json
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from deploy.demo.arrivals import Arrived, read_calls
from deploy.demo.ear import CloudEar
from deploy.demo.fleet import Fleet, boot_ms
from deploy.demo.home import home_of
from deploy.demo.inventory import identities_in_state, resources_in_state
from deploy.demo.leases import Change, LeaseWatch
from deploy.demo.provider import ChosenProvider, choose_provider, terraform_of
from deploy.demo.stage import HOSTS, Stage
from deploy.demo.timeline import Event, Timeline, Weight
from deploy.demo.verdict import Evidence, Handover, Verdict, in_flight_at, judge
from shared import exit_codes
from shared.errors import InterlockError, Unavailable
from shared.lease.timing import LeaseTiming
from shared.models import Run, RunKind, RunStatus

# "In the middle": so many mutating calls have arrived, and for so long no further one.
FREEZE_AFTER_CALLS, FREEZE_QUIET_MS = 30, 1_500
KILL_AFTER_CALLS, KILL_QUIET_MS = 30, 700
# Without a gate nothing depends on a quiet instant, and the earlier the freeze the more is left to overlap.
UNFENCED_AFTER_CALLS = 10
CLAIM_LIMIT_S = 60
MIDDLE_LIMIT_S = 120
GRANT_LIMIT_S = 90
RUN_LIMIT_S = 300
ZOMBIE_LIMIT_S = 120
LOG_TAIL_LINES = 25

ENDINGS = {
    "releasing": "its worker gives the lease back",
    "revoking": "the proxy has cut it",
    "released": "released",
    "severed": "severed: provably nothing of it can reach the cloud any more",
    "expired": "expired: nobody has said that it is cut, so the whole window had to pass",
}


def run_demo(
    *,
    json_output: bool,
    unfenced: bool = False,
    plugin_dir: Path | None = None,
    console: Console | None = None,
) -> int:
    """Play the demo.

    Args:
        json_output: print nothing but the verdict, as one line of JSON.
        unfenced: switch the gate off.
        plugin_dir: where the user wants providers to come from.
        console: where to show it; None: stdout.

    Returns:
        0 if every promise was kept, else 1.

    Raises:
        InterlockError: the demo could not be played.
    """
    shown = None if json_output else console or _stdout_console()
    with home_of("demo") as home:
        verdict = _play(home.path, shown, unfenced=unfenced, plugin_dir=plugin_dir)
        home.finished = verdict.passed or unfenced
    if json_output:
        print(json.dumps(verdict.as_json()), flush=True)
    return exit_codes.OK if verdict.passed else exit_codes.ERROR


def _play(home: Path, console: Console | None, *, unfenced: bool, plugin_dir: Path | None) -> Verdict:
    provider = choose_provider(
        plugin_dir=plugin_dir,
        environ=os.environ,
        terraform=terraform_of(os.environ),
        install_dir=home / "providers",
        say=console.print if console is not None else lambda text: None,
    )
    if console is not None:
        console.print(f"provider: {provider.description}")
        if unfenced:
            console.print("unfenced: the gate is off and every worker's credentials are good for ever")
    with ExitStack() as stack:
        fleet = stack.enter_context(Fleet(home))
        stage = Stage(fleet, plugin_dir=provider.plugin_dir, unfenced=unfenced)
        stack.callback(stage.close)
        timeline = stack.enter_context(Timeline(console, started_ms=boot_ms(), targets=stage.targets))
        story = Story(fleet, stage, timeline, provider, unfenced=unfenced)
        stack.callback(story.close)
        verdict = story.play()
    timeline.finish(verdict)
    return verdict


class Story:
    """The acts, on a stage."""

    def __init__(
        self, fleet: Fleet, stage: Stage, timeline: Timeline, provider: ChosenProvider, *, unfenced: bool
    ) -> None:
        """Bind the parts; nothing is started."""
        self._fleet = fleet
        self._stage = stage
        self._timeline = timeline
        self._provider = provider
        self._unfenced = unfenced
        self._handovers: list[Handover] = []
        self._ear: CloudEar | None = None
        self._watch: LeaseWatch | None = None

    @property
    def ear(self) -> CloudEar:
        """The cloud's log as it grows; once the stage has started."""
        assert self._ear is not None
        return self._ear

    @property
    def watch(self) -> LeaseWatch:
        """The leases' changes; once the stage has started."""
        assert self._watch is not None
        return self._watch

    def close(self) -> None:
        """Stop listening."""
        for listener in (self._ear, self._watch):
            if listener is not None:
                listener.close()

    def play(self) -> Verdict:
        """All acts."""
        self._timeline.act("starting the cloud, Valkey, the scheduler and two hosts")
        self._ear = CloudEar(self._stage.cloud_log, self._on_call)
        self._stage.start()
        self._stage.register()
        self._watch = LeaseWatch(self._stage.redis_url, self._on_change)
        before = self._stage.inventory().read()
        first, second = self._stage.targets
        eu, us = (plan.region for plan in self._stage.plans)
        self._stage.start_worker("worker-a", "host-a", (eu, us), concurrency=2)
        self._wait_for_worker("worker-a")
        frozen = self._freeze(first, eu)
        if self._unfenced:
            self._let_the_zombie_finish(frozen)
            plans = self._plan_again([first])
        else:
            self._resume(frozen)
            self._kill(second, us)
            for target in (first, second):
                self._wait_for_end(target)
            plans = self._plan_again([first, second])
        self._timeline.act("reading the cloud's log")
        return self._judge(plans, before)

    # Act 1

    def _freeze(self, target: str, region: str) -> Run:
        run = self._apply_on_host_a(target)
        # Only now, so that the first run is host-a's; from here on either host could take it.
        self._stage.start_worker("worker-b", "host-b", (region,), concurrency=2)
        self._wait_for_worker("worker-b")
        if self._unfenced:
            self._wait_for_the_middle(run, UNFENCED_AFTER_CALLS, quiet_ms=0)
        else:
            self._wait_for_the_middle(run, FREEZE_AFTER_CALLS, FREEZE_QUIET_MS)
        struck = self._fleet.freeze("worker-a")
        self._say("host-a", "SIGSTOP to the worker; its Terraform runs on", "strike", at=struck)
        self._wait_for_grant(run, struck, "freeze")
        return run

    def _resume(self, run: Run) -> None:
        """Wait until the zombie's Terraform has been told no, then let its worker go on and learn that it lost."""
        self._fleet.wait_until(
            "the zombie's Terraform ends",
            lambda: True if not self._fleet.provisioners("worker-a") else None,
            limit_s=ZOMBIE_LIMIT_S,
        )
        refused = self._stage.refused_calls("host-a")
        self._say("host-a", f"its Terraform got {refused} calls refused and has ended", "cut")
        self._fleet.resume("worker-a")
        self._say("host-a", "SIGCONT to the worker")
        kept = self._stage.host_home("host-a") / "kept" / run.id / "errored.tfstate"
        self._fleet.wait_until("errored.tfstate is kept", lambda: kept.is_file() or None, limit_s=CLAIM_LIMIT_S)
        after = self._wait_for_status(run.id, lambda found: found.status.terminal, "is over")
        self._say("host-a", f"learns that it lost ({after.status}); errored.tfstate is kept", "cut")

    def _let_the_zombie_finish(self, run: Run) -> None:
        self._timeline.act("both hosts' Terraform are at work on one target")
        self._wait_for_end(run.target, must_apply=False)
        self._fleet.wait_until(
            "the zombie's Terraform ends",
            lambda: True if not self._fleet.provisioners("worker-a") else None,
            limit_s=ZOMBIE_LIMIT_S,
        )
        self._say("host-a", "its Terraform has finished; nobody stopped it", "bad")
        self._fleet.resume("worker-a")

    # Act 2

    def _kill(self, target: str, region: str) -> None:
        run = self._apply_on_host_a(target)
        self._stage.start_worker("worker-b2", "host-b", (region,), concurrency=1)
        self._wait_for_worker("worker-b2")
        self._wait_for_the_middle(run, KILL_AFTER_CALLS, KILL_QUIET_MS)
        struck = self._fleet.kill("worker-a")
        self._say("host-a", "SIGKILL to the worker", "strike", at=struck)
        self._wait_for_grant(run, struck, "kill")

    # Act 3

    def _plan_again(self, targets: list[str]) -> dict[str, bool]:
        self._timeline.act("planning afresh")
        runs = [self._stage.api.create_run(target, RunKind.PLAN, actor="demo") for target in targets]
        empty: dict[str, bool] = {}
        for run in runs:
            ended = self._wait_for_status(run.id, lambda found: found.status.terminal, "has planned")
            empty[run.target] = ended.status is RunStatus.PLANNED and ended.exit_code == exit_codes.OK
            word = "is empty" if empty[run.target] else f"is not empty ({ended.status}, exit code {ended.exit_code})"
            self._say(run.target, f"a fresh plan {word}", "good" if empty[run.target] else "bad")
        return empty

    def _judge(self, plans: dict[str, bool], before: dict[str, str]) -> Verdict:
        inventory = self._stage.inventory().read()
        states = (self._stage.state(target) for target in self._stage.targets)
        held = {identity for state in states for identity in identities_in_state(state)}
        with self._stage.cloud_log.open(encoding="utf-8") as log:
            calls = read_calls(log)
        timing = LeaseTiming()
        ended = self.watch.ended_ms()
        handovers = tuple(
            Handover(
                target=handover.target,
                how=handover.how,
                epoch=handover.epoch,
                struck_ms=handover.struck_ms,
                granted_ms=handover.granted_ms,
                in_flight_at_cut=in_flight_at(
                    calls, handover.target, handover.epoch, ended.get((handover.target, handover.epoch))
                ),
            )
            for handover in self._handovers
        )
        return judge(
            Evidence(
                calls=calls,
                ended_ms=ended,
                handovers=handovers,
                plans=plans,
                cloud={identity: what for identity, what in inventory.items() if identity not in before},
                held=held,
                ttl_ms=timing.ttl_ms,
                unknown_ms=timing.unknown_ms,
                provider=self._provider.description,
                expected=("freeze",) if self._unfenced else ("freeze", "kill"),
            )
        )

    # Steps

    def _apply_on_host_a(self, target: str) -> Run:
        self._timeline.act(f"applying {target}")
        run = self._stage.api.create_run(target, RunKind.APPLY, actor="demo")
        claimed = self._wait_for_status(run.id, lambda found: found.node is not None, "is claimed", CLAIM_LIMIT_S)
        if claimed.node != HOSTS[0] or claimed.epoch is None:
            raise Unavailable(f"{target} went to {claimed.node}", hint="the demo expected host-a; start it again")
        return claimed

    def _wait_for_the_middle(self, run: Run, calls: int, quiet_ms: int) -> None:
        epoch = run.epoch or 0

        def in_the_middle() -> bool | None:
            if self.ear.count(run.target, epoch) < calls or self.ear.quiet_for_ms(run.target) < quiet_ms:
                self._must_go_on(run.id)
                return None
            return self._stage.in_flight(HOSTS[0], run.target) == 0 or None

        self._fleet.wait_until(f"{run.target} is in the middle of its apply", in_the_middle, limit_s=MIDDLE_LIMIT_S)
        self._say(run.target, f"in the middle: {self.ear.count(run.target, epoch)} mutating calls have arrived")

    def _wait_for_grant(self, run: Run, struck_ms: float, how: str) -> None:
        epoch = run.epoch or 0
        self._timeline.act(f"waiting for the next grant on {run.target}")
        granted = self._fleet.wait_until(
            f"{run.target} is granted anew",
            lambda: self.watch.granted_ms(run.target, above=epoch),
            limit_s=GRANT_LIMIT_S,
        )
        self._handovers.append(
            Handover(
                target=run.target,
                how="kill" if how == "kill" else "freeze",
                epoch=epoch,
                struck_ms=struck_ms,
                granted_ms=granted,
                in_flight_at_cut=0,
            )
        )

    def _wait_for_end(self, target: str, *, must_apply: bool = True) -> None:
        self._timeline.act(f"waiting until {target} has been taken over")

        def last_run() -> Run | None:
            newest = self._stage.api.runs(target=target, limit=1)[0]
            return newest if newest.status.terminal and newest.status is not RunStatus.LOST else None

        run = self._fleet.wait_until(f"{target} is applied", last_run, limit_s=RUN_LIMIT_S)
        applied = run.status is RunStatus.APPLIED
        log = self._log(run.id)
        held, imported = resources_in_state(self._stage.state(target)), log.count(": Import complete")
        words = f"{run.status} by {run.node}: {held} resources"
        words += ", from the cut run's quarantined state" if "could not deliver is taken over" in log else ""
        words += f", {imported} of them imported" if imported else ""
        self._say(target, words, "good" if applied else "bad")
        if must_apply and not applied:
            raise Unavailable(
                f"{target} was taken over and did not converge: {run.reason}", hint=self._log_tail(run.id)
            )

    def _wait_for_worker(self, name: str) -> None:
        self._fleet.wait_until(
            f"{name} is ready", lambda: self._stage.worker_ready(name) or None, limit_s=CLAIM_LIMIT_S
        )

    def _wait_for_status(
        self, run_id: str, accept: Callable[[Run], bool], what: str, limit_s: float = RUN_LIMIT_S
    ) -> Run:
        def look() -> Run | None:
            run = self._stage.api.run(run_id)
            return run if accept(run) else None

        return self._fleet.wait_until(f"{run_id} {what}", look, limit_s=limit_s)

    def _must_go_on(self, run_id: str) -> None:
        run = self._stage.api.run(run_id)
        if run.status.terminal:
            raise Unavailable(f"{run.target} ended too early: {run.status}, {run.reason}", hint=self._log_tail(run_id))

    def _log(self, run_id: str) -> str:
        return self._stage.api.logs(run_id).text

    def _log_tail(self, run_id: str) -> str:
        try:
            return "\n".join(self._log(run_id).splitlines()[-LOG_TAIL_LINES:])
        except InterlockError as error:
            return f"(the run's log could not be read: {error})"

    def _on_call(self, arrived: Arrived) -> None:
        self._timeline.call(arrived.target, arrived.epoch)

    def _on_change(self, change: Change) -> None:
        self._timeline.lease(change.target, change.state, change.epoch)
        if change.state == "held":
            self._say(change.target, f"epoch {change.epoch} granted to {change.node}", "good", at=change.at_ms)
        elif change.state in ENDINGS and change.state != "released":
            weight: Weight = "cut" if change.state in {"revoking", "severed", "expired"} else "plain"
            self._say(change.target, f"epoch {change.epoch}: {ENDINGS[change.state]}", weight, at=change.at_ms)

    def _say(self, subject: str, text: str, weight: Weight = "plain", *, at: float | None = None) -> None:
        self._timeline.add(Event(at_ms=boot_ms() if at is None else at, subject=subject, text=text, weight=weight))


def _stdout_console() -> Console:
    width = None if sys.stdout.isatty() else 160
    return Console(file=sys.stdout, width=width, markup=False, highlight=False, emoji=False)
