"""What the bodies of requests have in common."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("one line of printable characters: no line break, no control character")
    return text


def _made_one_line(text: object) -> object:
    if not isinstance(text, str) or text.isprintable():
        return text
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())


#: What a person writes: what a terminal or a database would take for something else is refused.
Line = Annotated[str, AfterValidator(_one_line)]
#: What a holder says, perhaps in the words of a program: refused, its report would be lost, so that is left out of it.
Said = Annotated[str, BeforeValidator(_made_one_line)]
Actor = Annotated[Line, Field(default="", max_length=256, description="who asks, for the record")]
Holder = Annotated[str, Field(min_length=1, max_length=128, description="nonce of the execution that holds the run")]


class RequestBody(BaseModel):
    """A field that nobody knows is refused: what was misspelt would be left out without a word."""

    model_config = ConfigDict(extra="forbid")
