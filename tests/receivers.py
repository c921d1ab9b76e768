"""Receivers of notifications for tests: an HTTP server and a mail server that misbehave as they are told."""

from __future__ import annotations

import base64
import ipaddress
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

WAIT_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Received:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes


#: What the HTTP receiver does with one request: a status, or a word of `_Handler`, or a callable that gets the request.
type Behaviour = int | str | tuple[int, dict[str, str]] | Callable[[Received], None]


class _Server:
    """Serves in a thread until it is closed; whatever hangs is let go then."""

    def __init__(self) -> None:
        self.closing = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self.closing.set()


class HttpReceiver(_Server):
    """Answers each request with the next of `script`, the last one for ever."""

    def __init__(self, *script: Behaviour, tls: ssl.SSLContext | None = None, body: bytes = b"said so") -> None:
        super().__init__()
        self.body = body
        self.script: list[Behaviour] = list(script) or [200]
        self.requests: list[Received] = []
        #: Bytes of endless answers that were taken from us.
        self.sent = 0
        self._lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            timeout = WAIT_S

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                got = Received(
                    path=self.path, headers={name.lower(): value for name, value in self.headers.items()}, body=body
                )
                with suppress(OSError):
                    receiver._answer(self, got)

            do_GET = do_POST

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False
            #: Many attempts at once, on a busy machine: a full queue would reset some of them.
            request_queue_size = 128

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that goes away, or that trusts us not, is what is tested."""

        self._server = Server(("127.0.0.1", 0), Handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self._server.server_address[1]
        self._scheme = "https" if tls else "http"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}/hook"

    def close(self) -> None:
        super().close()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(WAIT_S)

    def _answer(self, handler: BaseHTTPRequestHandler, got: Received) -> None:
        with self._lock:
            self.requests.append(got)
            behaviour = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        match behaviour:
            case int():
                self._status(handler, behaviour, {})
            case (status, headers):
                self._status(handler, status, headers)
            case "hang":
                self.closing.wait(WAIT_S)
            case "reset":
                # An abortive close: RST instead of FIN.
                handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                handler.connection.close()
            case "huge" | "huge failure":
                status = 200 if behaviour == "huge" else 500
                handler.wfile.write(f"HTTP/1.1 {status} X\r\ncontent-type: text/plain\r\n\r\n".encode())
                piece = b"x" * 65_536
                while not self.closing.is_set():
                    handler.wfile.write(piece)
                    self.sent += len(piece)
            case "trickle":
                handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
                while not self.closing.wait(0.02):
                    handler.wfile.write(b"x-more: 1\r\n")
            case _:
                assert callable(behaviour), behaviour
                behaviour(got)

    def _status(self, handler: BaseHTTPRequestHandler, status: int, headers: dict[str, str]) -> None:
        handler.send_response(status)
        for name, value in {"content-length": str(len(self.body)), **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(self.body)


@dataclass(frozen=True, kw_only=True)
class Mail:
    """One mail as it came."""

    sender: str
    recipients: list[str]
    content: bytes
    tls: bool
    login: tuple[str, str] | None


class SmtpReceiver(_Server):
    """A small mail server. `mode` says how it misbehaves; recipients in `unknown` are refused."""

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        implicit: bool = False,
        mode: str = "",
        unknown: tuple[str, ...] = (),
    ) -> None:
        super().__init__()
        self.mails: list[Mail] = []
        self.sent = 0
        self._tls = tls
        self._implicit = implicit
        self.mode = mode
        self._unknown = unknown
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        super().close()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(WAIT_S)

    def _accept(self) -> None:
        while not self.closing.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        # A socket that is wrapped is another object; all of them are closed.
        with ExitStack() as stack, suppress(OSError):
            stack.enter_context(connection)
            connection.settimeout(WAIT_S)
            if self._implicit:
                connection = self._wrapped(connection, stack)
            self._talk(connection, stack)

    def _wrapped(self, connection: socket.socket, stack: ExitStack) -> socket.socket:
        assert self._tls is not None
        # Raises OSError where the client trusts us not.
        wrapped = self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        stack.enter_context(wrapped)
        wrapped.do_handshake()
        return wrapped

    def _talk(self, connection: socket.socket, stack: ExitStack) -> None:
        tls, login = self._implicit, None
        sender, recipients = "", list[str]()

        def say(line: str) -> None:
            connection.sendall(f"{line}\r\n".encode())

        if self.mode == "hang":
            self.closing.wait(WAIT_S)
            return
        if self.mode == "trickle":
            connection.sendall(b"220 ")
            while not self.closing.wait(0.02):
                connection.sendall(b"x")
            return
        if self.mode == "endless":
            while not self.closing.is_set():
                self.sent += connection.send(b"220-and\r\n" * 1000)
            return
        say("220 receiver")
        lines = stack.enter_context(connection.makefile("rb"))
        while line := lines.readline(2000).decode().rstrip("\r\n"):
            word, _, rest = line.partition(" ")
            match word.upper():
                case "EHLO":
                    say("250-receiver")
                    if self._tls is not None and not tls and self.mode != "no starttls":
                        say("250-STARTTLS")
                    say("250 AUTH PLAIN")
                case "STARTTLS":
                    say("220 go on")
                    connection, tls = self._wrapped(connection, stack), True
                    lines = stack.enter_context(connection.makefile("rb"))
                case "AUTH":
                    _, user, password = base64.b64decode(rest.partition(" ")[2]).decode().split("\0")
                    login = user, password
                    say("235 welcome" if password == "right" else "535 who are you")
                case "MAIL":
                    sender, recipients = rest, []
                    say("250 ok")
                case "RCPT":
                    known = not any(one in rest for one in self._unknown)
                    if known:
                        recipients.append(rest.partition("<")[2].rstrip(">"))
                    say("250 ok" if known else "550 no such user")
                case "DATA":
                    say("354 go on")
                    content = b""
                    while (piece := lines.readline(2000)) not in (b".\r\n", b""):
                        content += piece
                    self.mails.append(Mail(sender=sender, recipients=recipients, content=content, tls=tls, login=login))
                    if self.mode == "vanish":
                        return
                    say("451 come back later" if self.mode == "later" else "250 taken")
                case "QUIT":
                    say("500 never" if self.mode == "rude" else "221 bye")
                    return
                case _:
                    say("250 ok")


class Authority:
    """A certificate authority and a server certificate for this machine."""

    def __init__(self, folder: Path, *names: str) -> None:
        """For `names`, which may be addresses; default: 127.0.0.1 and localhost."""
        folder.mkdir(parents=True, exist_ok=True)
        self.ca_file = folder / "ca.pem"
        own = ec.generate_private_key(ec.SECP256R1())
        server = ec.generate_private_key(ec.SECP256R1())
        issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tests")])
        others = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
        no = dict.fromkeys((*others, "encipher_only", "decipher_only"), False)
        usage = x509.KeyUsage(key_cert_sign=True, crl_sign=True, **no)
        ca = _certificate(issuer, issuer, own, own, [x509.BasicConstraints(ca=True, path_length=None), usage])
        alternative = x509.SubjectAlternativeName([_name(one) for one in names or ("127.0.0.1", "localhost")])
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "server")])
        leaf = _certificate(subject, issuer, server, own, [alternative])
        self.ca_file.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
        chain, key = folder / "server.pem", folder / "server.key"
        chain.write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
        key.write_bytes(
            server.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        self.server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server_context.load_cert_chain(chain, key)


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    by: ec.EllipticCurvePrivateKey,
    extensions: list[Any],
) -> x509.Certificate:
    now = datetime.fromtimestamp(time.time(), tz=UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=not isinstance(extension, x509.SubjectAlternativeName))
    return builder.sign(by, hashes.SHA256())
