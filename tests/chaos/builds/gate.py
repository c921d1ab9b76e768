"""The proxy without its gate: every check allows, in process and kernel, and a cut severs nothing. For `proxy`."""

from __future__ import annotations

from typing import Any

from shared.lease.gate import Decision, ProxyGate
from signing_proxy.kernel_gate import NoLease
from signing_proxy.runs import AttachedRun
from tests.chaos.builds import replace


def switch_off() -> None:
    """Switch the gate off in this process."""
    attach: Any = AttachedRun.__init__

    def without_kernel(self: AttachedRun, *arguments: Any, **_: Any) -> None:
        attach(self, *arguments[:2], NoLease())

    replace(ProxyGate, "check", lambda _self, _now_ms: Decision(allowed=True, reason="the gate is switched off"))
    replace(AttachedRun, "__init__", without_kernel)
    replace(AttachedRun, "sever_all", lambda _self, _why: 0)
