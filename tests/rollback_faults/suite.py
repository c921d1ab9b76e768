"""Carries cases out, side by side, and keeps what came of them."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deploy.demo.fleet import Fleet
from deploy.demo.home import home_of
from shared.errors import Unavailable
from tests.rollback_faults.inventory import Thing
from tests.rollback_faults.job import Job, Scenario
from tests.rollback_faults.plan import Case
from tests.rollback_faults.results import Results
from tests.rollback_faults.world import Release, World

#: The section of both releases: everything takes a deployment back, and nothing is watched.
ROLLBACK: Mapping[str, Any] = {}
RELEASES = {
    "first": Release(configuration="first", rollback=ROLLBACK),
    "second": Release(configuration="second", rollback=ROLLBACK),
}

type Say = Callable[[str], None]


@contextmanager
def world_of(
    *, plugin_dir: Path, jobs: int, keep: bool, releases: Mapping[str, Release] = RELEASES, **settings: str
) -> Iterator[World]:
    """A system that runs, and ends with everything it started; its folder stays if `keep`, or if this raises."""
    with home_of("faults") as home:
        with Fleet(home.path) as fleet:
            world = World(fleet, plugin_dir=plugin_dir, jobs=jobs, releases=releases, settings=settings)
            try:
                world.start()
                yield world
            finally:
                world.close()
        home.finished = not keep


def counted(jobs: Sequence[Job], results: Results, say: Say) -> int:
    """How many mutating calls the deployment makes without a fault; counted once for a file of results."""
    if results.clean is None:
        results.add({"clean": jobs[0].clean()})
    assert results.clean is not None
    clean = results.clean
    say(
        f"clean: {clean['calls']} mutating calls, {clean['resources']} resources, {clean['changed']} of them change; "
        f"taken back by an operator: {clean['outcome']}"
    )
    for reason in clean["reasons"]:
        say(f"  {reason}")
    for job in jobs:
        job.calls = int(clean["calls"])
        job.second = {
            key: Thing(type=one["type"], ids=(), attributes=one["attributes"]) for key, one in clean["second"].items()
        }
    return int(clean["calls"])


def carry_out(world: World, jobs: Iterable[Job], cases: Iterable[Case | Scenario], results: Results, say: Say) -> None:
    """All cases, each job taking the next one.

    Raises Unavailable when a part of the system has ended: the cases that are left are for the next run.
    """
    waiting: queue.Queue[Case | Scenario] = queue.Queue()
    for case in cases:
        waiting.put(case)
    total, done = waiting.qsize(), 0
    lock = threading.Lock()
    broken: list[BaseException] = []

    def work(job: Job) -> None:
        nonlocal done
        while not broken:
            try:
                case = waiting.get_nowait()
            except queue.Empty:
                return
            record = job.carry_out(case)
            if broken:
                return
            try:
                world.fleet.check()
            except Unavailable as error:
                # What a dead part made of this case says nothing about the case.
                broken.append(error)
                return
            results.add(record)
            with lock:
                done += 1
                say(f"[{done}/{total}] {shown(record)}")

    threads = [threading.Thread(target=work, args=(job,), daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            # In pieces, so that Ctrl-C is heard.
            while thread.is_alive():
                thread.join(1)
    except KeyboardInterrupt as cut:
        # What the end of everything makes of the cases at work says nothing about them.
        broken.append(cut)
        raise
    if broken:
        raise broken[0]


def shown(record: Mapping[str, Any]) -> str:
    """A case for people: one line, and one for each thing that speaks against it."""
    verdict = "ok" if record["passed"] else "FAILED"
    line = f"{record['case']} ({record['operation']}): {verdict}, {record['outcome']} in {record['took_s']} s"
    if record["residue"]:
        line += f", {len(record['residue'])} left"
    return "\n".join([line, *(f"    {reason}" for reason in record["reasons"])])
