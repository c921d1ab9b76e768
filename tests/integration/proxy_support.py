"""What the proxy's integration tests are made of: a proxy in a thread and a worker with its provisioner's calls."""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import httpx
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from shared.control import Acked, Attach, Attached, Cut, Done, Message, Open, Poll, Shut, receive_message, send_message
from shared.lease.commands import Granted, Renewed
from shared.lease.store import LeaseStore, connect
from shared.lease.timing import LeaseTiming
from shared.lease.view import LeaseView
from shared.settings import Settings
from signing_proxy.core import CA_CERTIFICATE
from signing_proxy.main import ProxyService
from signing_proxy.testing import FixedAllowance, FixedCredentials, MemoryJournal
from tests.integration.proxy_cloud import CLIENT_TIMEOUT_S, REAL_KEY, REAL_SECRET, REGION
from tests.servers import wait_for

# Roomy, so that a slow machine keeps a healthy lease alive; short enough to wait for its end.
TIMING = LeaseTiming(ttl_ms=5000, renew_ms=700, poll_ms=150, delta_ms=500, grace_ms=500, unknown_ms=3000)


class ProxyThread:
    """A whole proxy with its own event loop in a thread, and a journal that tests can look into."""

    def __init__(
        self,
        home: Path,
        redis_url: str,
        cloud_url: str,
        *,
        api_url: str = "http://127.0.0.1:9",
        timing: LeaseTiming = TIMING,
        max_buffered_bytes: int = 64 << 20,
        **parts: Any,
    ) -> None:
        self.settings = Settings(
            home=home,
            redis_url=redis_url,
            api_url=api_url,
            node="host-a",
            upstream_overrides={"*.amazonaws.com": cloud_url},
            ttl_ms=timing.ttl_ms,
            renew_ms=timing.renew_ms,
            poll_ms=timing.poll_ms,
            delta_ms=timing.delta_ms,
            grace_ms=timing.grace_ms,
            unknown_ms=timing.unknown_ms,
            http_port=0,
            max_body_bytes=8 << 20,
            max_buffered_bytes=max_buffered_bytes,
        )
        self.redis_url = redis_url
        self.timing = timing
        self.journal = MemoryJournal()
        self.allowances = FixedAllowance()
        self._parts: dict[str, Any] = {
            "journal": self.journal,
            "credentials": FixedCredentials(REAL_KEY, REAL_SECRET, "real-session-token"),
            "allowances": self.allowances,
            **parts,
        }
        self._started = threading.Event()
        self._failure: BaseException | None = None
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.service: ProxyService

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(CLIENT_TIMEOUT_S)
        if self._failure is not None:
            raise self._failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        if self._thread.is_alive() and self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(CLIENT_TIMEOUT_S)
        assert not self._thread.is_alive()

    @property
    def ca(self) -> Path:
        return self.settings.ca_dir / CA_CERTIFICATE

    def count(self, name: str, **labels: str) -> float:
        """The value of one of its metrics, 0 before the first event."""
        return self.service.metrics.registry.get_sample_value(name, labels) or 0.0

    def refused(self, reason: str) -> float:
        return self.count("interlock_proxy_calls_total", outcome="refused", reason=reason)

    def status(self) -> dict[str, Any]:
        assert self.service.status is not None
        page = httpx.get(f"http://127.0.0.1:{self.service.status.port}/status", trust_env=False)
        return cast("dict[str, Any]", page.json())

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._failure = error
            self._started.set()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with ProxyService(self.settings, **self._parts) as self.service:
            self._started.set()
            await self._stop.wait()


class Worker:
    """What a worker does for one run, as far as the proxy can see: acquire, attach, renew, say done, or die."""

    def __init__(
        self,
        proxy: ProxyThread | Path,
        redis_url: str,
        *,
        target: str | None = None,
        epoch: int = 1,
        timing: LeaseTiming = TIMING,
        listen: str = "fd",
    ) -> None:
        self._socket_path = proxy if isinstance(proxy, Path) else proxy.settings.proxy_socket
        self.store = LeaseStore(connect(redis_url))
        self.target = target or f"web.{secrets.token_hex(8)}"
        self.epoch = epoch
        self.timing = timing
        self.listen = listen
        self.run_id = f"run-{secrets.token_hex(8)}"
        self.access_key, self.secret_key = f"AKPH{secrets.token_hex(8).upper()}", secrets.token_hex(20)
        self.user, self.password = self.run_id, f"{secrets.token_hex(8)}:with:colons"
        self.events: list[Message] = []
        self.port = 0
        self.lease_id = ""
        self._control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._renewing = threading.Event()
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self.acquire()
        attached = self.attach()
        assert isinstance(attached, Attached), attached
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.die()
        self.store.close()

    def acquire(self) -> None:
        view = self.store.view(self.target)
        if view.embargoed:
            self.store.clear(self.target, view.incarnation, self.epoch)
        granted = self.store.acquire(
            self.target,
            epoch=self.epoch,
            acquire_id=secrets.token_hex(16),
            ttl_ms=self.timing.ttl_ms,
            holder=secrets.token_hex(8),
            run_id=self.run_id,
            node="host-a",
        )
        assert isinstance(granted, Granted), granted
        self.lease_id = granted.lease_id
        assert self.store.durable(self.target, 1000)
        assert self.store.confirm(self.target, self.lease_id, granted.incarnation, granted.seq)

    def attach(self) -> Message:
        self._control.settimeout(CLIENT_TIMEOUT_S)
        self._control.connect(str(self._socket_path))
        message = Attach(
            run_id=self.run_id,
            target=self.target,
            epoch=self.epoch,
            lease_id=self.lease_id,
            actor="somebody",
            timing=self.timing,
            access_key_id=self.access_key,
            secret_access_key=self.secret_key,
            proxy_user=self.user,
            proxy_password=self.password,
            state_username=self.run_id,
            listen="tcp" if self.listen == "tcp" else "fd",
        )
        if self.listen == "tcp":
            send_message(self._control, message)
        else:
            with socket.create_server(("127.0.0.1", 0)) as listener:
                self.port = int(listener.getsockname()[1])
                send_message(self._control, message, [listener.fileno()])
        reply, _ = receive_message(self._control)
        assert reply is not None
        if isinstance(reply, Attached) and reply.port is not None:
            self.port = reply.port
        return reply

    def open(self) -> None:
        self._renew()
        self._control.settimeout(None)
        self._renewing.set()
        for work in (self._read, self._keep_renewing):
            thread = threading.Thread(target=work, daemon=True)
            thread.start()
            self._threads.append(thread)
        wait_for("the gate to open", lambda: any(isinstance(event, Open) for event in self.events))

    def stop_renewing(self) -> None:
        """As if the worker were stopped: its socket stays open, nothing is renewed."""
        self._renewing.clear()

    def die(self) -> None:
        """As if it were killed."""
        self._renewing.clear()
        self._ended.set()
        try:
            self._control.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        for thread in self._threads:
            thread.join(CLIENT_TIMEOUT_S)
        self._control.close()

    def done(self) -> Acked:
        """Release, tell the proxy, wait for its word."""
        self._renewing.clear()
        self.store.release(self.target, self.lease_id)
        send_message(self._control, Done())
        wait_for("acked", lambda: any(isinstance(event, Acked | Shut) for event in self.events if event != Open))
        wait_for("acked", lambda: any(isinstance(event, Acked) for event in self.events))
        return next(event for event in self.events if isinstance(event, Acked))

    @property
    def cut(self) -> Cut | None:
        return next((event for event in self.events if isinstance(event, Cut)), None)

    def view(self) -> LeaseView:
        return self.store.view(self.target)

    def wait_cut(self) -> Cut:
        wait_for("the cut", lambda: self.cut is not None)
        assert self.cut is not None
        return self.cut

    def wait_state(self, state: str) -> LeaseView:
        wait_for(f"lease of {self.target} {state}", lambda: self.view().state == state)
        return self.view()

    def _renew(self) -> None:
        renewed = self.store.renew(self.target, self.lease_id)
        if isinstance(renewed, Renewed):
            self.store.confirm(self.target, self.lease_id, renewed.incarnation, renewed.seq)
            send_message(self._control, Poll())

    def _keep_renewing(self) -> None:
        while not self._ended.wait(self.timing.renew_ms / 1000):
            if self._renewing.is_set():
                try:
                    self._renew()
                except Exception as error:
                    if not self._ended.is_set():
                        self.renewal_error = error

    def _read(self) -> None:
        while True:
            try:
                message, _ = receive_message(self._control)
            except OSError:
                return
            if message is None:
                return
            self.events.append(message)

    # --- its provisioner's calls

    @property
    def proxy_url(self) -> str:
        login = f"{self.user}:{self.password.replace(':', '%3A')}@" if self.listen == "tcp" else ""
        return f"http://{login}127.0.0.1:{self.port}"

    def environment(self, ca: Path) -> dict[str, str]:
        """What the sandbox sets for its child."""
        return {
            "HTTPS_PROXY": self.proxy_url,
            "https_proxy": self.proxy_url,
            "HTTP_PROXY": self.proxy_url,
            "http_proxy": self.proxy_url,
            "AWS_CA_BUNDLE": str(ca),
            "SSL_CERT_FILE": str(ca),
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def signed(
        self,
        method: str,
        url: str,
        *,
        service: str,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        region: str = REGION,
        key: tuple[str, str] | None = None,
    ) -> dict[str, str]:
        """The headers of a request that this run's placeholder key (or another) has signed."""
        kind = S3SigV4Auth if service == "s3" else SigV4Auth
        request = AWSRequest(method=method, url=url, headers=headers or {}, data=body)
        kind(Credentials(*(key or (self.access_key, self.secret_key))), service, region).add_auth(request)
        return dict(request.headers.items())


def sqs_call(worker: Worker, operation: str = "CreateQueue", **parameters: str) -> tuple[str, dict[str, str], bytes]:
    """Host, headers and body of a signed SQS call: POST / in the JSON protocol."""
    host = f"sqs.{REGION}.amazonaws.com"
    body = json.dumps(parameters or {"QueueName": "q1"}).encode()
    headers = {"X-Amz-Target": f"AmazonSQS.{operation}", "Content-Type": "application/x-amz-json-1.0"}
    return host, worker.signed("POST", f"https://{host}/", service="sqs", body=body, headers=headers), body
