"""Who approves, by the name that the command sends. A record and no proof, but at least one name a person."""

from __future__ import annotations

from scheduler.problems import invalid


def named(actor: str) -> str:
    """The name that is kept, without what surrounds it. Raises `ApiError` 400 for none: nobody approves nothing."""
    name = " ".join(actor.split())
    if not name:
        raise invalid("an approval needs the name of who approves", "send it as `actor`")
    return name


def key(name: str) -> str:
    """What is compared: `Anna@host` and `anna@host` are one person."""
    return " ".join(name.split()).casefold()
