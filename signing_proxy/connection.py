"""The choke point: one client connection, and what may leave for the outside on its behalf.

mitmproxy's own dispatch fails open: an addon that raises is logged and the flow goes on. And it dials after the request
hook, so that a slow name server or handshake would carry a call past its deadline. Hence three things here, none of
which an addon can undo:

- a ``GatedSocket`` (see ``sockets``) asks the gate directly before the system call, for every byte: handshake, head,
  body, and whatever asyncio had buffered. After the deadline it raises, and asyncio throws its buffer away.
- nothing is dialled or written without a ``Permit``, which is given only to a call that passed every check.
- a hook that raises or hangs kills its flow and severs the connection.
"""

import asyncio
import logging
import socket
import sys
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from mitmproxy import flow as mitm_flow
from mitmproxy import http, options
from mitmproxy.connection import ConnectionState, Server
from mitmproxy.net.http.http1 import expected_http_body_size
from mitmproxy.proxy import commands, events, layers, server_hooks
from mitmproxy.proxy.mode_servers import ProxyConnectionHandler
from mitmproxy.proxy.mode_specs import ProxyMode
from mitmproxy.proxy.server import ConnectionIO

from shared.clock import Clock
from shared.log import log_event
from signing_proxy.budget import BufferBudget, HeldBodies
from signing_proxy.calls import Call, call_of
from signing_proxy.denial import Reason
from signing_proxy.destination import Kind, is_internal
from signing_proxy.signers.aws import UNSIGNED_PAYLOAD, UNSIGNED_TRAILER
from signing_proxy.sockets import GateClosed, GatedSocket, GatedTransports, reset
from signing_proxy.upload import Upload

if TYPE_CHECKING:
    from mitmproxy.master import Master

    from signing_proxy.runs import AttachedRun

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds of one client connection."""

    max_body_bytes: int
    """Largest body of a request or an answer."""
    max_head_bytes: int = 256 * 1024
    """Most bytes, as they arrive, before a head is complete; handshakes included."""
    hook_timeout_s: float = 15.0
    """Longest time that the addons may take over one hook."""
    dial_timeout_s: float = 10.0
    """Longest time to resolve a name and connect."""
    state_timeout_s: float = 30.0
    """Longest time for a state call: Terraform waits ten minutes for an answer that does not come."""

    upload_wait_s: float = 45.0
    """Longest time that a streamed body waits until its head is on its way."""

    @property
    def max_wire_bytes(self) -> int:
        """Most bytes on the wire for one body that is held in memory."""
        return self.wire_bytes(self.max_body_bytes)

    def wire_bytes(self, body_bytes: int) -> int:
        """Most bytes on the wire for a body: chunk framing and TLS records come on top of it."""
        return 2 * body_bytes + self.max_head_bytes


@dataclass(frozen=True, kw_only=True)
class Permit:
    """Leave for one call to be sent to one address."""

    call: Call
    """The call."""
    address: tuple[str, int]
    """Host and port to dial."""
    tls: bool
    """Whether over TLS."""


class ConnectionEvents(Protocol):
    """What a connection tells the outside."""

    def abandoned(self, call: Call, why: str, reason: Reason = Reason.SEVERED) -> None:
        """A call ended without an answer, whether it was released or not."""

    def hook_failed(self, run: "AttachedRun", hook: str, why: str) -> None:
        """An addon raised or hung; the connection has been severed."""

    def refused_bytes(self, run: "AttachedRun", why: str) -> None:
        """The client or the server sent more than is allowed, or the proxy's core crashed; severed."""


class GatedConnectionHandler(ProxyConnectionHandler):
    """One client connection of one run."""

    def __init__(
        self,
        master: "Master",
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        opts: options.Options,
        *,
        run: "AttachedRun",
        clock: Clock,
        limits: Limits,
        observer: ConnectionEvents,
        budget: BufferBudget,
    ) -> None:
        super().__init__(master, reader, writer, opts, ProxyMode.parse("regular"))  # type: ignore[no-untyped-call]  # mitmproxy leaves it untyped
        self.layer = layers.modes.HttpProxy(self.layer.context)
        transports = GatedTransports()
        transports.update(self.transports)
        self.transports = transports
        self.run = run
        self.authenticated = False
        """Whether the client has proven on this connection which run it belongs to."""
        self.connect_host: str | None = None
        """The host of the tunnel, once there is one."""
        self.sni_matches = False
        """Whether the TLS handshake named the host of the tunnel."""
        self.severed = False
        self._gated_transports = transports
        self._clock = clock
        self._limits = limits
        self._observer = observer
        self._permit: Permit | None = None
        self._upload: Upload | None = None
        self._may_read = asyncio.Event()
        self._may_read.set()
        self._bodies = HeldBodies(budget, self._unread_by_client)
        self._client_bytes = 0
        self._client_limit = limits.max_head_bytes
        self._server_bytes = 0
        self._server_limit = limits.max_head_bytes

    # --- the gate

    def guard(self, connection: Server) -> None:
        """Stands directly before each byte that leaves. Raises GateClosed unless this very call may go there now."""
        objection = self.objection(connection)
        if objection is not None:
            raise GateClosed(objection)
        if self._permit is not None and (not connection.tls or connection.tls_established):
            # Before that, it is the handshake and no part of the call.
            self._permit.call.sent = not self._permit.call.held_back
            self._may_read.set()

    def objection(self, connection: Server) -> str | None:
        """Why nothing may leave on this connection now; None while the permitted call may. A clock read, no more."""
        permit = self._permit
        if self.severed or permit is None:
            return "no call is permitted on this connection"
        if connection.address is None or connection.address[:2] != permit.address or connection.tls != permit.tls:
            return "the permit is for another address"
        return self.run.objection(permit.call, self._clock.boot_ms())

    def release(self, flow: http.HTTPFlow) -> None:
        """Give the permit to a call that has passed every check. Kills every other flow that has no local answer."""
        self._permit = None
        if flow.response is not None or flow.error is not None:
            return
        call = call_of(flow)
        request = flow.request
        if call is not None and call.complete and call.run is self.run and call.upstream is not None:
            upstream = call.upstream
            if self.severed:
                self._observer.abandoned(call, "severed before it was sent")
            elif (request.host, request.port, request.scheme) == (upstream.host, upstream.port, upstream.scheme):
                self._server_bytes, self._server_limit = 0, self._limits.max_head_bytes
                call.released = True
                self.run.calls[call.call_id] = call
                self._permit = Permit(call=call, address=(upstream.host, upstream.port), tls=upstream.scheme == "https")
                if upstream.kind is Kind.STATE:
                    loop = asyncio.get_running_loop()
                    loop.call_later(self._limits.state_timeout_s, self._end_call, call)
                return
        flow.kill()  # type: ignore[no-untyped-call]  # mitmproxy leaves it untyped

    def _stream(self, flow: http.HTTPFlow, call: Call) -> None:
        """Let a streamed call go with its head, its body through a check at every chunk."""
        call.held_back = True
        self.release(flow)
        if self._permit is None:
            return
        length = expected_http_body_size(flow.request) or 0

        def objection() -> str | None:
            if self.severed or self._permit is None or self._permit.call is not call:
                return "the call is over"
            return self.run.objection(call, self._clock.boot_ms())

        def completed() -> None:
            call.held_back = False

        def refused(why: str, reason: Reason) -> None:
            self._observer.abandoned(call, why, reason)
            self.sever(why)

        declared = call.payload_hash
        self._upload = Upload(
            length=length,
            sha256=None if declared in (UNSIGNED_PAYLOAD, UNSIGNED_TRAILER) else declared,
            objection=objection,
            completed=completed,
            refused=refused,
        )
        self._client_limit = self._limits.wire_bytes(length)
        flow.request.stream = self._upload

    def withdraw(self, why: str) -> None:
        """Take the permit back; a released call that has no answer yet is abandoned."""
        permit, self._permit = self._permit, None
        self._may_read.set()
        if self._upload is not None and not self._upload.over:
            # An answer came before the body's end, or none will. The server waits for the rest of the body: what is
            # sent next on that connection would be taken for it.
            self._upload.stop()
            self._abort_upstream()
        if permit is not None and not permit.call.settled:
            self._observer.abandoned(permit.call, why)

    def _end_call(self, call: Call) -> None:
        """Take too slow an answer for none: abort the upstream connection, which gives the client a 502."""
        if self._permit is not None and self._permit.call is call:
            self._abort_upstream()

    def _abort_upstream(self) -> None:
        for connection, io in list(self.transports.items()):
            if isinstance(connection, Server) and isinstance(io.writer, asyncio.StreamWriter):
                io.writer.transport.abort()

    def finished(self) -> None:
        """The connection is over, however it ended."""
        self._bodies.drop()

    def hang_up(self) -> None:
        """The first half of `sever`: nothing more on the wire. Of many connections each, before the rest of it."""
        for connection, io in list(self.transports.items()):
            if isinstance(io.writer, asyncio.StreamWriter):
                if isinstance(connection, Server):
                    reset(io.writer)
                io.writer.transport.abort()

    def sever(self, why: str) -> None:
        """Cut everything at once: nothing more leaves, nothing more is parsed. The gate of a cut run is shut before."""
        if self.severed:
            return
        self.severed = True
        self.hang_up()
        for io in list(self.transports.values()):
            if io.handler is not None:
                io.handler.cancel(why)
        self.withdraw(why)

    # --- dialling

    async def open_connection(self, command: commands.OpenConnection) -> None:
        """Dial, if there is a permit for exactly this; the socket is gated from its first byte."""
        connection = command.connection
        hook_data = server_hooks.ServerConnectionHookData(client=self.client, server=connection)
        refusal = self._refuse_dial(connection)
        if refusal is None:
            await self.handle_hook(server_hooks.ServerConnectHook(hook_data))
            refusal = connection.error or self._refuse_dial(connection)
        if refusal is None:
            try:
                connection.timestamp_start = self._clock.wall().timestamp()
                async with asyncio.timeout(self._limits.dial_timeout_s):
                    reader, writer = await self._dial(connection)
            except TimeoutError:
                refusal = f"no connection within {self._limits.dial_timeout_s} s"
            except OSError as error:
                refusal = str(error) or type(error).__name__
            except asyncio.CancelledError:
                connection.error = "connection cancelled"
                await self.server_event(events.OpenConnectionCompleted(command, connection.error))
                raise
        if refusal is not None:
            connection.error = refusal
            await self.handle_hook(server_hooks.ServerConnectErrorHook(hook_data))
            await self.server_event(events.OpenConnectionCompleted(command, refusal))
            return
        connection.timestamp_tcp_setup = self._clock.wall().timestamp()
        connection.state = ConnectionState.OPEN
        connection.peername = writer.get_extra_info("peername")
        connection.sockname = writer.get_extra_info("sockname")
        self._gated_transports.admit(writer)
        self.transports[connection] = ConnectionIO(handler=asyncio.current_task(), reader=reader, writer=writer)
        await self.handle_hook(server_hooks.ServerConnectedHook(hook_data))
        await self.server_event(events.OpenConnectionCompleted(command, None))
        try:
            await self.handle_connection(connection)
        finally:
            connection.timestamp_end = self._clock.wall().timestamp()
            await self.handle_hook(server_hooks.ServerDisconnectedHook(hook_data))

    def _refuse_dial(self, connection: Server) -> str | None:
        if connection.transport_protocol != "tcp" or connection.via is not None:
            return "only plain TCP is dialled"
        return self.objection(connection)

    async def _dial(self, connection: Server) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Resolve, refuse internal addresses that configuration does not name, connect. Raises OSError."""
        permit = self._permit
        if permit is None or permit.call.upstream is None:
            raise GateClosed("no call is permitted on this connection")
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(*permit.address, type=socket.SOCK_STREAM)
        problem: OSError = OSError(f"{permit.address[0]} has no address")
        for family, _, _, _, address in found[:8]:
            if not permit.call.upstream.overridden and is_internal(str(address[0])):
                problem = OSError(f"{permit.address[0]} resolves to {address[0]}, which is not a public address")
                continue
            if (refusal := self._refuse_dial(connection)) is not None:
                raise GateClosed(refusal)
            # Retransmission must not deliver later than the time kept free before the lease's end.
            delta_ms = self.run.attach.timing.delta_ms
            try:
                sock = GatedSocket(
                    family, lambda: self.guard(connection), lease=self.run.kernel, user_timeout_ms=delta_ms
                )
            except OSError as error:
                problem = error
                continue
            try:
                await loop.sock_connect(sock, address)
                return await asyncio.open_connection(sock=sock)
            except OSError as error:
                sock.close()
                problem = error
            except BaseException:
                sock.close()
                raise
        raise problem

    # --- hooks

    def hook_task(self, hook: commands.StartHook) -> Coroutine[Any, Any, None]:
        """Runs before the hook's task does: no more of a body is taken until it is decided what becomes of it."""
        if hook.name == "requestheaders":
            self._client_bytes, self._client_limit = 0, self._limits.max_wire_bytes
            self._upload = None
            self._may_read.clear()
        return super().hook_task(hook)

    async def handle_hook(self, hook: commands.StartHook) -> None:
        """Run the addons, strictly: whatever goes wrong in one of them ends the flow and the connection."""
        (data,) = hook.args()
        if hook.name == "request":
            self._client_bytes, self._client_limit = 0, self._limits.max_head_bytes
        with self.timeout_watchdog.disarm():
            try:
                async with asyncio.timeout(self._limits.hook_timeout_s):
                    for addon in self.master.addons.chain:
                        await self.master.addons.invoke_addon(addon, hook)
                self._after_hook(hook.name, data)
            except asyncio.CancelledError:
                self._fail(hook.name, data, "cancelled")
                raise
            except Exception as error:  # noqa: BLE001 -- an addon may raise anything, and all of it must fail closed
                self._fail(hook.name, data, "timed out" if isinstance(error, TimeoutError) else repr(error))

    def _after_hook(self, name: str, data: object) -> None:
        if name == "requestheaders":
            call = call_of(data) if isinstance(data, http.HTTPFlow) else None
            if isinstance(data, http.HTTPFlow) and call is not None and call.streamed and call.denial is None:
                self._stream(data, call)
            if self._upload is None:
                self._may_read.set()  # else once the head is on its way: until then the body would pile up here
        elif name == "request" and isinstance(data, http.HTTPFlow):
            call = call_of(data)
            if call is None or not call.streamed:
                self.release(data)
        elif name == "responseheaders":
            self._server_bytes, self._server_limit = 0, self._limits.max_wire_bytes
            call = call_of(data) if isinstance(data, http.HTTPFlow) else None
            if isinstance(data, http.HTTPFlow) and data.response is not None and call is not None and call.released:
                self._expect_answer(data, data.response)
            if isinstance(data, http.HTTPFlow) and data.response is not None and data.response.status_code < 200:
                # mitmproxy takes it for the answer, which is still to come: the call is on its way, not over.
                self._observer.refused_bytes(self.run, f"an interim answer ({data.response.status_code})")
                self.sever("an interim answer")
        elif name in ("response", "error"):
            if name == "error" and isinstance(data, http.HTTPFlow):
                self._abandon(data, data.error.msg if data.error else "ended")
            if self._upload is None or self._upload.over:
                self._client_bytes, self._client_limit = 0, self._limits.max_head_bytes
            self._server_bytes, self._server_limit = 0, self._limits.max_head_bytes
            self.withdraw(f"ended in {name}")
            self._bodies.sent_on()
        elif name == "http_connected":
            self._client_bytes = 0

    def _abandon(self, flow: http.HTTPFlow, why: str) -> None:
        """Settle a call that will not be sent, so that its intent does not stand in the journal as unknown."""
        call = call_of(flow)
        if call is not None and not call.settled:
            self._observer.abandoned(call, why)

    def _fail(self, name: str, data: object, why: str) -> None:
        if isinstance(data, mitm_flow.Flow):
            if isinstance(data, http.HTTPFlow):
                data.response = None
                self._abandon(data, f"hook {name} failed")
            if data.killable:
                data.kill()  # type: ignore[no-untyped-call]  # mitmproxy leaves it untyped
        if isinstance(data, server_hooks.ServerConnectionHookData):
            data.server.error = data.server.error or "an addon failed"
        first = not self.severed
        self.sever(f"hook {name} failed")
        if first and why != "cancelled":
            self._observer.hook_failed(self.run, name, why)

    # --- bounds

    def hold_request(self, length: int) -> bool:
        """Whether there is memory for a request body of this length; from here on it is this connection's."""
        return self._bodies.expect_request(length)

    def _expect_answer(self, flow: http.HTTPFlow, response: http.Response) -> None:
        """Bound an answer by what its head declares."""
        declared = expected_http_body_size(flow.request, response)
        if response.stream:
            # Backpressure bounds its memory, and the lease its time.
            self._bodies.stream_answer()
            self._server_limit = sys.maxsize if declared is None or declared < 0 else self._limits.wire_bytes(declared)
        elif (declared or 0) > self._limits.max_body_bytes or not self._bodies.expect_answer(max(declared or 0, 0)):
            self._refuse_bytes(f"no room for an answer of {declared} bytes")

    def _refuse_bytes(self, why: str) -> None:
        if not self.severed:
            self._observer.refused_bytes(self.run, why)
        self.sever(why)

    async def _admit(self, event: events.DataReceived) -> str | None:
        """Wait until what has come is wanted, and count it; why it can't be taken, or None."""
        size, from_client = len(event.data), event.connection is self.client
        if from_client:
            try:
                async with asyncio.timeout(self._limits.upload_wait_s):
                    await self._may_read.wait()
            except TimeoutError:
                return "a streamed body waited too long for its head"
        if self.severed:
            return "severed"
        if not from_client:
            self._server_bytes += size
            fits = self._bodies.answer_came(size) and self._server_bytes <= self._server_limit
            return None if fits else "an answer over its bound"
        self._client_bytes += size
        if not self._bodies.request_came(size):
            return "no memory left for a body"
        return None if self._client_bytes <= self._client_limit else "head or body over its bound"

    def _unread_by_client(self) -> int:
        """Bytes of answers that wait for the client to read them."""
        io = self.transports.get(self.client)
        writer = io.writer if io is not None else None
        return writer.transport.get_write_buffer_size() if isinstance(writer, asyncio.StreamWriter) else 0

    async def server_event(self, event: events.Event) -> None:
        """Feed an event to the layers, unless it breaks a bound or the connection has been severed."""
        if isinstance(event, events.DataReceived):
            problem = await self._admit(event)
            if problem is not None:
                self._refuse_bytes(problem)
                return
        await super().server_event(event)

    def log(self, message: str, level: int = logging.INFO, exc_info: Any = None) -> None:
        """mitmproxy's chatter at DEBUG; an error there means that its core gave up on this connection: sever it."""
        if level >= logging.ERROR and not self.severed:
            log_event(logger, "core_crashed", level=logging.ERROR, run=self.run.attach.run_id, message=message)
            self._observer.refused_bytes(self.run, "the proxy's core crashed")
            asyncio.get_running_loop().call_soon(self.sever, "the proxy's core crashed")
        else:
            logger.debug("%s", message)
