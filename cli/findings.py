"""What a check of `interlock doctor` found."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Finding(BaseModel):
    """One check's result."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(description="What was checked; stable, for scripts.")
    status: Literal["ok", "warn", "fail"] = Field(description="warn: works, or is not needed yet; fail: does not work.")
    what: str = Field(description="What was found.")
    mend: str = Field(default="", description="What to do about it; empty when there is nothing to do.")


def ok(name: str, what: str) -> Finding:
    """All is well."""
    return Finding(name=name, status="ok", what=what)


def warn(name: str, what: str, *, mend: str) -> Finding:
    """Not needed yet, or worth knowing."""
    return Finding(name=name, status="warn", what=what, mend=mend)


def fail(name: str, what: str, *, mend: str) -> Finding:
    """Something here will not work."""
    return Finding(name=name, status="fail", what=what, mend=mend)
