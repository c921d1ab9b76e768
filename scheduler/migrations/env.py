"""Alembic's entry: runs inside the transaction that `Database.migrate` opened, never on a connection of its own."""

from alembic import context

from scheduler.tables import Base

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata, compare_type=True)
with context.begin_transaction():
    context.run_migrations()
