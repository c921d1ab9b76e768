"""`interlock version`."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable
from importlib import metadata
from typing import Any

import pytest

from cli import version


def test_version_names_interlock_and_python(interlock: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "version", lambda name: {"interlock-provisioning": "1.2.3"}[name])
    assert interlock("version").out == f"interlock 1.2.3 (Python {platform.python_version()})\n"
    assert json.loads(interlock("version", "--json").out) == {"version": "1.2.3", "python": platform.python_version()}


def test_a_source_tree_that_was_never_installed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    assert version.own_version() == "unknown"
