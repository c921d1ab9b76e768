"""The scheduler's Celery app: it publishes hints and hosts beat; it consumes nothing."""

from typing import Any

from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from shared.celery_config import TASK_RUN, celery_settings, declare_queues, queue_name
from shared.errors import Unavailable
from shared.settings import Settings, load_settings

#: A request to the API waits for a hung broker this long at each step, well below its client's patience.
PUBLISH_TIMEOUT_S = 2


def create_app(settings: Settings) -> Celery:
    """The app for these settings. Nothing is connected yet."""
    app = Celery("interlock-scheduler")
    config = celery_settings(settings)
    # kombu would try to connect for ever; a request to the API must not wait for a broker that is away.
    config["broker_transport_options"] = {
        **config["broker_transport_options"],
        "socket_timeout": PUBLISH_TIMEOUT_S,
        "socket_connect_timeout": PUBLISH_TIMEOUT_S,
        "max_retries": 1,
        "interval_start": 0,
        "interval_step": 0.2,
        "interval_max": 0.2,
    }
    config["broker_connection_timeout"] = PUBLISH_TIMEOUT_S
    config["redis_socket_timeout"] = config["redis_socket_connect_timeout"] = PUBLISH_TIMEOUT_S
    app.conf.update(config)
    return app


class CeleryPublisher:
    """Publishes hints through the broker."""

    def __init__(self, app: Celery) -> None:
        """Publish with `app`, whose queues are declared as regions come up."""
        self._app = app
        self._declared: set[str] = set()

    def publish(self, *, run_id: str, region: str) -> None:
        """Put the hint on the region's queue. Raises `Unavailable` when the broker does not take it."""
        if region not in self._declared:
            declare_queues(self._app, [region])
            self._declared.add(region)
        try:
            self._app.send_task(TASK_RUN, args=[run_id], queue=queue_name(region), retry=False, ignore_result=True)
        except (OperationalError, RedisError, OSError) as error:
            raise Unavailable(
                f"the broker did not take the hint for {run_id}: {error}",
                hint="check INTERLOCK_BROKER_URL; the scheduler publishes it again",
            ) from error


def __getattr__(name: str) -> Any:
    """`scheduler.celery_app.app`, for Celery's own commands; made from the environment when it is asked for."""
    if name == "app":
        return create_app(load_settings())
    raise AttributeError(name)
