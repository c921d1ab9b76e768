"""What a hostile provisioner tries. Each attempt succeeds without the sandbox and fails in it.

Twice: against a worker of the user that runs the tests (as root in CI, so the provisioner is root in its sandbox), and,
where the tests run as root, against a worker that is an ordinary user.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.escapes import payloads
from tests.integration.escapes.hosts import NOBODY, Host
from tests.integration.escapes.table import ATTEMPTS, Attempt

OURS, ORDINARY = "this_user", "an_ordinary_user"


class Hosts:
    """Made when first asked for."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._made: dict[str, Host] = {}

    def __getitem__(self, kind: str) -> Host:
        if kind not in self._made:
            self._made[kind] = self._stack.enter_context(Host(os.getuid() if kind == OURS else NOBODY))
        return self._made[kind]


@pytest.fixture(scope="module")
def hosts() -> Iterator[Hosts]:
    with ExitStack() as stack:
        yield Hosts(stack)


def cases() -> Iterator[object]:
    """Every attempt against each worker that it would succeed against."""
    for attempt in ATTEMPTS:
        needs_root = attempt.cloud or attempt.whose == "root"
        marks = (pytest.mark.debian,) if needs_root else ()
        if attempt.whose != "not root":
            yield pytest.param(attempt, OURS, id=f"{attempt.name}-{OURS}", marks=marks)
        if attempt.whose != "root" and not attempt.proxy:
            yield pytest.param(attempt, ORDINARY, id=f"{attempt.name}-{ORDINARY}", marks=pytest.mark.debian)


@pytest.mark.parametrize(("attempt", "worker"), list(cases()))
def test_a_provisioner_fails_to(attempt: Attempt, worker: str, hosts: Hosts) -> None:
    host = hosts[worker]
    assert host.victim
    if attempt.proxy:
        assert host.proxy_pid
    arguments = attempt.arguments(host)
    outside = host.outside(attempt.payload, arguments)
    assert "got" in outside, f"without the sandbox it has to succeed: {outside}"
    assert attempt.evidence in outside["got"]
    inside = host.inside(attempt.payload, arguments)
    assert inside.get("stopped") in attempt.refusal, inside


def test_every_payload_is_tried() -> None:
    assert set(payloads.attempts()) == {attempt.payload for attempt in ATTEMPTS}


def test_the_threat_model_lists_every_attempt_with_its_wall() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "threat-model.md").read_text()
    missing = [line for line in map(row, ATTEMPTS) if line not in page]
    assert not missing, "docs/threat-model.md lacks:\n" + "\n".join(missing)


def row(attempt: Attempt) -> str:
    """How the threat model shows an attempt."""
    without = {"any": "succeeds", "root": "succeeds as root", "not root": "succeeds as an ordinary user"}[attempt.whose]
    return f"| {attempt.to} | {without} | {attempt.wall} |"
