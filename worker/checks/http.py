"""A request to the service itself: good when its status is one of those listed and its body holds the text."""

from __future__ import annotations

from collections.abc import Sequence

from shared.rollback.settings import HttpCheck
from worker.checks.asking import Answer, NotAsked, ask
from worker.checks.evaluation import Evaluation, Grade


def decide(check: HttpCheck, answer: Answer) -> Evaluation:
    """What an answer says. Pure.

    Args:
        check: what is good.
        answer: what came.
    """
    if answer.status not in check.status:
        return Evaluation(grade=Grade.BAD, detail=f"{check.url} answered {answer.status}")
    if check.contains is not None and check.contains.encode() not in answer.body:
        return Evaluation(grade=Grade.BAD, detail=f"{check.url} answered {answer.status} without {check.contains!r}")
    return Evaluation(grade=Grade.GOOD, detail=f"{answer.status}")


def evaluate(check: HttpCheck, *, hosts: Sequence[str]) -> Evaluation:
    """Ask once.

    Args:
        check: with everything it refers to put in.
        hosts: that may be asked.
    """
    try:
        return decide(check, ask(check.url, hosts=hosts, limit_s=check.timeout_s, method=check.method))
    except NotAsked as error:
        return Evaluation(grade=Grade.ERROR, detail=f"{check.url}: {error}")
