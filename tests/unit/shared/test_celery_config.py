"""The Celery settings that known faults of its Redis transport ask for."""

from __future__ import annotations

import pytest
from celery import Celery
from celery.exceptions import QueueNotFound

from shared.celery_config import broker_url, celery_settings, declare_queues, queue_name
from shared.settings import Settings


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
    ],
)
def test_a_unix_socket_is_spelled_as_kombu_wants(url: str, kombu: str) -> None:
    assert broker_url(url) == kombu
