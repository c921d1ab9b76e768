"""What must be true after the example was deployed to three regions, and after a fourth was added. Pure.

What there has to be in the cloud is written down here by hand, next to no code of Interlock's: a renderer that
merges wrongly, a worker that takes another region's run or a proxy that signs for another region shows.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

IMAGE = "registry.example.com/shop@sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
NEW_TARGET, NEW_FILE = "shop.eu-central-1", "regions/eu-central-1.yaml"

#: By target: what it has in the cloud, as `deploy.shop.cloud` says it.
EXPECTED: Mapping[str, frozenset[str]] = {
    "shop.eu-north-1": frozenset(
        {
            "eu-north-1 network 10.90.0.0/16 [Name=shop-eu-north-1 cost-center=0815 realm=staging service=shop]",
            "eu-north-1 subnet 10.90.0.0/20 in eu-north-1a",
            "eu-north-1 subnet 10.90.16.0/20 in eu-north-1b",
            "eu-north-1 queue shop-eu-north-1-orders, 4 days, 30 s",
            f"eu-north-1 parameter /shop-eu-north-1/image = {IMAGE}",
        }
    ),
    "shop.eu-west-1": frozenset(
        {
            "eu-west-1 network 10.10.0.0/16 [Name=shop-eu-west-1 cost-center=4711 realm=production service=shop]",
            "eu-west-1 subnet 10.10.0.0/20 in eu-west-1a",
            "eu-west-1 subnet 10.10.16.0/20 in eu-west-1b",
            "eu-west-1 queue shop-eu-west-1-orders, 14 days, 30 s",
            f"eu-west-1 parameter /shop-eu-west-1/image = {IMAGE}",
            "eu-west-1 parameter /shop-eu-west-1/allowed-cidrs = 203.0.113.0/24",
        }
    ),
    "shop.eu-west-1.edge": frozenset(
        {"eu-west-1 queue shop-edge-purge, 4 days, 30 s", "eu-west-1 topic shop-edge-purge"}
    ),
    "shop.us-east-1": frozenset(
        {
            "us-east-1 network 10.11.0.0/16 [Name=shop-us-east-1 cost-center=4711 realm=production service=shop]",
            "us-east-1 subnet 10.11.0.0/20 in us-east-1a",
            "us-east-1 subnet 10.11.16.0/20 in us-east-1b",
            "us-east-1 queue shop-us-east-1-orders, 14 days, 60 s",
            f"us-east-1 parameter /shop-us-east-1/image = {IMAGE}",
            "us-east-1 parameter /shop-us-east-1/allowed-cidrs = 203.0.113.0/24,198.51.100.0/24",
        }
    ),
    NEW_TARGET: frozenset(
        {
            "eu-central-1 network 10.91.0.0/16 [Name=shop-eu-central-1 cost-center=0815 realm=staging service=shop]",
            "eu-central-1 subnet 10.91.0.0/20 in eu-central-1a",
            "eu-central-1 subnet 10.91.16.0/20 in eu-central-1b",
            "eu-central-1 queue shop-eu-central-1-orders, 4 days, 30 s",
            f"eu-central-1 parameter /shop-eu-central-1/image = {IMAGE}",
        }
    ),
}
#: The phases in their order. What is in one must not change anything before the one above is done.
PHASES: Sequence[tuple[str, ...]] = (
    ("shop.eu-north-1",),
    ("shop.eu-west-1",),
    ("shop.eu-west-1.edge", "shop.us-east-1"),
)
#: How long the second phase bakes, and the one whose plans a person approves.
BAKE_S, BAKING, APPROVED = 5, 1, 2


@dataclass(frozen=True, kw_only=True)
class Write:
    """A mutating call that the cloud accepted."""

    target: str | None
    """The target that the signer named."""
    region: str
    """The cloud's region, from the signature's scope."""
    at_ms: float
    """When it arrived; boot-clock ms."""


@dataclass(frozen=True, kw_only=True)
class RunSeen:
    """A run of one of the roll-outs."""

    target: str
    """Its target."""
    kind: str
    """plan or apply."""
    status: str
    """How it ended."""
    node: str
    """The host whose worker had it."""
    changes: bool
    """For a plan: whether it has changes."""
    created_s: float
    """When it was asked for; seconds since 1970, the scheduler's clock."""
    finished_s: float
    """When it was over; the same clock."""


@dataclass(frozen=True, kw_only=True)
class Rolled:
    """What one roll-out has done."""

    status: str
    """How it ended."""
    runs: tuple[RunSeen, ...]
    """Its runs."""
    writes: tuple[Write, ...]
    """What the cloud was asked to change meanwhile."""
    approved_ms: float | None
    """When a person approved plans; boot-clock ms. None: nobody had to."""
    found: Mapping[str, frozenset[str]]
    """By target: what its state names and the cloud has."""
    orphans: tuple[str, ...]
    """What the cloud has and no state names."""
    files: Mapping[str, str]
    """The flock's files and their SHA-256."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Everything the judge is given."""

    provider: str
    """Which provider ran."""
    first: Rolled
    """Three regions."""
    second: Rolled
    """The fourth."""
    waited: bool
    """Whether the new target's run waited for a worker of its region while the others were served."""
    rejected: int
    """Calls that the cloud did not accept."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What was found."""

    passed: bool
    """Whether everything that must be true is."""
    reasons: tuple[str, ...]
    """What is not, one sentence each."""
    provider: str
    """Which provider ran."""
    resources: dict[str, int]
    """By target: how much it has in the cloud."""
    hosts: dict[str, list[str]]
    """By target: the hosts that its runs were on."""
    writes: dict[str, list[int]]
    """By target: mutating calls in the first and in the second roll-out."""

    def as_json(self) -> dict[str, Any]:
        """As it is printed."""
        return asdict(self)


def judge(evidence: Evidence) -> Verdict:
    """The verdict, with every reason."""
    first, second = evidence.first, evidence.second
    old = [target for phase in PHASES for target in phase]
    reasons = [
        *_ended(first, "the first roll-out"),
        *_there(first, {target: EXPECTED[target] for target in old}, "after the first roll-out"),
        *_in_order(first),
        *_at_home(first, second),
        *_ended(second, "the second roll-out"),
        *_there(second, EXPECTED, "after the second roll-out"),
        *_nothing_but_the_new_one(second, old),
        *_one_file_more(first.files, second.files),
        *([] if evidence.waited else [f"nothing shows that {NEW_TARGET} waited for a worker of its own region"]),
        *([f"the cloud refused {evidence.rejected} calls"] if evidence.rejected else []),
    ]
    return Verdict(
        passed=not reasons,
        reasons=tuple(reasons),
        provider=evidence.provider,
        resources={target: len(found) for target, found in sorted(second.found.items())},
        hosts={
            target: sorted({run.node for run in (*first.runs, *second.runs) if run.target == target})
            for target in sorted(EXPECTED)
        },
        writes={
            target: [sum(write.target == target for write in rolled.writes) for rolled in (first, second)]
            for target in sorted(EXPECTED)
        },
    )


def region_of(target: str) -> str:
    """The region in a target's id."""
    return target.split(".")[1]


def host_of(region: str) -> str:
    """The one host whose workers serve a region."""
    return f"host-{region}"


def _ended(rolled: Rolled, which: str) -> list[str]:
    bad = [f"{which} {rolled.status}"] if rolled.status != "succeeded" else []
    return bad + [
        f"{run.kind} of {run.target} in {which}: {run.status}"
        for run in rolled.runs
        if run.status not in {"applied", "planned", "confirmed"}
    ]


def _there(rolled: Rolled, expected: Mapping[str, frozenset[str]], when: str) -> list[str]:
    reasons = [f"{when} {what} is in no state" for what in rolled.orphans]
    for target in sorted(expected.keys() | rolled.found.keys()):
        wanted, found = expected.get(target, frozenset()), rolled.found.get(target, frozenset())
        reasons += [f"{when} {target} lacks {what}" for what in sorted(wanted - found)]
        reasons += [f"{when} {target} has {what}" for what in sorted(found - wanted)]
    return reasons


def _in_order(rolled: Rolled) -> list[str]:
    """A phase changes nothing before the one above has changed its last, and not without approval where that is asked.

    A bake time is shorter than what lies between two phases' changes anyway, so it is read from the runs' own times.
    """
    reasons = []
    spans = [_span(rolled.writes, phase) for phase in PHASES]
    for index, (phase, span) in enumerate(zip(PHASES, spans, strict=True)):
        if span is None:
            reasons.append(f"{' and '.join(phase)} changed nothing")
        elif index and (above := spans[index - 1]) is not None and span[0] < above[1]:
            reasons.append(f"{' and '.join(phase)} began {(above[1] - span[0]) / 1000:.1f} s too early")
    baked = [run.finished_s for run in rolled.runs if run.target in PHASES[BAKING]]
    later = [run.created_s for run in rolled.runs if run.target in PHASES[BAKING + 1]]
    if not baked or not later or min(later) - max(baked) < BAKE_S:
        reasons.append(f"{' and '.join(PHASES[BAKING])} did not bake for {BAKE_S} s")
    last = spans[APPROVED]
    if rolled.approved_ms is None or (last is not None and last[0] < rolled.approved_ms):
        reasons.append(f"{' and '.join(PHASES[APPROVED])} began without approval")
    return reasons


def _span(writes: Iterable[Write], targets: Sequence[str]) -> tuple[float, float] | None:
    at = [write.at_ms for write in writes if write.target in targets]
    return (min(at), max(at)) if at else None


def _at_home(*rolled: Rolled) -> list[str]:
    """Each region's runs were on its own host, and every change was signed for that region."""
    reasons = set()
    for one in rolled:
        for run in one.runs:
            if run.node != host_of(region_of(run.target)):
                reasons.add(f"{run.kind} of {run.target} was on {run.node or 'no host'}")
        for write in one.writes:
            if write.target is None or write.region != region_of(write.target):
                reasons.add(f"{write.target or 'somebody'} changed something in {write.region}")
    return sorted(reasons)


def _nothing_but_the_new_one(second: Rolled, old: Sequence[str]) -> list[str]:
    """The others were planned, their plans were empty, and nothing was applied or changed there."""
    reasons = [
        f"{write.target} was changed by the second roll-out" for write in second.writes if write.target != NEW_TARGET
    ]
    for target in old:
        runs = [run for run in second.runs if run.target == target]
        if [run.kind for run in runs] != ["plan"] or runs[0].changes:
            reasons.append(f"{target} did not plan to no changes: {[(run.kind, run.changes) for run in runs]}")
    return reasons


def _one_file_more(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    return [] if changed == [NEW_FILE] else [f"other files than {NEW_FILE} are new or different: {', '.join(changed)}"]
