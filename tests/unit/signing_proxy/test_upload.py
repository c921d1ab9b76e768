"""An upload's last byte is held back until nothing speaks against it any more."""

from __future__ import annotations

import hashlib

import pytest

from signing_proxy.denial import Reason
from signing_proxy.upload import Upload

BODY = b"abcdefghij"


class Scene:
    def __init__(self, *, length: int = len(BODY), sha256: str | None = None) -> None:
        self.objection: str | None = None
        self.completed = 0
        self.refused: list[tuple[str, Reason]] = []
        self.upload = Upload(
            length=length,
            sha256=sha256,
            objection=lambda: self.objection,
            completed=self.complete,
            refused=lambda why, reason: self.refused.append((why, reason)),
        )

    def complete(self) -> None:
        self.completed += 1

    def pass_on(self, *chunks: bytes) -> bytes:
        return b"".join(self.upload(chunk) for chunk in chunks)


@pytest.mark.parametrize("sha256", [None, hashlib.sha256(BODY).hexdigest()])
@pytest.mark.parametrize("size", [1, 3, 10])
def test_everything_but_the_last_byte_is_passed_on_at_once_and_that_at_the_end(size: int, sha256: str | None) -> None:
    scene = Scene(sha256=sha256)
    chunks = [BODY[start : start + size] for start in range(0, len(BODY), size)]
    assert scene.pass_on(*chunks) == BODY[:-1]
    assert not scene.completed
    assert scene.upload(b"") == BODY[-1:]
    assert (scene.completed, scene.refused, scene.upload.over) == (1, [], True)


def test_a_body_with_another_hash_is_never_complete() -> None:
    scene = Scene(sha256=hashlib.sha256(BODY + b"!").hexdigest())
    assert scene.pass_on(BODY, b"") == BODY[:-1]
    assert scene.completed == 0
    assert [reason for _, reason in scene.refused] == [Reason.PAYLOAD_MISMATCH]


def test_a_body_that_ends_early_is_never_complete() -> None:
    scene = Scene(length=len(BODY) + 1)
    assert scene.pass_on(BODY, b"") == BODY[:-1]
    assert scene.refused == [("10 bytes of 11 came", Reason.SEVERED)]


def test_the_gate_is_asked_at_each_chunk() -> None:
    scene = Scene()
    assert scene.pass_on(BODY[:4]) == BODY[:3]
    scene.objection = "the lease is not live"
    assert scene.pass_on(BODY[4:], b"", BODY) == b""
    assert scene.refused == [("the lease is not live", Reason.SEVERED)], "told once"


def test_the_gate_is_asked_before_the_last_byte() -> None:
    scene = Scene()
    assert scene.pass_on(BODY) == BODY[:-1]
    scene.objection = "the lease is not live"
    assert scene.upload(b"") == b""
    assert (scene.completed, scene.refused) == (0, [("the lease is not live", Reason.SEVERED)])


def test_after_an_early_answer_nothing_more_is_passed_on() -> None:
    scene = Scene()
    scene.pass_on(BODY[:4])
    scene.upload.stop()
    assert scene.pass_on(BODY[4:], b"") == b""
    assert (scene.completed, scene.refused) == (0, [])
