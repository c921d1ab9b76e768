"""Names that more than one part must agree on."""

from __future__ import annotations

from typing import Final

STATE_HOST: Final = "interlock.internal"
"""The host name under which a sandboxed provisioner reaches its state; only the proxy knows it."""

TASK_RUN: Final = "interlock.run"
"""Name of the Celery task that attempts one run; its only argument is the run id."""

MAX_PLAN_BYTES: Final = 64 * 1024 * 1024
"""Largest plan file that is kept between a plan and its apply."""

MAX_CONTROL_BYTES: Final = 64 * 1024
"""Largest message on the control socket between worker and proxy."""

ROLES: Final = ("admin", "worker", "proxy")
"""Roles of an API token; admin may do everything."""
