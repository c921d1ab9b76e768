"""Begins one evaluation of a check and says what came of it once there is something to say.

What this host asks itself is asked in a thread, so that a server which hangs holds up neither the other checks nor the
end of the run. What runs in the sandbox runs at once and to its end, for one command at a time is started there: it
holds up those that wait for the sandbox, and whoever began it attends to the rest when it is asked for `enough`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from shared.clock import Clock
from shared.rollback.settings import CheckSettings, CloudwatchCheck, CommandCheck, HttpCheck, PrometheusCheck
from worker.checks import cloudwatch, command, http, prometheus
from worker.checks.evaluation import Evaluation, Grade
from worker.commands import BoundedCommands
from worker.run_directory import RunDirectory

#: What an answer that came in time may still need to be read.
MARGIN_MS = 1_000

type Look = Callable[[], Evaluation | None]
"""What came of an evaluation that was begun; None: nothing yet. Asked again it says the same."""


class Looks:
    """The real evaluations of one run's checks."""

    def __init__(
        self,
        *,
        hosts: Sequence[str],
        provider_region: str,
        commands: BoundedCommands,
        directory: RunDirectory,
        confined: bool,
        clock: Clock,
    ) -> None:
        """Bind the parts.

        Args:
            hosts: that the operator of this worker lets be asked.
            provider_region: the target's, in the cloud.
            commands: runs what belongs into the sandbox.
            directory: of the run.
            confined: whether commands run in a sandbox.
            clock: for the bounds.
        """
        self._hosts = tuple(hosts)
        self._region = provider_region
        self._commands = commands
        self._directory = directory
        self._confined = confined
        self._clock = clock
        self._threads: dict[str, threading.Thread] = {}

    def begin(self, check: CheckSettings, enough: Callable[[], bool]) -> Look | None:
        """Begin one.

        Args:
            check: with everything it refers to put in.
            enough: asked several times a second while something is at work in the sandbox; once true it is given up.

        Returns:
            Says what came of it; None: it was given up.

        Raises:
            StopRequested: the run has to stop.
            PeerError: the sandbox is gone.
        """
        match check:
            case HttpCheck():
                return self._in_thread(check, lambda: http.evaluate(check, hosts=self._hosts))
            case PrometheusCheck():
                return self._in_thread(check, lambda: prometheus.evaluate(check, hosts=self._hosts))
            case CommandCheck():
                found = command.evaluate(check, commands=self._commands, enough=enough)
            case CloudwatchCheck():
                found = cloudwatch.evaluate(
                    check,
                    region=self._region,
                    commands=self._commands,
                    directory=self._directory,
                    confined=self._confined,
                    enough=enough,
                )
        return None if found is None else lambda: found

    def _in_thread(self, check: CheckSettings, evaluate: Callable[[], Evaluation]) -> Look:
        late = Evaluation(grade=Grade.ERROR, detail=f"no answer within {check.timeout_s} s")
        if (before := self._threads.get(check.name)) is not None and before.is_alive():
            # Resolving a name has no bound of ours: its thread is left alone, and no second one joins it.
            return lambda: late
        found: list[Evaluation] = []

        def run() -> None:
            try:
                found.append(evaluate())
            except Exception as error:  # noqa: BLE001  # a thread that dies silently would be a check without an answer
                found.append(Evaluation(grade=Grade.ERROR, detail=f"{type(error).__name__}: {error}"))

        thread = threading.Thread(target=run, name=f"check-{check.name}", daemon=True)
        self._threads[check.name] = thread
        give_up_at_ms = self._clock.boot_ms() + check.timeout_s * 1000 + MARGIN_MS
        thread.start()

        def look() -> Evaluation | None:
            if not found and self._clock.boot_ms() >= give_up_at_ms:
                found.append(late)
            return found[0] if found else None

        return look
