"""Tasks are kept, their failures logged, and all of them ended."""

from __future__ import annotations

import asyncio

import pytest

from signing_proxy.background import TaskKeeper


async def test_a_task_is_kept_until_it_is_done() -> None:
    tasks = TaskKeeper()
    task = tasks.start(asyncio.sleep(0), name="short")
    assert len(tasks) == 1
    await task
    await asyncio.sleep(0)
    assert len(tasks) == 0


async def test_a_failure_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise RuntimeError("broken")

    task = TaskKeeper().start(fail(), name="failing")
    await asyncio.wait([task])
    await asyncio.sleep(0)
    assert "task=failing" in caplog.text
    assert "broken" in caplog.text


async def test_closing_cancels_what_still_runs() -> None:
    tasks = TaskKeeper()
    task = tasks.start(asyncio.Event().wait(), name="endless")
    await asyncio.sleep(0)
    await tasks.close()
    assert task.cancelled()
