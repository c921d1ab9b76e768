"""One renewal for all runs of a worker: the main process sends it, but only for the runs that ask for it each time.

    pool child                                worker's main process
    `GroupMember.renew` -- ask, with time -->  `RenewalGroup`: what was asked within a few milliseconds goes into one
                        <-- that lease's --    `renew_many`: one script call, one WAIT, one script call to confirm
                            own answer

A pool child that is stopped or dead asks for nothing, and its lease lapses as if it had renewed by itself; what it
asked long ago does not count either. Its deadline counts from the time at which it asked, by its own clock. A main
process that gives no answer costs a moment, then the child renews alone.

A child reaches the group through a socket that it inherits when it is forked, so there is no path that anybody else
could open.
"""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import threading
from typing import Final, Protocol

from pydantic import ValidationError

from shared.clock import Clock
from shared.errors import InterlockError, Unavailable
from shared.lease.commands import Refusal, Refused, Renewed
from shared.lease.store import LeaseStore
from shared.log import log_event
from shared.record import Record

GATHER_MS: Final = 5
"""How long the first that asks waits for the others; their clocks wake them within a millisecond or two."""
MAX_MEMBERS: Final = 1_024
MAX_MESSAGE_BYTES: Final = 4_096

_log = logging.getLogger(__name__)


class Renewer(Protocol):
    """Renews one lease, whoever sends it."""

    def renew(self, target: str, lease_id: str) -> Renewed | Refused:
        """RENEW, made durable and confirmed. Raises Unavailable or PeerError: then it may still be ours."""
        ...


class Ask(Record):
    """A sign of life of one run."""

    number: int
    """Counts the member's questions; a late answer is told from the present one by it."""
    target: str
    """Whose lease."""
    lease_id: str
    """Exactly this one."""
    sent_ms: int
    """When it was asked, on this host's boot clock."""


class Answer(Record):
    """One of three: renewed (seq and incarnation), refused, or an error."""

    number: int
    """Of the question."""
    seq: int = 0
    """The confirmed renewal."""
    incarnation: str = ""
    """Where it is confirmed."""
    refused: Refusal | None = None
    """Why the server refused."""
    last_epoch: int = 0
    """See `Refused`."""
    error: str | None = None
    """What went wrong; the lease may still be the holder's."""


class Alone:
    """Renews by a call of its own."""

    def __init__(self, store: LeaseStore, *, replicas_timeout_ms: int) -> None:
        """Use `store`; a renewal may take `replicas_timeout_ms` to reach the replicas."""
        self._store = store
        self._replicas_timeout_ms = replicas_timeout_ms

    def renew(self, target: str, lease_id: str) -> Renewed | Refused:
        """See `Renewer`."""
        (reply,) = self._store.renew_many([(target, lease_id)], self._replicas_timeout_ms)
        if isinstance(reply, InterlockError):
            raise reply
        return reply


class GroupMember:
    """A pool child's end: asks the main process, and renews alone where that does not answer."""

    def __init__(self, connection: socket.socket, clock: Clock, *, alone: Renewer, patience_ms: int) -> None:
        """Use a connection that the group knows; wait `patience_ms` for each answer."""
        self._connection = connection
        self._connection.settimeout(patience_ms / 1000)
        self._clock = clock
        self._alone = alone
        self._number = 0
        self._is_alone = False
        self._lock = threading.Lock()

    def renew(self, target: str, lease_id: str) -> Renewed | Refused:
        """See `Renewer`."""
        with self._lock:
            self._number += 1
            ask = Ask(number=self._number, target=target, lease_id=lease_id, sent_ms=self._clock.boot_ms())
            try:
                self._connection.send(ask.model_dump_json().encode())
                answer = self._answer()
            except (OSError, ValidationError) as error:
                # Once: a main process that is frozen, or waits for a silent Redis, is so at every renewal.
                if not self._is_alone:
                    log_event(_log, "renewing_alone", level=logging.WARNING, target=target, why=_why(error))
                self._is_alone = True
                return self._alone.renew(target, lease_id)
            if self._is_alone:
                log_event(_log, "renewing_together", target=target)
            self._is_alone = False
        if answer.error is not None:
            raise Unavailable(answer.error, hint="it is tried again until the deadline")
        if answer.refused is not None:
            return Refused(reason=answer.refused, last_epoch=answer.last_epoch)
        return Renewed(seq=answer.seq, incarnation=answer.incarnation)

    def close(self) -> None:
        """Leave the group."""
        self._connection.close()

    def _answer(self) -> Answer:
        while True:
            answer = Answer.model_validate_json(self._connection.recv(MAX_MESSAGE_BYTES))
            if answer.number == self._number:
                return answer


class RenewalGroup:
    """The main process's end: a thread that renews what is asked for."""

    def __init__(self, store: LeaseStore, clock: Clock, *, renew_ms: int) -> None:
        """Prepare, before the pool is forked; `start` begins.

        Args:
            store: of the main process.
            clock: boot clock, the same that the members read.
            renew_ms: time between two renewals; a question older than that is no sign of life.
        """
        self._store = store
        self._clock = clock
        self._renew_ms = renew_ms
        self._door, self._inbox = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # Not by a flag of each call: send_fds and recv_fds drop their flags.
        self._door.setblocking(False)
        self._inbox.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._inbox, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._serve, name="renewal-group", daemon=True)
        self._open = True

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def close(self) -> None:
        """End the thread; members renew alone from now on."""
        self._inbox.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            self._forget(key.fileobj)
        self._selector.close()
        self._door.close()

    def join(self, store: LeaseStore) -> Renewer:
        """Become a member; called in a pool child, after the fork.

        Args:
            store: of the child, for when the group gives no answer.
        """
        alone = Alone(store, replicas_timeout_ms=self._renew_ms)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                socket.send_fds(self._door, [b"join"], [theirs.fileno()])
            except OSError as error:
                ours.close()
                log_event(_log, "renewing_alone", level=logging.WARNING, why=repr(error))
                return alone
        return GroupMember(ours, self._clock, alone=alone, patience_ms=self._renew_ms // 2)

    def _serve(self) -> None:
        while self._open:
            asked: dict[socket.socket, Ask] = {}
            self._collect(asked, None)
            until_ms = self._clock.boot_ms() + GATHER_MS
            while asked and (left_ms := until_ms - self._clock.boot_ms()) > 0:
                self._collect(asked, left_ms / 1000)
            oldest_ms = self._clock.boot_ms() - self._renew_ms
            fresh = {member: ask for member, ask in asked.items() if ask.sent_ms > oldest_ms}
            if fresh:
                self._renew_guarded(fresh)

    def _renew_guarded(self, asked: dict[socket.socket, Ask]) -> None:
        """This thread must outlive whatever one call runs into: without it each renewal would cost a time-out first."""
        try:
            self._renew(asked)
        except Exception as error:  # noqa: BLE001 - the members get no answer, renew alone, and ask again
            log_event(_log, "group_renewal_failed", level=logging.ERROR, runs=len(asked), error=repr(error))

    def _renew(self, asked: dict[socket.socket, Ask]) -> None:
        replies = self._store.renew_many([(ask.target, ask.lease_id) for ask in asked.values()], self._renew_ms)
        for (member, ask), reply in zip(asked.items(), replies, strict=True):
            # One that is stopped does not read; its queue is full before long, and it misses nothing that counts.
            with contextlib.suppress(OSError):
                member.send(_answer(ask.number, reply).model_dump_json().encode(), socket.MSG_DONTWAIT)

    def _collect(self, asked: dict[socket.socket, Ask], timeout_s: float | None) -> None:
        """Take what has arrived; of two questions of one member the later counts."""
        for key, _ in self._selector.select(timeout_s):
            if key.fileobj is self._inbox:
                self._admit()
                continue
            member = key.fileobj
            assert isinstance(member, socket.socket)
            try:
                asked[member] = Ask.model_validate_json(member.recv(MAX_MESSAGE_BYTES, socket.MSG_DONTWAIT))
            except (OSError, ValidationError):  # gone, mostly: then the message is empty
                asked.pop(member, None)
                self._forget(member)

    def _admit(self) -> None:
        """Let in everybody who has knocked: what they asked is taken in one go."""
        while self._open:
            try:
                message, fds, _, _ = socket.recv_fds(self._inbox, 64, 1)
            except BlockingIOError:
                return
            self._open = bool(message)
            for fd in fds:
                member = socket.socket(fileno=fd)
                if len(self._selector.get_map()) > MAX_MEMBERS:
                    member.close()  # it notices at once and renews alone
                else:
                    self._selector.register(member, selectors.EVENT_READ)

    def _forget(self, member: object) -> None:
        assert isinstance(member, socket.socket)
        self._selector.unregister(member)
        member.close()


def _why(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "the worker's main process gave no answer in time: it is frozen or busy, or Redis keeps it waiting"
    return f"the worker's main process is gone: {error!r}"


def _answer(number: int, reply: Renewed | Refused | InterlockError) -> Answer:
    if isinstance(reply, Renewed):
        return Answer(number=number, seq=reply.seq, incarnation=reply.incarnation)
    if isinstance(reply, Refused):
        return Answer(number=number, refused=reply.reason, last_epoch=reply.last_epoch)
    return Answer(number=number, error=str(reply)[:1024])
