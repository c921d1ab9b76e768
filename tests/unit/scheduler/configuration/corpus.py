"""All seeded errors; `seeded` says what one is."""

from __future__ import annotations

from tests.unit.scheduler.configuration.seeded import Seeded
from tests.unit.scheduler.configuration.seeded_files import FILES_AND_SYNTAX, SCHEMA, TARGETS
from tests.unit.scheduler.configuration.seeded_values import (
    DECLARATIONS,
    GENERIC,
    LAYERS,
    REFERENCES,
    SECRETS_AND_STATES,
    TYPES,
)

CORPUS: tuple[Seeded, ...] = (
    *FILES_AND_SYNTAX,
    *SCHEMA,
    *TARGETS,
    *DECLARATIONS,
    *TYPES,
    *REFERENCES,
    *LAYERS,
    *SECRETS_AND_STATES,
    *GENERIC,
)
