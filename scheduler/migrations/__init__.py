"""Alembic migrations; `scheduler.database.Database.migrate` runs them."""
