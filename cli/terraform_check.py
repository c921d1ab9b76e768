"""`terraform validate` for the targets of a flock, on this machine and without their state.

Validation depends on the generic files and on provider overrides, never on values: a configuration is initialised once,
and targets that share its overrides are validated by one call. Providers come from `INTERLOCK_PLUGIN_DIR` where that is
set.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from scheduler.configuration.check import Checked
from scheduler.configuration.generic_files import generic_files
from scheduler.configuration.nodes import Origin
from scheduler.configuration.render import PROVIDERS_FILE, RenderedTarget
from scheduler.configuration.report import Finding, Kind, Severity
from shared.settings import Settings
from worker.terraform_binary import find_terraform

TIMEOUT_S: Final = 600
MAX_MESSAGE_CHARS: Final = 2000


def terraform_findings(checked: Checked, settings: Settings) -> list[Finding]:
    """What Terraform says about every target. Raises ConfigurationError when there is no Terraform."""
    terraform = find_terraform(settings.terraform).argv(confined=False)
    groups: dict[str, dict[str | None, list[RenderedTarget]]] = {}
    for target in checked.targets:
        of_configuration = groups.setdefault(target.plan.configuration, {})
        of_configuration.setdefault(target.files.get(PROVIDERS_FILE), []).append(target)
    findings: list[Finding] = []
    for configuration, by_override in groups.items():
        with tempfile.TemporaryDirectory(prefix="interlock-validate-") as name:
            work = Path(name)
            source = checked.flock.folder(configuration)
            for path in generic_files(source):
                copy = work / path.relative_to(source)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, copy)
            alike = list(by_override.values())
            findings.extend(
                _initialise(terraform, work, source, alike, settings) or _validate_all(terraform, work, source, alike)
            )
    return findings


def _initialise(
    terraform: tuple[str, ...], work: Path, source: Path, alike: list[list[RenderedTarget]], settings: Settings
) -> list[Finding]:
    """What is wrong when providers are installed: nothing, or one finding for all targets of the configuration."""
    _write_files(work, alike[0][0])
    plugins = [f"-plugin-dir={settings.plugin_dir}"] if settings.plugin_dir else []
    init = _run([*terraform, "init", "-backend=false", "-input=false", "-no-color", *plugins], work)
    if init.returncode == 0:
        return []
    return [
        Finding(
            kind=Kind.TERRAFORM,
            origin=Origin(str(source), 1),
            message=f"terraform init: {' '.join((init.stderr or init.stdout).split())[:MAX_MESSAGE_CHARS]}",
            hint="INTERLOCK_PLUGIN_DIR names a mirror for a provider that cannot be found; --offline leaves this out",
            targets=tuple(sorted(target.id for targets in alike for target in targets)),
        )
    ]


def _write_files(work: Path, target: RenderedTarget) -> None:
    """Lay a target's files beside the generic ones, in the place of another target's."""
    (work / PROVIDERS_FILE).unlink(missing_ok=True)
    for file, text in target.files.items():
        (work / file).write_text(text, encoding="utf-8")


def _validate_all(
    terraform: tuple[str, ...], work: Path, source: Path, alike: list[list[RenderedTarget]]
) -> Iterator[Finding]:
    for targets in alike:
        _write_files(work, targets[0])
        yield from _validate(terraform, work, source, targets)


def _validate(terraform: tuple[str, ...], work: Path, source: Path, targets: list[RenderedTarget]) -> Iterator[Finding]:
    ids = tuple(sorted(target.id for target in targets))
    done = _run([*terraform, "validate", "-json", "-no-color"], work)
    try:
        result = json.loads(done.stdout)
    except ValueError:
        message = f"terraform validate: {' '.join((done.stderr or done.stdout).split())[:MAX_MESSAGE_CHARS]}"
        yield Finding(kind=Kind.TERRAFORM, origin=Origin(str(source), 1), message=message, targets=ids)
        return
    for diagnostic in result.get("diagnostics", []):
        yield diagnostic_finding(diagnostic, source, targets)


def diagnostic_finding(diagnostic: dict[str, Any], source: Path, targets: list[RenderedTarget]) -> Finding:
    """One of Terraform's diagnostics as a finding of ours. Pure."""
    place = diagnostic.get("range") or {}
    file, start = place.get("filename"), place.get("start") or {}
    origin = Origin(str(source / file) if file else str(source), start.get("line", 1), start.get("column", 1))
    if file == PROVIDERS_FILE:
        # The file is ours; what can be mended are the values that it was made of.
        origin = targets[0].providers.origin
    detail = " ".join(str(diagnostic.get("detail") or "").split())
    return Finding(
        kind=Kind.TERRAFORM,
        origin=origin,
        message=" ".join(str(diagnostic.get("summary") or "").split())[:MAX_MESSAGE_CHARS],
        hint=detail[:MAX_MESSAGE_CHARS],
        severity=Severity.ERROR if diagnostic.get("severity") == "error" else Severity.WARNING,
        targets=tuple(sorted(target.id for target in targets)),
    )


def _run(argv: list[str], work: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv, cwd=work, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
