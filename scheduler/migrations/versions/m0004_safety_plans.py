"""Safety plans and their approvals."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "safety_plans",
        sa.Column("run_id", sa.String(length=32), nullable=False),
        sa.Column("target", sa.String(length=191), nullable=False),
        sa.Column("release_digest", sa.String(length=80), nullable=False),
        sa.Column("digest", sa.String(length=80), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("verdict", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_safety_plans_run_id")),
        sa.ForeignKeyConstraint(["target"], ["targets.id"], name=op.f("fk_safety_plans_target")),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_safety_plans")),
    )
    op.create_index("ix_safety_plans_release_digest", "safety_plans", ["release_digest", "digest"], unique=False)
    op.create_table(
        "safety_approvals",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("release_digest", sa.String(length=80), nullable=False),
        sa.Column("digest", sa.String(length=80), nullable=False),
        sa.Column("approver", sa.String(length=256), nullable=False),
        sa.Column("run_id", sa.String(length=32), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_safety_approvals_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_safety_approvals")),
    )
    op.create_index(
        "uq_safety_approvals_person",
        "safety_approvals",
        ["release_digest", "digest", "approver"],
        unique=True,
    )


def downgrade() -> None:
    raise NotImplementedError("epochs must not be forgotten: restore a backup instead")
