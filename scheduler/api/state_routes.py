"""Routes: Terraform's HTTP backend, and what a cut left behind."""

import base64
import binascii
import hashlib
import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import Field

from scheduler import quarantine, recovery, terraform_state
from scheduler.api.access import Context, allow, state_caller, state_reader
from scheduler.api.limits import Body
from scheduler.api.request_body import RequestBody
from scheduler.problems import invalid
from scheduler.terraform_state import StateCaller
from shared.models import QuarantinedState, Recovery

router = APIRouter(prefix="/v1", tags=["state"])

Caller = Annotated[StateCaller, Depends(state_caller)]
Reader = Annotated[StateCaller | None, Depends(state_reader)]


class AcceptRequest(RequestBody):
    """The live holder that accepts a quarantined state."""

    run: str = Field(max_length=32, description="the live run")
    holder: str = Field(min_length=1, max_length=128, description="its holder's nonce")


@router.get("/state/{target}", response_class=Response)
def read_state(context: Context, target: str, reader: Reader) -> Response:
    """The current state; 404 where there is none. For the live run, or an operator with the admin's token."""
    body = (
        terraform_state.operator_read(context, target)
        if reader is None
        else terraform_state.read_state(context, reader)
    )
    return Response(status_code=404) if body is None else Response(body, media_type="application/json")


@router.post("/state/{target}", response_class=Response)
def write_state(
    context: Context,
    caller: Caller,
    body: Body,
    request: Request,
    lock_id: Annotated[str | None, Query(alias="ID", max_length=255)] = None,
) -> Response:
    """Store a new version: only from the live epoch, with the stored lineage and a growing serial."""
    _check_md5(request.headers.get("content-md5"), body)
    terraform_state.write_state(context, caller, body, lock_id=lock_id)
    return Response(status_code=200)


@router.delete("/state/{target}", response_class=Response)
def delete_state(context: Context, caller: Caller) -> Response:
    """Mark the state as deleted; its versions are kept."""
    terraform_state.delete_state(context, caller)
    return Response(status_code=200)


# OpenAPI knows no LOCK and UNLOCK; docs/api says what they take.
@router.api_route("/state/{target}", methods=["LOCK"], include_in_schema=False)
def lock_state(context: Context, caller: Caller, body: Body) -> Response:
    """Lock for one process of the live run; 423 with the holder's lock info for anybody else."""
    terraform_state.lock_state(context, caller, _lock_info(body))
    return Response(status_code=200)


@router.api_route("/state/{target}", methods=["UNLOCK"], include_in_schema=False)
def unlock_state(context: Context, caller: Caller, body: Body) -> Response:
    """Unlock. Without a body, as `terraform force-unlock` sends it, whatever lock the run has."""
    lock_id = str(_lock_info(body).get("ID", "")) if body else None
    terraform_state.unlock_state(context, caller, lock_id)
    return Response(status_code=200)


@router.post("/targets/{target}/quarantine", status_code=201, dependencies=[allow("proxy", "worker")])
def deliver_quarantine(
    context: Context,
    target: str,
    body: Body,
    epoch: Annotated[int, Query(ge=1)],
    run: Annotated[str, Query(max_length=32)],
) -> QuarantinedState:
    """Keep the state that a cut run still wanted to write."""
    return quarantine.deliver(context, target, epoch=epoch, run_id=run, body=body)


@router.get("/targets/{target}/recovery", dependencies=[allow("worker")])
def get_recovery(context: Context, target: str, run: str, holder: str) -> Recovery:
    """What earlier cuts left behind: for the live holder only."""
    return recovery.recovery(context, target, run_id=run, holder=holder)


@router.post("/targets/{target}/quarantine/{epoch}/accept", status_code=204, dependencies=[allow("worker")])
def accept_quarantine(context: Context, target: str, epoch: int, request: AcceptRequest) -> None:
    """Make a quarantined state the current one: for the live holder, if it continues the stored state."""
    quarantine.accept(context, target, epoch=epoch, run_id=request.run, holder=request.holder)


def _lock_info(body: bytes) -> dict[str, Any]:
    if len(body) > 64 * 1024:
        raise invalid("the lock info is too long", "Terraform's is about 300 bytes")
    try:
        info = json.loads(body)
    except ValueError:
        info = None
    if not isinstance(info, dict) or not info.get("ID"):
        raise invalid("the lock info is not Terraform's JSON", "send what Terraform sends")
    return info


def _check_md5(header: str | None, body: bytes) -> None:
    if header is None:
        return
    try:
        expected = base64.b64decode(header, validate=True)
    except binascii.Error:
        raise invalid("Content-MD5 is not base64") from None
    if expected != hashlib.md5(body, usedforsecurity=False).digest():
        raise invalid("the body does not match its Content-MD5", "send it again")
