"""The way out of `interlock demo --unfenced`: a proxy that never says no.

    python -m deploy.demo.unfenced --socket proxy.sock --ca-dir ca --cloud http://… --api http://… --secret …

It stands where the signing proxy stands and speaks the same control socket, so everything else of the demo is
the same. But the run's own key pair is made known to the cloud, so the provisioner signs for itself; TLS is
opened only to relay the bytes; nothing is asked about leases, nothing is cut. That is how provisioners work
that hold their credentials behind a plain lock, and the demo shows what follows from it.
"""

import argparse
import asyncio
import contextlib
import http
import json
import os
import socket
import ssl
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from mitmproxy.certs import CertStore

from shared.constants import STATE_HOST
from shared.control import (
    Acked,
    AllowanceHolds,
    AskAllowance,
    Attach,
    Attached,
    Done,
    Message,
    Open,
    Poll,
    receive_message,
    send_message,
)
from shared.errors import PeerError

MAX_HEAD_BYTES = 16 * 1024
STATE_LIMIT_S = 30
# A deadline that no demo lives to see.
_FOREVER_MS = 24 * 3600 * 1000


class Relay:
    """Opens the TLS of one run's calls and passes them on, to the cloud or to the state backend."""

    def __init__(self, *, ca_dir: Path, cloud: str, api: str) -> None:
        self._store = CertStore.from_store(ca_dir, "mitmproxy", 2048)
        self._cloud = urlsplit(cloud)
        self._api = api
        self._contexts: dict[str, ssl.SSLContext] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of a provisioner, from CONNECT to its end."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, httpx.HTTPError):
            try:
                head = await reader.readuntil(b"\r\n\r\n")
                words = head.split(b" ", 2)
                if words[0] != b"CONNECT":
                    writer.write(b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                    await writer.drain()
                    return
                host = words[1].decode("ascii", "replace").rpartition(":")[0]
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                await writer.drain()
                await writer.start_tls(self._context(host))
                await self._relay(host, reader, writer)
            finally:
                writer.close()

    async def _relay(self, host: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if host == STATE_HOST:
            while await self._answer_for_state(reader, writer):
                pass
            return
        up_reader, up_writer = await asyncio.open_connection(self._cloud.hostname, self._cloud.port)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(_pump(reader, up_writer))
                both.create_task(_pump(up_reader, writer))
        finally:
            up_writer.close()

    async def _answer_for_state(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request for the state; False when the client has no more.

        Interlock's backend refuses an older epoch, and Terraform then stops. A plain bucket would not refuse it, so
        here a refused write is said to have worked and a refused read finds nothing.
        """
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        except asyncio.IncompleteReadError:
            return False
        method, path, _ = head[0].split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:]) if name}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        async with httpx.AsyncClient(base_url=self._api, trust_env=False, timeout=STATE_LIMIT_S) as client:
            names = ("authorization", "content-type", "content-md5")
            kept: dict[str, str] = {name: headers[name] for name in names if name in headers}
            answer = await client.request(method, path, headers=kept, content=body)
        status, content = answer.status_code, answer.content
        if answer.is_client_error:
            status, content = (404 if method == "GET" else 200), b""
        line = f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}\r\nContent-Length: {len(content)}\r\n"
        writer.write(f"{line}Content-Type: application/json\r\n\r\n".encode() + content)
        await writer.drain()
        return True

    def _context(self, host: str) -> ssl.SSLContext:
        """A server's TLS context with a certificate for `host`, made once."""
        if host not in self._contexts:
            from cryptography import x509

            entry = self._store.get_cert(host, [x509.DNSName(host)])
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.set_alpn_protocols(["http/1.1"])
            with tempfile.NamedTemporaryFile(suffix=".pem") as file:
                file.write(_private_pem(entry.privatekey) + entry.cert.to_pem())
                file.flush()
                context.load_cert_chain(file.name)
            self._contexts[host] = context
        return self._contexts[host]


def _private_pem(key: object) -> bytes:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    assert isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass bytes on until one side ends, then end the other too."""
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


class Control:
    """The control socket: says yes to everything."""

    def __init__(self, relay: Relay, loop: asyncio.AbstractEventLoop, *, cloud: str, secret: str) -> None:
        self._relay = relay
        self._loop = loop
        self._cloud = cloud
        self._secret = secret
        self.servers: list[asyncio.Server] = []

    def accept_for_ever(self, path: Path) -> None:
        """Take workers' connections, each in a thread of its own."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind(str(path))
            listener.listen(16)
            print(json.dumps({"socket": str(path)}), flush=True)
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _converse(self, connection: socket.socket) -> None:
        with connection:
            while True:
                try:
                    message, fds = receive_message(connection)
                    if message is None:
                        return
                    answer = self._answer(message, fds)
                    if answer is not None:
                        send_message(connection, answer)
                except (OSError, PeerError) as error:
                    print(f"control connection ended: {error}", file=sys.stderr, flush=True)
                    return

    def _answer(self, message: Message, fds: list[int]) -> Message | None:
        match message:
            case Attach():
                self._issue_key(message)
                listener = socket.socket(fileno=fds[0]) if fds else socket.create_server(("127.0.0.1", 0))
                port = None if fds else int(listener.getsockname()[1])
                listener.setblocking(False)
                # Kept when the worker goes: nobody here ever takes a way out from a provisioner.
                serving = asyncio.start_server(self._relay.serve, sock=listener, limit=MAX_HEAD_BYTES)
                self.servers.append(asyncio.run_coroutine_threadsafe(serving, self._loop).result(timeout=10))
                return Attached(seq=1, port=port)
            case Poll():
                return Open(deadline_ms=time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000 + _FOREVER_MS)
            case AskAllowance():
                return AllowanceHolds(mode="entries", why="nothing is held against any call")
            case Done():
                return Acked(in_flight=0)
        for fd in fds:
            os.close(fd)
        return None

    def _issue_key(self, attach: Attach) -> None:
        """Make the run's placeholder pair a real one."""
        request = urllib.request.Request(
            f"{self._cloud}/demo/keys",
            method="POST",
            headers={"Content-Type": "application/json", "X-Demo-Secret": self._secret},
            data=json.dumps(
                {
                    "access_key": attach.access_key_id,
                    "secret_key": attach.secret_access_key,
                    "target": attach.target,
                    "epoch": attach.epoch,
                    "run": attach.run_id,
                }
            ).encode(),
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=10):
            pass


async def _serve(options: argparse.Namespace) -> None:
    relay = Relay(ca_dir=options.ca_dir, cloud=options.cloud, api=options.api)
    control = Control(relay, asyncio.get_running_loop(), cloud=options.cloud, secret=options.secret)
    threading.Thread(target=control.accept_for_ever, args=(options.socket,), daemon=True).start()
    await asyncio.Event().wait()


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="The demo's way out without a gate.")
    parser.add_argument("--socket", type=Path, required=True, help="the control socket to make")
    parser.add_argument("--ca-dir", type=Path, required=True, help="where the certificate authority is or will be")
    parser.add_argument("--cloud", required=True, help="the cloud's http://host:port")
    parser.add_argument("--api", required=True, help="the API's http://host:port, for state")
    parser.add_argument("--secret", required=True, help="the cloud's secret key, which lets keys be issued")
    asyncio.run(_serve(parser.parse_args(argv)))


if __name__ == "__main__":
    main()
