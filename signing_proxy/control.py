"""The control socket: one connection a run, from the worker on this host. Its end means that the worker died."""

import asyncio
import contextlib
import fcntl
import logging
import os
import socket
import struct
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
    Poll,
    Refused,
    Shut,
    receive_message,
    send_message,
)
from shared.control import Open as OpenEvent
from shared.errors import ConfigurationError, InterlockError, PeerError
from shared.lease.gate import Open
from shared.log import log_event
from signing_proxy.background import TaskKeeper
from signing_proxy.core import ProxyCore
from signing_proxy.keeper import LeaseKeeper
from signing_proxy.permissions import Permissions
from signing_proxy.runs import AttachedRun, Latch

logger = logging.getLogger(__name__)

BACKLOG = 64
MAX_SESSIONS = 1024
ATTACH_TIMEOUT_S = 30.0
# After its worker's death a provisioner may live on for a moment: it gets its 403 instead of a closed door.
LISTEN_ON_S = 10.0
ACCEPT_PAUSE_S = 0.5


class ControlServer:
    """Listens at a path in the file system, for processes of this user and of root."""

    def __init__(
        self, *, path: Path, core: ProxyCore, keeper: LeaseKeeper, permissions: Permissions, tasks: TaskKeeper
    ) -> None:
        self._path = path
        self._core = core
        self._keeper = keeper
        self._permissions = permissions
        self._tasks = tasks
        self._sessions = 0
        self._lock = -1
        self._listener: socket.socket | None = None

    def start(self) -> None:
        """Listen. Raises ConfigurationError when another proxy serves this path, or the path can't be made."""
        hint = "Stop the other proxy, or give this one a path of its own with INTERLOCK_PROXY_SOCKET."
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock_path = self._path.with_name(self._path.name + ".lock")
            self._lock = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(self._lock)
                self._lock = -1
                raise ConfigurationError(f"another signing proxy serves {self._path}", hint=hint) from None
            # Whoever holds the lock owns the path: what lies there is left over from a proxy that died.
            self._path.unlink(missing_ok=True)
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
            old_mask = os.umask(0o177)
            try:
                listener.bind(str(self._path))
            finally:
                os.umask(old_mask)
            listener.listen(BACKLOG)
        except OSError as error:
            raise ConfigurationError(f"can't listen at {self._path}: {error.strerror or error}", hint=hint) from error
        self._listener = listener
        self._tasks.start(self._accept(listener), name="control socket")

    def close(self) -> None:
        """Listen no more. Sessions end with their tasks."""
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
            self._path.unlink(missing_ok=True)
        if self._lock >= 0:
            os.close(self._lock)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(listener)
            except OSError as error:
                # No descriptors left, mostly: that passes. Without this loop no run could attach ever again.
                log_event(logger, "control_accept_failed", level=logging.ERROR, error=error)
                await asyncio.sleep(ACCEPT_PAUSE_S)
                continue
            if self._sessions >= MAX_SESSIONS or not _trusted(connection):
                log_event(logger, "control_refused", level=logging.WARNING, sessions=self._sessions)
                connection.close()
                continue
            self._sessions += 1
            self._tasks.start(self._session(connection), name="control session")

    async def _session(self, connection: socket.socket) -> None:
        session = Session(
            connection, core=self._core, keeper=self._keeper, permissions=self._permissions, tasks=self._tasks
        )
        try:
            await session.serve()
        except (PeerError, OSError) as error:
            log_event(logger, "control_failed", level=logging.WARNING, error=error)
        except asyncio.CancelledError:
            session.listen_on_s = 0  # the proxy is stopping
            raise
        finally:
            self._sessions -= 1
            session.close()
            await session.linger()


class Session:
    """The conversation about one run."""

    def __init__(
        self,
        connection: socket.socket,
        *,
        core: ProxyCore,
        keeper: LeaseKeeper,
        permissions: Permissions,
        tasks: TaskKeeper,
    ) -> None:
        connection.setblocking(False)
        self._connection = connection
        self._core = core
        self._keeper = keeper
        self._permissions = permissions
        self._tasks = tasks
        self._polling: asyncio.Task[None] | None = None
        self._asking: asyncio.Task[None] | None = None
        self._run: AttachedRun | None = None
        self._server: asyncio.Server | None = None
        self._done = False
        self.listen_on_s = LISTEN_ON_S
        """How long the provisioner of a dead worker is still answered."""

    async def serve(self) -> None:
        """Until the worker says done or goes away. Raises PeerError and OSError."""
        async with asyncio.timeout(ATTACH_TIMEOUT_S):
            first, fds = await self._receive()
        listener = socket.socket(fileno=fds[0]) if fds else None
        try:
            if not isinstance(first, Attach):
                raise PeerError("a control connection has to begin with attach", hint="are both of one version?")
            await self._attach(first, listener)
            listener = None
        finally:
            if listener is not None:
                listener.close()
        while self._run is not None:
            message, fds = await self._receive()
            for fd in fds:
                os.close(fd)
            if message is None:
                return
            if isinstance(message, Poll):
                # Not awaited: a Redis that is slow to answer must not hide the worker's death.
                if self._polling is None or self._polling.done():
                    self._polling = self._tasks.start(self._poll(self._run), name="poll on demand")
            elif isinstance(message, AskAllowance):
                if self._asking is None or self._asking.done():
                    self._asking = self._tasks.start(self._ask_allowance(self._run), name="allowance on demand")
            elif isinstance(message, Done):
                self._done = True
                in_flight = await self._keeper.finish(self._run)
                if in_flight is None:
                    self._send(Shut(reason="cut, but Redis could not be told yet; it will be as soon as it answers"))
                else:
                    self._send(Acked(in_flight=in_flight))
            else:
                raise PeerError("an unexpected control message", hint="are both of one version?")

    def close(self) -> None:
        """The connection is over: a worker that has not said done is dead, and its run is cut."""
        asyncio.get_running_loop().remove_reader(self._connection)
        self._connection.close()
        if self._run is not None:
            self._run.on_cut = self._run.on_latched = None
            self._keeper.cut(self._run, "worker died", revoke=True, tell=False)
            self._keeper.forget(self._run)

    async def linger(self) -> None:
        """Close the listener, after a while where a provisioner may still be alive."""
        if self._server is None:
            return
        try:
            if not self._done:
                await asyncio.sleep(self.listen_on_s)
        finally:
            self._server.close()
            if self._run is not None:
                self._run.sever_all("the run is over")

    async def _attach(self, attach: Attach, listener: socket.socket | None) -> None:
        """Take the run, or say why not. Sees to it that the listener is served or closed."""
        port: int | None = None
        if attach.listen == "tcp":
            if listener is not None:
                raise PeerError("attach with listen=tcp carries a descriptor", hint="are both of one version?")
            listener = socket.create_server(("127.0.0.1", 0))
            port = int(listener.getsockname()[1])
        if listener is None or not _is_listening(listener):
            if listener is not None:
                listener.close()
            self._send(Refused(reason="attach with listen=fd carries no listening TCP socket"))
            return
        served = False
        try:
            result = await self._keeper.attach(attach)
            if isinstance(result, str):
                self._send(Refused(reason=result))
                return
            self._run, seq = result
            self._run.on_cut = self._tell_cut
            self._run.on_latched = self._tell_latched
            # Not awaited: a call that needs to know waits for the answer, and reads don't.
            self._tasks.start(self._first_allowance(self._run), name="allowance")
            listener.setblocking(False)
            self._server = await self._core.serve(self._run, listener)
            served = True
            self._send(Attached(seq=seq, port=port))
        except InterlockError as error:
            self._send(Refused(reason=str(error)[:1024]))
        finally:
            if not served:
                listener.close()
        log_event(
            logger,
            "run_attached" if served else "attach_refused",
            run=attach.run_id,
            target=attach.target,
            epoch=attach.epoch,
            actor=attach.actor,
        )

    async def _poll(self, run: AttachedRun) -> None:
        result = await self._keeper.poll(run)
        if isinstance(result, Open):
            self._send(OpenEvent(deadline_ms=result.deadline_ms))
        else:
            self._send(Shut(reason=result.reason[:1024]))

    async def _first_allowance(self, run: AttachedRun) -> None:
        await self._permissions.ensure(run)

    async def _ask_allowance(self, run: AttachedRun) -> None:
        bounds = await self._permissions.refresh(run)
        if bounds is None:
            self._send(AllowanceHolds(mode="unknown", why=run.bounds_missing))
            return
        allowance = bounds.allowance
        self._send(AllowanceHolds(mode=allowance.mode, entries=len(allowance.entries), why=allowance.why))

    def _tell_latched(self, latch: Latch) -> None:
        self._send(
            Latched(
                service=latch.service[:128],
                operation=latch.operation[:256],
                resource=latch.resource,
                reason=latch.why[:1024],
            )
        )

    def _tell_cut(self, reason: str, in_flight: int) -> None:
        self._send(Cut(reason=reason[:1024], in_flight=in_flight))

    def _send(self, message: Message) -> None:
        # A worker that does not read (stopped, or dead) must not hold anything up: its queue is full, it misses it.
        with contextlib.suppress(OSError):
            send_message(self._connection, message)

    async def _receive(self) -> tuple[Message | None, list[int]]:
        loop = asyncio.get_running_loop()
        while True:
            try:
                return receive_message(self._connection)
            except BlockingIOError:
                readable = loop.create_future()
                loop.add_reader(self._connection, _resolve, readable)
                try:
                    await readable
                finally:
                    loop.remove_reader(self._connection)


def _resolve(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


def _trusted(connection: socket.socket) -> bool:
    """Whether the peer runs as this user or as root (SO_PEERCRED: pid, uid, gid)."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    uid: int = struct.unpack("3i", raw)[1]
    return uid in (os.geteuid(), 0)


def _is_listening(sock: socket.socket) -> bool:
    if sock.family not in (socket.AF_INET, socket.AF_INET6) or sock.type != socket.SOCK_STREAM:
        return False
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
