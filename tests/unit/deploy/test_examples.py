"""The examples are flocks that load, with a configuration that declares what they set."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from shared.models import load_flock

ROOT = Path(__file__).resolve().parent.parent.parent.parent
FLOCKS = sorted([*ROOT.glob("examples/*/flock.yaml"), ROOT / "deploy" / "demo" / "flock" / "flock.yaml"])


@pytest.mark.parametrize("path", FLOCKS, ids=lambda path: path.parent.name)
def test_every_variable_that_a_flock_sets_is_declared_and_every_required_one_is_set(path: Path) -> None:
    flock = load_flock(path)
    text = "\n".join(file.read_text() for file in sorted((path.parent / flock.configuration).glob("*.tf")))
    declared = dict(re.findall(r'^variable "(\w+)" \{\n(.*?)^\}', text, re.MULTILINE | re.DOTALL))
    required = {name for name, body in declared.items() if "default" not in body}
    for target in flock.targets:
        given = set(flock.target_variables(target))
        assert given <= set(declared)
        # The worker sets provider_region where it is declared.
        assert required <= given | {"provider_region"}


def test_the_readme_names_every_example() -> None:
    readme = (ROOT / "examples" / "README.md").read_text()
    assert len(FLOCKS) == 3
    for path in FLOCKS:
        assert path.parent.relative_to(ROOT).as_posix().removeprefix("examples/") in readme
