"""A person approves the same plan once for each run: a phase's gate asks for an approval of its own."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("uq_safety_approvals_person", table_name="safety_approvals")
    op.create_index(
        "uq_safety_approvals_person",
        "safety_approvals",
        ["release_digest", "digest", "approver", "run_id"],
        unique=True,
    )


def downgrade() -> None:
    raise NotImplementedError("epochs must not be forgotten: restore a backup instead")
