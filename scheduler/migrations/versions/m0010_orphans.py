"""What a run would make, and what it left that no state holds."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "planned_resources",
        sa.Column("run_id", sa.String(length=32), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_planned_resources_run_id")),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_planned_resources")),
    )
    op.create_table(
        "orphan_reports",
        sa.Column("run_id", sa.String(length=32), nullable=False),
        sa.Column("target", sa.String(length=191), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("basis", sa.String(length=255), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("looked_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_orphan_reports_run_id")),
        sa.ForeignKeyConstraint(["target"], ["targets.id"], name=op.f("fk_orphan_reports_target")),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_orphan_reports")),
    )
    op.create_index("ix_orphan_reports_open", "orphan_reports", ["open", "looked_at"], unique=False)
    op.create_index(op.f("ix_orphan_reports_target"), "orphan_reports", ["target"], unique=False)


def downgrade() -> None:
    raise NotImplementedError("epochs must not be forgotten: restore a backup instead")
