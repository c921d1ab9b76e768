"""A command in this process against an API that is a plain object."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from cli.main import main
from shared.errors import ApiError
from shared.lease.view import LeaseView
from shared.models import (
    Flock,
    JournalRecord,
    LogChunk,
    Pruned,
    Release,
    ReleaseSummary,
    ReleaseTarget,
    Run,
    RunKind,
    RunStatus,
    Target,
)
from shared.release_manifest import Manifest, canonical
from shared.release_pack import pack, unpack_release
from shared.safety.records import Unused

CREATED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
DIGEST = "sha256:" + "a" * 64


@dataclass(frozen=True, kw_only=True)
class Said:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str


def make_run(**changes: Any) -> Run:
    values: dict[str, Any] = {
        "id": "run-0123456789abcdef",
        "target": "shop.local",
        "region": "local",
        "kind": RunKind.APPLY,
        "status": RunStatus.PENDING,
        "actor": "ann@desk",
        "created_at": CREATED,
    }
    return Run(**{**values, **changes})


@dataclass
class FakeApi:
    """The API as scripted by a test: each read of a run takes the next of its `stages`, the last one for ever."""

    known: list[Target] = field(default_factory=list)
    stages: dict[str, list[Run]] = field(default_factory=dict)
    log: dict[str, str] = field(default_factory=dict)
    views: list[LeaseView] = field(default_factory=list)
    records: list[JournalRecord] = field(default_factory=list)
    asked: list[tuple[Any, ...]] = field(default_factory=list)
    outcome: RunStatus = RunStatus.APPLIED
    exit_code: int | None = 0
    published: dict[str, tuple[Manifest, dict[str, bytes]]] = field(default_factory=dict)

    def release(self, digest: str) -> Release:
        if digest not in self.published:
            raise ApiError(f"no release {digest}", status=404, code="unknown_release")
        manifest, _ = self.published[digest]
        return Release(
            digest=digest,
            flock=manifest.flock,
            actor="ann@desk",
            created_at=CREATED,
            phases=manifest.phases,
            targets={
                name: ReleaseTarget.model_validate(one.model_dump(exclude={"files"}))
                for name, one in manifest.targets.items()
            },
        )

    def releases(self, *, flock: str | None = None, limit: int = 100) -> list[ReleaseSummary]:
        return [
            ReleaseSummary(
                digest=digest,
                flock=manifest.flock,
                target_count=len(manifest.targets),
                actor="ann@desk",
                created_at=CREATED,
            )
            for digest, (manifest, _) in reversed(self.published.items())
            if flock in (None, manifest.flock)
        ][:limit]

    def publish_release(self, packed: bytes, *, actor: str) -> Release:
        _, manifest, blobs = unpack_release(packed)
        self.asked.append(("publish", manifest.digest))
        self.published[manifest.digest] = manifest, blobs
        return self.release(manifest.digest)

    def prune_releases(self, *, keep: int, flock: str | None = None, dry_run: bool = False) -> Pruned:
        self.asked.append(("prune", keep, flock, dry_run))
        return Pruned(releases=(self.releases()[-1],), files=2, size=30, more=True, dry_run=dry_run)

    def release_manifest(self, digest: str) -> bytes:
        return canonical(self.published[digest][0])

    def release_files(self, digest: str, target: str) -> bytes:
        manifest, blobs = self.published[digest]
        return pack({one.digest: blobs[one.digest] for one in manifest.files_of(target).values()})

    def put_flock(self, name: str, release_digest: str) -> Flock:
        self.asked.append(("put_flock", name, release_digest))
        manifest, _ = self.published[release_digest]
        self.known = [
            Target(
                id=target,
                flock=name,
                region=one.region,
                provider_region=one.provider_region,
                release_digest=release_digest,
                epoch=0,
            )
            for target, one in manifest.targets.items()
        ]
        return Flock(name=name, targets=tuple(self.known))

    def targets(self) -> list[Target]:
        return self.known

    def create_run(
        self,
        target: str,
        kind: RunKind,
        *,
        argv: tuple[str, ...] = (),
        actor: str = "",
        release_digest: str | None = None,
    ) -> Run:
        self.asked.append(("create_run", target, kind, argv))
        if target not in [one.id for one in self.known]:
            raise ApiError(f"no target {target}", status=404, code="not_found")
        run = make_run(
            id=f"run-{len(self.stages):016x}",
            target=target,
            kind=kind,
            argv=argv,
            actor=actor,
            release_digest=release_digest,
        )
        ended = run.model_copy(update={"status": self.outcome, "epoch": 1, "node": "n1", "exit_code": self.exit_code})
        self.stages[run.id] = [run, ended]
        self.log[run.id] = f"log of {target}\n"
        return run

    def run(self, run_id: str) -> Run:
        if run_id not in self.stages:
            raise ApiError(f"no run {run_id}", status=404, code="not_found", hint="`interlock run ls` lists runs")
        stages = self.stages[run_id]
        return stages.pop(0) if len(stages) > 1 else stages[0]

    def runs(
        self, *, target: str | None = None, status: str | None = None, kind: str | None = None, limit: int = 100
    ) -> list[Run]:
        self.asked.append(("runs", target, status, limit) if kind is None else ("runs", kind))
        return [stages[-1] for stages in self.stages.values()][:limit]

    def cancel_run(self, run_id: str) -> Run:
        self.asked.append(("cancel", run_id))
        return self.run(run_id)

    def logs(self, run_id: str, *, offset: int = 0) -> LogChunk:
        content = self.log.get(run_id, "").encode()
        piece = content[offset : offset + 8]
        return LogChunk(
            text=piece.decode(), next_offset=offset + len(piece), complete=offset + len(piece) >= len(content)
        )

    def leases(self) -> list[LeaseView]:
        return self.views

    def lease(self, target: str) -> LeaseView:
        return next(view for view in self.views if view.target == target)

    def revoke_lease(self, target: str, reason: str) -> LeaseView:
        self.asked.append(("revoke", target, reason))
        return self.lease(target)

    def unused_of_safety_plan(self, run_id: str) -> Unused:
        raise ApiError(f"{run_id} has no safety plan", status=404, code="not_found")

    def journal(self, **choice: Any) -> list[JournalRecord]:
        self.asked.append(("journal", choice))
        return self.records


def stand_in(monkeypatch: pytest.MonkeyPatch, fake: object) -> None:
    """Let commands find `fake` where they would connect to the API."""
    monkeypatch.setattr("cli.context.api", lambda settings=None: nullcontext(fake))


@pytest.fixture
def fake_api(monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    fake = FakeApi()
    stand_in(monkeypatch, fake)
    monkeypatch.setattr("cli.follow.POLL_S", 0.0)
    return fake


@pytest.fixture
def interlock(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> Callable[..., Said]:
    """Run one command in this process, with a home of its own and nothing configured."""
    monkeypatch.setenv("INTERLOCK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("INTERLOCK_DEBUG", raising=False)
    monkeypatch.chdir(tmp_path)

    def run(*argv: str) -> Said:
        capsys.readouterr()
        code = main(argv)
        said = capsys.readouterr()
        return Said(code=code, out=said.out, err=said.err)

    return run


@pytest.fixture
def run_like() -> Callable[..., Run]:
    """Make a run; named values replace the defaults."""
    return make_run


@pytest.fixture
def target_like() -> Callable[..., Target]:
    """Make a target; named values replace the defaults."""

    def make(**changes: Any) -> Target:
        values: dict[str, Any] = {
            "id": "shop.local",
            "flock": "shop",
            "region": "local",
            "provider_region": "eu-west-1",
            "release_digest": DIGEST,
            "epoch": 3,
        }
        return Target(**{**values, **changes})

    return make


@pytest.fixture
def view_like() -> Callable[..., LeaseView]:
    """Make a view of a held lease; named values replace the defaults."""

    def make(**changes: Any) -> LeaseView:
        values: dict[str, Any] = {
            "target": "shop.local",
            "incarnation": "i:r",
            "cleared": True,
            "state": "held",
            "lease_id": "3-" + "b" * 32,
            "epoch": 3,
            "seq": 7,
            "ttl_ms": 10_000,
            "pttl_ms": 8_500,
            "run_id": "run-0123456789abcdef",
            "node": "n1",
            "since_ms": 1_767_323_045_000,
        }
        return LeaseView(**{**values, **changes})

    return make


@pytest.fixture
def flock_file(tmp_path: Any) -> Any:
    """A flock of two targets with one Terraform file."""
    (tmp_path / "tf").mkdir()
    (tmp_path / "tf" / "main.tf").write_text(
        'variable "size" {\n  type = number\n}\nvariable "tier" {}\nresource "terraform_data" "x" {}\n'
    )
    path = tmp_path / "flock.yaml"
    path.write_text(
        "name: shop\nconfiguration: tf\nvariables: {size: 1, tier: a}\n"
        "targets:\n- region: local\n"
        "- {region: eu-west-1, name: blue, provider_region: eu-west-3, variables: {size: 2}}\n"
    )
    return path
