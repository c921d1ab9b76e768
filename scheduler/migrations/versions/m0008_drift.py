"""Drift: what checks found, where targets stand, how often ignore rules were used."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "drift_checks",
        sa.Column("run_id", sa.String(32), nullable=False),
        sa.Column("target", sa.String(191), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("release_digest", sa.String(80), nullable=False),
        sa.Column("digest", sa.String(80), nullable=False),
        sa.Column("roll_up", sa.String(16), nullable=False),
        sa.Column("shape", sa.String(80), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("items", sa.JSON(), nullable=False),
        sa.Column("hits", sa.JSON(), nullable=False),
        sa.Column("report", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_drift_checks_run_id")),
        sa.ForeignKeyConstraint(["target"], ["targets.id"], name=op.f("fk_drift_checks_target")),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_drift_checks")),
    )
    op.create_index("ix_drift_checks_target", "drift_checks", ["target", "epoch"])
    op.create_table(
        "drift_standings",
        sa.Column("target", sa.String(191), nullable=False),
        sa.Column("deployed", sa.Boolean(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True)),
        sa.Column("roll_up", sa.String(16)),
        sa.Column("shape", sa.String(80), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True)),
        sa.Column("run_id", sa.String(32)),
        sa.Column("pending_roll_up", sa.String(16)),
        sa.Column("pending_shape", sa.String(80), nullable=False),
        sa.Column("repeats", sa.Integer(), nullable=False),
        sa.Column("changes", sa.Integer(), nullable=False),
        sa.Column("told_roll_up", sa.String(16), nullable=False),
        sa.Column("told_shape", sa.String(80), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True)),
        sa.Column("told_group", sa.String(80)),
        sa.Column("checked_run_id", sa.String(32)),
        sa.Column("checked_at", sa.DateTime(timezone=True)),
        sa.Column("last_run_id", sa.String(32)),
        sa.Column("last_status", sa.String(16)),
        sa.Column("last_reason", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("given_way", sa.String(32)),
        sa.Column("remedy", sa.String(16)),
        sa.Column("remediation", sa.Text(), nullable=False),
        sa.Column("rollout_id", sa.String(32)),
        sa.ForeignKeyConstraint(["target"], ["targets.id"], name=op.f("fk_drift_standings_target")),
        sa.PrimaryKeyConstraint("target", name=op.f("pk_drift_standings")),
    )
    op.create_index("ix_drift_standings_due_at", "drift_standings", ["due_at"])
    op.create_index("ix_drift_standings_told_group", "drift_standings", ["told_group"])
    op.create_index("ix_drift_standings_remedy", "drift_standings", ["remedy"])
    op.create_table(
        "drift_hits",
        sa.Column("flock", sa.String(63), nullable=False),
        sa.Column("rule", sa.String(80), nullable=False),
        sa.Column("hits", sa.BigInteger(), nullable=False),
        sa.Column("last_hit_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_run_id", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("flock", "rule", name=op.f("pk_drift_hits")),
    )


def downgrade() -> None:
    raise NotImplementedError("epochs must not be forgotten: restore a backup instead")
