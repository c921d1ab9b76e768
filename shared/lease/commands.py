"""Every operation as a value: which script, which keys, which arguments, and how to read the reply.

No I/O here; `shared.lease.store` sends these, synchronously or not. A script is the incarnation prelude, the table
of transitions (made from `shared.lease.machine`), the common part, and the operation's own text from `lua/`.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any, Final

from shared.errors import PeerError
from shared.lease import keys
from shared.lease.machine import TRANSITIONS, State
from shared.lease.view import Attachment, LeaseView

SCRIPTS: Final = (
    "acquire", "renew", "confirm", "attach", "release", "revoke", "acknowledge", "expire", "mark", "clear", "view",
    "renew_many", "confirm_many",
)  # fmt: skip
MAX_ATTACHMENTS: Final = 64
"""Boots that may attach to one lease; a proxy that restarts more often than that is broken."""
MAX_TEXT_BYTES: Final = 1024
MAX_MANY: Final = 500
"""Leases in one call: some 5 ms of the server's time, in which nobody else is answered."""
MAX_EPOCH: Final = 2**53 - 1
"""Lua counts in doubles; beyond this a + 1 may be lost."""

_ACQUIRE_ID: Final = re.compile(r"^[0-9a-f]{32}\Z")
_NONCE: Final = re.compile(r"^[0-9a-f]{8}\Z")
_PROXY_ID: Final = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,252}\Z")


class Refusal(StrEnum):
    """Why the server refused. A state's name means: the lease is in that state, which does not allow the operation."""

    EMBARGOED = "embargoed"  # this incarnation has not been cleared for the target, or its state is gone
    HELD = "held"  # ACQUIRE: the last holder may still act
    STALE_EPOCH = "stale_epoch"  # ACQUIRE: an epoch at least as high was granted or fenced off; see last_epoch
    ENDED = "ended"  # ACQUIRE repeated: its lease was granted and is over
    OTHER_LEASE = "other_lease"  # the target's lease is another one
    OTHER_INCARNATION = "other_incarnation"  # the server was restarted or failed over since
    KEY_GONE = "key_gone"  # RENEW: the lease key has expired; it is never made again
    UNKNOWN_SEQ = "unknown_seq"  # CONFIRM: of a renewal that the server does not know
    RENEWED = "renewed"  # EXPIRE: the lease was renewed since
    NOT_CLEAR = "not_clear"  # EXPIRE without Q: a boot on record has not acknowledged, or has calls in flight
    OTHER_ABSENCE = "other_absence"  # CLEAR: the absence of the state that was waited for is over, or not this one
    NOT_ATTACHED = "not_attached"  # ACKNOWLEDGE: there is no record of this boot
    ACKNOWLEDGED = "acknowledged"  # ATTACH: this boot has said that it is cut
    TOO_MANY = "too_many"  # ATTACH: more boots than a healthy installation has
    FREE = "free"
    RELEASING = "releasing"
    REVOKING = "revoking"
    RELEASED = "released"
    SEVERED = "severed"
    EXPIRED = "expired"


@dataclass(frozen=True, kw_only=True, slots=True)
class Refused:
    """Nothing was changed."""

    reason: Refusal
    last_epoch: int
    """Highest epoch granted or fenced off, for a claim that must go above it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Granted:
    """The lease is this holder's; it counts only once it is durable and confirmed."""

    lease_id: str
    epoch: int
    seq: int
    incarnation: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Renewed:
    """The lease lives on."""

    seq: int
    incarnation: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Broken:
    """One lease of many could not be looked at: its keys are not what they should be."""

    why: str
    """The server's words."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Attached:
    """This boot is on record; `seq` is the lease's at that instant."""

    seq: int
    incarnation: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Marked:
    """The absence of the target's state is called `absence`; empty when there is a state."""

    absence: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Cleared:
    """The target may be granted in this incarnation, above `last_epoch`."""

    last_epoch: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """What to send."""

    script: str
    keys: tuple[str, ...]
    args: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Command[T]:
    """What to send and how to read what comes back. `parse` raises PeerError for another format."""

    call: Call
    parse: Callable[[Any], T]


def acquire(
    target: str, *, epoch: int, acquire_id: str, ttl_ms: int, holder: str, run_id: str, node: str, credential_hash: str
) -> Command[Granted | Refused]:
    """ACQUIRE. Raises ValueError for arguments that are no epoch, id or TTL."""
    if not 1 <= epoch <= MAX_EPOCH:
        raise ValueError(f"epoch {epoch} is not positive, or too large to count")
    if not _ACQUIRE_ID.match(acquire_id):
        raise ValueError("an acquire id is 32 hex digits")
    if ttl_ms <= 0:
        raise ValueError(f"a TTL of {ttl_ms} ms")
    args = (str(epoch), acquire_id, str(ttl_ms), *map(_bounded, (holder, run_id, node, credential_hash)))
    return _command("acquire", target, args, _granted)


def renew(target: str, lease_id: str) -> Command[Renewed | Refused]:
    """RENEW."""
    return _command("renew", target, (lease_id,), _renewed)


def confirm(target: str, lease_id: str, incarnation: str, seq: int) -> Command[bool]:
    """CONFIRM; true when it was taken."""
    return _command("confirm", target, (lease_id, incarnation, str(seq)), _confirmed)


def renew_many(leases: Sequence[tuple[str, str]]) -> Command[list[Renewed | Refused | Broken]]:
    """RENEW for each (target, lease id); in a cluster all of one slot. Raises ValueError for more than `MAX_MANY`."""
    return _many("renew", [target for target, _ in leases], [(lease_id,) for _, lease_id in leases], _renewed)


def confirm_many(leases: Sequence[tuple[str, str, Renewed]]) -> Command[list[bool | Broken]]:
    """CONFIRM for each (target, lease id, renewal); otherwise like `renew_many`."""
    args = [(lease_id, renewal.incarnation, str(renewal.seq)) for _, lease_id, renewal in leases]
    return _many("confirm", [target for target, _, _ in leases], args, _confirmed)


def attach(target: str, lease_id: str, proxy_id: str, boot_id: str) -> Command[Attached | Refused]:
    """ATTACH."""
    args = (lease_id, *_boot(proxy_id, boot_id), str(MAX_ATTACHMENTS))
    return _command("attach", target, args, _attached)


def release(target: str, lease_id: str) -> Command[State | Refused]:
    """RELEASE; the state that follows."""
    return _command("release", target, (lease_id,), _state)


def revoke(target: str, lease_id: str, reason: str) -> Command[State | Refused]:
    """REVOKE; the state that follows."""
    return _command("revoke", target, (lease_id, _bounded(reason)), _state)


def acknowledge(target: str, lease_id: str, proxy_id: str, boot_id: str, in_flight: int) -> Command[State | Refused]:
    """ACKNOWLEDGE; the state that follows. Raises ValueError for a negative count."""
    if in_flight < 0:
        raise ValueError(f"{in_flight} calls in flight")
    return _command("acknowledge", target, (lease_id, *_boot(proxy_id, boot_id), str(in_flight)), _state)


def expire(target: str, incarnation: str, lease_id: str, seq: int, *, waited_unknown: bool) -> Command[State | Refused]:
    """EXPIRE; the state that follows. Only an observer may ask for it.

    `waited_unknown` says that it waited W + Q; without that the server demands that every boot has acknowledged.
    """
    return _command("expire", target, (incarnation, lease_id, str(seq), str(int(waited_unknown))), _state)


def new_nonce() -> str:
    """Return the random part of a mark."""
    return secrets.token_hex(4)


def mark(target: str, incarnation: str, nonce: str) -> Command[Marked | Refused]:
    """MARK: name the absence of the state. Raises ValueError for a nonce that is not 8 hex digits."""
    if not _NONCE.match(nonce):
        raise ValueError("the random part of a mark is 8 hex digits")
    return _command("mark", target, (incarnation, nonce), _marked)


def clear(target: str, incarnation: str, epoch: int, absence: str) -> Command[Cleared | Refused]:
    """CLEAR of the absence of that name, empty when there is a state. Raises ValueError for an impossible epoch."""
    if not 0 <= epoch <= MAX_EPOCH:
        raise ValueError(f"database epoch {epoch} is negative, or too large to count")
    return _command("clear", target, (incarnation, str(epoch), absence), _cleared)


def view(target: str) -> Command[LeaseView]:
    """Look at everything about the target at one instant."""
    return _command("view", target, (), lambda reply: _view(target, reply))


@cache
def info_prelude() -> str:
    """Return the Lua text that finds a real server's incarnation."""
    return _lua("prelude_info")


def script_text(name: str, prelude: str) -> str:
    """Return the whole Lua text of one script."""
    table = ",\n".join(f'  ["{state} {op}"] = "{after}"' for (state, op), after in TRANSITIONS.items())
    one, many, _ = name.partition("_many")
    head = f"{prelude}\nlocal NEXT = {{\n{table}\n}}\n"
    if not many:
        return f"{head}{_lua('common')}\n{_lua(one)}"
    before, loop = _lua("many").split("-- <the common part>\n")
    return f"{head}{before}{_lua('common')}\n{loop.replace('-- <the operation>', _lua(one))}"


@cache
def _lua(name: str) -> str:
    return (files(__package__) / "lua" / f"{name}.lua").read_text(encoding="utf-8")


def _command[T](script: str, target: str, args: Sequence[str], read: Callable[[list[Any]], T]) -> Command[T]:
    call = Call(
        script=script, keys=tuple(keys.target_keys(target).as_list()), args=(target, keys.EVENTS_CHANNEL, *args)
    )
    return Command(call=call, parse=_parser(f"{script} on {target}", read))


def _many[T](
    operation: str, targets: Sequence[str], args: Sequence[tuple[str, ...]], read: Callable[[list[Any]], T]
) -> Command[list[T | Broken]]:
    if not 1 <= len(targets) <= MAX_MANY:
        raise ValueError(f"{len(targets)} leases in one call; 1 to {MAX_MANY} may be")
    names = [keys.target_keys(target) for target in targets]
    call = Call(
        script=f"{operation}_many",
        keys=tuple(key for name in names for key in (name.lease, name.state)),
        args=(str(len(args[0])), keys.EVENTS_CHANNEL, *(word for words in args for word in words)),
    )

    def each(replies: list[Any]) -> list[T | Broken]:
        if len(replies) != len(targets):
            raise ValueError(f"{len(replies)} answers for {len(targets)} leases")
        return [Broken(why=str(reply[1])) if reply[0] == "failed" else read(reply) for reply in replies]

    return Command(call=call, parse=_parser(call.script, each))


def _parser[T](what: str, read: Callable[[list[Any]], T]) -> Callable[[Any], T]:
    def parse(reply: Any) -> T:
        try:
            return read(_text(reply))
        except (ValueError, IndexError, TypeError, KeyError, AttributeError) as error:
            raise PeerError(
                f"Redis answered {what} in an unknown format: {error}",
                hint=f"do all processes speak version {keys.CONTRACT_VERSION} of the key contract?",
            ) from error

    return parse


def _bounded(text: str) -> str:
    if len(text.encode()) > MAX_TEXT_BYTES:
        raise ValueError(f"text of more than {MAX_TEXT_BYTES} bytes")
    return text


def _boot(proxy_id: str, boot_id: str) -> tuple[str, str]:
    if not _PROXY_ID.match(proxy_id):
        raise ValueError(f"not a proxy id: {proxy_id!r}")
    if not _ACQUIRE_ID.match(boot_id):
        raise ValueError("a boot id is 32 hex digits")
    return proxy_id, boot_id


def _text(reply: Any) -> Any:
    if isinstance(reply, bytes):
        return reply.decode()
    if isinstance(reply, list | tuple):
        return [_text(item) for item in reply]
    return reply


def _refused(reply: list[Any]) -> Refused:
    if reply[0] != "refused":
        raise ValueError(f"unexpected {reply[0]!r}")
    return Refused(reason=Refusal(reply[1]), last_epoch=int(reply[2]))


def _granted(reply: list[Any]) -> Granted | Refused:
    if reply[0] != "granted":
        return _refused(reply)
    return Granted(lease_id=str(reply[1]), epoch=int(reply[2]), seq=int(reply[3]), incarnation=str(reply[4]))


def _renewed(reply: list[Any]) -> Renewed | Refused:
    return Renewed(seq=int(reply[1]), incarnation=str(reply[2])) if reply[0] == "renewed" else _refused(reply)


def _confirmed(reply: list[Any]) -> bool:
    if reply[0] == "confirmed":
        return True
    _refused(reply)
    return False


def _attached(reply: list[Any]) -> Attached | Refused:
    return Attached(seq=int(reply[1]), incarnation=str(reply[2])) if reply[0] == "attached" else _refused(reply)


def _state(reply: list[Any]) -> State | Refused:
    return State(reply[1]) if reply[0] == "state" else _refused(reply)


def _marked(reply: list[Any]) -> Marked | Refused:
    return Marked(absence=str(reply[1])) if reply[0] == "marked" else _refused(reply)


def _cleared(reply: list[Any]) -> Cleared | Refused:
    return Cleared(last_epoch=int(reply[1])) if reply[0] == "cleared" else _refused(reply)


def _view(target: str, reply: list[Any]) -> LeaseView:
    _, incarnation, cleared_for, pttl_ms, flat_state, flat_attach, absence = reply
    fields = dict(zip(flat_state[::2], flat_state[1::2], strict=True))
    common = {
        "target": target,
        "incarnation": incarnation,
        "cleared": cleared_for == incarnation,
        "pttl_ms": int(pttl_ms),
        "absence": absence,
        "attachments": tuple(
            _attachment(name, value) for name, value in zip(flat_attach[::2], flat_attach[1::2], strict=True)
        ),
    }
    if not fields:
        return LeaseView(**common)
    return LeaseView(
        **common,
        state=State(fields["state"]),
        lease_id=fields["lease_id"],
        acquire_id=fields["acquire_id"],
        epoch=int(fields["last_epoch"]),
        seq=int(fields["seq"]),
        confirmed_incarnation=fields["confirmed_incarnation"],
        confirmed_seq=int(fields["confirmed_seq"]),
        ttl_ms=int(fields["ttl_ms"]),
        holder=fields["holder"],
        run_id=fields["run_id"],
        node=fields["node"],
        credential_hash=fields["credential_hash"],
        since_ms=int(fields["since_ms"]),
        changed_ms=int(fields["changed_ms"]),
        reason=fields["reason"],
        attach_count=int(fields["attachments"]),
    )


def _attachment(name: str, value: str) -> Attachment:
    proxy_id, boot_id = name.rsplit("/", 1)
    acknowledged, in_flight, incarnation = value.split(" ", 2)
    return Attachment(
        proxy_id=proxy_id,
        boot_id=boot_id,
        incarnation=incarnation,
        acknowledged=acknowledged == "1",
        in_flight=int(in_flight),
    )
