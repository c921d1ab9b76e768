"""Questions from inside the sandbox: no answer is never an answer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from shared.recovery.building import CallBuilder
from shared.recovery.questions import Answer, NotAnswered
from tests.unit.worker.support import RUN
from worker.questions import CALLS_FILE, ask
from worker.run_directory import RunDirectory

CALL = CallBuilder("eu-west-1").json("sqs", "AmazonSQS.GetQueueUrl", {"QueueName": "q"})


class Client:
    """What the command says, and how it ends."""

    def __init__(self, directory: RunDirectory, answers: object = (), code: int | None = 0) -> None:
        self.directory = directory
        self.answers = answers
        self.code = code
        self.asked: list[dict[str, str]] = []

    def __call__(self, argv: Sequence[str], capture: Path) -> int | None:
        assert argv[-1].endswith(CALLS_FILE)
        self.asked = json.loads((self.directory.work / CALLS_FILE).read_text())
        capture.write_text(json.dumps(self.answers))
        return self.code


@pytest.fixture
def directory(tmp_path: Path) -> RunDirectory:
    directory = RunDirectory(tmp_path, RUN)
    directory.create()
    return directory


def test_the_answers_come_back_in_order_and_the_calls_do_not_stay(directory: RunDirectory) -> None:
    client = Client(directory, [{"status": 200, "body": "{}"}, {"status": 500, "body": "oh"}])
    found = ask([CALL, CALL], directory, confined=False, run=client)
    assert found == [Answer(status=200, body="{}"), Answer(status=500, body="oh")]
    assert client.asked[0]["host"] == "sqs.eu-west-1.amazonaws.com"
    assert not (directory.work / CALLS_FILE).exists()


@pytest.mark.parametrize("code", [1, None])
def test_a_client_that_fails_or_takes_too_long_has_answered_nothing(directory: RunDirectory, code: int | None) -> None:
    with pytest.raises(NotAnswered):
        ask([CALL], directory, confined=False, run=Client(directory, [{"status": 200, "body": ""}], code))


def test_fewer_answers_than_questions_are_none(directory: RunDirectory) -> None:
    with pytest.raises(ValueError, match="shorter"):
        ask([CALL, CALL], directory, confined=False, run=Client(directory, [{"status": 200, "body": ""}]))
