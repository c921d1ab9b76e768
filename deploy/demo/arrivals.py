"""The cloud's own log: one line when a request arrives, one when it is answered.

The verdict is computed from this log and from nothing that Interlock wrote, so the format is small
and plain: JSON lines, each flushed before the request goes on. A request whose second line is
missing was never answered.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Arrived(BaseModel):
    """One request, as the cloud saw it arrive. Written before anything is done about it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    event: Literal["arrived"] = "arrived"
    seq: int = Field(description="Counts the requests in the order in which they were read.")
    arrived_ns: int = Field(
        description="When the kernel received the request's first bytes, in ns since 1970. "
        "Of bytes that the kernel merged into one buffer it keeps the last time, so this is never early."
    )
    arrived_boot_ms: float = Field(description="The same instant on the boot clock, in ms.")
    host: str = Field(description="The Host header.")
    method: str = Field(description="The HTTP method.")
    path: str = Field(description="The raw path and query, cut at 2 KiB.")
    service: str = Field(description="The service in the signature's scope, or empty.")
    region: str = Field(description="The region in the signature's scope, or empty.")
    operation: str = Field(description="The operation's name; for S3 one made of method and sub-resource.")
    mutating: bool = Field(description="False only for what is known to be a read.")
    access_key: str = Field(description="The access key id that the request names, or empty.")
    signature: str = Field(description="`ok`, or why the signature was not accepted.")
    target: str | None = Field(default=None, description="The target that the signer named, if any.")
    epoch: int | None = Field(default=None, description="The epoch that the signer named, if any.")
    run: str | None = Field(default=None, description="The run that the signer named, if any.")

    @property
    def accepted(self) -> bool:
        """Whether the cloud acted on this request: its signature was good."""
        return self.signature == "ok"


class Done(BaseModel):
    """The answer to the request with the same `seq`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    event: Literal["done"] = "done"
    seq: int = Field(description="The request that was answered.")
    status: int = Field(description="The HTTP status of the answer.")
    done_ns: int = Field(description="When the answer was ready, in ns since 1970.")


class Call(BaseModel):
    """A request together with its answer; `done` is None while there is none."""

    model_config = ConfigDict(frozen=True)

    arrived: Arrived
    done: Done | None = None


def read_calls(lines: Iterable[str]) -> list[Call]:
    """The calls of a log in the order of their arrival.

    A last line that is still being written (it has no newline) is left out.

    Raises:
        ValueError: a complete line is not one of the cloud's, or an answer has no request.
    """
    arrived: dict[int, Arrived] = {}
    done: dict[int, Done] = {}
    for line in lines:
        if not line.endswith("\n"):
            break
        record = json.loads(line)
        if record.get("event") == "arrived":
            entry = Arrived.model_validate(record)
            arrived[entry.seq] = entry
        else:
            answer = Done.model_validate(record)
            if answer.seq not in arrived:
                raise ValueError(f"the cloud's log answers request {answer.seq}, which never arrived")
            done[answer.seq] = answer
    calls = [Call(arrived=entry, done=done.get(seq)) for seq, entry in arrived.items()]
    return sorted(calls, key=lambda call: (call.arrived.arrived_boot_ms, call.arrived.seq))


class LogTail:
    """Reads what was added to a growing log since the last look. Not for two threads at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def read(self) -> list[Arrived | Done]:
        """The complete lines written since the last call; none while the file does not exist."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as log:
            log.seek(self._offset)
            data = log.read()
        complete = data[: data.rfind(b"\n") + 1]
        self._offset += len(complete)
        entries: list[Arrived | Done] = []
        for line in complete.decode().splitlines():
            record = json.loads(line)
            kind = Arrived if record.get("event") == "arrived" else Done
            entries.append(kind.model_validate(record))
        return entries
