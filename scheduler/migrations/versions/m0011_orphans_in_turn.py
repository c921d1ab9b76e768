"""Reports of what was left are looked at in turn, and so is what ended well."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_UNEXAMINED = sa.text("status = 'applied' AND NOT examined")


def upgrade() -> None:
    op.add_column("orphan_reports", sa.Column("checked_at", _TIME, nullable=True))
    op.execute("UPDATE orphan_reports SET checked_at = looked_at")
    op.add_column("orphan_reports", sa.Column("rule_applied", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.drop_index("ix_orphan_reports_open", "orphan_reports")
    op.create_index("ix_orphan_reports_open", "orphan_reports", ["open", "checked_at"], unique=False)
    # What ended before is not looked at: nobody waits for it any more. What is at work is, once it has ended.
    op.add_column("runs", sa.Column("examined", sa.Boolean(), nullable=False, server_default=sa.true()))
    statuses = ("pending", "claimed", "planning", "applying", "baking", "rolling_back", "settling")
    runs = sa.table("runs", sa.column("status", sa.String()), sa.column("examined", sa.Boolean()))
    op.execute(runs.update().where(runs.c.status.in_(statuses)).values(examined=sa.false()))
    op.create_index(
        "ix_runs_unexamined",
        "runs",
        ["sequence"],
        unique=False,
        sqlite_where=_UNEXAMINED,
        postgresql_where=_UNEXAMINED,
    )


def downgrade() -> None:
    raise NotImplementedError("epochs must not be forgotten: restore a backup instead")
