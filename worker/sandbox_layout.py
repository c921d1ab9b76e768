"""What a sandbox contains, as bubblewrap's command line: pure, so that a test can read what is bound and what is not.

Everything starts empty. `/usr` of the host is bound for the C library and the tools that a configuration may call (git,
sh); beyond it only what the caller names. Nothing of /etc but the loader's cache and Debian's alternatives, nothing of
/home, /root, /var, /sys. The environment is not on this command line, where every user of the host could read it: it
goes to the shim with each command.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# Where things are inside. Fixed, so that a log reads the same on every host.
WORK = "/workspace"
BASE = "/run/interlock"
SHIM = f"{BASE}/shim.py"
CA_FILE = f"{BASE}/ca.pem"
TERRAFORMRC = f"{BASE}/terraformrc"
BIN = f"{BASE}/bin"
SIGNED_CALL = f"{BASE}/signed_call.py"
# The loopback of a sandbox is its own, so every one may use the same port.
PROXY_PORT = 3128

# Memory that a run may fill through its in-memory file systems, each bounded by the kernel.
TMP_BYTES = 1024**3
RUN_BYTES = 16 * 1024**2
SHM_BYTES = 64 * 1024**2

# Merged-/usr systems have links here, older ones directories.
_ROOT_NAMES = ("bin", "sbin", "lib", "lib32", "lib64")
_FROM_ETC = ("/etc/ld.so.cache", "/etc/alternatives")


@dataclass(frozen=True, kw_only=True)
class Bind:
    """One file or directory of the host that is visible inside, read-only unless said otherwise."""

    source: Path
    """On the host; must exist."""
    target: str
    """Absolute path inside."""
    writable: bool = False
    """Only the run's own work directory is."""


@dataclass(frozen=True, kw_only=True)
class PythonRuntime:
    """The interpreter that runs the shim inside: its program, its standard library, its shared library; no packages."""

    executable: str
    """Path of the interpreter, the same inside and outside."""
    binds: tuple[Bind, ...]
    """What to bind for it, at the same paths; empty when all of it is below /usr."""
    masked: tuple[str, ...]
    """Directories inside those binds that are covered by an empty one: installed packages are nobody's business."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Everything that decides what one run can see."""

    work: Path
    """The run's work directory on the host, bound read-write at `WORK`."""
    shim: Path
    """The shim's source file on the host."""
    python: PythonRuntime
    """Runs the shim."""
    etc: Path
    """Directory with the stand-ins for /etc (hosts, nsswitch.conf, passwd, group)."""
    binds: tuple[Bind, ...] = ()
    """What the provisioner needs: its binary, plug-ins, the proxy's CA."""


def python_runtime() -> PythonRuntime:
    """Find the running interpreter's own parts, wherever pyenv, uv or the system put them."""
    # The base interpreter, not a virtual environment's link to it: the link's target is what has to exist inside.
    executable = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    stdlib = Path(sysconfig.get_path("stdlib"))
    wanted = [executable, stdlib]
    library = sysconfig.get_config_var("INSTSONAME")
    if sysconfig.get_config_var("Py_ENABLE_SHARED") and library:
        # python-build-standalone records the LIBDIR of its build machine; its library lies beside the prefix.
        for folder in (sysconfig.get_config_var("LIBDIR"), Path(sys.base_prefix, "lib")):
            if folder and Path(folder, library).exists():
                wanted.append(Path(folder, library))
    binds = tuple(
        Bind(source=path, target=str(path))
        for path in dict.fromkeys(wanted)
        if not path.is_relative_to("/usr") and path.exists()
    )
    masked = tuple(
        str(path)
        for path in (stdlib / "site-packages",)
        if path.is_dir() and any(path.is_relative_to(bind.source) for bind in binds)
    )
    return PythonRuntime(executable=str(executable), binds=binds, masked=masked)


def write_etc(folder: Path) -> None:
    """Write the few files of /etc that programs insist on; they say nothing about the host."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    uid, gid = os.getuid(), os.getgid()
    (folder / "hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
    (folder / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files\n")
    (folder / "passwd").write_text(f"provisioner:x:{uid}:{gid}:provisioner:{WORK}:/bin/sh\n")
    (folder / "group").write_text(f"provisioner:x:{gid}:\n")


def bwrap_argv(bwrap: Path, layout: Layout, *, control_fd: int, info_fd: int, seccomp_fd: int | None) -> list[str]:
    """The whole command line of one sandbox.

    Args:
        bwrap: bubblewrap's binary, 0.8 or newer (for --disable-userns).
        layout: what is visible.
        control_fd: inherited descriptor of the shim's end of the control socket.
        info_fd: inherited descriptor on which bubblewrap says the pid of the namespace's first process.
        seccomp_fd: inherited descriptor with the filter program; None where this architecture has none.
    """
    argv = [
        str(bwrap),
        "--unshare-all",
        # Said although --unshare-all implies it where possible: without it a root caller would get none.
        "--unshare-user",
        "--disable-userns",
        "--die-with-parent",
        "--new-session",
        *("--cap-drop", "ALL"),
        *("--hostname", "interlock"),
        "--clearenv",
        *("--info-fd", str(info_fd)),
    ]
    if seccomp_fd is not None:
        argv += ["--seccomp", str(seccomp_fd)]
    argv += ["--ro-bind", "/usr", "/usr"]
    for name in _ROOT_NAMES:
        path = Path("/", name)
        if path.is_symlink():
            argv += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            argv += ["--ro-bind", str(path), str(path)]
    argv += ["--proc", "/proc", "--dev", "/dev"]
    argv += ["--size", str(SHM_BYTES), "--perms", "1777", "--tmpfs", "/dev/shm"]  # noqa: S108  # private to it as well
    argv += ["--size", str(TMP_BYTES), "--tmpfs", "/tmp"]  # noqa: S108  # inside the sandbox, private to it
    argv += ["--size", str(RUN_BYTES), "--tmpfs", "/run"]
    for name in _FROM_ETC:
        argv += ["--ro-bind-try", name, name]
    for entry in ("hosts", "nsswitch.conf", "passwd", "group"):
        argv += ["--ro-bind", str(layout.etc / entry), f"/etc/{entry}"]
    argv += _binds(layout.python.binds)
    for folder in layout.python.masked:
        argv += ["--tmpfs", folder]
    argv += ["--ro-bind", str(layout.shim), SHIM]
    argv += _binds(layout.binds)
    argv += _binds([Bind(source=layout.work, target=WORK, writable=True)])
    # The root, /run and /dev were built by bubblewrap in memory; nobody has to write there any more, and / and /dev
    # have no bound but half of the host's memory. Devices stay usable on a read-only mount. /proc/sys and
    # /proc/sysrq-trigger ask for the uid alone: a worker that is root would hand a provisioner without capabilities
    # the host's core_pattern, and with it a command as root outside.
    for folder in ("/", "/run", "/dev", "/proc"):
        argv += ["--remount-ro", folder]
    argv += ["--chdir", WORK]
    argv += ["--", *shim_argv(layout.python.executable, SHIM, control_fd=control_fd, port=PROXY_PORT)]
    return argv


def shim_argv(python: str, shim: str, *, control_fd: int, port: int | None) -> list[str]:
    """How the shim is started: isolated from the environment (-I), without site-packages (-S), writing no caches (-B).

    Args:
        python: the interpreter.
        shim: the shim's file.
        control_fd: inherited descriptor of the shim's end of the control socket.
        port: where it listens; None opens no listener.
    """
    return [python, "-I", "-S", "-B", shim, str(control_fd), "-" if port is None else str(port)]


def _binds(binds: Sequence[Bind]) -> list[str]:
    words: list[str] = []
    for bind in binds:
        words += ["--bind" if bind.writable else "--ro-bind", str(bind.source), bind.target]
    return words
