"""What is deployed, and where."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from scheduler.tables.base import Base, RowId, UtcDateTime


class BlobRow(Base):
    """One file of a release; content-addressed and immutable, shared by every release that has it."""

    __tablename__ = "blobs"

    digest: Mapped[str] = mapped_column(String(80), primary_key=True)
    content: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    size: Mapped[int] = mapped_column(BigInteger)


class ReleaseRow(Base):
    """A release: its canonical manifest, whose SHA-256 is its name. Never changed; `retention` deletes old ones."""

    __tablename__ = "releases"

    #: Orders releases by publication; clocks step.
    sequence: Mapped[int] = mapped_column(RowId, primary_key=True)
    digest: Mapped[str] = mapped_column(String(80), unique=True)
    flock: Mapped[str] = mapped_column(String(63), index=True)
    manifest: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    target_count: Mapped[int] = mapped_column(Integer)
    actor: Mapped[str] = mapped_column(String(256))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class FlockRow(Base):
    """A service's infrastructure, by name."""

    __tablename__ = "flocks"

    name: Mapped[str] = mapped_column(String(63), primary_key=True)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class TargetRow(Base):
    """One instance of a flock in a region: the unit of mutual exclusion. Never deleted."""

    __tablename__ = "targets"

    id: Mapped[str] = mapped_column(String(191), primary_key=True)
    flock: Mapped[str] = mapped_column(ForeignKey("flocks.name"), index=True)
    region: Mapped[str] = mapped_column(String(63))
    provider_region: Mapped[str] = mapped_column(String(64))
    #: What a run deploys that names no release: registered last, or applied last. None: published only, or registered
    #: by a version that knew no releases.
    release_digest: Mapped[str | None] = mapped_column(String(80))
    #: The last epoch granted; 0 means that nothing was ever granted.
    epoch: Mapped[int] = mapped_column(BigInteger, default=0)
