"""The one set of Celery settings that every app on the broker uses.

A message is only a hint that carries a run id: it may come twice, late or never, and the claim in the database
decides. So nothing here tries to make delivery reliable; it keeps Celery from doing harm.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlsplit

from celery import Celery
from kombu.entity import Exchange, Queue

from shared.broker_connection import follow_the_primary
from shared.constants import TASK_RUN as TASK_RUN
from shared.redis_address import parse_address
from shared.settings import Settings

VISIBILITY_MARGIN_S: Final = 600
_SENTINEL: Final = ("redis+sentinel://", "rediss+sentinel://")
SOCKET_TIMEOUT_S: Final = 10
SOFT_SHUTDOWN_S: Final = 20.0
"""Below the usual grace period of 30 s before a platform kills."""


def queue_name(region: str) -> str:
    """Return the queue that the workers of `region` take runs from."""
    return f"interlock.{region}"


def broker_url(url: str) -> str:
    """Return `url` in kombu's spelling.

    unix:///path?db=1 becomes redis+socket:///path?virtual_host=1, and redis+sentinel://a,b/name/1 becomes
    sentinel://a/1;sentinel://b/1, the name being a transport option.
    """
    if url.startswith(_SENTINEL):
        address = parse_address(url)
        user, password = (quote(str(address.options.get(key, "")), safe="") for key in ("username", "password"))
        login = f"{user}:{password}@" if user or password else ""
        hosts = (f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in address.hosts)
        return ";".join(f"sentinel://{login}{host}/{address.options.get('db', 0)}" for host in hosts)
    if not url.startswith("unix://"):
        return url
    parts = urlsplit(url)
    database = dict(parse_qsl(parts.query)).get("db", "0")
    login = f"{parts.netloc}" if parts.netloc else ""
    return f"redis+socket://{login}{parts.path}?virtual_host={database}"


def celery_settings(settings: Settings) -> dict[str, Any]:
    """Return the Celery configuration for `settings`; the same in every app, or their time-outs would disagree."""
    transport_options: dict[str, Any] = {
        # Longer than any run: a message that is delivered again in the middle is a no-op, but a noisy one.
        "visibility_timeout": settings.broker_visibility_timeout_s or settings.run_hard_limit_s + VISIBILITY_MARGIN_S,
        "socket_timeout": SOCKET_TIMEOUT_S,
        "socket_connect_timeout": SOCKET_TIMEOUT_S,
        "socket_keepalive": True,
        "health_check_interval": SOCKET_TIMEOUT_S,
    }
    if settings.broker_url.startswith(_SENTINEL):
        follow_the_primary()
        address = parse_address(settings.broker_url)
        bounds = {"socket_timeout": SOCKET_TIMEOUT_S, "socket_connect_timeout": SOCKET_TIMEOUT_S}
        transport_options |= {
            "master_name": address.master_name,
            "sentinel_kwargs": bounds | address.sentinel_options,
        }
        tls = {key: value for key, value in address.options.items() if key.startswith("ssl_")} if address.tls else None
    else:
        tls = None
    return {
        "broker_url": broker_url(settings.broker_url),
        "broker_transport_options": transport_options,
        **({} if tls is None else {"broker_use_ssl": tls or True}),
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        # A primary that is made a replica answers a waiting worker with an error (UNBLOCKED); without this it ends.
        "broker_channel_error_retry": True,
        "broker_connection_timeout": SOCKET_TIMEOUT_S,
        "redis_socket_timeout": SOCKET_TIMEOUT_S,
        "redis_socket_connect_timeout": SOCKET_TIMEOUT_S,
        "redis_socket_keepalive": True,
        "redis_backend_health_check_interval": SOCKET_TIMEOUT_S,
        "result_backend": None,
        "task_ignore_result": True,
        "task_create_missing_queues": False,
        "task_serializer": "json",
        "accept_content": ["json"],
        # Acknowledged late, a worker reserves no more than it attempts: no run waits behind a busy or frozen one.
        "task_acks_late": True,
        "task_reject_on_worker_lost": False,
        "enable_utc": True,
        "timezone": "UTC",
        "worker_concurrency": settings.worker_concurrency,
        "worker_prefetch_multiplier": 1,
        # True, the default from 6.0 on, raises SystemExit inside a run whenever the broker blinks.
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "worker_soft_shutdown_timeout": SOFT_SHUTDOWN_S,
        "worker_hijack_root_logger": False,
        "worker_send_task_events": False,
        "worker_enable_remote_control": False,
    }


def declare_queues(app: Celery, regions: Iterable[str]) -> None:
    """Make the queues of `regions` known to `app`; with task_create_missing_queues off no other can be used."""
    queues = [_queue(queue_name(region)) for region in regions]
    known = {queue.name: queue for queue in (app.conf.task_queues or ())}
    known.update({queue.name: queue for queue in queues})
    app.conf.task_queues = list(known.values())
    if queues:
        # Without this Celery looks for its own queue "celery", which is not declared.
        default = queues[0].name
        app.conf.update(task_default_queue=default, task_default_exchange=default, task_default_routing_key=default)
    # The producer's table may have been built already; adding is idempotent.
    for queue in queues:
        app.amqp.queues.add(queue)


def _queue(name: str) -> Any:
    exchange = Exchange(name, type="direct")  # type: ignore[no-untyped-call]  # kombu publishes no types for it
    return Queue(name, exchange, routing_key=name)  # type: ignore[no-untyped-call]  # the same
