"""The Celery settings that known faults of its Redis transport ask for."""

from __future__ import annotations

import pytest
from celery import Celery
from celery.exceptions import QueueNotFound

from shared.celery_config import broker_url, celery_settings, declare_queues, queue_name
from shared.errors import ConfigurationError
from shared.settings import Settings, load_settings


def app(*regions: str) -> Celery:
    made = Celery("test", set_as_current=False)
    made.conf.update(celery_settings(Settings()))
    declare_queues(made, regions)
    return made


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("task_ignore_result", True),
        ("result_backend", None),
        ("task_create_missing_queues", False),
        ("worker_prefetch_multiplier", 1),
        ("task_acks_late", True),
        ("worker_cancel_long_running_tasks_on_connection_loss", False),
        ("task_reject_on_worker_lost", False),
        ("broker_connection_max_retries", None),
        ("broker_channel_error_retry", True),
    ],
)
def test_said_explicitly(name: str, value: object) -> None:
    assert celery_settings(Settings())[name] is value


def test_no_message_is_delivered_again_while_a_run_may_last() -> None:
    options = celery_settings(Settings(run_hard_limit_s=100))["broker_transport_options"]
    assert options["visibility_timeout"] > 100
    assert options["socket_timeout"]
    assert options["health_check_interval"]


def test_one_queue_a_region() -> None:
    made = app("eu-west-1", "us-east-1")
    assert queue_name("eu-west-1") == "interlock.eu-west-1"
    assert set(made.amqp.queues) == {"interlock.eu-west-1", "interlock.us-east-1"}


def test_a_region_declared_later_is_known_too() -> None:
    made = app("eu-west-1")
    assert "interlock.us-east-1" not in made.amqp.queues
    declare_queues(made, ["us-east-1"])
    assert set(made.amqp.queues) == {"interlock.eu-west-1", "interlock.us-east-1"}


def test_a_message_for_an_unknown_region_is_an_error_not_a_lost_message() -> None:
    with pytest.raises(QueueNotFound):
        app("eu-west-1").amqp.router.route({"queue": queue_name("nowhere")}, "interlock.run")


@pytest.mark.parametrize(
    ("url", "kombu"),
    [
        ("redis://h:1/2", "redis://h:1/2"),
        ("unix:///run/r.sock", "redis+socket:///run/r.sock?virtual_host=0"),
        ("unix:///run/r.sock?db=3", "redis+socket:///run/r.sock?virtual_host=3"),
        ("amqp://h//", "amqp://h//"),
        ("redis+sentinel://a:1,b:2/set/3", "sentinel://a:1/3;sentinel://b:2/3"),
        ("redis+sentinel://u:p%40@a/set", "sentinel://u:p%40@a:26379/0"),
        ("rediss+sentinel://[::1]:1/set", "sentinel://[::1]:1/0"),
    ],
)
def test_an_address_is_spelled_as_kombu_wants(url: str, kombu: str) -> None:
    assert broker_url(url) == kombu


def test_behind_sentinels_the_broker_is_the_primary_that_they_name() -> None:
    made = celery_settings(Settings(redis_url="redis+sentinel://:pw@a:1,b:2/set?sentinel_password=s"))
    options = made["broker_transport_options"]
    assert options["master_name"] == "set"
    assert options["sentinel_kwargs"]["password"] == "s"
    assert options["sentinel_kwargs"]["socket_timeout"]
    assert "broker_use_ssl" not in made
    secured = celery_settings(Settings(redis_url="rediss+sentinel://a:1/set?ssl_ca_certs=/ca.pem"))
    assert secured["broker_use_ssl"] == {"ssl_ca_certs": "/ca.pem"}
    assert secured["broker_transport_options"]["sentinel_kwargs"]["ssl"] is True


def test_a_cluster_is_no_broker_and_the_setting_to_set_is_named() -> None:
    with pytest.raises(ConfigurationError, match="broker_url: must be set"):
        load_settings(redis_url="redis+cluster://a:1")
    chosen = load_settings(redis_url="redis+cluster://a:1", broker_url="redis://b:2/0")
    assert celery_settings(chosen)["broker_url"] == "redis://b:2/0"
