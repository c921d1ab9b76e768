"""The migrations."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from scheduler.database import Database
from scheduler.tables import Base


def test_the_migrations_make_exactly_the_tables_that_the_code_uses(database: Database) -> None:
    with database.connect() as connection:
        migrations = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(migrations, Base.metadata) == []
        assert migrations.get_current_revision() == "0012"
