"""Exit codes of the `interlock` command: Terraform's -detailed-exitcode first, then sysexits(3)."""

from __future__ import annotations

from typing import Final

OK: Final = 0
"""It worked; for a plan: no changes."""
ERROR: Final = 1
"""It failed; the message says why."""
CHANGES: Final = 2
"""A plan worked and has changes (as terraform plan -detailed-exitcode)."""
USAGE: Final = 64
"""Wrong arguments or configuration (EX_USAGE)."""
UNAVAILABLE: Final = 69
"""Redis, the API or the database cannot be reached (EX_UNAVAILABLE)."""
LEASE_LOST: Final = 75
"""The lease was lost on the way; another try may succeed (EX_TEMPFAIL)."""
REFUSED: Final = 77
"""The lease was revoked or not given, the token may not do this, or nobody approved it (EX_NOPERM)."""
CANCELED: Final = 130
"""Canceled by the user (128 + SIGINT)."""
