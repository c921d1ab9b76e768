"""The worker's side of the control socket of the signing proxy: one connection for each run, open for the run's life.

The connection itself is a sign of life: when this process dies the kernel closes it, and the proxy cuts the run.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from shared.control import (
    Acked,
    AllowanceHolds,
    AskAllowance,
    Attach,
    Attached,
    Cut,
    Done,
    Latched,
    Message,
    Open,
    Poll,
    Refused,
    Shut,
    receive_message,
    send_message,
)
from shared.errors import LeaseRefused, PeerError, Unavailable
from shared.log import log_event

ANSWER_LIMIT_S = 30.0
# The proxy waits for calls in flight before it acknowledges.
DONE_LIMIT_S = 60.0

_log = logging.getLogger(__name__)


class ProxyClient:
    """One run's connection. Answers are awaited; a `cut` is reported from a thread as soon as it comes."""

    def __init__(
        self, path: Path, on_cut: Callable[[str], None], on_latched: Callable[[Latched], None] | None = None
    ) -> None:
        """Connect.

        Args:
            path: the proxy's control socket.
            on_cut: called with the reason, from another thread, when the proxy cut the run or is gone.
            on_latched: called, from another thread, when the proxy refused a call outside the run's allowance.

        Raises:
            Unavailable: no proxy listens there.
        """
        self._on_cut = on_cut
        self._on_latched = on_latched
        self._answers: queue.Queue[Message | None] = queue.Queue(maxsize=16)
        self._ended = threading.Event()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self._socket.settimeout(ANSWER_LIMIT_S)
            self._socket.connect(os.fspath(path))
            self._socket.settimeout(None)
        except OSError as error:
            self._socket.close()
            raise Unavailable(
                f"the signing proxy does not answer at {path}: {error.strerror or error}",
                hint="start `interlock proxy` on this host with the same INTERLOCK_HOME or INTERLOCK_PROXY_SOCKET",
            ) from error
        self._thread = threading.Thread(target=self._read, name="proxy-events", daemon=True)
        self._thread.start()

    def attach(self, request: Attach, listener: socket.socket | None) -> Attached:
        """Ask the proxy to sign for this run.

        Args:
            request: the run, its lease and its placeholders.
            listener: made inside the sandbox; None when the proxy shall open a port itself.

        Raises:
            LeaseRefused: the proxy did not attach.
            Unavailable: it is gone or did not answer.
        """
        answer = self._ask(request, ANSWER_LIMIT_S, [listener.fileno()] if listener is not None else [])
        if isinstance(answer, Attached):
            return answer
        if isinstance(answer, Refused):
            raise LeaseRefused(f"the signing proxy did not attach: {answer.reason}", hint="the proxy's log says more")
        raise _unexpected(answer)

    def poll(self) -> Open | Shut:
        """Ask whether the gate is open, after a renewal.

        Raises:
            Unavailable: the proxy is gone or did not answer.
        """
        answer = self._ask(Poll(), ANSWER_LIMIT_S)
        if isinstance(answer, Open | Shut):
            return answer
        raise _unexpected(answer)

    def refresh_allowance(self) -> AllowanceHolds:
        """Have the proxy ask the scheduler what this run may do; what holds from now on.

        Raises:
            Unavailable: the proxy is gone or did not answer.
        """
        answer = self._ask(AskAllowance(), ANSWER_LIMIT_S)
        if isinstance(answer, AllowanceHolds):
            return answer
        raise _unexpected(answer)

    def done(self) -> Acked:
        """Tell the proxy that the lease is given up; returns once its gate is shut and it said so in Redis.

        Raises:
            Unavailable: the proxy is gone or did not answer in time.
        """
        self._ended.set()
        while True:
            answer = self._ask(Done(), DONE_LIMIT_S)
            if isinstance(answer, Acked):
                return answer
            raise _unexpected(answer)

    def close(self) -> None:
        """Close the connection; without a `done` before, the proxy cuts the run."""
        self._ended.set()
        with contextlib.suppress(OSError):
            # Wakes the reading thread, which close alone would leave in its system call.
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(ANSWER_LIMIT_S)
        self._socket.close()

    def _ask(self, message: Message, limit_s: float, fds: list[int] | None = None) -> Message:
        try:
            send_message(self._socket, message, fds or [])
        except OSError as error:
            raise _gone() from error
        try:
            answer = self._answers.get(timeout=limit_s)
        except queue.Empty:
            raise Unavailable(
                f"the signing proxy did not answer within {limit_s} s", hint="look at its log; is it stopped?"
            ) from None
        if answer is None:
            raise _gone()
        return answer

    def _read(self) -> None:
        while True:
            try:
                message, fds = receive_message(self._socket)
            except (OSError, PeerError) as error:
                log_event(_log, "proxy_connection_broken", level=logging.WARNING, error=error)
                message, fds = None, []
            for fd in fds:
                os.close(fd)
            if isinstance(message, Cut):
                if not self._ended.is_set():
                    self._on_cut(message.reason)
                continue
            if isinstance(message, Latched):
                if self._on_latched is not None:
                    self._on_latched(message)
                continue
            with contextlib.suppress(queue.Full):  # a proxy that floods us gets no more attention
                self._answers.put_nowait(message)
            if message is None:
                if not self._ended.is_set():
                    self._on_cut("the signing proxy is gone")
                return


def _gone() -> Unavailable:
    return Unavailable("the signing proxy is gone", hint="restart it; the lease ends by itself")


def _unexpected(answer: Message) -> PeerError:
    return PeerError(
        f"the signing proxy answered {type(answer).__name__} where that has no place",
        hint="are worker and proxy of one version?",
    )
