"""The database's tables: one schema for SQLite and PostgreSQL.

Rules that live in the schema rather than in code, so that no code path can forget them:

* at most one active run per target (`uq_runs_active_target`, a partial unique index);
* at most one run per (target, epoch), so that an epoch names exactly one holder (`uq_runs_target_epoch`);
* at most one follow-up per run (`uq_runs_retry_of`), so that two observers settle the same loss once;
* at most one unfinished roll-out per flock (`uq_rollouts_unfinished_flock`), so that two never mix their phases;
* at most one rollback per deployment, and one that reserves a target (`uq_rollbacks_reserved_target`);
* one row per (schedule, due) of a tick, so that of two beats one does the work.

A target is never deleted: its epoch must outlive everything that could still act under an older one.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, ForeignKey, Index, Integer, LargeBinary, MetaData, String, Text, text
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

#: The statuses in which a run's provisioner may be at work. A settling run has reported: whatever still calls for it is
#: not its provisioner.
LIVE_STATUSES = ("claimed", "planning", "applying", "baking", "rolling_back")
#: The statuses in which a run occupies its target.
ACTIVE_STATUSES = (*LIVE_STATUSES, "settling")

_ACTIVE = text("status IN ('claimed', 'planning', 'applying', 'baking', 'rolling_back', 'settling')")
_UNFINISHED = text("status IN ('running', 'paused', 'halting', 'canceling')")

#: SQLite numbers rows by itself only for a column declared exactly INTEGER PRIMARY KEY.
_RowId = BigInteger().with_variant(Integer, "sqlite")


class UtcDateTime(TypeDecorator[datetime]):
    """An instant for people. Naive values are refused; SQLite, which keeps no zone, gets and gives UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive datetime {value!r}: give it a zone (shared.clock's wall() does)")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Declarative base; constraint names are spelled out so that migrations name the same things on both databases."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class TokenRow(Base):
    """A bearer token, of which only the SHA-256 is kept."""

    __tablename__ = "tokens"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    role: Mapped[str] = mapped_column(String(16))
    #: The installation that holds the clear text; a new token of the same origin and role replaces this one.
    origin: Mapped[str] = mapped_column(String(512))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class MetaRow(Base):
    """Facts about this database as a whole, such as the fingerprint of the key its states are encrypted with."""

    __tablename__ = "meta"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str] = mapped_column(Text)


class BlobRow(Base):
    """One file of a release; content-addressed and immutable, shared by every release that has it."""

    __tablename__ = "blobs"

    digest: Mapped[str] = mapped_column(String(80), primary_key=True)
    content: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    size: Mapped[int] = mapped_column(BigInteger)


class ReleaseRow(Base):
    """A release: its canonical manifest, whose SHA-256 is its name. Never changed; `retention` deletes old ones."""

    __tablename__ = "releases"

    #: Orders releases by publication; clocks step.
    sequence: Mapped[int] = mapped_column(_RowId, primary_key=True)
    digest: Mapped[str] = mapped_column(String(80), unique=True)
    flock: Mapped[str] = mapped_column(String(63), index=True)
    manifest: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    target_count: Mapped[int] = mapped_column(Integer)
    actor: Mapped[str] = mapped_column(String(256))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class FlockRow(Base):
    """A service's infrastructure, by name."""

    __tablename__ = "flocks"

    name: Mapped[str] = mapped_column(String(63), primary_key=True)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class TargetRow(Base):
    """One instance of a flock in a region: the unit of mutual exclusion. Never deleted."""

    __tablename__ = "targets"

    id: Mapped[str] = mapped_column(String(191), primary_key=True)
    flock: Mapped[str] = mapped_column(ForeignKey("flocks.name"), index=True)
    region: Mapped[str] = mapped_column(String(63))
    provider_region: Mapped[str] = mapped_column(String(64))
    #: What a run deploys that names no release: registered last, or applied last. None: published only, or registered
    #: by a version that knew no releases.
    release_digest: Mapped[str | None] = mapped_column(String(80))
    #: The last epoch granted; 0 means that nothing was ever granted.
    epoch: Mapped[int] = mapped_column(BigInteger, default=0)


class RunRow(Base):
    """One piece of work on one target."""

    __tablename__ = "runs"
    __table_args__ = (
        Index(
            "uq_runs_active_target",
            "target",
            unique=True,
            sqlite_where=_ACTIVE,
            postgresql_where=_ACTIVE,
        ),
        Index("uq_runs_target_epoch", "target", "epoch", unique=True),
        Index("uq_runs_retry_of", "retry_of", unique=True),
        Index("ix_runs_status", "status"),
    )

    #: Orders runs by submission; ids are random and clocks step.
    sequence: Mapped[int] = mapped_column(_RowId, primary_key=True)
    id: Mapped[str] = mapped_column(String(32), unique=True)
    target: Mapped[str] = mapped_column(ForeignKey("targets.id"))
    region: Mapped[str] = mapped_column(String(63))
    kind: Mapped[str] = mapped_column(String(16))
    status: Mapped[str] = mapped_column(String(16))
    actor: Mapped[str] = mapped_column(String(256))
    argv: Mapped[list[str]] = mapped_column(JSON)
    #: What it deploys; fixed when it is submitted, and the same for its follow-ups.
    release_digest: Mapped[str | None] = mapped_column(String(80))
    attempt: Mapped[int] = mapped_column(Integer, default=1)
    retry_of: Mapped[str | None] = mapped_column(ForeignKey("runs.id"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    #: A smaller number is claimed earlier; see `shared.models.Priority`.
    priority: Mapped[int] = mapped_column(Integer, default=1)
    #: The roll-out that started it.
    rollout_id: Mapped[str | None] = mapped_column(String(32), index=True)
    #: The run whose plan file this apply applies, and nothing else.
    plan_run_id: Mapped[str | None] = mapped_column(String(32))
    #: The run whose hint was answered with this one, so that the same question gets the same answer again.
    hint: Mapped[str | None] = mapped_column(String(32))

    epoch: Mapped[int | None] = mapped_column(BigInteger)
    node: Mapped[str | None] = mapped_column(String(255))
    #: A nonce per execution, never the broker's task id: a redelivered message carries the same task id.
    holder: Mapped[str | None] = mapped_column(String(255))
    claimed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    recovers: Mapped[str | None] = mapped_column(String(32))
    state_password_hash: Mapped[str | None] = mapped_column(String(64))
    #: Redis was seen to have granted this epoch, or the holder reported progress under it.
    acquired: Mapped[bool] = mapped_column(default=False)

    reported_status: Mapped[str | None] = mapped_column(String(16))
    exit_code: Mapped[int | None] = mapped_column(Integer)
    reason: Mapped[str] = mapped_column(Text, default="")
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    cancel_requested: Mapped[bool] = mapped_column(default=False)
    revoke_requested: Mapped[bool] = mapped_column(default=False)
    rollback_requested: Mapped[bool] = mapped_column(default=False)

    published_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    publications: Mapped[int] = mapped_column(Integer, default=0)


class RolloutRow(Base):
    """A roll-out: one document (`shared.rollouts.Rollout`), and beside it what is asked for in SQL."""

    __tablename__ = "rollouts"
    __table_args__ = (
        Index(
            "uq_rollouts_unfinished_flock",
            "flock",
            unique=True,
            sqlite_where=_UNFINISHED,
            postgresql_where=_UNFINISHED,
        ),
    )

    #: Orders roll-outs by their start.
    sequence: Mapped[int] = mapped_column(_RowId, primary_key=True)
    id: Mapped[str] = mapped_column(String(32), unique=True)
    flock: Mapped[str] = mapped_column(String(63))
    release_digest: Mapped[str] = mapped_column(String(80))
    status: Mapped[str] = mapped_column(String(16))
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class PlanRow(Base):
    """A plan file, encrypted, and the state that it was made against. No serial: there was no state."""

    __tablename__ = "plans"

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    target: Mapped[str] = mapped_column(ForeignKey("targets.id"))
    epoch: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[str] = mapped_column(String(80))
    size: Mapped[int] = mapped_column(BigInteger)
    changes: Mapped[bool] = mapped_column()
    serial: Mapped[int | None] = mapped_column(BigInteger)
    lineage: Mapped[str | None] = mapped_column(String(255))
    #: None: the plan was applied or discarded, and its content was let go.
    ciphertext: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class SafetyPlanRow(Base):
    """What the plan of a run does (`shared.safety.entries`), and what was decided about it when it was delivered."""

    __tablename__ = "safety_plans"
    __table_args__ = (Index("ix_safety_plans_release_digest", "release_digest", "digest"),)

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    target: Mapped[str] = mapped_column(ForeignKey("targets.id"))
    release_digest: Mapped[str] = mapped_column(String(80))
    #: Of the entries without what is particular to the target's place: what an approval names.
    digest: Mapped[str] = mapped_column(String(80))
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    #: `shared.safety.verdict.Verdict`
    verdict: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class SafetyApprovalRow(Base):
    """One person's approval of a run's safety plan, for one release. Never changed: another release is not approved by
    it. Deleted when somebody discards a plan that does the same.
    """

    __tablename__ = "safety_approvals"
    __table_args__ = (
        Index("uq_safety_approvals_person", "release_digest", "digest", "approver", "run_id", unique=True),
    )

    id: Mapped[int] = mapped_column(_RowId, primary_key=True)
    release_digest: Mapped[str] = mapped_column(String(80))
    digest: Mapped[str] = mapped_column(String(80))
    approver: Mapped[str] = mapped_column(String(256))
    #: The run whose plan was looked at.
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"))
    #: The normalised entries that the digest is of.
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    approved_at: Mapped[datetime] = mapped_column(UtcDateTime)


class DriftCheckRow(Base):
    """What a drift run found (`shared.drift.report`), its flock's ignore rules applied. The newest few are kept."""

    __tablename__ = "drift_checks"
    __table_args__ = (Index("ix_drift_checks_target", "target", "epoch"),)

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    target: Mapped[str] = mapped_column(ForeignKey("targets.id"))
    epoch: Mapped[int] = mapped_column(BigInteger)
    release_digest: Mapped[str] = mapped_column(String(80))
    #: sha256 of the report as it came: the same one again is harmless.
    digest: Mapped[str] = mapped_column(String(80))
    roll_up: Mapped[str] = mapped_column(String(16))
    #: See `scheduler.drift.transitions.shape_of`.
    shape: Mapped[str] = mapped_column(String(80))
    #: `shared.drift.records.DriftCheck`
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    #: What drifted, a line each, for people; the first few.
    items: Mapped[list[str]] = mapped_column(JSON)
    #: How many changes each ignore rule took off, by the rule's digest.
    hits: Mapped[dict[str, int]] = mapped_column(JSON)
    #: The report, compressed (zlib).
    report: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class DriftStandingRow(Base):
    """Where a target stands (`scheduler.drift.transitions`), what people heard of it, and when it is checked next."""

    __tablename__ = "drift_standings"

    target: Mapped[str] = mapped_column(ForeignKey("targets.id"), primary_key=True)
    #: Whether something is deployed there: what was never applied, or was destroyed, is not checked by itself.
    deployed: Mapped[bool] = mapped_column()
    #: None: it is checked when somebody asks for it.
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)

    roll_up: Mapped[str | None] = mapped_column(String(16))
    shape: Mapped[str] = mapped_column(String(80), default="")
    since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    #: The check that confirmed it.
    run_id: Mapped[str | None] = mapped_column(String(32))
    pending_roll_up: Mapped[str | None] = mapped_column(String(16))
    pending_shape: Mapped[str] = mapped_column(String(80), default="")
    repeats: Mapped[int] = mapped_column(Integer, default=0)
    changes: Mapped[int] = mapped_column(Integer, default=0)

    #: What people heard last; a target of which they heard nothing is in sync.
    told_roll_up: Mapped[str] = mapped_column(String(16), default="in_sync")
    told_shape: Mapped[str] = mapped_column(String(80), default="")
    told_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    #: Names what that message was about (`scheduler.drift.telling`).
    told_group: Mapped[str | None] = mapped_column(String(80), index=True)

    #: The newest check that said what it found.
    checked_run_id: Mapped[str | None] = mapped_column(String(32))
    checked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    #: The newest check that is over.
    last_run_id: Mapped[str | None] = mapped_column(String(32))
    last_status: Mapped[str | None] = mapped_column(String(16))
    last_reason: Mapped[str] = mapped_column(Text, default="")
    failures: Mapped[int] = mapped_column(Integer, default=0)
    #: The check that was asked to stop because something else wants the target.
    given_way: Mapped[str | None] = mapped_column(String(32))

    #: The mode of the remedy that is wanted; None: none is.
    remedy: Mapped[str | None] = mapped_column(String(16), index=True)
    remediation: Mapped[str] = mapped_column(Text, default="")
    rollout_id: Mapped[str | None] = mapped_column(String(32))


class DriftHitRow(Base):
    """How often an ignore rule of a flock was used."""

    __tablename__ = "drift_hits"

    flock: Mapped[str] = mapped_column(String(63), primary_key=True)
    #: sha256 of the rule: a rule that is changed is another one.
    rule: Mapped[str] = mapped_column(String(80), primary_key=True)
    hits: Mapped[int] = mapped_column(BigInteger)
    last_hit_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_run_id: Mapped[str] = mapped_column(String(32))


class FirstStateRow(Base):
    """What a target was before a deployment (`shared.rollback.records.FirstState`). The state itself stays sealed where
    it is; every version of it is kept.
    """

    __tablename__ = "first_states"
    __table_args__ = (Index("ix_first_states_target", "target", "run_id"),)

    #: The deployment.
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    target: Mapped[str] = mapped_column(ForeignKey("targets.id"))
    #: Where a rollback leads. None: nothing existed.
    release_digest: Mapped[str | None] = mapped_column(String(80), index=True)
    state_version_id: Mapped[int | None] = mapped_column(ForeignKey("state_versions.id"))
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    #: What its plan does with addresses only (`shared.rollback.records.Rearrangement`), from its delivery on.
    rearranged: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    #: The unfinished try of a deployment before it whose first state this is as well.
    inherits: Mapped[str | None] = mapped_column(String(32))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class RollbackRow(Base):
    """A deployment that is taken back, or was. While `reserved` its target takes no run but the rollback's own."""

    __tablename__ = "rollbacks"
    __table_args__ = (
        Index(
            "uq_rollbacks_reserved_target",
            "target",
            unique=True,
            sqlite_where=text("reserved = 1"),
            postgresql_where=text("reserved"),
        ),
    )

    #: Orders rollbacks by their beginning.
    sequence: Mapped[int] = mapped_column(_RowId, primary_key=True)
    id: Mapped[str] = mapped_column(String(32), unique=True)
    #: The deployment: of each there is one rollback, however often it is tried.
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"), unique=True)
    target: Mapped[str] = mapped_column(ForeignKey("targets.id"))
    flock: Mapped[str] = mapped_column(String(63))
    rollout_id: Mapped[str | None] = mapped_column(String(32), index=True)
    #: `shared.rollback.standing.RollbackStatus`
    status: Mapped[str] = mapped_column(String(16))
    reserved: Mapped[bool] = mapped_column()
    #: The run that carries it out, or did last: the deployment itself, or a ROLLBACK run.
    current_run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"), index=True)
    trigger: Mapped[str] = mapped_column(String(32))
    reason: Mapped[str] = mapped_column(Text, default="")
    actor: Mapped[str] = mapped_column(String(256), default="")
    #: ROLLBACK runs since a person asked for it last.
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    #: What was planned last and what of it may be done, and by which run.
    plan: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    verdict: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    planned_by: Mapped[str | None] = mapped_column(String(32))
    #: What came of it last, and by which run.
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    comparison: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    result_of: Mapped[str | None] = mapped_column(String(32))
    #: Its status as its roll-out has it.
    told: Mapped[str | None] = mapped_column(String(16))
    triggered_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ConsentRow(Base):
    """A person consents, by name, to an operation that cannot be undone. Counts for one target of one release."""

    __tablename__ = "rollback_consents"
    __table_args__ = (Index("ix_rollback_consents_release_digest", "release_digest", "target"),)

    id: Mapped[int] = mapped_column(_RowId, primary_key=True)
    release_digest: Mapped[str] = mapped_column(String(80))
    target: Mapped[str] = mapped_column(ForeignKey("targets.id"))
    address: Mapped[str] = mapped_column(String(2048))
    approver: Mapped[str] = mapped_column(String(256))
    #: The run whose plan, or whose rollback, was looked at.
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"))
    given_at: Mapped[datetime] = mapped_column(UtcDateTime)


class PlannedResourcesRow(Base):
    """What the plan of a run would make, and by which names (`shared.recovery.orphans.PlannedResources`)."""

    __tablename__ = "planned_resources"

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class OrphanReportRow(Base):
    """What a run left that no state holds (`shared.recovery.orphans.OrphanReport`); one a run that ended unclean."""

    __tablename__ = "orphan_reports"
    __table_args__ = (Index("ix_orphan_reports_open", "open", "looked_at"),)

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    target: Mapped[str] = mapped_column(ForeignKey("targets.id"), index=True)
    open: Mapped[bool] = mapped_column()
    #: What was compared: while it stays the same, so does the report.
    basis: Mapped[str] = mapped_column(String(255))
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    looked_at: Mapped[datetime] = mapped_column(UtcDateTime)


class TurnRow(Base):
    """When a flock or a target was served last in a region, counted in claims; the row without a name is the count.

    Flock names hold no dot and target ids do, so they never meet. The count's row is also the lock under which a
    region's claims are made one after the other.
    """

    __tablename__ = "turns"

    region: Mapped[str] = mapped_column(String(63), primary_key=True)
    name: Mapped[str] = mapped_column(String(191), primary_key=True)
    served: Mapped[int] = mapped_column(BigInteger)


class RunLogRow(Base):
    """A piece of a run's log. Offsets count bytes (UTF-8) from the log's start, as its sender does."""

    __tablename__ = "run_logs"

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    offset: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    length: Mapped[int] = mapped_column(Integer)
    text: Mapped[str] = mapped_column(Text)


class RevocationRow(Base):
    """An operator's revoke: repeated by the observer until Redis shows that it took."""

    __tablename__ = "revocations"

    id: Mapped[int] = mapped_column(_RowId, primary_key=True)
    target: Mapped[str] = mapped_column(ForeignKey("targets.id"))
    #: Every lease of the target up to this epoch is revoked; a younger one is not touched.
    epoch: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str] = mapped_column(Text)
    requested_at: Mapped[datetime] = mapped_column(UtcDateTime)
    took_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)


class JournalRow(Base):
    """One call that the proxy was about to sign, and what became of it. No outcome means unknown."""

    __tablename__ = "journal"
    __table_args__ = (Index("ix_journal_target_epoch", "target", "epoch"), Index("ix_journal_run_id", "run_id"))

    id: Mapped[int] = mapped_column(_RowId, primary_key=True)
    call_id: Mapped[str] = mapped_column(String(64), unique=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"))
    target: Mapped[str] = mapped_column(ForeignKey("targets.id"))
    epoch: Mapped[int] = mapped_column(BigInteger)
    service: Mapped[str] = mapped_column(String(128))
    operation: Mapped[str] = mapped_column(String(256))
    access: Mapped[str] = mapped_column(String(8))
    #: The whole intent as it was sent.
    intent: Mapped[dict[str, Any]] = mapped_column(JSON)
    recorded_at: Mapped[datetime] = mapped_column(UtcDateTime)
    outcome: Mapped[str | None] = mapped_column(String(16))
    #: The whole outcome as it was sent.
    answer: Mapped[dict[str, Any] | None] = mapped_column(JSON)


class StateVersionRow(Base):
    """A version of a target's Terraform state, encrypted. The newest row is the current state; versions are kept."""

    __tablename__ = "state_versions"
    __table_args__ = (Index("ix_state_versions_target", "target", "id"),)

    id: Mapped[int] = mapped_column(_RowId, primary_key=True)
    target: Mapped[str] = mapped_column(ForeignKey("targets.id"))
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"))
    epoch: Mapped[int] = mapped_column(BigInteger)
    serial: Mapped[int] = mapped_column(BigInteger)
    lineage: Mapped[str] = mapped_column(String(255))
    digest: Mapped[str] = mapped_column(String(64))
    size: Mapped[int] = mapped_column(BigInteger)
    #: From here on there is no state, but the versions before it stay.
    deleted: Mapped[bool] = mapped_column(default=False)
    ciphertext: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class StateLockRow(Base):
    """Terraform's lock within one run. It counts only while its epoch holds the lease; an older one is void."""

    __tablename__ = "state_locks"

    target: Mapped[str] = mapped_column(ForeignKey("targets.id"), primary_key=True)
    epoch: Mapped[int] = mapped_column(BigInteger)
    lock_id: Mapped[str] = mapped_column(String(255))
    info: Mapped[dict[str, Any]] = mapped_column(JSON)


class QuarantineRow(Base):
    """A state that came too late to be written: kept beside the target until a live epoch accepts it."""

    __tablename__ = "quarantined_states"
    __table_args__ = (Index("uq_quarantined_states_slot", "target", "epoch", "serial", "digest", unique=True),)

    id: Mapped[int] = mapped_column(_RowId, primary_key=True)
    target: Mapped[str] = mapped_column(ForeignKey("targets.id"))
    epoch: Mapped[int] = mapped_column(BigInteger)
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"))
    serial: Mapped[int] = mapped_column(BigInteger)
    lineage: Mapped[str] = mapped_column(String(255))
    digest: Mapped[str] = mapped_column(String(64))
    size: Mapped[int] = mapped_column(BigInteger)
    ciphertext: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    accepted_by: Mapped[str | None] = mapped_column(String(32))


class TickRow(Base):
    """Proof that somebody took on a tick: the unique row decides between beats."""

    __tablename__ = "ticks"

    schedule: Mapped[str] = mapped_column(String(64), primary_key=True)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)


class NotificationRow(Base):
    """Something that people are told: recorded in the transaction that makes it true, sent later."""

    __tablename__ = "notifications"
    __table_args__ = (Index("ix_notifications_routed_at", "routed_at", "sequence"),)

    #: Orders notifications by their recording.
    sequence: Mapped[int] = mapped_column(_RowId, primary_key=True)
    id: Mapped[str] = mapped_column(String(40), unique=True)
    kind: Mapped[str] = mapped_column(String(32))
    flock: Mapped[str] = mapped_column(String(256))
    #: The whole event (`scheduler.notifications.events.Event`).
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    #: For a test: the only destination. None: the routes decide.
    destination: Mapped[str | None] = mapped_column(String(63))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    #: When its deliveries were made; None: no beat has looked at it yet.
    routed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class DeliveryRow(Base):
    """A notification on its way to one destination."""

    __tablename__ = "notification_deliveries"
    __table_args__ = (
        Index("uq_notification_deliveries_slot", "notification_id", "destination", unique=True),
        Index("ix_notification_deliveries_due", "state", "due_at"),
    )

    id: Mapped[int] = mapped_column(_RowId, primary_key=True)
    notification_id: Mapped[str] = mapped_column(ForeignKey("notifications.id"))
    destination: Mapped[str] = mapped_column(String(63))
    state: Mapped[str] = mapped_column(String(16))
    #: Counted when an attempt begins: one whose scheduler was killed counts too.
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    #: When it may be claimed; while it is being sent: when its claim has run out.
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    #: The nonce of the attempt that is at work.
    claim: Mapped[str | None] = mapped_column(String(32))
    #: What the destination said last.
    note: Mapped[str] = mapped_column(Text, default="")
    #: Its age counts from here: when it was routed, or sent anew by a person.
    queued_at: Mapped[datetime] = mapped_column(UtcDateTime)
