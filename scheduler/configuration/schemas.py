"""JSON Schemas of the files, for editors. Written to docs/schemas/ by `python -m scheduler.configuration.schemas`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from scheduler.configuration.models import FlockFile, RealmFile, RegionFile

SCHEMAS: Final[Mapping[str, type[BaseModel]]] = {
    "flock.schema.json": FlockFile,
    "realm.schema.json": RealmFile,
    "region.schema.json": RegionFile,
}


def schema_text(model: type[BaseModel]) -> str:
    """The schema of one kind of file, as it is published."""
    schema: dict[str, Any] = {"$schema": "https://json-schema.org/draft/2020-12/schema", **model.model_json_schema()}
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def write_schemas(folder: Path) -> list[Path]:
    """Write every schema into `folder`; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, model in SCHEMAS.items():
        path = folder / name
        path.write_text(schema_text(model), encoding="utf-8")
        written.append(path)
    return written


if __name__ == "__main__":
    for path in write_schemas(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/schemas")):
        sys.stdout.write(f"{path}\n")
