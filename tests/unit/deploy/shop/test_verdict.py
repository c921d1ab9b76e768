"""The judge of `make shop`: what passes, and that every single thing that is wrong is seen."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml

from deploy.demo.fleet import ROOT
from deploy.shop.verdict import (
    APPROVED,
    BAKE_S,
    BAKING,
    EXPECTED,
    NEW_FILE,
    NEW_TARGET,
    PHASES,
    Evidence,
    Rolled,
    RunSeen,
    Write,
    judge,
)

OLD = [target for phase in PHASES for target in phase]
FILES = {"flock.yaml": "a", "service/main.tf": "b", "regions/eu-west-1.yaml": "c"}


def run(target: str, kind: str = "plan", *, changes: bool = True, node: str = "") -> RunSeen:
    status = "applied" if kind == "apply" else "planned"
    home = f"host-{target.split('.')[1]}"
    # The first phase's runs are asked for at 100 s, the second's at 200 s, and so on; each takes 10 s.
    at = next((100.0 * (1 + index) for index, phase in enumerate(PHASES) if target in phase), 0.0)
    return RunSeen(
        target=target,
        kind=kind,
        status=status,
        node=node or home,
        changes=changes and kind == "plan",
        created_s=at,
        finished_s=at + 10,
    )


def at(target: str, **when: float) -> RunSeen:
    return replace(run(target), **when)  # type: ignore[arg-type]  # the two that are floats


def write(target: str | None, at_ms: float, region: str = "") -> Write:
    return Write(target=target, region=region or (target or "x.y").split(".")[1], at_ms=at_ms)


FIRST = Rolled(
    status="succeeded",
    runs=tuple(run(target, kind) for target in OLD for kind in ("plan", "apply")),
    writes=(
        write("shop.eu-north-1", 1_000),
        write("shop.eu-north-1", 2_000),
        write("shop.eu-west-1", 3_000),
        write("shop.eu-west-1", 4_000),
        write("shop.us-east-1", 9_600),
        write("shop.eu-west-1.edge", 9_700),
    ),
    approved_ms=9_500,
    found={target: EXPECTED[target] for target in OLD},
    orphans=(),
    files=FILES,
)
SECOND = Rolled(
    status="succeeded",
    runs=(*(run(target, changes=False) for target in OLD), run(NEW_TARGET), run(NEW_TARGET, "apply")),
    writes=(write(NEW_TARGET, 20_000),),
    approved_ms=None,
    found=EXPECTED,
    orphans=(),
    files={**FILES, NEW_FILE: "d"},
)
GOOD = Evidence(provider="p", first=FIRST, second=SECOND, waited=True, rejected=0)


def first(**changes: object) -> Evidence:
    return replace(GOOD, first=replace(FIRST, **changes))  # type: ignore[arg-type]  # any field


def second(**changes: object) -> Evidence:
    return replace(GOOD, second=replace(SECOND, **changes))  # type: ignore[arg-type]  # any field


def test_a_good_run_passes_and_is_counted() -> None:
    verdict = judge(GOOD)
    assert verdict.passed
    assert verdict.reasons == ()
    assert verdict.resources == {target: len(EXPECTED[target]) for target in sorted(EXPECTED)}
    assert verdict.writes["shop.eu-north-1"] == [2, 0]
    assert verdict.writes[NEW_TARGET] == [0, 1]
    assert verdict.hosts["shop.eu-west-1.edge"] == ["host-eu-west-1"]
    assert verdict.as_json()["passed"] is True


def found(target: str, *, more: str = "", less: str = "") -> dict[str, frozenset[str]]:
    changed = frozenset(what for what in EXPECTED[target] if not less or less not in what) | ({more} if more else set())
    return {**FIRST.found, target: changed}


@pytest.mark.parametrize(
    ("evidence", "reason"),
    [
        (first(status="failed"), "the first roll-out failed"),
        (second(status="canceled"), "the second roll-out canceled"),
        (first(runs=(*FIRST.runs, replace(run("shop.us-east-1"), status="errored"))), "plan of shop.us-east-1 in"),
        (first(found=found("shop.us-east-1", less="queue")), "shop.us-east-1 lacks us-east-1 queue shop-us-east-1"),
        (first(found=found("shop.us-east-1", more="eu-west-1 topic x")), "shop.us-east-1 has eu-west-1 topic x"),
        (first(orphans=("us-east-1 topic x",)), "after the first roll-out us-east-1 topic x is in no state"),
        (first(writes=FIRST.writes[:4]), "shop.eu-west-1.edge and shop.us-east-1 changed nothing"),
        (first(writes=(*FIRST.writes, write("shop.eu-west-1", 1_999))), "shop.eu-west-1 began 0.0 s too early"),
        (first(runs=(*FIRST.runs, at("shop.us-east-1", created_s=214.9))), "shop.eu-west-1 did not bake for 5 s"),
        (first(runs=(*FIRST.runs, at("shop.eu-west-1", finished_s=295.1))), "shop.eu-west-1 did not bake for 5 s"),
        (first(writes=(*FIRST.writes, write("shop.us-east-1", 9_400))), "shop.us-east-1 began without approval"),
        (first(approved_ms=None), "began without approval"),
        (first(runs=(run("shop.us-east-1", node="host-eu-west-1"),)), "plan of shop.us-east-1 was on host-eu-west-1"),
        (second(runs=(*SECOND.runs, replace(run(NEW_TARGET), node=""))), "was on no host"),
        (first(writes=(*FIRST.writes, write(None, 9_900))), "somebody changed something"),
        (
            second(writes=(write(NEW_TARGET, 20_000, "us-east-1"),)),
            "shop.eu-central-1 changed something in us-east-1",
        ),
        (second(found=FIRST.found), "after the second roll-out shop.eu-central-1 lacks eu-central-1 network"),
        (
            second(writes=(*SECOND.writes, write("shop.us-east-1", 21_000))),
            "shop.us-east-1 was changed by the second roll-out",
        ),
        (
            second(runs=(*SECOND.runs, run("shop.us-east-1", "apply"))),
            "shop.us-east-1 did not plan to no changes",
        ),
        (
            second(runs=tuple(replace(one, changes=True) for one in SECOND.runs)),
            "shop.eu-north-1 did not plan to no changes",
        ),
        (
            second(files={**SECOND.files, "service/main.tf": "x"}),
            "new or different: regions/eu-central-1.yaml, service",
        ),
        (second(files=FILES), "other files than regions/eu-central-1.yaml"),
        (replace(GOOD, waited=False), "nothing shows that shop.eu-central-1 waited"),
        (replace(GOOD, rejected=3), "the cloud refused 3 calls"),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
def test_what_is_wrong_is_a_reason(evidence: Evidence, reason: str) -> None:
    verdict = judge(evidence)
    assert not verdict.passed
    assert any(reason in one for one in verdict.reasons), verdict.reasons


@pytest.mark.parametrize("target", EXPECTED)
def test_what_is_expected_says_what_the_region_s_file_says(target: str) -> None:
    """So that the hand-written list and the files cannot drift apart unseen. The edge has no network."""
    folder = ROOT / "examples" / "shop" / ("new-region" if target == NEW_TARGET else "regions")
    name = target.split(".")[1]
    region = yaml.safe_load((folder / f"{name}.yaml").read_text())
    assert all(what.startswith(f"{region['provider_region']} ") for what in EXPECTED[target])
    if not target.endswith(".edge"):
        text = "\n".join(EXPECTED[target])
        assert f"network {region['flocks']['shop']['variables']['cidr']} " in text
        assert f"realm={region['realm']} " in text
        assert {what.rpartition(" ")[2] for what in EXPECTED[target] if " subnet " in what} == set(region["zones"])


def test_the_expected_bake_time_is_the_flock_s() -> None:
    phases = yaml.safe_load((ROOT / "examples" / "shop" / "flock.yaml").read_text())["phases"]
    assert phases[BAKING]["bake_s"] == BAKE_S
    assert phases[APPROVED]["approval"] is True
