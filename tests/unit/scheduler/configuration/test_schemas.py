"""The published schemas are current, and every file of the examples fits them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scheduler.configuration.schemas import SCHEMAS, schema_text, write_schemas

ROOT = Path(__file__).resolve().parents[4]


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_published_schema_is_the_models(name: str) -> None:
    published = (ROOT / "docs" / "schemas" / name).read_text()
    assert published == schema_text(SCHEMAS[name]), "run python -m scheduler.configuration.schemas"


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_key_is_explained_to_the_editor(name: str) -> None:
    schema = json.loads(schema_text(SCHEMAS[name]))
    assert schema["$schema"].startswith("https://json-schema.org/")
    for part in [schema, *schema.get("$defs", {}).values()]:
        if "enum" in part:
            continue
        assert part["additionalProperties"] is False
        assert all("description" in key for key in part["properties"].values())


def test_schemas_are_written_where_asked(tmp_path: Path) -> None:
    assert {path.name for path in write_schemas(tmp_path / "new")} == set(SCHEMAS)
