"""What was approved for a deployment and not needed, told at its end with the smaller plan that it suggests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from cli.output import Output

if TYPE_CHECKING:
    from shared.api_client import ApiClient
    from shared.models import Run
    from shared.rollouts import Rollout
    from shared.safety.entries import Entry
    from shared.safety.records import Unused

#: Of a thousand targets most do the same: beyond these `interlock plan show RUN --unused` tells.
MAX_ASKED = 20
MAX_NAMED = 10


def after_runs(client: ApiClient, out: Output, runs: Iterable[Run]) -> list[Unused]:
    """Ask for those of `runs` that applied something, note what they say, and return it."""
    from shared.models import RunKind, RunStatus

    deployed = (RunKind.APPLY, RunKind.DESTROY)
    applied = [run.id for run in runs if run.kind in deployed and run.status is RunStatus.APPLIED]
    return _ask(client, out, applied)


def after_rollout(client: ApiClient, out: Output, rollout: Rollout) -> list[Unused]:
    """The same for a roll-out that is over: asked once for each different plan that it applied."""
    from shared.rollouts import Stage

    applied: dict[str, str] = {}
    for target in rollout.targets:
        if target.stage is Stage.APPLIED and target.run_id is not None:
            applied.setdefault(target.plan_digest or target.id, target.run_id)
    return _ask(client, out, applied.values())


def notes(left: Unused) -> Iterator[str]:
    """What a person is told of one. Nothing where everything was needed. Pure."""
    if not left.unused:
        return
    count = f"{len(left.unused)} of {left.approved} approved entries were not needed"
    yield f"{left.target}: {count}: {_named(left.unused)}; `interlock plan show {left.run_id} --unused` says by what"
    yield f"{left.target}: the smaller plan that would have done: {_named(left.suggested.entries) or 'an empty one'}"


def _ask(client: ApiClient, out: Output, runs: Iterable[str]) -> list[Unused]:
    from shared.errors import ApiError, InterlockError

    found: list[Unused] = []
    for run_id in list(runs)[:MAX_ASKED]:
        try:
            left = client.unused_of_safety_plan(run_id)
        except InterlockError as error:
            if isinstance(error, ApiError) and error.status == 404:
                continue  # it has no safety plan
            # The deployment is over, and this is no reason to call it failed.
            out.note(f"what was approved and not needed is not known: {error}")
            break
        if left.unused:
            found.append(left)
            for note in notes(left):
                out.note(note)
    return found


def _named(entries: Iterable[Entry]) -> str:
    from shared.safety.entries import in_order

    words = [f"{entry.operation.value} {entry.address}" for entry in in_order(entries)]
    more = f" and {len(words) - MAX_NAMED} more" if len(words) > MAX_NAMED else ""
    return ", ".join(words[:MAX_NAMED]) + more
