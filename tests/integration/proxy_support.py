"""What the proxy's integration tests are made of: a cloud that verifies signatures, a worker, a proxy in a thread."""

from __future__ import annotations

import asyncio
import datetime
import hashlib
import ipaddress
import json
import os
import secrets
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import httpx
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from shared.control import Acked, Attach, Attached, Cut, Done, Message, Open, Poll, Shut, receive_message, send_message
from shared.lease.commands import Granted, Renewed
from shared.lease.store import LeaseStore, connect
from shared.lease.timing import LeaseTiming
from shared.lease.view import LeaseView
from shared.settings import Settings
from signing_proxy.core import CA_CERTIFICATE
from signing_proxy.main import ProxyService
from signing_proxy.testing import FixedAllowance, FixedCredentials, MemoryJournal
from tests.servers import wait_for

REAL_KEY = "AKIAREALREALREALREAL"
REAL_SECRET = "the-real-secret/which+no=sandbox.sees"
REGION = "us-east-1"
CLIENT_TIMEOUT_S = 60
# Roomy, so that a slow machine keeps a healthy lease alive; short enough to wait for its end.
TIMING = LeaseTiming(ttl_ms=5000, renew_ms=700, poll_ms=150, delta_ms=500, grace_ms=500, unknown_ms=3000)


# --- network namespaces


def within[T](namespace: str | None, work: Callable[[], T]) -> T:
    """Do something in a network namespace. Sockets stay where they were made, whoever uses them afterwards."""
    if namespace is None:
        return work()
    results: list[T] = []

    def enter() -> None:
        fd = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
        try:
            os.setns(fd, os.CLONE_NEWNET)  # of this thread only, which ends
        finally:
            os.close(fd)
        results.append(work())

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join(CLIENT_TIMEOUT_S)
    return results[0]


# --- the cloud


@dataclass(kw_only=True)
class Arrival:
    """One request that reached the cloud."""

    method: str
    host: str
    path: str
    headers: dict[str, str]
    body: bytes
    signed_by: str | None
    """Access key, when the signature is right; None when it is not."""


@dataclass(kw_only=True)
class Cloud:
    """An HTTP server that verifies SigV4 with botocore's own code and keeps a log of what arrived."""

    tls: ssl.SSLContext | None = None
    arrivals: list[Arrival] = field(default_factory=list)
    handshake_gate: threading.Event = field(default_factory=threading.Event)
    """Handshakes wait for it."""
    answer_gate: threading.Event = field(default_factory=threading.Event)
    """Answers wait for it, after the request has been logged."""
    answer: Callable[[Arrival], tuple[int, str, bytes]] = lambda arrival: (200, "application/xml", b"<Ok/>")
    accepted: int = 0
    """TCP connections accepted."""
    address: str = "127.0.0.1"
    namespace: str | None = None
    """The network namespace it listens in, by its name in `ip netns`; the test's own by default."""

    def __enter__(self) -> Self:
        cloud = self
        self.handshake_gate.set()
        self.answer_gate.set()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                cloud.accepted += 1
                if cloud.tls is not None:
                    cloud.handshake_gate.wait(CLIENT_TIMEOUT_S)
                    self.request = cloud.tls.wrap_socket(self.request, server_side=True)
                super().setup()

            def finish(self) -> None:
                super().finish()
                self.request.close()  # after wrapping, the server knows only the socket's empty shell

            def serve(self) -> None:
                body = self.read_body()
                if body is None:
                    self.close_connection = True  # cut in the middle: nothing has arrived
                    return
                arrival = Arrival(
                    method=self.command,
                    host=self.headers["host"],
                    path=self.path,
                    headers={name.lower(): value for name, value in self.headers.items()},
                    body=body,
                    signed_by=verified_key(self.command, self.path, dict(self.headers.items()), body),
                )
                cloud.arrivals.append(arrival)
                cloud.answer_gate.wait(CLIENT_TIMEOUT_S)
                status, kind, content = cloud.answer(arrival)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(b"" if self.command == "HEAD" else content)

            def read_body(self) -> bytes | None:
                if self.headers.get("transfer-encoding") != "chunked":
                    length = int(self.headers.get("content-length", 0))
                    body = self.rfile.read(length)
                    return body if len(body) == length else None
                body = b""
                while True:
                    size = int(self.rfile.readline() or b"-1", 16)
                    chunk = self.rfile.read(size) if size >= 0 else b""
                    if len(chunk) != size or self.rfile.readline() != b"\r\n":
                        return None
                    if size == 0:
                        return body
                    body += chunk

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_LOCK = do_UNLOCK = serve

            def log_message(self, format: str, *args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, request: Any, client_address: Any) -> None:
                """Connections that the proxy cuts are what is tested, no error."""

        self._server = within(self.namespace, lambda: Server((self.address, 0), Handler))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.handshake_gate.set()
        self.answer_gate.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(CLIENT_TIMEOUT_S)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.address}:{self.port}"


def verified_key(method: str, path: str, headers: dict[str, str], body: bytes) -> str | None:
    """The access key of a rightly signed request, by botocore's arithmetic; None for any other."""
    lowered = {name.lower(): value for name, value in headers.items()}
    authorization = lowered.get("authorization", "")
    if not authorization.startswith("AWS4-HMAC-SHA256 "):
        return None
    fields = dict(part.strip().split("=", 1) for part in authorization.partition(" ")[2].split(","))
    access_key, _, region, service, _ = fields["Credential"].split("/")
    kind = S3SigV4Auth if service == "s3" else SigV4Auth
    auth = kind(Credentials(access_key, REAL_SECRET, lowered.get("x-amz-security-token")), service, region)
    signed = {name: lowered[name] for name in fields["SignedHeaders"].split(";")}
    request = AWSRequest(method=method, url=f"https://{lowered['host']}{path}", headers=signed, data=body)
    request.context["timestamp"] = lowered["x-amz-date"]
    declared = lowered.get("x-amz-content-sha256")
    if declared is not None and len(declared) == 64 and declared != hashlib.sha256(body).hexdigest():
        return None
    text = auth.string_to_sign(request, auth.canonical_request(request))
    return access_key if auth.signature(text, request) == fields["Signature"] else None


def make_server_tls(directory: Path) -> tuple[ssl.SSLContext, Path]:
    """A server context for 127.0.0.1 and the file with the root that signed it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test cloud")])
    start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = directory / "cloud.pem", directory / "cloud.key"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_file, key_file)
    return context, certificate_file


# --- the proxy


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


# --- the worker


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


class Tunnel:
    """One keep-alive connection through the proxy, as a client that does nothing behind one's back."""

    def __init__(
        self,
        port: int,
        host: str,
        ca: Path,
        *,
        sni: str | None = None,
        connect_headers: dict[str, str] | None = None,
        connect_port: int = 443,
    ) -> None:
        self.host = host
        self._raw = socket.create_connection(("127.0.0.1", port), timeout=CLIENT_TIMEOUT_S)
        lines = [f"CONNECT {host}:{connect_port} HTTP/1.1", f"Host: {host}:{connect_port}"]
        lines += [f"{name}: {value}" for name, value in (connect_headers or {}).items()]

        self.sock: socket.socket = self._raw
        try:
            self._raw.sendall("\r\n".join([*lines, "", ""]).encode())
            self.connect_status, _, _ = read_response(self._raw)
            if self.connect_status == 200:
                context = ssl.create_default_context(cafile=str(ca))
                context.check_hostname = False
                self.sock = context.wrap_socket(self._raw, server_hostname=sni or host)
        except BaseException:
            self._raw.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(
        self, method: str, path: str, headers: dict[str, str], body: bytes = b"", *, host: str | None = None
    ) -> None:
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host or self.host}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if body and "content-length" not in {name.lower() for name in headers}:
            lines.append(f"Content-Length: {len(body)}")
        self.sock.sendall("\r\n".join([*lines, "", ""]).encode() + body)

    def receive(self) -> tuple[int, dict[str, str], bytes]:
        return read_response(self.sock)

    def call(
        self, method: str, path: str, headers: dict[str, str], body: bytes = b"", **options: Any
    ) -> tuple[int, bytes]:
        self.send(method, path, headers, body, **options)
        status, _, content = self.receive()
        return status, content

    def closed(self) -> bool:
        """Whether the other side ends the connection without another byte (waits for it)."""
        for _ in range(10):
            try:
                return self.sock.recv(1) == b""
            except BlockingIOError:
                continue  # not ours: the errno of another thread that was sending on this socket
            except (ConnectionError, ssl.SSLError):  # the latter where it ends in the middle of a record
                return True
        return False


def read_response(sock: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """One response with a Content-Length. Raises ConnectionError when the connection ends before it."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = sock.recv(1)
        if not chunk:
            raise ConnectionError(f"closed after {data!r}")
        data += chunk
    lines = data.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:] if line)}
    body, length = b"", int(headers.get("content-length", 0))
    while len(body) < length:
        chunk = sock.recv(length - len(body))
        if not chunk:
            raise ConnectionError("closed inside a body")
        body += chunk
    return int(lines[0].split()[1]), headers, body


def sqs_call(worker: Worker, operation: str = "CreateQueue", **parameters: str) -> tuple[str, dict[str, str], bytes]:
    """Host, headers and body of a signed SQS call: POST / in the JSON protocol."""
    host = f"sqs.{REGION}.amazonaws.com"
    body = json.dumps(parameters or {"QueueName": "q1"}).encode()
    headers = {"X-Amz-Target": f"AmazonSQS.{operation}", "Content-Type": "application/x-amz-json-1.0"}
    return host, worker.signed("POST", f"https://{host}/", service="sqs", body=body, headers=headers), body


def operations(arrivals: Sequence[Arrival]) -> list[str]:
    """The SQS operations among some arrivals."""
    return [arrival.headers.get("x-amz-target", "?").rpartition(".")[2] for arrival in arrivals]
