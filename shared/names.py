"""Names that records carry: labels, ids, digests. Each is a pattern that pydantic holds a text against."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import StringConstraints

LABEL: Final = r"^[a-z0-9][a-z0-9-]{0,62}$"
Label = Annotated[str, StringConstraints(pattern=LABEL)]
TargetId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}(\.[a-z0-9][a-z0-9-]{0,62}){1,2}$")]
RunId = Annotated[str, StringConstraints(pattern=r"^run-[0-9a-f]{16}$")]
Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
