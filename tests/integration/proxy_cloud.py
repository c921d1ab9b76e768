"""A cloud that verifies signatures and remembers what arrived."""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
import os
import ssl
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

REAL_KEY = "AKIAREALREALREALREAL"
REAL_SECRET = "the-real-secret/which+no=sandbox.sees"
REGION = "us-east-1"
CLIENT_TIMEOUT_S = 60


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


def operations(arrivals: Sequence[Arrival]) -> list[str]:
    """The SQS operations among some arrivals."""
    return [arrival.headers.get("x-amz-target", "?").rpartition(".")[2] for arrival in arrivals]
