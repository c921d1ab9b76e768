"""Puts a run's sandbox together: what the provisioner sees, and the environment it starts with."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from shared.clock import Clock
from shared.errors import ConfigurationError, Unavailable
from shared.models import Assignment
from shared.settings import Settings
from worker import sandbox, signed_call
from worker.cli_config import ProviderSources, load_provider_sources, render_cli_config
from worker.environment import Placeholders, provisioner_environment
from worker.run_directory import RunDirectory
from worker.sandbox_layout import BIN, CA_FILE, PROXY_PORT, SIGNED_CALL, TERRAFORMRC, Bind, Layout
from worker.terraform_binary import TerraformBinary, find_terraform

_INSIDE_PATH = f"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:{BIN}"
CA_NAME = "mitmproxy-ca-cert.pem"

UNENFORCED = (
    "INTERLOCK_SANDBOX=none: nothing confines provisioners. NOT enforced: that the proxy is their only way out "
    "(credentials found elsewhere bypass the lease), that they cannot read this host's files or attack its processes, "
    "that everything they started dies with the run. Enforced: the proxy signs for the live lease only."
)


@dataclass(frozen=True, kw_only=True)
class Confinement:
    """How this worker confines its runs, decided once at start."""

    bwrap: Path | None
    """bubblewrap; None: no sandbox."""
    terraform: TerraformBinary | None
    """None: not found; only exec runs work."""
    sources: ProviderSources = field(default_factory=ProviderSources)
    """Where Terraform finds providers."""
    notes: tuple[str, ...] = ()
    """What an operator should know; logged at start."""

    @property
    def confined(self) -> bool:
        """Whether there is a sandbox."""
        return self.bwrap is not None


def decide_confinement(settings: Settings) -> Confinement:
    """Find the parts and try the sandbox once.

    Args:
        settings: what the operator asked for.

    Raises:
        ConfigurationError: the platform forbids the sandbox, or a part that was named is missing.
    """
    notes: list[str] = []
    bwrap = None
    if settings.sandbox == "none":
        notes.append(UNENFORCED)
    else:
        bwrap = sandbox.find_bwrap(settings.bwrap)
        sandbox.probe(bwrap, settings.home)
    terraform = None
    try:
        terraform = find_terraform(settings.terraform)
    except ConfigurationError as error:
        if settings.terraform is not None:
            raise
        notes.append(f"{error}: only exec runs will work ({error.hint})")
    if settings.plugin_dir is not None and not settings.plugin_dir.is_dir():
        raise ConfigurationError(
            f"INTERLOCK_PLUGIN_DIR names {settings.plugin_dir}, which is no directory", hint="correct or unset it"
        )
    sources, note = load_provider_sources(dict(os.environ), Path.home())
    if note:
        notes.append(note)
    return Confinement(bwrap=bwrap, terraform=terraform, sources=sources, notes=tuple(notes))


def launch(confinement: Confinement, settings: Settings, directory: RunDirectory, clock: Clock) -> sandbox.Sandbox:
    """Start the run's sandbox.

    Args:
        confinement: as decided at start.
        settings: for the CA and the plug-ins.
        directory: of the run; created.
        clock: for bounds on waits.

    Raises:
        Unavailable: the proxy has not made its CA yet.
        ConfigurationError: the platform forbids the sandbox.
    """
    ca = settings.ca_dir / CA_NAME
    if not ca.is_file():
        raise Unavailable(f"the proxy's certificate {ca} does not exist", hint="start `interlock proxy` on this host")
    rc = directory.root / "terraformrc"
    rc.write_text(render_cli_config(confinement.sources))
    if confinement.bwrap is None:
        return sandbox.launch_unconfined(directory.work, clock=clock)
    binds = [
        Bind(source=ca, target=CA_FILE),
        Bind(source=rc, target=TERRAFORMRC),
        Bind(source=Path(signed_call.__file__), target=SIGNED_CALL),
    ]
    if confinement.terraform is not None:
        binds += confinement.terraform.binds
    folders = list(confinement.sources.directories)
    if settings.plugin_dir is not None:
        folders.append(settings.plugin_dir.resolve())
    # At their own paths: init makes links to them, which have to hold inside.
    binds += [Bind(source=folder, target=str(folder)) for folder in dict.fromkeys(folders)]
    plain = sandbox.plain_layout(directory.work, directory.etc)
    layout = Layout(work=plain.work, shim=plain.shim, python=plain.python, etc=plain.etc, binds=tuple(binds))
    return sandbox.launch(confinement.bwrap, layout, clock=clock)


def environment(
    confinement: Confinement,
    settings: Settings,
    directory: RunDirectory,
    assignment: Assignment,
    placeholders: Placeholders,
    port: int | None,
) -> dict[str, str]:
    """The environment of the run's commands.

    Args:
        confinement: as decided at start.
        settings: for the CA.
        directory: of the run.
        assignment: region and state password.
        placeholders: of the run.
        port: of the proxy's own listener; None: the sandbox's.
    """
    confined = confinement.confined
    home = directory.root / "home"
    if not confined:
        home.mkdir(mode=0o700, exist_ok=True)
    return provisioner_environment(
        placeholders=placeholders,
        port=port or PROXY_PORT,
        authenticate=not confined,
        region=assignment.target.provider_region,
        ca_file=CA_FILE if confined else str(settings.ca_dir / CA_NAME),
        state_username=assignment.state_username,
        state_password=assignment.state_password,
        path=_INSIDE_PATH if confined else os.environ.get("PATH", os.defpath),
        home="/tmp" if confined else str(home),  # noqa: S108  # the sandbox's own
        terraformrc=TERRAFORMRC if confined else str(directory.root / "terraformrc"),
    )
