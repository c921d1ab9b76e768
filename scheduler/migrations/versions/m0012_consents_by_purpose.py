"""What a consent was given for, and which deployments are watched."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Of those given where something was taken back nobody can tell any more what for: whoever meant it is asked again.
    op.execute("DELETE FROM rollback_consents WHERE target IN (SELECT target FROM rollbacks)")
    op.add_column(
        "rollback_consents", sa.Column("for_the_end", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.add_column("rollback_consents", sa.Column("rollback_id", sa.String(length=32), nullable=True))
    op.create_index("ix_rollback_consents_rollback_id", "rollback_consents", ["rollback_id"], unique=False)
    op.add_column("first_states", sa.Column("watched", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute("UPDATE first_states SET watched = true WHERE run_id IN (SELECT id FROM runs WHERE status = 'baking')")


def downgrade() -> None:
    raise NotImplementedError("epochs must not be forgotten: restore a backup instead")
