"""First states, rollbacks and what they reserve, consents by name."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("runs", sa.Column("rollback_requested", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table(
        "first_states",
        sa.Column("run_id", sa.String(length=32), nullable=False),
        sa.Column("target", sa.String(length=191), nullable=False),
        sa.Column("release_digest", sa.String(length=80), nullable=True),
        sa.Column("state_version_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("rearranged", sa.JSON(), nullable=True),
        sa.Column("inherits", sa.String(length=32), nullable=True),
        sa.Column("created_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_first_states_run_id")),
        sa.ForeignKeyConstraint(["target"], ["targets.id"], name=op.f("fk_first_states_target")),
        sa.ForeignKeyConstraint(
            ["state_version_id"], ["state_versions.id"], name=op.f("fk_first_states_state_version_id")
        ),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_first_states")),
    )
    op.create_index("ix_first_states_target", "first_states", ["target", "run_id"], unique=False)
    op.create_index(op.f("ix_first_states_release_digest"), "first_states", ["release_digest"], unique=False)
    op.create_table(
        "rollbacks",
        sa.Column("sequence", _ROW_ID, nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("run_id", sa.String(length=32), nullable=False),
        sa.Column("target", sa.String(length=191), nullable=False),
        sa.Column("flock", sa.String(length=63), nullable=False),
        sa.Column("rollout_id", sa.String(length=32), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("reserved", sa.Boolean(), nullable=False),
        sa.Column("current_run_id", sa.String(length=32), nullable=False),
        sa.Column("trigger", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(length=256), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("plan", sa.JSON(), nullable=True),
        sa.Column("verdict", sa.JSON(), nullable=True),
        sa.Column("planned_by", sa.String(length=32), nullable=True),
        sa.Column("result", sa.JSON(), nullable=True),
        sa.Column("comparison", sa.JSON(), nullable=True),
        sa.Column("result_of", sa.String(length=32), nullable=True),
        sa.Column("told", sa.String(length=16), nullable=True),
        sa.Column("triggered_at", _TIME, nullable=False),
        sa.Column("started_at", _TIME, nullable=True),
        sa.Column("finished_at", _TIME, nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_rollbacks_run_id")),
        sa.ForeignKeyConstraint(["target"], ["targets.id"], name=op.f("fk_rollbacks_target")),
        sa.ForeignKeyConstraint(["current_run_id"], ["runs.id"], name=op.f("fk_rollbacks_current_run_id")),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_rollbacks")),
        sa.UniqueConstraint("id", name=op.f("uq_rollbacks_id")),
        sa.UniqueConstraint("run_id", name=op.f("uq_rollbacks_run_id")),
    )
    op.create_index(
        "uq_rollbacks_reserved_target",
        "rollbacks",
        ["target"],
        unique=True,
        sqlite_where=sa.text("reserved = 1"),
        postgresql_where=sa.text("reserved"),
    )
    op.create_index(op.f("ix_rollbacks_current_run_id"), "rollbacks", ["current_run_id"], unique=False)
    op.create_index(op.f("ix_rollbacks_rollout_id"), "rollbacks", ["rollout_id"], unique=False)
    op.create_table(
        "rollback_consents",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("release_digest", sa.String(length=80), nullable=False),
        sa.Column("target", sa.String(length=191), nullable=False),
        sa.Column("address", sa.String(length=2048), nullable=False),
        sa.Column("approver", sa.String(length=256), nullable=False),
        sa.Column("run_id", sa.String(length=32), nullable=False),
        sa.Column("given_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(["target"], ["targets.id"], name=op.f("fk_rollback_consents_target")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_rollback_consents_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rollback_consents")),
    )
    op.create_index(
        "ix_rollback_consents_release_digest", "rollback_consents", ["release_digest", "target"], unique=False
    )


def downgrade() -> None:
    raise NotImplementedError("epochs must not be forgotten: restore a backup instead")
