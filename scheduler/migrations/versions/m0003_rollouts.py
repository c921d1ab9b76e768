"""Roll-outs, plan files, and the order in which runs are claimed."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_UNFINISHED = sa.text("status IN ('running', 'paused', 'halting', 'canceling')")


def upgrade() -> None:
    op.create_table(
        "rollouts",
        sa.Column("sequence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("flock", sa.String(length=63), nullable=False),
        sa.Column("release_digest", sa.String(length=80), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_rollouts")),
        sa.UniqueConstraint("id", name=op.f("uq_rollouts_id")),
    )
    op.create_index(
        "uq_rollouts_unfinished_flock",
        "rollouts",
        ["flock"],
        unique=True,
        sqlite_where=_UNFINISHED,
        postgresql_where=_UNFINISHED,
    )
    op.create_table(
        "turns",
        sa.Column("region", sa.String(length=63), nullable=False),
        sa.Column("name", sa.String(length=191), nullable=False),
        sa.Column("served", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("region", "name", name=op.f("pk_turns")),
    )
    op.create_table(
        "plans",
        sa.Column("run_id", sa.String(length=32), nullable=False),
        sa.Column("target", sa.String(length=191), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(length=80), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("changes", sa.Boolean(), nullable=False),
        sa.Column("serial", sa.BigInteger(), nullable=True),
        sa.Column("lineage", sa.String(length=255), nullable=True),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_plans_run_id")),
        sa.ForeignKeyConstraint(["target"], ["targets.id"], name=op.f("fk_plans_target")),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_plans")),
    )
    # 1: what an apply has; runs from before this revision are queued as such.
    op.add_column("runs", sa.Column("priority", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("runs", sa.Column("rollout_id", sa.String(length=32), nullable=True))
    op.add_column("runs", sa.Column("plan_run_id", sa.String(length=32), nullable=True))
    op.add_column("runs", sa.Column("hint", sa.String(length=32), nullable=True))
    op.create_index(op.f("ix_runs_rollout_id"), "runs", ["rollout_id"], unique=False)


def downgrade() -> None:
    raise NotImplementedError("epochs must not be forgotten: restore a backup instead")
