"""The demo's cloud: moto's server behind a recorder that checks every signature.

    python -m deploy.demo.cloud --port 0 --log cloud.jsonl --access-key AKIA… --secret-key …

Prints its port as one line of JSON when it serves. A request that is unsigned or wrongly signed gets
a 403 and is logged; moto never sees it. What the log holds is in `deploy.demo.arrivals`.

With `--issue-keys` the cloud also takes further key pairs at run time (`POST /demo/keys`, by whoever
shows the secret key). Only `interlock demo --unfenced` does that: there each worker has credentials.
"""

import argparse
import io
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from moto.backends import SERVICE_NAMES
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.test import run_wsgi_app

from deploy.demo.arrivals import Arrived, Done
from deploy.demo.requests import Caller, caller_of, is_mutating, operation_of
from deploy.demo.sigv4 import scope_of, verify

MAX_BODY_BYTES = 64 * 1024 * 1024
KEYS_PATH = "/demo/keys"
# moto loads a backend when it is first called, up to a second each: done before the cloud serves.
SERVICES: tuple[SERVICE_NAMES, ...] = (
    "cloudwatch",
    "dynamodb",
    "ec2",
    "ecr",
    "events",
    "iam",
    "kms",
    "logs",
    "s3",
    "secretsmanager",
    "sns",
    "sqs",
    "ssm",
    "sts",
)
# Linux's SO_TIMESTAMPNS (the same number for the option and for the control message); Python has no name for it.
_SO_TIMESTAMPNS = 35
_TIMESPEC_BYTES = 16

type WsgiApp = Callable[[dict[str, Any], Any], Iterable[bytes]]


def _realtime_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_REALTIME)


def _boot_ms_of(realtime_ns: int) -> float:
    """A recent instant of the wall clock on the boot clock."""
    boot_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    return (boot_ns - (_realtime_ns() - realtime_ns)) / 1e6


class TimestampedReader(io.RawIOBase):
    """A socket to read from, which notes when the kernel received the first bytes after `mark()`.

    The socket (or the listener it came from) must have SO_TIMESTAMPNS set. Without a time from the
    kernel the time of reading counts, which is later: the judge then errs against Interlock.
    """

    def __init__(self, connection: socket.socket) -> None:
        super().__init__()
        self._connection = connection
        self.received_ns: int | None = None
        self.from_kernel = False

    def mark(self) -> None:
        """Forget the last time: a new request begins."""
        self.received_ns = None
        self.from_kernel = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self.received_ns is None:
            self._peek()
        return self._connection.recv_into(buffer)

    def _peek(self) -> None:
        # One byte: the kernel reports the time of the last buffer it copied from, and the first is asked for.
        data, ancillary, _, _ = self._connection.recvmsg(1, socket.CMSG_SPACE(_TIMESPEC_BYTES), socket.MSG_PEEK)
        if not data:
            return
        for level, kind, value in ancillary:
            if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS:
                seconds = int.from_bytes(value[:8], sys.byteorder)
                self.received_ns = seconds * 1_000_000_000 + int.from_bytes(value[8:16], sys.byteorder)
                self.from_kernel = True
                return
        self.received_ns = _realtime_ns()


@dataclass(frozen=True, kw_only=True)
class IssuedKey:
    """A key pair that the cloud accepts."""

    secret_key: str
    """The secret access key."""
    caller: Caller | None
    """Whom the key was given to; what the user agent names goes before it."""


class Recorder:
    """Logs, verifies and then lets moto answer. Thread-safe."""

    def __init__(self, app: WsgiApp, log_path: Path, *, access_key: str, secret_key: str, issue_keys: bool) -> None:
        self._app = app
        self._log = log_path.open("a", encoding="utf-8")
        self._lock = threading.Lock()
        self._seq = 0
        self._root_secret = secret_key
        self._issue_keys = issue_keys
        self._keys = {access_key: IssuedKey(secret_key=secret_key, caller=None)}

    def close(self) -> None:
        """Close the log."""
        self._log.close()

    def answer(
        self, environ: dict[str, Any], headers: dict[str, str], body: bytes, received_ns: int
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        """Status, headers and body of the answer to one request. `headers` has lower-case names."""
        if environ["RAW_URI"] == KEYS_PATH and self._issue_keys:
            return self._issue(headers, body)
        arrived = self._record_arrival(environ, headers, body, received_ns)
        if arrived.accepted:
            status, sent, answer = self.carry_out(arrived, environ, headers, body)
        else:
            message = f"The request signature was not accepted: {arrived.signature}."
            name = "InvalidSignatureException" if "x-amz-target" in headers else "SignatureDoesNotMatch"
            status, sent, answer = error_answer(403, name, message, service=arrived.service, headers=headers)
        self._write(Done(seq=arrived.seq, status=status, done_ns=_realtime_ns()))
        return status, sent, answer

    def carry_out(
        self, arrived: Arrived, environ: dict[str, Any], headers: dict[str, str], body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        """Let moto do what an accepted request asks for. The fault suite puts its faults here."""
        # moto reads an aws-chunked body by itself; only the transfer coding is undone here.
        environ = {**environ, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        chunks, status_line, answer_headers = run_wsgi_app(self._app, environ, buffered=True)
        # The answer to HEAD says how long GET's would be; for the rest the length is counted when it is sent.
        keep_length = environ["REQUEST_METHOD"] == "HEAD"
        sent = [
            (name, value) for name, value in answer_headers.items() if keep_length or name.lower() != "content-length"
        ]
        return int(status_line.split(" ", 1)[0]), sent, b"".join(chunks)

    def _record_arrival(
        self, environ: dict[str, Any], headers: dict[str, str], body: bytes, received_ns: int
    ) -> Arrived:
        method, raw_uri = environ["REQUEST_METHOD"], environ["RAW_URI"]
        with self._lock:
            keys = dict(self._keys)
        signature = verify(
            method=method,
            raw_uri=raw_uri,
            headers=headers,
            body=body,
            secrets={key: issued.secret_key for key, issued in keys.items()},
            now=datetime.fromtimestamp(_realtime_ns() / 1e9, UTC),
        )
        scope = scope_of(headers.get("authorization", ""))
        operation = operation_of(method, raw_uri, headers, body)
        caller = caller_of(headers.get("user-agent", ""))
        if caller is None and scope is not None and scope.access_key in keys:
            caller = keys[scope.access_key].caller
        with self._lock:
            self._seq += 1
            arrived = Arrived(
                seq=self._seq,
                arrived_ns=received_ns,
                arrived_boot_ms=_boot_ms_of(received_ns),
                host=headers.get("host", ""),
                method=method,
                path=raw_uri[:2048],
                service=scope.service if scope else "",
                region=scope.region if scope else "",
                operation=operation,
                mutating=is_mutating(operation),
                access_key=scope.access_key if scope else "",
                signature=signature,
                target=caller.target if caller else None,
                epoch=caller.epoch if caller else None,
                run=caller.run if caller else None,
            )
            self._append(arrived)
        return arrived

    def _issue(self, headers: dict[str, str], body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        if headers.get("x-demo-secret") != self._root_secret:
            return 403, [], b"{}"
        wanted = json.loads(body)
        caller = Caller(target=wanted["target"], epoch=wanted["epoch"], run=wanted["run"])
        with self._lock:
            self._keys[wanted["access_key"]] = IssuedKey(secret_key=wanted["secret_key"], caller=caller)
        return 201, [], b"{}"

    def _write(self, entry: Done) -> None:
        with self._lock:
            self._append(entry)

    def _append(self, entry: Arrived | Done) -> None:
        self._log.write(entry.model_dump_json() + "\n")
        self._log.flush()


def error_answer(
    status: int, name: str, message: str, *, service: str, headers: Mapping[str, str]
) -> tuple[int, list[tuple[str, str]], bytes]:
    """An error in the shape in which the service would say it, so that every SDK reads the reason."""
    if "x-amz-target" in headers:
        text = json.dumps({"__type": name, "message": message})
        return status, [("Content-Type", "application/x-amz-json-1.1")], text.encode()
    error = f"<Error><Code>{name}</Code><Message>{escape(message)}</Message></Error>"
    shapes = {"s3": error, "ec2": f"<Response><Errors>{error}</Errors></Response>"}
    text = shapes.get(service, f"<ErrorResponse>{error}</ErrorResponse>")
    return status, [("Content-Type", "text/xml")], text.encode()


class Handler(MotoRequestHandler):
    """HTTP/1.1 with kept connections; werkzeug's own handler closes each after one request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "CloudServer"  # type: ignore[assignment]  # of werkzeug's server only attributes are used

    def setup(self) -> None:
        super().setup()
        self.rfile.close()
        self.timestamps = TimestampedReader(self.connection)
        self.rfile = io.BufferedReader(self.timestamps, 65536)

    def handle_one_request(self) -> None:
        self.timestamps.mark()
        super().handle_one_request()

    def run_wsgi(self) -> None:
        received_ns = self.timestamps.received_ns or _realtime_ns()
        if self.headers.get("Expect", "").strip().lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        environ = self.make_environ()
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if length > MAX_BODY_BYTES:
            self.close_connection = True
            self.send_error(413)
            return
        source = environ["wsgi.input"]
        body = source.read() if environ.get("wsgi.input_terminated") else source.read(length)
        headers: dict[str, str] = {}
        for name, value in self.headers.items():
            lower = name.lower()
            headers[lower] = f"{headers[lower]},{value}" if lower in headers else value
        status, sent, answer = self.server.recorder.answer(environ, headers, body, received_ns)
        self.send_response(status)
        for name, value in sent:
            self.send_header(name, value)
        if status != 204 and not any(name.lower() == "content-length" for name, _ in sent):
            self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)
        self.wfile.flush()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing on stderr: the log file has it all."""


class CloudServer(ThreadingHTTPServer):
    """One thread a connection."""

    daemon_threads = True
    request_queue_size = 256
    # What werkzeug's handler reads of its server.
    ssl_context = None
    multithread = True
    multiprocess = False
    _server_version = "demo-cloud"

    def __init__(self, address: tuple[str, int], recorder: Recorder) -> None:
        super().__init__(address, Handler, bind_and_activate=False)
        self.recorder = recorder
        # Accepted sockets inherit it, so that the first bytes of a connection are stamped too.
        self.socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self.server_bind()
        self.server_activate()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is not worth a traceback; anything else is."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


def moto_app() -> WsgiApp:
    """moto's application with the demo's backends loaded."""
    # moto must not keep the instances' metadata nor check credentials: the recorder does.
    os.environ.setdefault("MOTO_S3_DEFAULT_KEY_BUFFER_SIZE", str(MAX_BODY_BYTES))
    app = DomainDispatcherApplication(create_backend_app)
    for service in SERVICES:
        app.app_instances[service] = create_backend_app(service)
    return app


def main(argv: list[str] | None = None, recorder_type: type[Recorder] = Recorder) -> None:
    """Serve until killed, with that kind of recorder."""
    parser = argparse.ArgumentParser(description="The demo's cloud.")
    parser.add_argument("--port", type=int, default=0, help="0: any free port; printed when it serves")
    parser.add_argument("--log", type=Path, required=True, help="where arrivals are appended, one JSON object a line")
    parser.add_argument("--access-key", required=True, help="the one access key id that the cloud knows")
    parser.add_argument("--secret-key", required=True, help="its secret")
    parser.add_argument("--issue-keys", action="store_true", help=f"take further key pairs at {KEYS_PATH}")
    options = parser.parse_args(argv)
    recorder = recorder_type(
        moto_app(),
        options.log,
        access_key=options.access_key,
        secret_key=options.secret_key,
        issue_keys=options.issue_keys,
    )
    with CloudServer(("127.0.0.1", options.port), recorder) as server:
        print(json.dumps({"port": server.server_address[1]}), flush=True)
        try:
            server.serve_forever()
        finally:
            recorder.close()


if __name__ == "__main__":
    main()
