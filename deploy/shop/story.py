"""The example from `flock validate` to a fourth region, with the commands that a person would type.

The cloud is the demo's, which verifies every signature; the scheduler, Valkey and a host for each region (a signing
proxy and a worker that serves that region only) are processes. The example is copied first: the one file that is added
is added to the copy.
"""

import hashlib
import json
import os
import re
import shlex
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from deploy.demo.arrivals import Call, read_calls
from deploy.demo.fleet import ROOT, Fleet, boot_ms
from deploy.demo.home import home_of
from deploy.demo.inventory import identities_in_state
from deploy.demo.provider import choose_provider, terraform_of
from deploy.demo.stage import Stage
from deploy.shop.cloud import ShopCloud
from deploy.shop.verdict import (
    EXPECTED,
    NEW_TARGET,
    Evidence,
    Rolled,
    RunSeen,
    Verdict,
    Write,
    host_of,
    judge,
    region_of,
)
from shared import exit_codes
from shared.errors import ConfigurationError, Unavailable
from shared.rollouts import Rollout
from shared.rollouts import Stage as At

EXAMPLE = ROOT / "examples" / "shop"
NEW_REGION = region_of(NEW_TARGET)
ROLLOUT_LIMIT_S = 900
# A roll-out takes minutes, and every question costs the scheduler some work.
ROLLOUT_LOOK_S = 0.5
READY_LIMIT_S = 60
TYPED_DIGITS = 12
LOG_TAIL_LINES = 25

type Say = Callable[[str], None]


def run_shop(*, json_output: bool, plugin_dir: Path | None = None) -> int:
    """Play it all.

    Args:
        json_output: print nothing but the verdict, as one line of JSON.
        plugin_dir: where the user wants providers to come from.

    Returns:
        0 if everything was as it must be, else 1.

    Raises:
        InterlockError: it could not be played.
    """
    if not EXAMPLE.is_dir():
        raise ConfigurationError(f"{EXAMPLE} does not exist", hint="start it in a checkout of Interlock")
    say: Say = (lambda text: None) if json_output else (lambda text: print(text, flush=True))
    with home_of("shop") as home:
        verdict = _play(home.path, say, plugin_dir)
        home.finished = verdict.passed
    print(json.dumps(verdict.as_json()) if json_output else "\n".join(shown(verdict)), flush=True)
    return exit_codes.OK if verdict.passed else exit_codes.ERROR


def _play(home: Path, say: Say, plugin_dir: Path | None) -> Verdict:
    provider = choose_provider(
        plugin_dir=plugin_dir,
        environ=os.environ,
        terraform=terraform_of(os.environ),
        install_dir=home / "providers",
        say=say,
    )
    say(f"provider: {provider.description}")
    shop = home / "shop"
    shutil.copytree(EXAMPLE, shop, ignore=shutil.ignore_patterns(".terraform*"))
    with ExitStack() as stack:
        fleet = stack.enter_context(Fleet(home))
        stage = Stage(fleet, plugin_dir=provider.plugin_dir, flock=shop / "flock.yaml")
        stack.callback(stage.close)
        return Story(fleet, stage, shop, say).play(provider.description)


class Story:
    """What is done, in order."""

    def __init__(self, fleet: Fleet, stage: Stage, shop: Path, say: Say) -> None:
        """
        Args:
            fleet: watches the processes.
            stage: starts them; nothing is started yet.
            shop: the example's copy, below the fleet's home.
            say: told what a person should see.
        """
        self._fleet = fleet
        self._stage = stage
        self._shop = shop
        self._say = say
        self._seen_calls = 0

    def play(self, provider: str) -> Verdict:
        """Deploy to three regions, add the fourth, and judge."""
        regions = list(dict.fromkeys(plan.region for plan in self._stage.plans))
        self._say(f"starting the cloud, Valkey, the scheduler and a host in {', '.join(regions)} ...\n")
        self._stage.start([host_of(region) for region in regions])
        for region in regions:
            self._start_worker(region)
        for region in regions:
            self._wait_for_worker(region)

        self._interlock("flock", "validate", "shop")
        release = self._publish()
        rollout = self._start(release)
        self._say("the phases staging and first are deployed, those of rest are planned ...\n")
        # Meanwhile, since the provider only waits for its queues: a host without a worker takes no run.
        self._stage.start_proxy(host_of(NEW_REGION))
        self._until(rollout, lambda found: _waits(found, 2), "waits for approval")
        self._interlock("rollout", "show", rollout)
        approved_ms = boot_ms()
        self._interlock("rollout", "approve", rollout, "--phase", "rest", "--yes")
        self._interlock("rollout", "watch", rollout)
        first = self._rolled(rollout, approved_ms)

        self._interlock("region", "add", "shop/new-region/eu-central-1.yaml", "--fleet", "shop", "--write")
        next_release = self._publish()
        self._interlock("release", "diff", release, next_release, code=exit_codes.CHANGES)
        rollout = self._start(next_release)
        waited = self._wait_for_the_others(rollout)
        self._say(f"{NEW_TARGET} waits for a worker of its region; starting one ...\n")
        self._start_worker(NEW_REGION)
        self._wait_for_worker(NEW_REGION)
        self._interlock("rollout", "watch", rollout)
        second = self._rolled(rollout, None)
        rejected = sum(not call.arrived.accepted for call in self._calls())
        return judge(Evidence(provider=provider, first=first, second=second, waited=waited, rejected=rejected))

    # Steps

    def _start_worker(self, region: str) -> None:
        self._stage.start_worker(f"worker-{region}", host_of(region), (region,), concurrency=1)

    def _wait_for_worker(self, region: str) -> None:
        name = f"worker-{region}"
        self._fleet.wait_until(
            f"{name} is ready", lambda: self._stage.worker_ready(name) or None, limit_s=READY_LIMIT_S
        )

    def _publish(self) -> str:
        """As much of the release's digest as a person would type."""
        digest = _named(r"sha256:[0-9a-f]{64}", self._interlock("release", "publish", "shop"))
        return digest.removeprefix("sha256:")[:TYPED_DIGITS]

    def _start(self, release: str) -> str:
        return _named(r"rollout-[0-9a-f]{16}", self._interlock("rollout", "start", release))

    def _interlock(self, *words: str, code: int = exit_codes.OK) -> str:
        """Run a command, show it with what it prints, and return that."""
        self._say(f"$ interlock {shlex.join(words)}")
        ended, output = self._stage.command(*words, show=self._say)
        self._say("")
        if ended != code:
            raise Unavailable(
                f"`interlock {shlex.join(words)}` ended with exit code {ended}", hint=output + self._why()
            )
        return output

    def _until(self, rollout: str, accept: Callable[[Rollout], bool], what: str) -> Rollout:
        def look() -> Rollout | None:
            found = self._stage.api.rollout(rollout)
            if found.status.over and not accept(found):
                raise Unavailable(f"{rollout} {found.status} before it {what}", hint=self._why())
            return found if accept(found) else None

        return self._fleet.wait_until(f"{rollout} {what}", look, limit_s=ROLLOUT_LIMIT_S, pause_s=ROLLOUT_LOOK_S)

    def _wait_for_the_others(self, rollout: str) -> bool:
        """Whether the new target's run was left alone while the same phase's other target was served."""

        def others_done(found: Rollout) -> bool:
            phase = next(one.phase for one in found.targets if one.id == NEW_TARGET)
            return all(one.stage.settled for one in found.targets if one.phase == phase and one.id != NEW_TARGET)

        found = self._until(rollout, others_done, "has served the other regions")
        runs = self._stage.api.runs(target=NEW_TARGET)
        self._interlock("rollout", "show", found.id)
        return [(run.status.value, run.node) for run in runs] == [("pending", None)]

    def _why(self) -> str:
        """The end of the log of the run that went wrong last, if one did."""
        for run in self._stage.api.runs(status="errored", limit=1):
            log = self._stage.api.logs(run.id).text
            return "\n".join(["", f"{run.target}: {run.reason}", *log.splitlines()[-LOG_TAIL_LINES:]])
        return ""

    # Evidence

    def _rolled(self, rollout: str, approved_ms: float | None) -> Rolled:
        found = self._stage.api.rollout(rollout)
        targets = [target.id for target in found.targets]
        runs = [run for target in targets for run in self._stage.api.runs(target=target) if run.rollout_id == rollout]
        calls = self._calls()
        new, self._seen_calls = calls[self._seen_calls :], len(calls)
        details = self._stage.inventory_of(ShopCloud, [region_of(target) for target in EXPECTED]).details()
        held = {target: identities_in_state(self._stage.state(target)) for target in targets}
        everything = set().union(*held.values())
        return Rolled(
            status=found.status.value,
            runs=tuple(
                RunSeen(
                    target=run.target,
                    kind=run.kind.value,
                    status=run.status.value,
                    node=run.node or "",
                    changes=run.exit_code != exit_codes.OK,
                    created_s=run.created_at.timestamp(),
                    finished_s=(run.finished_at or run.created_at).timestamp(),
                )
                for run in runs
            ),
            writes=tuple(
                Write(target=call.arrived.target, region=call.arrived.region, at_ms=call.arrived.arrived_boot_ms)
                for call in new
                if call.arrived.accepted and call.arrived.mutating
            ),
            approved_ms=approved_ms,
            found={
                target: frozenset(what for identity, what in details.items() if identity in held[target])
                for target in targets
            },
            orphans=tuple(sorted(what for identity, what in details.items() if identity not in everything)),
            files={
                path.relative_to(self._shop).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
                for path in sorted(self._shop.rglob("*"))
                if path.is_file()
            },
        )

    def _calls(self) -> list[Call]:
        with self._stage.cloud_log.open(encoding="utf-8") as log:
            return read_calls(log)


def shown(verdict: Verdict) -> list[str]:
    """The verdict as a person reads it."""
    lines = [f"{'target':22}{'in the cloud':>13}{'calls that change':>20}   host"]
    for target, count in verdict.resources.items():
        first, second = verdict.writes[target]
        lines.append(f"{target:22}{count:>13}{f'{first} + {second}':>20}   {', '.join(verdict.hosts[target])}")
    return [*lines, "", *verdict.reasons, "PASSED" if verdict.passed else "FAILED"]


def _named(pattern: str, output: str) -> str:
    """The first thing in a command's output that has such a name."""
    found = re.search(pattern, output)
    if found is None:
        raise Unavailable("a command did not print what was expected", hint=output)
    return found[0]


def _waits(rollout: Rollout, plans: int) -> bool:
    """Whether so many plans wait for a person."""
    return sum(target.stage is At.PLANNED for target in rollout.targets) == plans
