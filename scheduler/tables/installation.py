"""What is known about the installation as a whole."""

from datetime import datetime

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from scheduler.tables.base import Base, UtcDateTime


class TokenRow(Base):
    """A bearer token, of which only the SHA-256 is kept."""

    __tablename__ = "tokens"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    role: Mapped[str] = mapped_column(String(16))
    #: The installation that holds the clear text; a new token of the same origin and role replaces this one.
    origin: Mapped[str] = mapped_column(String(512))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class MetaRow(Base):
    """Facts about this database as a whole, such as the fingerprint of the key its states are encrypted with."""

    __tablename__ = "meta"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str] = mapped_column(Text)


class TickRow(Base):
    """Proof that somebody took on a tick: the unique row decides between beats."""

    __tablename__ = "ticks"

    schedule: Mapped[str] = mapped_column(String(64), primary_key=True)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
