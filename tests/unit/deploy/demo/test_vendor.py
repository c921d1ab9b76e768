"""The stand-in provider must run with nothing but an interpreter and what was copied beside it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from deploy.demo import vendor


def test_the_copy_is_enough_to_load_the_provider(tmp_path: Path) -> None:
    vendor.copy_packages(tmp_path)
    interpreter = getattr(sys, "_base_executable", sys.executable)
    start = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r});"
        "from deploy.demo.offline.__main__ import RESOURCES; import botocore, grpc, cryptography.x509, tf;"
        f"assert all(m.__file__.startswith({str(tmp_path)!r}) for m in (botocore, grpc, tf)); print(len(RESOURCES))"
    )
    done = subprocess.run([interpreter, "-ISB", "-c", start], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip() == "30", done.stderr


def test_only_the_services_that_are_called_are_copied(tmp_path: Path) -> None:
    vendor.copy_packages(tmp_path)
    data = {path.name for path in (tmp_path / "botocore" / "data").iterdir() if path.is_dir()}
    assert data == vendor.SERVICES


def test_a_package_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vendor, "PACKAGES", ("no_such_package",))
    with pytest.raises(ModuleNotFoundError, match="no_such_package"):
        vendor.copy_packages(tmp_path)
