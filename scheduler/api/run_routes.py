"""Routes: runs, what their holders say, and their logs."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from scheduler import claims, run_logs, runs
from scheduler.api.access import Context, allow
from scheduler.api.request_body import Actor, Holder, RequestBody, Said
from scheduler.rollout.drive import drive_of_run
from shared.models import (
    MAX_REASON,
    Assignment,
    Digest,
    Label,
    LogChunk,
    Priority,
    Run,
    RunKind,
    RunStatus,
    TargetId,
)
from shared.rollback.settings import Trigger

router = APIRouter(prefix="/v1/runs", tags=["runs"])


class RunRequest(RequestBody):
    """A run to submit."""

    target: TargetId = Field(description="where to work")
    kind: RunKind = Field(description="what to do")
    release_digest: Digest | None = Field(default=None, description="what to deploy; left out: what the target has")
    argv: list[str] = Field(default=[], max_length=runs.MAX_ARGV, description="the command of an exec run")
    actor: Actor
    priority: Priority | None = Field(default=None, description="what it is claimed as; left out: by its kind")


class ClaimRequest(RequestBody):
    """A worker that wants a run."""

    node: str = Field(min_length=1, max_length=253, description="the worker's host")
    holder: Holder
    regions: tuple[Label, ...] | None = Field(
        default=None, max_length=256, description="regions that it serves; left out: any"
    )


class RaiseRequest(RequestBody):
    """A claim whose epoch Redis refused."""

    holder: Holder
    above: int = Field(ge=0, description="the last epoch that Redis named")


class ProgressRequest(RequestBody):
    """How far the holder is."""

    holder: Holder
    status: RunStatus = Field(description="planning, applying, baking or rolling_back")
    trigger: Trigger | None = Field(default=None, description="rolling_back: why")
    reason: Said = Field(default="", max_length=MAX_REASON, description="rolling_back: the same in words")


class LogPiece(RequestBody):
    """A piece of a run's log."""

    holder: Holder
    offset: int = Field(ge=0, description="bytes of the log before this piece")
    text: str = Field(description="the piece")


class FinishRequest(RequestBody):
    """The holder's report."""

    holder: Holder
    epoch: int = Field(ge=1, description="the epoch the holder worked under")
    exit_code: int | None = Field(description="the provisioner's exit code")
    status: RunStatus = Field(description="applied, planned, succeeded, errored, canceled or lost")
    reason: Said = Field(default="", max_length=MAX_REASON, description="one line for people")
    trigger: Trigger | None = Field(
        default=None, description="errored: why what it deployed is to be taken back, where it could not say so before"
    )


@router.post("", status_code=201, dependencies=[allow()])
def submit(context: Context, run: RunRequest) -> Run:
    """Queue a run and wake a worker of the target's region."""
    return runs.submit(
        context,
        target=run.target,
        kind=run.kind,
        argv=run.argv,
        actor=run.actor,
        priority=run.priority,
        release_digest=run.release_digest,
    )


@router.get("", dependencies=[allow("worker")])
def list_runs(
    context: Context,
    target: str | None = None,
    status: RunStatus | None = None,
    kind: RunKind | None = None,
    limit: Annotated[int, Query(ge=1, le=runs.MAX_LISTED)] = 100,
) -> list[Run]:
    """Runs, the newest first."""
    return runs.listed(context, target=target, status=status, kind=kind, limit=limit)


@router.get("/{run_id}", dependencies=[allow("worker")])
def get_run(context: Context, run_id: str) -> Run:
    """One run."""
    return runs.get(context, run_id)


@router.post("/{run_id}/cancel", dependencies=[allow()])
def cancel(context: Context, run_id: str) -> Run:
    """Cancel a pending run at once, an active one through its holder."""
    run = runs.cancel(context, run_id)
    if run.status.terminal:
        drive_of_run(context, run_id)
    return run


@router.post("/{run_id}/claim", dependencies=[allow("worker")])
def claim(context: Context, run_id: str, request: ClaimRequest) -> Assignment:
    """Claim the run whose turn it is in the region of this one: the epoch of its target grows by one.

    409 `not_claimable` when there is nothing to be had.
    """
    return claims.claim(context, run_id, node=request.node, holder=request.holder, regions=request.regions)


@router.post("/{run_id}/raise_epoch", dependencies=[allow("worker")])
def raise_epoch(context: Context, run_id: str, request: RaiseRequest) -> Assignment:
    """After a restore of the database: go above the epoch that Redis still knows."""
    return claims.raise_epoch(context, run_id, holder=request.holder, above=request.above)


@router.post("/{run_id}/progress", dependencies=[allow("worker")])
def progress(context: Context, run_id: str, request: ProgressRequest) -> Run:
    """The holder is planning, or applying. The answer tells it whether it should stop."""
    return runs.progress(
        context,
        run_id,
        holder=request.holder,
        status=request.status,
        trigger=request.trigger,
        reason=request.reason,
    )


@router.post("/{run_id}/logs", status_code=204, dependencies=[allow("worker")])
def append_log(context: Context, run_id: str, piece: LogPiece) -> None:
    """Add a piece to the log. Sending it again is harmless."""
    run_logs.append(context, run_id, holder=piece.holder, offset=piece.offset, text=piece.text)


@router.get("/{run_id}/logs", dependencies=[allow("worker")])
def read_log(context: Context, run_id: str, offset: Annotated[int, Query(ge=0)] = 0) -> LogChunk:
    """The log from an offset on; ask again with `next_offset` until `complete`."""
    return run_logs.read(context, run_id, offset=offset)


@router.post("/{run_id}/finish", dependencies=[allow("worker")])
def finish(context: Context, run_id: str, request: FinishRequest) -> Run:
    """The holder's report. Terminal only when Redis says that the lease ended; until then `settling`."""
    run = runs.finish(
        context,
        run_id,
        holder=request.holder,
        epoch=request.epoch,
        exit_code=request.exit_code,
        status=request.status,
        reason=request.reason,
        trigger=request.trigger,
    )
    if run.status.terminal:
        drive_of_run(context, run_id)
    return run
