"""Messages between a worker and the signing proxy on its host.

A unix SOCK_SEQPACKET connection, one for each run, open for the run's life: its end tells the proxy that the
worker died. One packet is one JSON object of at most 64 KiB; the attach may carry one listening socket.
"""

from __future__ import annotations

import array
import os
import socket
from collections.abc import Sequence
from typing import Annotated, Final, Literal, Self

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from shared.constants import MAX_CONTROL_BYTES
from shared.errors import PeerError
from shared.lease.timing import LeaseTiming
from shared.models import Identifiers, RunId, TargetId
from shared.record import Record

MAX_FDS: Final = 1


class Attach(Record):
    """Worker to proxy: sign for this run, for callers of this socket."""

    op: Literal["attach"] = "attach"
    run_id: RunId = Field(description="the run")
    target: TargetId = Field(description="its target")
    epoch: int = Field(ge=1, description="its epoch")
    lease_id: str = Field(min_length=1, max_length=128, description="its lease")
    actor: str = Field(default="", max_length=256, description="who asked for the run")
    timing: LeaseTiming = Field(description="durations of the lease protocol")
    access_key_id: str = Field(max_length=128, description="placeholder key of the run")
    secret_access_key: str = Field(max_length=128, repr=False, description="its secret")
    proxy_user: str = Field(max_length=128, description="user for Proxy-Authorization")
    proxy_password: str = Field(max_length=128, repr=False, description="its password")
    state_username: str = Field(max_length=128, description="user that the provisioner shows to the state backend")
    listen: Literal["fd", "tcp"] = Field(description="fd: a listening socket comes along; tcp: the proxy opens one")

    @model_validator(mode="after")
    def _lease_of_this_epoch(self) -> Self:
        if not self.lease_id.startswith(f"{self.epoch}-"):
            raise ValueError(f"lease {self.lease_id} is not of epoch {self.epoch}")
        return self


class Poll(Record):
    """Worker to proxy: a renewal was confirmed; look at once."""

    op: Literal["poll"] = "poll"


class Done(Record):
    """Worker to proxy: the lease is being released; shut the gate and acknowledge."""

    op: Literal["done"] = "done"


class AskAllowance(Record):
    """Worker to proxy: what this run may do has changed; ask the scheduler again."""

    op: Literal["allowance"] = "allowance"


class Attached(Record):
    """Proxy to worker: attached."""

    event: Literal["attached"] = "attached"
    seq: int = Field(ge=0, description="seq of the lease when it attached")
    port: int | None = Field(default=None, ge=1, le=65535, description="port on 127.0.0.1, for listen=tcp")


class Refused(Record):
    """Proxy to worker: not attached, and why."""

    event: Literal["refused"] = "refused"
    reason: str = Field(max_length=1024, description="why")


class Open(Record):
    """Proxy to worker: the gate is open."""

    event: Literal["open"] = "open"
    deadline_ms: int = Field(description="until then, on this host's boot clock")


class Shut(Record):
    """Proxy to worker: the gate is not open."""

    event: Literal["shut"] = "shut"
    reason: str = Field(max_length=1024, description="why")


class Acked(Record):
    """Proxy to worker: the gate is shut, everything is cut, Redis knows."""

    event: Literal["acked"] = "acked"
    in_flight: int = Field(ge=0, description="mutating calls of unknown outcome")


class Cut(Record):
    """Proxy to worker, unasked: the run was cut."""

    event: Literal["cut"] = "cut"
    reason: str = Field(max_length=1024, description="why")
    in_flight: int = Field(ge=0, description="mutating calls of unknown outcome")


class AllowanceHolds(Record):
    """Proxy to worker: what is held against the run's calls from now on."""

    event: Literal["allowance"] = "allowance"
    mode: Literal["reads", "entries", "unbounded", "unknown"] = Field(
        description="unknown: the scheduler did not say; it is asked again at the next call, and nothing is signed"
    )
    entries: int = Field(default=0, ge=0, description="with mode entries: how many kinds of change")
    why: str = Field(default="", max_length=1024, description="for people")


class Latched(Record):
    """Proxy to worker, unasked: a call outside the allowance was refused; nothing that changes is signed any more."""

    event: Literal["latched"] = "latched"
    service: str = Field(max_length=128, description="signing name of the service called")
    operation: str = Field(max_length=256, description="its operation; Unknown where it can't be told")
    resource: Identifiers = Field(default_factory=dict, description="identifying parameters of the request")
    reason: str = Field(max_length=1024, description="why it was refused")


Request = Annotated[Attach | Poll | AskAllowance | Done, Field(discriminator="op")]
Event = Annotated[
    Attached | Refused | Open | Shut | Acked | Cut | AllowanceHolds | Latched, Field(discriminator="event")
]
Message = (
    Attach | Poll | AskAllowance | Done | Attached | Refused | Open | Shut | Acked | Cut | AllowanceHolds | Latched
)

_ADAPTER: Final[TypeAdapter[Message]] = TypeAdapter(Request | Event)


def send_message(sock: socket.socket, message: Message, fds: Sequence[int] = ()) -> None:
    """Send one message, with copies of `fds`. Raises ValueError when it is too long, OSError from the socket."""
    data = message.model_dump_json(exclude_none=True).encode()
    if len(data) > MAX_CONTROL_BYTES:
        raise ValueError(f"control message of {len(data)} bytes, at most {MAX_CONTROL_BYTES} are allowed")
    if len(fds) > MAX_FDS:
        raise ValueError(f"{len(fds)} file descriptors, at most {MAX_FDS} are allowed")
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds).tobytes())] if fds else []
    sock.sendmsg([data], rights, socket.MSG_NOSIGNAL)


def receive_message(sock: socket.socket) -> tuple[Message | None, list[int]]:
    """Receive one message and the descriptors that came along; (None, []) when the peer is gone.

    The caller owns the descriptors. Raises PeerError for anything that is not one whole valid message (what came
    along is closed), and OSError from the socket; BlockingIOError on a non-blocking one with nothing to read.
    """
    # Not socket.recv_fds: it drops its flags argument (Python 3.13), and a listening socket that is not
    # close-on-exec would live on in every process that is started later.
    space = socket.CMSG_SPACE(MAX_FDS * array.array("i").itemsize)
    data, ancillary, flags, _ = sock.recvmsg(MAX_CONTROL_BYTES, space, socket.MSG_CMSG_CLOEXEC)
    fds = _received(ancillary)
    try:
        if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
            raise PeerError(
                "control message is too long or carries too many descriptors", hint="are both of one version?"
            )
        if not data:
            if fds:
                raise PeerError("empty control message with a descriptor", hint="are both of one version?")
            return None, []
        message = _ADAPTER.validate_json(data)
    except ValidationError as error:
        _close(fds)
        # The input is left out: it can hold the run's placeholder secret.
        kinds = ", ".join(sorted({item["type"] for item in error.errors(include_input=False)}))
        raise PeerError(f"control message is not valid ({kinds})", hint="are both of one version?") from None
    except PeerError:
        _close(fds)
        raise
    return message, fds


def _received(ancillary: Sequence[tuple[int, int, bytes]]) -> list[int]:
    fds = array.array("i")
    for level, kind, content in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(content[: len(content) - len(content) % fds.itemsize])
    return list(fds)


def _close(fds: Sequence[int]) -> None:
    for fd in fds:
        os.close(fd)
