"""One worker host: real targets, the worker's real sandbox, and the same attacker without it."""

from __future__ import annotations

import ctypes
import json
import os
import secrets
import shutil
import sqlite3
import subprocess
import sys
import sysconfig
import tempfile
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import pytest

from shared.clock import SystemClock
from shared.control import Attach
from shared.settings import Settings
from tests.integration.escapes import payloads, targets
from tests.integration.sandbox_support import PATH, run
from tests.servers import ValkeyServer, wait_for
from worker import sandbox, shim, signed_call
from worker.cli_config import ProviderSources
from worker.run_directory import RunDirectory
from worker.sandbox_layout import Bind, PythonRuntime, python_runtime
from worker.sandbox_setup import CA_NAME, Confinement, launch

PROXY_SECRET = "the-clouds-key-of-the-proxy-only"
NOBODY = 65534
ROOT = Path(__file__).resolve().parents[3]


class Host:
    """A host whose worker is `uid`. Made lazily: a target is there once an attempt names it."""

    def __init__(self, uid: int) -> None:
        self.uid = uid
        self._stack = ExitStack()
        # Not pytest's folder: only its own user may pass there.
        self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="il-", dir="/var/tmp")))
        self.folder.chmod(0o755)
        self.python = python_runtime() if uid == os.getuid() else self._copied_python()
        self.settings = Settings(home=self._made("home"), node="host-a")
        self.directory = RunDirectory(self.settings.home, "run-00000000000000aa")
        self.directory.create()
        shutil.copy(payloads.__file__, self.directory.work / "payloads.py")
        self._give(self.settings.home)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    # --- the attacker

    def outside(self, payload: str, arguments: dict[str, Any]) -> dict[str, str]:
        """What an attempt says without the sandbox."""
        argv = [self.python.executable, "-I", "-S", "-B", "payloads.py", payload, json.dumps(arguments)]
        done = subprocess.run(
            [*self._as_worker(), *argv],
            cwd=self.directory.work,
            env={"PATH": PATH, **self._library_path()},
            capture_output=True,
            text=True,
            timeout=120,
        )
        return _verdict(done.stdout, done.stdout + done.stderr)

    def inside(self, payload: str, arguments: dict[str, Any]) -> dict[str, str]:
        """What it says in the sandbox."""
        argv = [self.python.executable, "-I", "-S", "-B", "payloads.py", payload, json.dumps(arguments)]
        log = self.directory.captures / "verdict"
        _, said = run(self.box, argv, log)
        return _verdict(said, said)

    @cached_property
    def box(self) -> sandbox.Sandbox:
        """The worker's own sandbox, built as it builds it."""
        ca = self.settings.ca_dir / CA_NAME
        if not ca.exists():
            self.settings.ca_dir.mkdir(parents=True, exist_ok=True)
            ca.write_text("a certificate")
        with pytest.MonkeyPatch.context() as patch:
            bwrap = sandbox.find_bwrap(None)
            if self.uid != os.getuid():
                # Files that this user cannot reach, moved to where it can.
                bwrap = self._ordinary_bwrap(bwrap)
                patch.setattr(sandbox, "python_runtime", lambda: self.python)
                for module in (shim, signed_call):
                    patch.setattr(module, "__file__", shutil.copy(str(module.__file__), self.folder))
            confinement = Confinement(bwrap=bwrap, terraform=None, sources=ProviderSources())
            started = launch(confinement, self.settings, self.directory, SystemClock())
        return self._stack.enter_context(started)

    # --- the targets

    @cached_property
    def valkey(self) -> ValkeyServer:
        """Redis and broker in one, over TCP and a unix socket."""
        server = ValkeyServer("--unixsocketperm", "777", tcp=True)
        self._stack.callback(server.close)
        server.directory.chmod(0o755)
        return server

    @cached_property
    def abstract(self) -> str:
        """A name of this host's own: abstract socket, key in the kernel, mark on a command line."""
        return f"interlock-{secrets.token_hex(8)}"

    @cached_property
    def shm_key(self) -> int:
        """Of the victim's shared memory."""
        return secrets.randbelow(2**30) + 1

    @cached_property
    def victim(self) -> dict[str, int]:
        """A process like the worker's, of the worker's user."""
        token = str(self.files["the worker's token"])
        program = shutil.copy(targets.__file__, self.folder / "targets.py")
        argv = [self.python.executable, "-I", "-S", str(program), "victim"]
        return self._keep([*self._as_worker(), *argv, token, self.abstract, str(self.shm_key), self.abstract])

    @cached_property
    def files(self) -> dict[str, Path]:
        """Files of the worker's user, for its eyes only."""
        home = self.settings.home
        other = RunDirectory(home, "run-00000000000000bb")
        other.create()
        found = {
            "the worker's token": home / "tokens" / "worker.token",
            "another run's work directory": other.work / "secret.auto.tfvars",
            "the user's cloud credentials": self._made(".aws") / "credentials",
            "the host's shared memory files": Path("/dev/shm") / self.abstract,
        }
        for path in found.values():
            path.parent.mkdir(mode=0o700, exist_ok=True)
            path.write_text(targets.SECRET)
        self._stack.callback(found["the host's shared memory files"].unlink)
        database = found["the database"] = home / "interlock.db"
        with sqlite3.connect(database) as connection:
            connection.execute("CREATE TABLE run (id TEXT)")
        connection.close()
        for path in found.values():
            path.chmod(0o600)
            os.chown(path, self.uid, -1)
        for folder in (home, self.folder / ".aws"):
            self._give(folder)
        return found

    @cached_property
    def proxy_pid(self) -> int:
        """The real proxy, with its control socket and its CA."""
        environment = {
            "PATH": PATH,
            "PYTHONPATH": str(ROOT),
            "INTERLOCK_HOME": str(self.settings.home),
            "INTERLOCK_NODE": "host-a",
            "INTERLOCK_REDIS_URL": self.valkey.url,
            "INTERLOCK_API_URL": "http://127.0.0.1:9",
            "INTERLOCK_TOKEN": "a-token",
            "AWS_ACCESS_KEY_ID": "AKIAREALREALREALREAL",
            "AWS_SECRET_ACCESS_KEY": PROXY_SECRET,
        }
        log = self.folder / "proxy.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "cli", "proxy"],
                env=environment,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self._stack.callback(process.wait, 60)
        self._stack.callback(process.terminate)

        def up() -> bool:
            assert process.poll() is None, log.read_text()
            return self.settings.proxy_socket.exists() and (self.settings.ca_dir / CA_NAME).exists()

        wait_for("the proxy", up)
        return process.pid

    @property
    def attach_order(self) -> str:
        """What a worker asks of the proxy; of a lease that does not exist, so that the answer is a refusal."""
        return Attach(
            run_id="run-00000000000000aa",
            target="web.here",
            epoch=1,
            lease_id=f"1-{secrets.token_hex(16)}",
            actor="somebody",
            timing=self.settings.timing,
            access_key_id="AKPLACEHOLDER0000000",
            secret_access_key="a-placeholder",
            proxy_user="run-00000000000000aa",
            proxy_password="a-placeholder",
            state_username="run-00000000000000aa",
            listen="tcp",
        ).model_dump_json()

    @cached_property
    def cloud(self) -> dict[bool, str]:
        """Addresses of a cloud in a network namespace of its own, behind a real interface: IPv4, IPv6."""
        name = f"il{secrets.token_hex(4)}"
        four, six = f"198.18.{secrets.randbelow(256)}", f"fd5e:{secrets.token_hex(2)}:{secrets.token_hex(2)}:"
        _ip("netns", "add", name)
        self._stack.callback(_ip, "netns", "del", name)
        # Deleting a namespace deletes its end of the pair later; deleting ours deletes both now.
        _ip("link", "add", f"{name}h", "type", "veth", "peer", "name", f"{name}c", "netns", name)
        self._stack.callback(_ip, "link", "del", f"{name}h")
        for end, inside, last in ((f"{name}h", (), 1), (f"{name}c", ("-n", name), 2)):
            _ip(*inside, "address", "add", f"{four}.{last}/30", "dev", end)
            _ip(*inside, "address", "add", f"{six}:{last}/126", "dev", end, "nodad")
            _ip(*inside, "link", "set", end, "up")
        program = [sys.executable, "-I", "-S", targets.__file__, "cloud"]
        self._keep(["ip", "netns", "exec", name, *program])
        return {False: f"{four}.2", True: f"{six}:2"}

    def handle(self, path: Path) -> dict[str, Any]:
        """A file's handle, as open_by_handle_at takes it."""
        packed, mount = ctypes.create_string_buffer(8 + 128), ctypes.c_int()
        ctypes.memmove(packed, (128).to_bytes(4, sys.byteorder), 4)
        libc = ctypes.CDLL(None, use_errno=True)
        failed = libc.name_to_handle_at(-100, bytes(path), packed, ctypes.byref(mount), 0)
        assert not failed, os.strerror(ctypes.get_errno())
        length, kind = (int.from_bytes(packed.raw[n : n + 4], sys.byteorder) for n in (0, 4))
        return {"kind": kind, "handle": packed.raw[8 : 8 + length].hex()}

    @cached_property
    def set_user_id(self) -> str:
        """A program in the work directory that belongs to root and runs with its owner's rights."""
        tool = Path(shutil.copy("/usr/bin/id", self.directory.work / "set-user-id"))
        tool.chmod(0o4755)
        return f"./{tool.name}"

    # --- helpers

    def _keep(self, argv: list[str]) -> dict[str, int]:
        """Start a target, return the facts it states, end it with the host."""
        process = subprocess.Popen(
            argv,
            env={"PATH": PATH, "INTERLOCK_TOKEN": targets.SECRET, **self._library_path()},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        for close in (process.stdout.close, lambda: process.wait(60), process.stdin.close):
            self._stack.callback(close)
        facts: dict[str, int] = json.loads(process.stdout.readline())
        return facts

    def _made(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir(mode=0o700)
        os.chown(folder, self.uid, -1)
        return folder

    def _give(self, folder: Path) -> None:
        if self.uid != os.getuid():
            for path in (folder, *folder.rglob("*")):
                os.chown(path, self.uid, self.uid, follow_symlinks=False)

    def _as_worker(self) -> list[str]:
        if self.uid == os.getuid():
            return []
        return ["setpriv", f"--reuid={self.uid}", f"--regid={self.uid}", "--clear-groups"]

    def _library_path(self) -> dict[str, str]:
        return {} if self.uid == os.getuid() else {"LD_LIBRARY_PATH": str(self.folder / "python" / "lib")}

    def _ordinary_bwrap(self, bwrap: Path) -> Path:
        copied = shutil.copy(bwrap, self.folder / "bwrap")
        script = self.folder / "bwrap-as-nobody"
        script.write_text(f'#!/bin/sh\n[ "$1" = --version ] || exec {" ".join(self._as_worker())} {copied} "$@"\n')
        script.chmod(0o755)
        return script

    def _copied_python(self) -> PythonRuntime:
        """The interpreter at a place that every user may read; where it is now, perhaps only root may."""
        stdlib = Path(sysconfig.get_path("stdlib"))
        prefix = self.folder / "python"
        ignored = shutil.ignore_patterns("site-packages", "test", "__pycache__", "idlelib", "ensurepip", "config-*")
        shutil.copytree(stdlib, prefix / "lib" / stdlib.name, ignore=ignored)
        (prefix / "bin").mkdir()
        executable = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
        shutil.copy(executable, prefix / "bin" / "python3")
        binds = [Bind(source=prefix, target=str(prefix))]
        for bind in python_runtime().binds:
            if ".so" in bind.source.name:
                # The loader looks for it at the path that the build wrote into the program.
                copied = shutil.copy(bind.source, prefix / "lib" / bind.source.name)
                binds.append(Bind(source=Path(copied), target=bind.target))
        return PythonRuntime(executable=f"{prefix}/bin/python3", binds=tuple(binds), masked=())


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, timeout=60)


def _verdict(line: str, everything: str) -> dict[str, str]:
    try:
        verdict = json.loads(line)
    except ValueError:
        verdict = None
    assert isinstance(verdict, dict), f"the attempt itself is broken: {everything}"
    return verdict
