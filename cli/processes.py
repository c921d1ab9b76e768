"""`interlock server | beat | worker | proxy`: one process in the foreground, for a service manager to keep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import examples

if TYPE_CHECKING:
    from shared.settings import Settings

SERVER_EXAMPLES = examples(
    "interlock server",
    "INTERLOCK_API_PORT=9000 INTERLOCK_DATABASE_URL=postgresql+psycopg://db/interlock interlock server",
)
BEAT_EXAMPLES = examples(
    "interlock beat", "INTERLOCK_HTTP_PORT=9101 interlock beat   # with /healthz, /readyz, /metrics"
)
WORKER_EXAMPLES = examples(
    "interlock worker",
    "INTERLOCK_REGIONS=eu-west-1,eu-central-1 interlock worker",
    "interlock worker --sandbox none       # where bubblewrap cannot run; says what is not enforced",
)
PROXY_EXAMPLES = examples(
    "interlock proxy", "AWS_PROFILE=deployer interlock proxy   # the credentials that it signs with"
)

SandboxOption = Annotated[
    str | None,
    typer.Option("--sandbox", help="bubblewrap (the default) or none; none says at every start what is not enforced."),
]


# Settings are read and ports tried before a process's code is loaded: a mistake is reported at once.


def server() -> None:
    """Serve the API and the Terraform state backend."""
    from cli.ports import require_free

    settings = _settings()
    require_free(settings.api_host, settings.api_port, setting="INTERLOCK_API_PORT")
    from scheduler.server import run_api

    run_api(settings)


def beat() -> None:
    """Dispatch, reconcile and observe leases; several side by side are harmless."""
    settings = _with_health_port()
    from scheduler.beat import run_beat

    run_beat(settings)


def proxy() -> None:
    """Sign cloud calls for the runs of this host while their leases are live."""
    settings = _with_health_port()
    from signing_proxy.main import run_proxy

    raise typer.Exit(run_proxy(settings))


def worker(sandbox: SandboxOption = None) -> None:
    """Carry out runs in a sandbox whose only way out is this host's proxy."""
    settings = _with_health_port(**({} if sandbox is None else {"sandbox": sandbox}))
    from worker.main import run_worker

    raise typer.Exit(run_worker(settings))


def _settings(**overrides: str) -> Settings:
    from cli.context import load_settings

    settings = load_settings(**overrides)
    settings.prepare()
    return settings


def _with_health_port(**overrides: str) -> Settings:
    from cli.ports import require_free

    settings = _settings(**overrides)
    if settings.http_port is not None:
        require_free(settings.http_host, settings.http_port, setting="INTERLOCK_HTTP_PORT")
    return settings
