"""One scenario from its first run to its verdict.

    a run calls -> a second one queues -> the blow -> the lease ends -> the next grant -> its holder calls
        -> the remedy (earlier, if the time to hold is over) -> a last look for late calls -> both runs end -> verdict

Two runs of one target, so that somebody waits for the lease: what is measured is what a waiting user would see. Should
the one that waits fail, another takes its place.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cli.chaos.lifeline import Lifeline
from cli.chaos.scenarios import Role, Scenario
from cli.chaos.strikes import Strike
from cli.chaos.verdict import Evidence, Verdict, judge
from cli.chaos.watcher import Watcher
from shared.errors import ApiError, ConfigurationError, Unavailable

if TYPE_CHECKING:
    from shared.api_client import ApiClient
    from shared.clock import Clock
    from shared.models import Run

LOOK_S = 0.1
# So many calls must have been answered before the blow: a run that can't call shows nothing.
CALLS_BEFORE = 3
CLAIM_LIMIT_S = 120
CALLS_LIMIT_S = 60
# How long the struck side is watched after the remedy: what wakes up must stay silent.
AFTERWARDS_S = 3.0
END_LIMIT_S = 60
LOG_TAIL = 600


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All that one scenario needs."""

    scenario: Scenario
    """What is done."""
    target: str
    """The target on which the runs are made; nothing else is touched."""
    argv: tuple[str, ...]
    """The command that calls."""
    strike: Callable[[Mapping[str, str]], Strike]
    """Makes the blow, once it is known which run on which node is struck."""
    blow: Callable[[], None] | None
    """Does it where no command can."""
    node: str | None
    """The only node that the blow can reach; None: any."""
    hold_s: float
    """How long a lasting blow goes on at most."""
    limit_s: float
    """How long recovery is waited for after the blow."""


class Story:
    """Plays one plan."""

    def __init__(self, client: ApiClient, clock: Clock, say: Callable[[str], None], *, actor: str) -> None:
        """
        Args:
            client: of the API, with the administrator's token.
            clock: gives the instants.
            say: takes progress, one line each.
            actor: who asks for the runs.
        """
        self._client = client
        self._clock = clock
        self._say = say
        self._actor = actor
        self._pause = threading.Event()
        self._runs: list[str] = []

    def play(self, plan: Plan) -> Verdict:
        """Strike, watch, heal, judge.

        Raises Unavailable when the runs never get as far as to be struck, StrikeFailed when the blow did not fall or
        could not be undone. Whatever happens, the remedy is tried and both runs are canceled.
        """
        try:
            first = self._begin(plan)
            values = {
                "node": first.node or "",
                "role": plan.scenario.role.value,
                "scenario": plan.scenario.name,
                "target": plan.target,
                "run": first.id,
            }
            strike = plan.strike(values)
            view = self._client.lease(plan.target)
            epoch = first.epoch or 0
            watcher = Watcher(self._client, self._clock, target=plan.target, epoch=epoch, ttl_ms=view.ttl_ms)
            self._until(lambda: self._answered(watcher, first), "its calls are answered", CALLS_LIMIT_S, first)
            self._say(f"{first.id} holds epoch {epoch} on {first.node} and calls")
            self._runs.append(self._create(plan).id)
            watcher.look()
            with Lifeline(strike, fallback=plan.blow) as lifeline:
                struck_ms, healed_ms, survived = self._strike_and_watch(plan, first, strike, lifeline, watcher)
            return self._judge(plan, first, watcher, struck_ms, healed_ms, survived)
        finally:
            self._cancel()

    def _strike_and_watch(
        self, plan: Plan, first: Run, strike: Strike, lifeline: Lifeline, watcher: Watcher
    ) -> tuple[int, int | None, bool]:
        struck_ms = self._clock.boot_ms()
        lifeline.strike()
        self._say(f"struck: {strike.what}")
        if plan.scenario.revokes:
            self._client.revoke_lease(plan.target, f"chaos: {plan.scenario.name}")
            self._say("the lease is revoked")
        said: set[str] = set()
        healed_ms: int | None = None
        survived = False
        while self._seconds_since(struck_ms) < plan.limit_s:
            answered = watcher.look()
            self._report(watcher, struck_ms, said)
            if answered and watcher.first_call_ms is None:
                self._keep_waiting(plan)
            if lifeline.lasts and (watcher.recovered or self._seconds_since(struck_ms) >= plan.hold_s):
                healed_ms = self._heal(lifeline, struck_ms)
            if watcher.recovered:
                break
            if self._seconds_since(struck_ms) >= plan.hold_s and watcher.alive and not survived:
                survived = plan.scenario.survivable and self._end_survivor(first)
            self._pause.wait(LOOK_S)
        if lifeline.lasts:
            healed_ms = self._heal(lifeline, struck_ms)
        return struck_ms, healed_ms, survived

    def _keep_waiting(self, plan: Plan) -> None:
        """Ask for another run when the one that waits has ended: a grant in the middle of the blow may rightly fail."""
        try:
            waiting = self._client.run(self._runs[-1])
            if waiting.status.terminal:
                self._runs.append(self._create(plan).id)
                self._say(f"{waiting.id} ended: {waiting.status.value} {waiting.reason}; {self._runs[-1]} waits now")
        except (Unavailable, ApiError):
            pass  # The API is away as well; it is asked again with the next look.

    def _end_survivor(self, run: Run) -> bool:
        """Cancel a run that nothing else will end, so that the one that waits gets the lease; True when it took."""
        try:
            self._client.cancel_run(run.id)
        except (Unavailable, ApiError):
            return False
        self._say("the lease lives on; its run is canceled so that the next one gets it")
        return True

    def _heal(self, lifeline: Lifeline, struck_ms: int) -> int:
        lifeline.heal()
        self._say(f"healed after {self._seconds_since(struck_ms):.1f} s")
        return self._clock.boot_ms()

    def _judge(
        self, plan: Plan, first: Run, watcher: Watcher, struck_ms: int, healed_ms: int | None, survived: bool
    ) -> Verdict:
        self._pause.wait(AFTERWARDS_S)
        self._retry(watcher.read_journal)
        left = self._cancel()
        self._retry(watcher.read_journal)
        return judge(
            Evidence(
                scenario=plan.scenario.name,
                target=plan.target,
                epoch=first.epoch or 0,
                node=first.node or "",
                calls=watcher.calls,
                complete=watcher.complete,
                struck_ms=struck_ms,
                ended_ms=watcher.ended_ms,
                granted_ms=watcher.granted_ms,
                first_call_ms=watcher.first_call_ms,
                healed_ms=healed_ms,
                unknown=watcher.unknown,
                limit_s=plan.limit_s,
                survived=survived,
                failed_over=watcher.failed_over if plan.scenario.role is Role.REDIS else None,
                left=left,
            )
        )

    def _begin(self, plan: Plan) -> Run:
        """The run that will be struck, once it has the lease and the blow can reach it."""
        run = self._create(plan)
        self._runs.append(run.id)
        self._say(f"{run.id} asked for on {plan.target}")
        claimed = self._until(
            lambda: self._claimed(run.id), "a worker claims it and acquires the lease", CLAIM_LIMIT_S, run
        )
        if plan.node is not None and claimed.node != plan.node:
            raise ConfigurationError(
                f"{run.id} went to {claimed.node}, which cannot be struck from {plan.node}",
                hint="give --strike-command with {node}, stop the region's other workers, or use another target",
            )
        return claimed

    def _create(self, plan: Plan) -> Run:
        from shared.models import RunKind

        return self._client.create_run(plan.target, RunKind.EXEC, argv=plan.argv, actor=self._actor)

    def _claimed(self, run_id: str) -> Run | None:
        run = self._must_live(self._client.run(run_id))
        view = self._client.lease(run.target)
        return run if run.epoch is not None and view.lease_epoch == run.epoch and view.pttl_ms > 0 else None

    def _answered(self, watcher: Watcher, run: Run) -> bool | None:
        self._must_live(self._client.run(run.id))
        watcher.read_journal()
        return watcher.answered() >= CALLS_BEFORE or None

    def _must_live(self, run: Run) -> Run:
        if run.status.terminal:
            log = self._client.logs(run.id).text[-LOG_TAIL:].strip()
            raise Unavailable(
                f"{run.id} ended before it was struck: {run.status.value} {run.reason}".strip(),
                hint=f"its log ends with: {log}" if log else "it wrote nothing; can its host run the command?",
            )
        return run

    def _until[T](self, question: Callable[[], T | None], what: str, limit_s: float, run: Run) -> T:
        begun_ms = self._clock.boot_ms()
        while True:
            answer = question()
            if answer is not None:
                return answer
            if self._seconds_since(begun_ms) > limit_s:
                log = self._client.logs(run.id).text[-LOG_TAIL:].strip()
                raise Unavailable(
                    f"waited {limit_s:.0f} s in vain for {run.id}: {what}",
                    hint=f"its log ends with: {log}" if log else f"does a worker serve {run.region}?",
                )
            self._pause.wait(LOOK_S)

    def _retry(self, action: Callable[[], None]) -> None:
        """Do it, for a while also after an API that is only just coming back. Raises Unavailable."""
        begun_ms = self._clock.boot_ms()
        while True:
            try:
                action()
                return
            except Unavailable:
                if self._seconds_since(begun_ms) > END_LIMIT_S:
                    raise
                self._pause.wait(LOOK_S)

    def _cancel(self) -> tuple[str, ...]:
        """End the runs that were made here; what did not end, for people. Never raises."""
        asked, self._runs = self._runs, []
        waiting, left = dict.fromkeys(asked, ""), []
        begun_ms = self._clock.boot_ms()
        while waiting and self._seconds_since(begun_ms) < END_LIMIT_S:
            for run_id in list(waiting):
                try:
                    run = self._client.run(run_id)
                    if run.status.terminal:
                        del waiting[run_id]
                        continue
                    waiting[run_id] = run.status.value
                    if not run.cancel_requested:
                        self._client.cancel_run(run_id)
                except (Unavailable, ApiError) as error:
                    waiting[run_id] = str(error)
            self._pause.wait(LOOK_S)
        left = [
            f"{run_id} did not end within {END_LIMIT_S} s of being canceled: {why}" for run_id, why in waiting.items()
        ]
        for line in left:
            self._say(line)
        return tuple(left)

    def _report(self, watcher: Watcher, struck_ms: int, said: set[str]) -> None:
        seen = (
            ("the lease has ended", watcher.ended_ms),
            ("a newer epoch is held", watcher.granted_ms),
            ("its holder calls", watcher.first_call_ms),
        )
        for what, at_ms in seen:
            if at_ms is not None and what not in said:
                said.add(what)
                self._say(f"{what}, seen {(at_ms - struck_ms) / 1000:.1f} s after the blow")

    def _seconds_since(self, begun_ms: int) -> float:
        return (self._clock.boot_ms() - begun_ms) / 1000
