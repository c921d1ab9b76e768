"""The scheduler's HTTP API, one typed method for each endpoint. Without threads: `async_api_client`.

Every method raises `ApiError` for an answer that is an error, `Unavailable` when there is no answer (or one that says
so: 502, 503 and 504), and `PeerError` for an answer in another format than agreed. Nothing is retried here: the caller
knows what may be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Literal, Self

import httpx

from shared.api_exchange import TIMEOUT_S, checked, given, headers, parse, part, recorded, unavailable
from shared.drift.records import ChecksQueued, DriftCheck, DriftDetail, DriftStanding, RuleUse
from shared.drift.report import DriftReport, RollUp
from shared.lease.view import LeaseView
from shared.models import (
    Assignment,
    Flock,
    JournalIntent,
    JournalOutcome,
    JournalRecord,
    LogChunk,
    Pruned,
    Recovery,
    Release,
    ReleaseSummary,
    Run,
    RunKind,
    RunStatus,
    SavedPlan,
    Target,
)
from shared.notifications import Notification, NotificationState, Requeued
from shared.recovery.orphans import OrphanReport, PlannedResources
from shared.rollback.records import Rearrangement, RollbackPlan, RollbackResult, RollbackVerdict
from shared.rollback.settings import Trigger
from shared.rollback.standing import Rollback, RollbackSummary
from shared.rollouts import Rollout, RolloutSummary
from shared.safety.allowance import Allowance
from shared.safety.entries import SafetyPlan
from shared.safety.records import SafetyRecord, Unused

TRANSFER_TIMEOUT_S: Final = 120.0


class ApiClient:
    """Synchronous client of the API at `base_url`, with one bearer token. Safe to share between threads."""

    def __init__(
        self, base_url: str, token: str, *, timeout_s: float = TIMEOUT_S, transport: httpx.BaseTransport | None = None
    ) -> None:
        """Connect lazily; `transport` replaces the network in tests."""
        self._base_url = base_url
        # trust_env off: a proxy meant for provisioners must not see the token.
        self._http = httpx.Client(
            base_url=base_url, headers=headers(token), timeout=timeout_s, transport=transport, trust_env=False
        )

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    # Releases, flocks, targets

    def publish_release(self, packed: bytes, *, actor: str = "") -> Release:
        """Publish a release (from `shared.release_pack.pack_release`); the same one again is the same."""
        return self._call(
            Release,
            "POST",
            "/v1/releases",
            params={"actor": actor},
            content=packed,
            headers={"Content-Type": "application/gzip"},
            timeout=TRANSFER_TIMEOUT_S,
        )

    def releases(self, *, flock: str | None = None, limit: int = 100) -> list[ReleaseSummary]:
        """Return releases, newest first."""
        return self._call(list[ReleaseSummary], "GET", "/v1/releases", params=given(flock=flock, limit=limit))

    def release(self, digest: str) -> Release:
        """Return one release: its phases and targets."""
        return self._call(Release, "GET", f"/v1/releases/{part(digest)}")

    def prune_releases(self, *, keep: int, flock: str | None = None, dry_run: bool = False) -> Pruned:
        """Let releases go that nobody refers to, but for the newest of each flock."""
        body = {"keep": keep, "flock": flock, "dry_run": dry_run}
        return self._call(Pruned, "POST", "/v1/releases/prune", json=body, timeout=TRANSFER_TIMEOUT_S)

    def release_manifest(self, digest: str) -> bytes:
        """Return a release's manifest as it came; `parse_manifest` checks it against the digest."""
        return self._send("GET", f"/v1/releases/{part(digest)}/manifest", timeout=TRANSFER_TIMEOUT_S).content

    def release_files(self, digest: str, target: str) -> bytes:
        """Return the files of one target as they came; `unpack_blobs` checks each."""
        path = f"/v1/releases/{part(digest)}/targets/{part(target)}/files"
        return self._send("GET", path, timeout=TRANSFER_TIMEOUT_S).content

    def put_flock(self, name: str, release_digest: str) -> Flock:
        """Let the targets of a published release deploy it when a run names none."""
        return self._call(Flock, "PUT", f"/v1/flocks/{part(name)}", json={"release_digest": release_digest})

    def flocks(self) -> list[Flock]:
        """Return all flocks."""
        return self._call(list[Flock], "GET", "/v1/flocks")

    def targets(self) -> list[Target]:
        """Return all targets."""
        return self._call(list[Target], "GET", "/v1/targets")

    def target(self, target: str) -> Target:
        """Return one target."""
        return self._call(Target, "GET", f"/v1/targets/{part(target)}")

    # Runs

    def create_run(
        self,
        target: str,
        kind: RunKind,
        *,
        argv: Sequence[str] = (),
        actor: str = "",
        release_digest: str | None = None,
    ) -> Run:
        """Ask for a run; without a release it deploys what the target has."""
        body = {"target": target, "kind": str(kind), "argv": list(argv), "actor": actor}
        if release_digest is not None:
            body["release_digest"] = release_digest
        return self._call(Run, "POST", "/v1/runs", json=body)

    def runs(
        self, *, target: str | None = None, status: str | None = None, kind: str | None = None, limit: int = 100
    ) -> list[Run]:
        """Return runs, newest first."""
        params = given(target=target, status=status, kind=kind, limit=limit)
        return self._call(list[Run], "GET", "/v1/runs", params=params)

    def run(self, run_id: str) -> Run:
        """Return one run."""
        return self._call(Run, "GET", f"/v1/runs/{part(run_id)}")

    def cancel_run(self, run_id: str) -> Run:
        """Ask that a run be canceled."""
        return self._call(Run, "POST", f"/v1/runs/{part(run_id)}/cancel")

    def claim(self, run_id: str, *, node: str, holder: str, regions: Sequence[str] | None = None) -> Assignment:
        """Claim a run for this execution. ApiError with code `not_claimable` when it is not to be had."""
        body: dict[str, Any] = {"node": node, "holder": holder}
        if regions is not None:
            body["regions"] = list(regions)
        return self._call(Assignment, "POST", f"/v1/runs/{part(run_id)}/claim", json=body)

    def raise_epoch(self, run_id: str, *, holder: str, above: int) -> Assignment:
        """Claim again, with an epoch above the one that Redis knows (after a restore of the database)."""
        return self._call(
            Assignment, "POST", f"/v1/runs/{part(run_id)}/raise_epoch", json={"holder": holder, "above": above}
        )

    def progress(
        self, run_id: str, *, holder: str, status: RunStatus, trigger: Trigger | None = None, reason: str = ""
    ) -> Run:
        """Report that the run is planning, applying, baking or rolling back; the last with what triggered it."""
        body = {"holder": holder, "status": str(status)}
        if trigger is not None:
            body |= {"trigger": str(trigger), "reason": reason}
        return self._call(Run, "POST", f"/v1/runs/{part(run_id)}/progress", json=body)

    def append_log(self, run_id: str, *, holder: str, offset: int, text: str) -> None:
        """Append to the run's log at `offset` (bytes); repeating a piece is harmless."""
        self._send("POST", f"/v1/runs/{part(run_id)}/logs", json={"holder": holder, "offset": offset, "text": text})

    def logs(self, run_id: str, *, offset: int = 0) -> LogChunk:
        """Return the run's log from `offset` (bytes) on."""
        return self._call(LogChunk, "GET", f"/v1/runs/{part(run_id)}/logs", params={"offset": offset})

    def finish(
        self,
        run_id: str,
        *,
        holder: str,
        epoch: int,
        exit_code: int | None,
        status: RunStatus,
        reason: str = "",
        trigger: Trigger | None = None,
    ) -> Run:
        """Report how the run ended. ApiError with code `lease_lost` when it was given up before."""
        body = {"holder": holder, "epoch": epoch, "exit_code": exit_code, "status": str(status), "reason": reason}
        if trigger is not None:
            body["trigger"] = trigger.value
        return self._call(Run, "POST", f"/v1/runs/{part(run_id)}/finish", json=body)

    # Roll-outs, and plan files on their way from a plan to its apply

    def start_rollout(self, release: str, *, actor: str = "") -> Rollout:
        """Roll a release out. ApiError with code `rollout_unfinished` while another one of the flock is not over."""
        return self._call(Rollout, "POST", "/v1/rollouts", json={"release": release, "actor": actor})

    def rollouts(self, *, flock: str | None = None, limit: int = 100) -> list[RolloutSummary]:
        """Return roll-outs, newest first."""
        return self._call(list[RolloutSummary], "GET", "/v1/rollouts", params=given(flock=flock, limit=limit))

    def rollout(self, rollout_id: str) -> Rollout:
        """Return one roll-out."""
        return self._call(Rollout, "GET", f"/v1/rollouts/{part(rollout_id)}")

    def command_rollout(
        self, rollout_id: str, command: Literal["pause", "resume", "cancel"], *, actor: str = ""
    ) -> Rollout:
        """Pause, resume or cancel a roll-out. ApiError with code `illegal_transition` where that does not fit."""
        return self._call(Rollout, "POST", f"/v1/rollouts/{part(rollout_id)}/{command}", json={"actor": actor})

    def retry_rollout(self, rollout_id: str, targets: Sequence[str] = (), *, actor: str = "") -> Rollout:
        """Try failed targets again, all where none is named. ApiError `illegal_transition`, `rollout_superseded`."""
        body = {"targets": list(targets), "actor": actor}
        return self._call(Rollout, "POST", f"/v1/rollouts/{part(rollout_id)}/retry", json=body)

    def decide_plans(
        self, rollout_id: str, decision: Literal["approve", "discard"], plans: Mapping[str, str], *, actor: str = ""
    ) -> Rollout:
        """Approve or discard plans, each named by its target and the digest that was looked at."""
        body = {"plans": dict(plans), "actor": actor}
        return self._call(Rollout, "POST", f"/v1/rollouts/{part(rollout_id)}/{decision}", json=body)

    def store_plan(self, run_id: str, *, holder: str, content: bytes, changes: bool) -> SavedPlan:
        """Deliver a plan run's plan file; the same one again is harmless."""
        params = {"holder": holder, "changes": changes}
        path = f"/v1/runs/{part(run_id)}/plan"
        return self._call(SavedPlan, "POST", path, params=params, content=content, timeout=TRANSFER_TIMEOUT_S)

    def plan_to_apply(self, run_id: str, *, holder: str) -> bytes:
        """Return the plan file that an apply run applies."""
        path = f"/v1/runs/{part(run_id)}/plan"
        return self._send("GET", path, params={"holder": holder}, timeout=TRANSFER_TIMEOUT_S).content

    # Safety plans

    def deliver_safety_plan(
        self, run_id: str, *, holder: str, plan: SafetyPlan, rearranged: Rearrangement | None = None
    ) -> SafetyRecord:
        """Deliver what a run's plan does; the verdict says whether it may be applied. Again is harmless.

        `rearranged`: what a rollback would have to turn around, of a run that has an order for one.
        """
        body: dict[str, Any] = {"holder": holder, "plan": plan.model_dump(mode="json")}
        if rearranged is not None:
            body["rearranged"] = rearranged.model_dump(mode="json")
        return self._call(SafetyRecord, "POST", f"/v1/runs/{part(run_id)}/safety-plan", json=body)

    def safety_plan(self, run_id: str) -> SafetyRecord:
        """Return what a run's plan does, and what may become of it now."""
        return self._call(SafetyRecord, "GET", f"/v1/runs/{part(run_id)}/safety-plan")

    def approve_safety_plan(
        self, run_id: str, digest: str, *, actor: str = "", consents: Sequence[str] = ()
    ) -> SafetyRecord:
        """Approve it, with consent by address to what cannot be undone.

        ApiError with code `other_plan` when it is not the one that was looked at.
        """
        body = {"digest": digest, "actor": actor, "consents": list(consents)}
        return self._call(SafetyRecord, "POST", f"/v1/runs/{part(run_id)}/safety-plan/approve", json=body)

    def unused_of_safety_plan(self, run_id: str) -> Unused:
        """Return what was approved for an apply and not needed. ApiError `not_applied` before its end."""
        return self._call(Unused, "GET", f"/v1/runs/{part(run_id)}/safety-plan/unused")

    def allowance(self, run_id: str) -> Allowance:
        """Return what may be signed for a run now."""
        return self._call(Allowance, "GET", f"/v1/runs/{part(run_id)}/allowance")

    # Drift

    def deliver_drift_report(self, run_id: str, *, holder: str, report: DriftReport) -> DriftCheck:
        """Deliver what a drift run found; the answer has what it comes to by the flock's rules. Again is harmless."""
        body = {"holder": holder, "report": report.model_dump(mode="json")}
        path = f"/v1/runs/{part(run_id)}/drift-report"
        return self._call(DriftCheck, "POST", path, json=body, timeout=TRANSFER_TIMEOUT_S)

    def drift(
        self, *, flock: str | None = None, roll_up: RollUp | None = None, limit: int = 1000
    ) -> list[DriftStanding]:
        """Return where targets stand, by target."""
        params = given(flock=flock, roll_up=roll_up, limit=limit)
        return self._call(list[DriftStanding], "GET", "/v1/drift", params=params)

    def drift_of(self, target: str) -> DriftDetail:
        """Return where a target stands, and what its newest check found."""
        return self._call(DriftDetail, "GET", f"/v1/drift/{part(target)}")

    def check_drift(self, targets: Sequence[str], *, actor: str = "") -> ChecksQueued:
        """Check targets now. Where a check is queued or at work already, that one is the answer."""
        return self._call(ChecksQueued, "POST", "/v1/drift/checks", json={"targets": list(targets), "actor": actor})

    def drift_rules(self, *, flock: str | None = None) -> list[RuleUse]:
        """Return the ignore rules of flocks and how often each was used."""
        return self._call(list[RuleUse], "GET", "/v1/drift/rules", params=given(flock=flock))

    # Rollbacks, as the worker that carries one out sees them

    def deliver_rollback_plan(self, run_id: str, *, holder: str, plan: RollbackPlan) -> RollbackVerdict:
        """Deliver what a rollback would do; what is allowed of it is what may be signed from then on.

        ApiError with code `lineage_differs` where the state is not one that the first state became.
        """
        body = {"holder": holder, "plan": plan.model_dump(mode="json")}
        return self._call(RollbackVerdict, "POST", f"/v1/runs/{part(run_id)}/rollback-plan", json=body)

    def deliver_rollback_result(self, run_id: str, *, holder: str, result: RollbackResult) -> Rollback:
        """Deliver what came of a rollback, before the run ends. Again is harmless."""
        body = {"holder": holder, "result": result.model_dump(mode="json")}
        return self._call(Rollback, "POST", f"/v1/runs/{part(run_id)}/rollback-result", json=body)

    # Rollbacks, as people see them

    def start_rollback(
        self, *, target: str | None = None, run: str | None = None, actor: str = "", reason: str = ""
    ) -> Rollback:
        """Have a target's last deployment taken back, or that of a run. Asked twice it is one rollback."""
        body = {"target": target, "run_id": run, "actor": actor, "reason": reason}
        return self._call(Rollback, "POST", "/v1/rollbacks", json=body)

    def rollbacks(
        self,
        *,
        target: str | None = None,
        flock: str | None = None,
        unfinished: bool = False,
        limit: int = 100,
    ) -> list[RollbackSummary]:
        """Return rollbacks, newest first."""
        params = given(target=target, flock=flock, unfinished=unfinished, limit=limit)
        return self._call(list[RollbackSummary], "GET", "/v1/rollbacks", params=params)

    def rollback(self, rollback_id: str) -> Rollback:
        """Return one rollback, by its id or by that of the deployment."""
        return self._call(Rollback, "GET", f"/v1/rollbacks/{part(rollback_id)}")

    def retry_rollback(self, rollback_id: str, *, actor: str = "", consents: Sequence[str] = ()) -> Rollback:
        """Try one again that is not whole; with consents, what was refused may be destroyed."""
        body = {"actor": actor, "consents": list(consents)}
        return self._call(Rollback, "POST", f"/v1/rollbacks/{part(rollback_id)}/retry", json=body)

    def skip_rollback(self, rollback_id: str, *, actor: str = "", reason: str = "") -> Rollback:
        """Leave its target as it is: it takes other runs again."""
        body = {"actor": actor, "reason": reason}
        return self._call(Rollback, "POST", f"/v1/rollbacks/{part(rollback_id)}/skip", json=body)

    # Leases

    def leases(self) -> list[LeaseView]:
        """Return the leases of all targets."""
        return self._call(list[LeaseView], "GET", "/v1/leases")

    def lease(self, target: str) -> LeaseView:
        """Return the lease of one target."""
        return self._call(LeaseView, "GET", f"/v1/leases/{part(target)}")

    def revoke_lease(self, target: str, reason: str) -> LeaseView:
        """Take the lease from its holder; durable, repeated by the observer until it took."""
        return self._call(LeaseView, "POST", f"/v1/leases/{part(target)}/revoke", json={"reason": reason})

    # Notifications

    def notifications(self, *, state: NotificationState | None = None, limit: int = 100) -> list[Notification]:
        """Return notifications, one record for each destination, newest first."""
        return self._call(list[Notification], "GET", "/v1/notifications", params=given(state=state, limit=limit))

    def notification(self, notification_id: str) -> list[Notification]:
        """Return one notification on its way to each of its destinations."""
        return self._call(list[Notification], "GET", f"/v1/notifications/{part(notification_id)}")

    def test_notification(self, destination: str, *, actor: str = "") -> Notification:
        """Send a test to one destination; its record says nothing about the outcome yet."""
        body = {"destination": destination, "actor": actor}
        return self._call(list[Notification], "POST", "/v1/notifications/test", json=body)[0]

    def retry_notifications(self, *, notification: str | None = None, destination: str | None = None) -> Requeued:
        """Try dead deliveries again: of one notification, to one destination, or all."""
        body = {"notification": notification, "destination": destination}
        return self._call(Requeued, "POST", "/v1/notifications/retry", json=body)

    # Journal

    def journal_intent(self, intent: JournalIntent) -> None:
        """Record a call before it is signed. Only an answer that names the call counts."""
        recorded(self._send("POST", "/v1/journal", json=intent.model_dump(mode="json")), intent.call_id)

    def journal_outcome(self, outcome: JournalOutcome) -> None:
        """Record what became of a call."""
        self._send("POST", f"/v1/journal/{part(outcome.call_id)}/outcome", json=outcome.model_dump(mode="json"))

    def journal(
        self, *, target: str | None = None, run: str | None = None, epoch: int | None = None, limit: int = 1000
    ) -> list[JournalRecord]:
        """Return journaled calls, newest first."""
        params = given(target=target, run=run, epoch=epoch, limit=limit)
        return self._call(list[JournalRecord], "GET", "/v1/journal", params=params)

    # What cut runs left that no state holds

    def orphans(self, *, target: str | None = None, everything: bool = False, limit: int = 100) -> list[OrphanReport]:
        """Return reports about what runs left, youngest first: those that leave something to do, or all."""
        return self._call(
            list[OrphanReport], "GET", "/v1/orphans", params=given(target=target, all=everything, limit=limit)
        )

    def orphans_of(self, run_id: str) -> OrphanReport:
        """Return what one run left. ApiError `not_over` before its end."""
        return self._call(OrphanReport, "GET", f"/v1/runs/{part(run_id)}/orphans")

    def deliver_planned(self, run_id: str, *, holder: str, planned: PlannedResources) -> None:
        """Say what a run's plan would make; again is harmless."""
        body = {"holder": holder, "planned": planned.model_dump(mode="json")}
        self._send("POST", f"/v1/runs/{part(run_id)}/planned", json=body)

    def recover(self, run_id: str, *, actor: str = "") -> Run:
        """Queue a run that takes over what an earlier one left. ApiError `nothing_to_recover`, `not_over`."""
        return self._call(Run, "POST", f"/v1/runs/{part(run_id)}/recover", json={"actor": actor})

    # State that a cut left behind

    def quarantine_state(self, target: str, *, epoch: int, run: str, state: bytes) -> None:
        """Keep the state of a cut epoch, to be judged by the next holder."""
        self._send("POST", f"/v1/targets/{part(target)}/quarantine", params={"epoch": epoch, "run": run}, content=state)

    def recovery(self, target: str, *, run: str, holder: str) -> Recovery:
        """Return what earlier cuts left behind, for the holder of the live epoch."""
        return self._call(
            Recovery, "GET", f"/v1/targets/{part(target)}/recovery", params={"run": run, "holder": holder}
        )

    def accept_quarantine(self, target: str, *, epoch: int, run: str, holder: str) -> None:
        """Make the quarantined state of `epoch` the target's current state."""
        body = {"run": run, "holder": holder}
        self._send("POST", f"/v1/targets/{part(target)}/quarantine/{epoch}/accept", json=body)

    def healthy(self) -> bool:
        """Return whether /readyz says yes. Never raises."""
        try:
            return self._http.get("/readyz").status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, path, **options)
        except httpx.HTTPError as error:
            raise unavailable(self._base_url, error) from error
        return checked(answer)

    def _call[T](self, kind: type[T], method: str, path: str, **options: Any) -> T:
        return parse(kind, self._send(method, path, **options))
