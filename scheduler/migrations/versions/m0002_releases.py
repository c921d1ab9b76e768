"""Releases take the place of bundles: their manifests and files; which release a run deploys, a target by default.

A bundle without the phases, artifacts and lock file of its flock cannot be made into a release. So targets, with their
epochs and states, stay; until their flock is registered again nothing can be deployed to them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "blobs",
        sa.Column("digest", sa.String(length=80), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_blobs")),
    )
    op.create_table(
        "releases",
        sa.Column("sequence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("digest", sa.String(length=80), nullable=False),
        sa.Column("flock", sa.String(length=63), nullable=False),
        sa.Column("manifest", sa.LargeBinary(), nullable=False),
        sa.Column("target_count", sa.Integer(), nullable=False),
        sa.Column("actor", sa.String(length=256), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_releases")),
        sa.UniqueConstraint("digest", name=op.f("uq_releases_digest")),
    )
    op.create_index(op.f("ix_releases_flock"), "releases", ["flock"], unique=False)
    op.add_column("runs", sa.Column("release_digest", sa.String(length=80), nullable=True))
    with op.batch_alter_table("targets") as targets:
        targets.add_column(sa.Column("release_digest", sa.String(length=80), nullable=True))
        targets.drop_constraint("fk_targets_bundle_digest", type_="foreignkey")
        targets.drop_column("bundle_digest")
        targets.drop_column("variables")
    with op.batch_alter_table("flocks") as flocks:
        flocks.drop_constraint("fk_flocks_bundle_digest", type_="foreignkey")
        flocks.drop_column("bundle_digest")
    op.drop_table("bundles")


def downgrade() -> None:
    raise NotImplementedError("epochs must not be forgotten: restore a backup instead")
