"""The signing proxy's process: wires the parts, serves until SIGTERM, then cuts and acknowledges every lease."""

import asyncio
import logging
import os
import signal
import uuid
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from shared import exit_codes
from shared.async_api_client import AsyncApiClient
from shared.clock import Clock, SystemClock
from shared.constants import STATE_HOST
from shared.errors import ConfigurationError, InterlockError
from shared.lease.store import AsyncLeaseStore, LeaseStore
from shared.log import configure_logging, log_event
from shared.settings import Settings
from signing_proxy import descriptors
from signing_proxy.background import TaskKeeper
from signing_proxy.connection import Limits
from signing_proxy.control import ControlServer
from signing_proxy.core import MAX_CONNECTIONS_PER_RUN, ProxyCore
from signing_proxy.credentials import BotocoreCredentials, CredentialSource
from signing_proxy.destination import DestinationPolicy
from signing_proxy.journal import ApiJournal, Journal
from signing_proxy.keeper import MAX_RUNS, LeaseKeeper
from signing_proxy.kernel_gate import KernelGate, open_kernel_gate
from signing_proxy.metrics import ProxyMetrics
from signing_proxy.permissions import AllowanceSource, ApiAllowances, Permissions
from signing_proxy.push import listen
from signing_proxy.recorder import CallRecorder
from signing_proxy.status import StatusServer, status_of

logger = logging.getLogger(__name__)

DRAIN_S = 2.0
API_TIMEOUT_S = 4.0
# botocore's own name for it: the roots to trust for what this process dials.
UPSTREAM_CA_VARIABLE = "AWS_CA_BUNDLE"


def run_proxy(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; the exit code. Raises InterlockError when it can't start."""
    configure_logging(settings.log_level, component="proxy")
    kernel_gate = open_kernel_gate(SystemClock())  # before any other file: see there
    try:
        return _run(settings, kernel_gate)
    finally:
        kernel_gate.close()


def _run(settings: Settings, kernel_gate: KernelGate) -> int:
    if settings.kernel_gate == "required" and not kernel_gate.active:
        raise ConfigurationError(
            f"there is no gate in the kernel, and INTERLOCK_KERNEL_GATE=required: {kernel_gate.why}",
            hint="Give the proxy CAP_BPF and CAP_NET_ADMIN on a host with cgroup v2, or drop that setting.",
        )
    settings.prepare()
    files = descriptors.raise_limit(runs=MAX_RUNS, connections_per_run=MAX_CONNECTIONS_PER_RUN)
    store = LeaseStore.from_settings(settings)
    try:
        store.check_server()
        store.check_timing(settings.timing, settings.node)
    finally:
        store.close()
    return asyncio.run(_serve_until_signal(settings, kernel_gate, files))


async def _serve_until_signal(settings: Settings, kernel_gate: KernelGate, files: int) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with ProxyService(settings, kernel_gate=kernel_gate, files=files):
        await stop.wait()
        log_event(logger, "proxy_stopping")
    return exit_codes.OK


class ProxyService:
    """All parts of one proxy boot, as an asynchronous context. Tests put their own parts in place of the defaults."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock | None = None,
        journal: Journal | None = None,
        credentials: CredentialSource | None = None,
        allowances: AllowanceSource | None = None,
        leases: AsyncLeaseStore | None = None,
        limits: Limits | None = None,
        upstream_ca: Path | None = None,
        kernel_gate: KernelGate | None = None,
        files: int | None = None,
        further_addons: Sequence[Any] = (),
    ) -> None:
        self._settings = settings
        self._clock = clock or SystemClock()
        self._journal = journal
        self._credentials = credentials or BotocoreCredentials(self._clock)
        self._allowances = allowances
        self._leases = leases
        self._limits = limits or Limits(max_body_bytes=settings.max_body_bytes)
        bundle = os.environ.get(UPSTREAM_CA_VARIABLE)
        self._upstream_ca = upstream_ca or (Path(bundle) if bundle else None)
        self._kernel_gate = kernel_gate
        self._files = files
        self._further_addons = further_addons
        self._stack = AsyncExitStack()
        self.boot_id = uuid.uuid4().hex
        """This start of the proxy, 32 hex digits."""
        self.metrics = ProxyMetrics()
        """Its metrics."""
        self.keeper: LeaseKeeper
        """Its leases."""
        self.core: ProxyCore
        """Its mitmproxy."""
        self.status: StatusServer | None = None
        """Its HTTP server, if it has one."""
        self._signable = False

    async def __aenter__(self) -> "ProxyService":
        async with AsyncExitStack() as stack:
            await self._start(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._stack.aclose()

    async def _start(self, stack: AsyncExitStack) -> None:
        settings = self._settings
        kernel_gate = self._kernel_gate or open_kernel_gate(self._clock)
        stack.callback(kernel_gate.close)  # the last one: when every socket is closed
        self.metrics.kernel_gate.set(kernel_gate.active)
        files = self._files or descriptors.raise_limit(runs=MAX_RUNS, connections_per_run=MAX_CONNECTIONS_PER_RUN)
        max_runs = descriptors.runs_carried(files, MAX_CONNECTIONS_PER_RUN)
        tasks = TaskKeeper()
        leases = self._leases
        if leases is None:
            leases = AsyncLeaseStore.from_settings(settings)
            stack.push_async_callback(leases.close)
        journal, allowances = self._journal, self._allowances
        if journal is None or allowances is None:
            api = AsyncApiClient(settings.api_url, settings.read_token("proxy"), timeout_s=API_TIMEOUT_S)
            stack.push_async_callback(api.close)
            journal, allowances = journal or ApiJournal(api), allowances or ApiAllowances(api)
        permissions = Permissions(allowances, self._clock, self.metrics)
        stack.push_async_callback(tasks.close)
        recorder = CallRecorder(journal=journal, metrics=self.metrics, clock=self._clock, tasks=tasks)
        stack.push_async_callback(recorder.drain, DRAIN_S)
        self.core = ProxyCore(
            ca_dir=settings.ca_dir,
            limits=self._limits,
            clock=self._clock,
            policy=DestinationPolicy(
                allowed_hosts=settings.allowed_hosts,
                overrides=settings.upstream_overrides,
                state_host=STATE_HOST,
                api_url=settings.api_url,
            ),
            credentials=self._credentials,
            journal=journal,
            recorder=recorder,
            permissions=permissions,
            metrics=self.metrics,
            max_buffered_bytes=settings.max_buffered_bytes,
            upstream_ca=self._upstream_ca,
            further_addons=self._further_addons,
        )
        await self.core.start()
        stack.push_async_callback(self.core.close)
        self.keeper = LeaseKeeper(
            leases=leases,
            clock=self._clock,
            metrics=self.metrics,
            tasks=tasks,
            proxy_id=settings.node,
            boot_id=self.boot_id,
            poll_ms=settings.poll_ms,
            kernel_gate=kernel_gate,
            max_runs=max_runs,
        )
        tasks.start(self.keeper.serve(), name="lease poll")
        tasks.start(listen(leases.servers.any, self.keeper.on_event), name="lease push")
        control = ControlServer(
            path=settings.proxy_socket, core=self.core, keeper=self.keeper, permissions=permissions, tasks=tasks
        )
        control.start()
        stack.push_async_callback(self.keeper.close)
        stack.callback(control.close)
        if settings.http_port is not None:
            self.status = StatusServer(
                settings.http_host,
                settings.http_port,
                ready=lambda: {"redis": self.keeper.reachable, "credentials": self._signable},
                status=lambda: status_of(self.keeper.runs, kernel_gate),
                registry=self.metrics.registry,
            )
            stack.callback(self.status.close)
        tasks.start(self._check_credentials(), name="credentials")
        log_event(
            logger,
            "proxy_started",
            node=settings.node,
            boot=self.boot_id,
            socket=settings.proxy_socket,
            http_port=self.status.port if self.status else None,
            kernel_gate=kernel_gate.active,
            files=files,
        )
        if not kernel_gate.active:
            log_event(
                logger,
                "no_kernel_gate",
                level=logging.WARNING,
                why=kernel_gate.why,
                means="while this process is stopped, its sockets may still send what they held",
            )
        if max_runs < settings.worker_concurrency:
            log_event(
                logger,
                "few_files",
                level=logging.WARNING,
                files=files,
                runs=max_runs,
                worker_concurrency=settings.worker_concurrency,
                means="further runs are refused: raise the limit of open files",
            )

    async def _check_credentials(self) -> None:
        """For /readyz and the log only; the signer asks again."""
        try:
            await self._credentials.current()
            self._signable = True
        except InterlockError as error:
            log_event(logger, "no_credentials", level=logging.WARNING, error=error, hint=error.hint)
