"""What one look at a target's keys shows: taken by one script, hence consistent."""

from __future__ import annotations

from pydantic import Field

from shared.lease.machine import State
from shared.record import Record


class Attachment(Record):
    """One boot of one proxy that may sign for the lease, or has said that it no longer does."""

    proxy_id: str = Field(description="which proxy: the name of its node")
    boot_id: str = Field(description="which start of that proxy, 32 hex digits")
    incarnation: str = Field(description="incarnation of the server in which the record was made")
    acknowledged: bool = Field(description="whether that boot said that its gate is shut and its connections are cut")
    in_flight: int = Field(ge=0, description="mutating calls that were sent and whose outcome is not known")

    @property
    def clear(self) -> bool:
        """Whether nothing can come from this boot any more."""
        return self.acknowledged and self.in_flight == 0


class LeaseView(Record):
    """A target's lease as the primary shows it."""

    target: str = Field(description="target id")
    incarnation: str = Field(description="incarnation of the server that answered: run_id:master_replid")
    cleared: bool = Field(description="whether this incarnation has been cleared for this target")
    state: State | None = Field(default=None, description="state; None: no hash, hence embargoed")
    absence: str = Field(default="", description="name of the state's absence; empty with a state, or before a MARK")
    lease_id: str = Field(default="", description="the lease; begins with its epoch; empty when there was none")
    acquire_id: str = Field(default="", description="random id of the ACQUIRE that made the lease")
    epoch: int = Field(default=0, ge=0, description="last epoch granted or fenced off; only a higher one is granted")
    seq: int = Field(default=0, ge=0, description="1 at the grant, +1 with each renewal")
    confirmed_incarnation: str = Field(default="", description="incarnation in which `confirmed_seq` was confirmed")
    confirmed_seq: int = Field(default=0, ge=0, description="highest seq known to be durable on the replicas")
    ttl_ms: int = Field(default=0, ge=0, description="the TTL that this lease was granted with")
    pttl_ms: int = Field(default=-2, description="rest of the lease key's life by Redis's clock; -2: key gone")
    holder: str = Field(default="", description="nonce of the execution that holds it")
    run_id: str = Field(default="", description="run that it works for")
    node: str = Field(default="", description="worker host that it works on")
    credential_hash: str = Field(default="", description="hash of the run's placeholder credential")
    since_ms: int = Field(default=0, description="Unix ms of the grant by Redis's wall clock; for display only")
    changed_ms: int = Field(default=0, description="Unix ms of the last change of state; for display only")
    reason: str = Field(default="", description="why it was revoked")
    attach_count: int = Field(default=0, ge=0, description="attach records made for this lease")
    attachments: tuple[Attachment, ...] = Field(default=(), description="the attach records")

    @classmethod
    def unreadable(cls, target: str, why: object) -> LeaseView:
        """Return what people are shown of a lease that cannot be read: nothing may be granted, and why."""
        return cls(target=target, incarnation="", cleared=False, reason=f"cannot be read: {why}")

    @property
    def embargoed(self) -> bool:
        """Whether nothing may be granted before an observer clears the target."""
        return not self.cleared or self.state is None

    @property
    def lease_epoch(self) -> int:
        """Epoch of the lease itself; 0 without a lease. `epoch` may be higher after a CLEAR."""
        head = self.lease_id.partition("-")[0]
        return int(head) if head else 0

    @property
    def all_clear(self) -> bool:
        """Whether every boot that ever attached to this lease can no longer act.

        A record that vanished (eviction, DEL) counts as not clear: `attach_count` remembers it.
        """
        return len(self.attachments) == self.attach_count and all(record.clear for record in self.attachments)

    def attachment(self, proxy_id: str, boot_id: str) -> Attachment | None:
        """Return the record of exactly this boot, or None."""
        for record in self.attachments:
            if record.proxy_id == proxy_id and record.boot_id == boot_id:
                return record
        return None
