"""A run that bakes or rolls back occupies its target."""

from alembic import op
from sqlalchemy import text

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_ACTIVE = text("status IN ('claimed', 'planning', 'applying', 'baking', 'rolling_back', 'settling')")


def upgrade() -> None:
    op.drop_index("uq_runs_active_target", table_name="runs")
    op.create_index(
        "uq_runs_active_target",
        "runs",
        ["target"],
        unique=True,
        sqlite_where=_ACTIVE,
        postgresql_where=_ACTIVE,
    )


def downgrade() -> None:
    raise NotImplementedError("epochs must not be forgotten: restore a backup instead")
