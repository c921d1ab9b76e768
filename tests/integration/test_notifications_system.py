"""API, beat and the command as real processes: what happened to a run reaches a receiver."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from cli.main import main
from shared.models import RunKind
from tests.integration.test_scheduler_processes import TARGET, Installation, end
from tests.receivers import HttpReceiver
from tests.servers import ValkeyServer, wait_for
from tests.unit.scheduler.notifications.support import KEY, SECRET


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    with HttpReceiver(200) as receiver:
        yield receiver


@pytest.fixture
def installation(
    tmp_path: Path, redis_server_factory: Callable[..., ValkeyServer], receiver: HttpReceiver
) -> Iterator[Installation]:
    with ExitStack() as stack:
        made = Installation(tmp_path / "home", redis_server_factory(), stack)
        file = tmp_path / "notifications.yaml"
        webhook = f'{{webhook: {{url: "{receiver.url}", secret: {{env: OPS}}}}}}'
        file.write_text(f"destinations: {{ops: {webhook}}}\nroutes: [{{to: [ops]}}]\n")
        made._environment |= {"INTERLOCK_NOTIFICATIONS": str(file), "OPS": SECRET}
        yield made


@pytest.fixture
def interlock(
    installation: Installation, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str]]:
    """The command in this process, as it finds the installation by its environment."""
    monkeypatch.setenv("INTERLOCK_HOME", str(installation.settings.home))
    monkeypatch.setenv("INTERLOCK_API_URL", f"http://127.0.0.1:{installation.api_port}")

    def run(*words: str) -> tuple[int, str]:
        capsys.readouterr()
        return main(words), capsys.readouterr().out

    return run


def test_a_lost_run_reaches_the_receiver_also_when_the_beat_that_saw_it_is_gone(
    installation: Installation, receiver: HttpReceiver
) -> None:
    receiver.script = [500, 200]
    installation.start_api()
    installation.register()
    first, _ = installation.start_beat()
    run = installation.client().create_run(TARGET, RunKind.EXEC, argv=["true"])
    lease = installation.acquire(installation.client("worker").claim(run.id, node="n", holder="h"))
    installation.store.revoke(TARGET, lease, "worker died")
    wait_for("the first attempt", lambda: receiver.requests)
    end(first)
    installation.start_beat()
    # However it went with the first beat's record: its successor sends it under the same id.
    wait_for("the second attempt", lambda: len(receiver.requests) == 2, bound_s=120)
    (first_try, second_try) = receiver.requests
    assert first_try.body == second_try.body
    body = json.loads(second_try.body)
    assert (body["type"], body["data"]["run_id"], body["data"]["epoch"]) == ("interlock.lost_lease", run.id, 1)
    message = f"{first_try.headers['webhook-id']}.{second_try.headers['webhook-timestamp']}.".encode()
    digest = hmac.digest(KEY, message + second_try.body, "sha256")
    assert second_try.headers["webhook-signature"] == "v1," + base64.b64encode(digest).decode()


def test_the_command_tests_a_destination_and_lists_what_was_told(
    installation: Installation, receiver: HttpReceiver, interlock: Callable[..., tuple[int, str]]
) -> None:
    installation.start_api()
    installation.start_beat()
    code, out = interlock("notify", "test", "ops", "--json")
    assert (code, json.loads(out)["state"]) == (0, "delivered")
    receiver.script = [500]
    code, out = interlock("notify", "test", "ops", "--json")
    assert (code, json.loads(out)["state"], json.loads(out)["note"]) == (1, "dead", "HTTP 500: said so")
    assert interlock("notify", "test", "opps")[0] == 1
    code, out = interlock("notify", "list", "--json")
    assert (code, [one["state"] for one in json.loads(out)]) == (0, ["nobody", "dead", "delivered"])
    receiver.script = [200]
    assert interlock("notify", "retry", "--all") == (0, "1 deliveries are queued again\n")
    wait_for("the dead letter", lambda: len(receiver.requests) == 3)
