"""From a broker's hint to a lease that counts: claim in the database, ACQUIRE in Redis, made durable and confirmed."""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from shared.api_client import ApiClient
from shared.clock import Clock
from shared.errors import ApiError, LeaseRefused, Unavailable
from shared.lease.commands import Granted, Refusal
from shared.lease.store import LeaseStore
from shared.log import log_event
from shared.models import Assignment
from worker.environment import Placeholders
from worker.stop import Stop

CLAIM_TRIES = 8
_CLAIM_PAUSE_MS = 500
# A hand-over takes tens of milliseconds; an embargo or a dead host half a minute. Hence: ask soon, then less often.
_FIRST_PAUSE_MS = 20
_LAST_PAUSE_MS = 500

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Hold:
    """A lease that is held, durable and confirmed."""

    assignment: Assignment
    """The claim; its epoch may be higher than the first one's, after a restore of the database."""
    lease_id: str
    """The lease."""
    granted_at_ms: int
    """Boot time before the ACQUIRE was sent: the first proof of life counts from here."""


def claim(
    api: ApiClient, run_id: str, *, node: str, holder: str, regions: tuple[str, ...], pause: Callable[[int], None]
) -> Assignment | None:
    """Claim the run.

    Args:
        api: the scheduler.
        run_id: from the broker's message.
        node: this host.
        holder: nonce of this execution; the same one again gets the same answer, so a lost reply is harmless.
        regions: those that this worker serves; a run of another one is not to be had.
        pause: waits that many milliseconds.

    Returns:
        The assignment; None when the run is not to be had (delivered twice, over, its target taken, of another region).

    Raises:
        Unavailable: the API did not answer for seconds; the reconciler will send the message again.
    """
    for attempt in range(CLAIM_TRIES):
        try:
            return api.claim(run_id, node=node, holder=holder, regions=regions)
        except ApiError as error:
            if error.status < 500:
                log_event(_log, "not_claimed", run=run_id, code=error.code, why=error)
                return None
            if attempt == CLAIM_TRIES - 1:
                raise Unavailable(f"the API cannot claim {run_id}: {error}", hint=error.hint) from error
        except Unavailable:
            if attempt == CLAIM_TRIES - 1:
                raise
        pause(_CLAIM_PAUSE_MS)
    return None


def acquire(
    store: LeaseStore,
    api: ApiClient,
    assignment: Assignment,
    placeholders: Placeholders,
    *,
    node: str,
    limit_ms: int,
    stop: Stop,
    clock: Clock,
    note: Callable[[str], None],
) -> Hold:
    """Wait for the lease and take it.

    Args:
        store: the lease keys.
        api: raises the epoch after a restore of the database.
        assignment: the claim.
        placeholders: their hash is recorded with the lease.
        node: this host.
        limit_ms: bound on the wait.
        stop: a cancel ends the wait.
        clock: boot clock.
        note: tells the run's log why it waits.

    Raises:
        LeaseRefused: not granted within the bound, or fenced off; nothing is held.
        Unavailable: granted, but it could not be made durable; given back.
        StopRequested: canceled while waiting.
    """
    give_up_at_ms = clock.boot_ms() + limit_ms
    acquire_id = secrets.token_hex(16)
    pause_ms = _FIRST_PAUSE_MS
    said = ""
    while True:
        sent_ms = clock.boot_ms()
        try:
            reply = store.acquire(
                assignment.target.id,
                epoch=assignment.epoch,
                acquire_id=acquire_id,
                ttl_ms=assignment.timing.ttl_ms,
                holder=assignment.holder,
                run_id=assignment.run.id,
                node=node,
                credential_hash=_hash(placeholders),
            )
        except Unavailable as error:
            # Granted or not: asking again with the same acquire id tells.
            why = str(error)
        else:
            if isinstance(reply, Granted):
                break
            why = _WAITING.get(reply.reason, f"Redis says {reply.reason}")
            if reply.reason is Refusal.STALE_EPOCH:
                raised = api.raise_epoch(assignment.run.id, holder=assignment.holder, above=reply.last_epoch)
                note(f"Redis knows epoch {reply.last_epoch}: the claim goes on as epoch {raised.epoch}")
                assignment, acquire_id = raised, secrets.token_hex(16)
                continue
            if reply.reason is Refusal.ENDED:
                raise LeaseRefused("the lease was granted and has ended already", hint="the run is tried again")
        if why != said:
            said = why
            note(f"waiting for the lease of {assignment.target.id}, epoch {assignment.epoch}: {why}")
            log_event(_log, "waiting_for_lease", run=assignment.run.id, epoch=assignment.epoch, why=why)
        if clock.boot_ms() >= give_up_at_ms:
            raise LeaseRefused(
                f"the lease of {assignment.target.id} was not granted within {limit_ms} ms: {why}",
                hint="`interlock lease show` tells who holds it",
            )
        stop.wait(pause_ms)
        pause_ms = min(pause_ms * 2, _LAST_PAUSE_MS)
    hold = Hold(assignment=assignment, lease_id=reply.lease_id, granted_at_ms=sent_ms)
    if store.durable(assignment.target.id, assignment.timing.ttl_ms) and store.confirm(
        assignment.target.id, reply.lease_id, reply.incarnation, reply.seq
    ):
        return hold
    # Never started under a grant that a failover could forget.
    store.release(assignment.target.id, reply.lease_id)
    raise Unavailable("the grant could not be made durable on the replicas", hint="look at replication lag")


_WAITING = {
    Refusal.EMBARGOED: "Redis was restarted or failed over; nothing is granted until old holders provably cannot act",
    Refusal.HELD: "the last holder may still act",
    Refusal.RELEASING: "the last holder is giving it back",
    Refusal.REVOKING: "it is being taken from the last holder",
}


def _hash(placeholders: Placeholders) -> str:
    text = f"{placeholders.access_key_id}:{placeholders.secret_access_key}"
    return hashlib.sha256(text.encode()).hexdigest()
