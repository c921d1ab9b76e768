"""What the bodies of requests have in common."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Actor = Annotated[str, Field(default="", max_length=256, description="who asks, for the record")]
Holder = Annotated[str, Field(min_length=1, max_length=128, description="nonce of the execution that holds the run")]


class RequestBody(BaseModel):
    """A field that nobody knows is refused: what was misspelt would be left out without a word."""

    model_config = ConfigDict(extra="forbid")
