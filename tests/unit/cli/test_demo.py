"""`interlock demo`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

Interlock = Callable[..., Any]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    seen: list[dict[str, Any]] = []
    story = ModuleType("deploy.demo.story")

    def run_demo(**options: Any) -> int:
        seen.append(options)
        return 1 if options["unfenced"] else 0

    story.run_demo = run_demo  # type: ignore[attr-defined]  # a module made for this test
    monkeypatch.setitem(sys.modules, "deploy.demo.story", story)
    return seen


def test_the_verdict_is_the_exit_code(interlock: Interlock, calls: list[dict[str, Any]], tmp_path: Path) -> None:
    assert interlock("demo").code == 0
    assert interlock("demo", "--unfenced", "--json", "--plugin-dir", str(tmp_path)).code == 1
    assert calls == [
        {"json_output": False, "unfenced": False, "plugin_dir": None},
        {"json_output": True, "unfenced": True, "plugin_dir": tmp_path},
    ]


def test_a_plugin_directory_that_is_not_there_is_refused_at_once(
    interlock: Interlock, calls: list[dict[str, Any]]
) -> None:
    said = interlock("demo", "--plugin-dir", "/nowhere")
    assert said.code == 64
    assert "/nowhere does not exist" in said.err
    assert calls == []
