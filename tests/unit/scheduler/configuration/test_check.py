"""Every seeded error is found, where it stands; what is right is left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from scheduler.configuration import check as module
from tests.unit.scheduler.configuration.corpus import CORPUS
from tests.unit.scheduler.configuration.fleets import FILES, checked, findings
from tests.unit.scheduler.configuration.seeded import Seeded


@pytest.mark.parametrize("seeded", CORPUS, ids=lambda seeded: seeded.name)
def test_no_seeded_error_passes_silently(seeded: Seeded, tmp_path: Path) -> None:
    found = findings(tmp_path, seeded.files())
    place = f"{tmp_path}/{seeded.place()}"
    fitting = [
        one
        for one in found
        if one.kind is seeded.kind
        and str(one.origin) == place
        and seeded.says in f"{one.message} {one.hint}"
        and one.severity is seeded.severity
    ]
    assert fitting, "\n".join([f"wanted {seeded.kind} at {place}", *(f"{one.line()} | {one.hint}" for one in found)])
    assert all(one.hint for one in found), "each finding says the way out"


def test_the_corpus_is_as_large_as_promised_and_no_error_is_seeded_twice() -> None:
    assert len({seeded.name for seeded in CORPUS}) == len(CORPUS) >= 60


def test_what_would_fill_the_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_RENDERED_CHARS", 1000)
    (told,) = findings(tmp_path, FILES)
    assert "larger than" in told.message
    assert told.hint


def test_where_nothing_is_wrong_nothing_is_found(tmp_path: Path) -> None:
    assert checked(tmp_path).report.findings == ()
