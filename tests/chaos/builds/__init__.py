"""Test-only builds: the real commands with ONE rule switched off, for the tests of the judge.

They live here and nowhere else: nothing that is installed imports this package, and no setting leads to it.

    gate            the proxy's gate always allows, and a cut leaves the sockets alone
    window          the observer expires a lease as soon as renewals are missed
    embargo         a new incarnation of Redis grants at once
    state_fence     the state backend takes a write of any epoch, whoever holds the lease
"""

from __future__ import annotations

from typing import Any


def replace(owner: Any, name: str, by: Any) -> None:
    """Put `by` in the place of a rule. Raises AttributeError when none has this name: nothing would be proven."""
    if name not in vars(owner):
        raise AttributeError(f"{owner.__name__} has no rule called {name}")
    setattr(owner, name, by)
