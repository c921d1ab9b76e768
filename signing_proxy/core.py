"""mitmproxy, embedded: the smallest master that serves, our addons, and one listener a run."""

import asyncio
import fcntl
import logging
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mitmproxy import options

from shared.clock import Clock
from shared.errors import ConfigurationError
from shared.log import log_event
from signing_proxy.addons.aws_request import AwsRequest, AwsRequestHead
from signing_proxy.addons.aws_signing import AwsSigning
from signing_proxy.addons.bodies import Bodies
from signing_proxy.addons.caller import Caller
from signing_proxy.addons.destination import Destination
from signing_proxy.addons.journal import JournalCalls
from signing_proxy.addons.lease_gate import LeaseGate
from signing_proxy.addons.permission import Permission
from signing_proxy.addons.refusing import Refuser
from signing_proxy.addons.state import StateBackend
from signing_proxy.budget import BufferBudget
from signing_proxy.calls import Call
from signing_proxy.catalog import ServiceCatalog
from signing_proxy.connection import GatedConnectionHandler, Limits
from signing_proxy.credentials import CredentialSource
from signing_proxy.denial import Reason
from signing_proxy.destination import DestinationPolicy
from signing_proxy.journal import Journal
from signing_proxy.metrics import ProxyMetrics
from signing_proxy.mitm import Core, Master, NextLayer, Proxyserver, TlsConfig
from signing_proxy.permissions import Permissions
from signing_proxy.recorder import CallRecorder
from signing_proxy.registry import Connections
from signing_proxy.runs import AttachedRun

logger = logging.getLogger(__name__)

MAX_CONNECTIONS_PER_RUN = 256
CA_CERTIFICATE = "mitmproxy-ca-cert.pem"


class ProxyCore:
    """Serves the attached runs. Make it inside a running event loop; one in a process at a time (mitmproxy's rule)."""

    def __init__(
        self,
        *,
        ca_dir: Path,
        limits: Limits,
        clock: Clock,
        policy: DestinationPolicy,
        credentials: CredentialSource,
        journal: Journal,
        recorder: CallRecorder,
        permissions: Permissions,
        metrics: ProxyMetrics,
        max_buffered_bytes: int,
        upstream_ca: Path | None = None,
        further_addons: Sequence[Any] = (),
    ) -> None:
        """``upstream_ca`` replaces the system's roots for what is dialled. ``further_addons`` run last in each hook."""
        self._limits = limits
        self._budget = BufferBudget(max_buffered_bytes)
        self._clock = clock
        self._recorder = recorder
        self._metrics = metrics
        opts = options.Options(
            mode=[],
            confdir=str(ca_dir),
            http2=False,
            http3=False,
            rawtcp=False,
            websocket=False,
            upstream_cert=False,
            ssl_insecure=False,
            ssl_verify_upstream_trusted_ca=str(upstream_ca) if upstream_ca is not None else None,
            tcp_timeout=120,
        )
        with _creating_ca(ca_dir):
            self._master = Master(opts)
            self._server_addon = Proxyserver()  # type: ignore[no-untyped-call]  # mitmproxy leaves it untyped
            self._master.addons.add(  # type: ignore[no-untyped-call]  # mitmproxy leaves it untyped
                Core(), self._server_addon, NextLayer(), TlsConfig()
            )
            opts.update(connection_strategy="lazy")  # type: ignore[no-untyped-call]  # mitmproxy leaves it untyped
        refuse_foreign_ca(opts)
        connections, refuser = Connections(self._server_addon.connections), Refuser(recorder)
        self._master.addons.add(  # type: ignore[no-untyped-call]  # mitmproxy leaves it untyped
            Caller(connections, refuser),
            Destination(connections, policy, refuser),
            AwsRequestHead(catalog := ServiceCatalog()),
            Bodies(connections, limits, refuser),
            LeaseGate(clock, refuser),
            StateBackend(clock, journal, refuser),
            AwsRequest(catalog, refuser),
            Permission(permissions, refuser),
            JournalCalls(recorder, refuser),
            AwsSigning(clock, credentials, refuser),
            *further_addons,
        )

    async def start(self) -> None:
        """Let the addons finish their set-up."""
        await self._master.running()

    async def serve(self, run: AttachedRun, sock: socket.socket) -> asyncio.Server:
        """Accept connections of one run on a listening socket, which the server then owns."""
        # A run may hold all that is held, but for one body of another run's: it can't starve the others by itself.
        largest = self._limits.max_body_bytes
        budget = BufferBudget(max(self._budget.total_bytes - largest, largest), within=self._budget)

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if len(run.handlers) >= MAX_CONNECTIONS_PER_RUN:
                writer.transport.abort()
                return
            handler = GatedConnectionHandler(
                self._master,
                reader,
                writer,
                self._master.options,
                run=run,
                clock=self._clock,
                limits=self._limits,
                observer=self,
                budget=budget,
            )
            run.handlers.add(handler)
            try:
                with self._server_addon.register_connection(handler.client.id, handler):
                    await handler.handle_client()
            finally:
                run.handlers.discard(handler)
                handler.finished()

        return await asyncio.start_server(accept, sock=sock)

    async def close(self) -> None:
        """Shut mitmproxy down."""
        await self._master.done()

    # --- what connections report

    def abandoned(self, call: Call, why: str, reason: Reason = Reason.SEVERED) -> None:
        """See ConnectionEvents."""
        self._recorder.abandoned(call, why, reason)

    def hook_failed(self, run: AttachedRun, hook: str, why: str) -> None:
        """See ConnectionEvents."""
        self._metrics.hook_failures.labels(hook=hook).inc()
        log_event(logger, "hook_failed", level=logging.ERROR, run=run.attach.run_id, hook=hook, why=why)

    def refused_bytes(self, run: AttachedRun, why: str) -> None:
        """See ConnectionEvents."""
        self._metrics.severed.inc()
        log_event(logger, "connection_severed", level=logging.WARNING, run=run.attach.run_id, why=why)


def refuse_foreign_ca(opts: options.Options) -> None:
    """See to it that tunnels are opened with the CA of this proxy, and not with the leaked key that mitmproxy ships.

    mitmproxy 12.3 can sign with the compromised eMudhra CA (options ``emudhra`` and ``emudhra_old``, both off): anybody
    could then stand in for the proxy. Raises ConfigurationError.
    """
    for name in sorted(opts.keys()):  # type: ignore[no-untyped-call]  # mitmproxy leaves it untyped
        if "emudhra" in name and getattr(opts, name):
            raise ConfigurationError(
                f"mitmproxy's option {name} is on: it signs with a CA key that is public",
                hint="Leave it off; the proxy makes a CA of its own in INTERLOCK_CA_DIR.",
            )


@contextmanager
def _creating_ca(ca_dir: Path) -> Iterator[None]:
    """Make the CA's directory and hold a lock on it: proxies on one host share a CA, and start at the same time."""
    ca_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(ca_dir / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
