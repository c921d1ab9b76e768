"""A take-over step by step, with a Terraform and an API that say what the test wants."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from shared.errors import ApiError
from shared.models import JournalRecord, Recovery, RecoveryState, Run, RunKind
from shared.recovery.views import Candidate
from tests.unit.worker.support import HOLDER, RUN, TARGET, assignment, record, run
from worker.provisioners.terraform import Terraform, TerraformFailed, TerraformJob
from worker.run_directory import RunDirectory
from worker.take_over import IMPORTS_FILE, OrphansLeft, TakeOver, unheld


def plan_json(creates: dict[str, dict[str, Any]], held: dict[str, dict[str, Any]] | None = None) -> dict[str, Any]:
    return {
        "format_version": "1.2",
        "resource_changes": [
            {
                "address": address,
                "mode": "managed",
                "type": address.split(".")[0],
                "change": {"actions": ["create"], "after": values},
            }
            for address, values in creates.items()
        ],
        "prior_state": {
            "values": {
                "root_module": {
                    "resources": [
                        {"address": address, "mode": "managed", "type": address.split(".")[0], "values": values}
                        for address, values in (held or {}).items()
                    ]
                }
            }
        },
    }


class FakeTerraform:
    """`Commands` that plan by reading the import blocks in the work directory."""

    def __init__(self, directory: RunDirectory, wanted: dict[str, dict[str, Any]], exists: dict[str, str]) -> None:
        self.directory = directory
        self.wanted = wanted
        self.exists = exists
        self.commands: list[str] = []
        self.actual: dict[str, dict[str, Any]] = {}
        self.shows_late: dict[str, str] = {}
        self.gone: set[str] = set()
        self.summary = "Cannot import non-existent remote object"

    def run(self, argv: Sequence[str], *, capture: Path | None = None) -> int:
        self.commands.append(" ".join(argv[1:2]))
        imports = self.directory.work / IMPORTS_FILE
        text = imports.read_text() if imports.exists() else ""
        asked = [line.split('"')[1] for line in text.splitlines() if "id =" in line]
        addresses = [line.split("= ")[1] for line in text.splitlines() if "to =" in line]
        if argv[1] == "plan":
            missing = [(a, i) for a, i in zip(addresses, asked, strict=True) if self.exists.get(a) != i]
            if capture is not None:
                error = {"severity": "error", "summary": self.summary}
                self.exists |= self.shows_late
                lines = [
                    {"type": "diagnostic", "diagnostic": {**error, "detail": f'to "{address}"'}}
                    for address, _ in missing
                ]
                capture.write_text("\n".join(json.dumps(line) for line in lines) + "\nnoise\n")
            return 1 if missing else 2
        if argv[1] == "show":
            assert capture is not None
            # Terraform reads no import block for what its state holds already.
            read = [(a, i) for a, i in zip(addresses, asked, strict=True) if a not in self.gone]
            held = {a: {**self.wanted[a], "id": i} for a, i in read}
            creates = {a: values for a, values in self.wanted.items() if a not in held}
            plan = plan_json(creates, held)
            plan["resource_changes"] += [
                {
                    "address": address,
                    "mode": "managed",
                    "type": address.split(".")[0],
                    "change": {
                        "actions": ["no-op"],
                        "importing": {"id": identifier},
                        "before": self.actual.get(address, self.wanted[address]),
                        "after": self.wanted[address],
                    },
                }
                for address, identifier in read
            ]
            plan["resource_drift"] = [
                {"address": address, "mode": "managed", "change": {"actions": ["delete"]}} for address in self.gone
            ]
            capture.write_text(json.dumps(plan))
            return 0
        if argv[1] == "import":
            return 0
        if argv[1] == "state":
            self.gone.remove(argv[-1])
            return 0
        return 1  # the questions to the cloud are not answered here


class FakeApi:
    """What the take-over asks of the API."""

    def __init__(self, *creates: JournalRecord, quarantine: RecoveryState | None = None) -> None:
        self.left = Recovery(quarantine=quarantine, creates=creates)
        self.accepted: list[int] = []
        self.refusal: ApiError | None = None
        self.kind = RunKind.APPLY

    def recovery(self, target: str, *, run: str, holder: str) -> Recovery:
        assert (target, run, holder) == (TARGET, RUN, HOLDER)
        return self.left

    def accept_quarantine(self, target: str, *, epoch: int, run: str, holder: str) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.accepted.append(epoch)

    def run(self, run_id: str) -> Run:
        return run(id=run_id, kind=self.kind)


class World:
    def __init__(
        self,
        tmp_path: Path,
        api: FakeApi,
        wanted: dict[str, dict[str, Any]],
        exists: dict[str, str],
        kind: RunKind,
        *,
        rolling_back: bool = False,
    ) -> None:
        self.directory = RunDirectory(tmp_path, RUN)
        self.directory.create()
        self.fake = FakeTerraform(self.directory, wanted, exists)
        job = TerraformJob(terraform=("terraform",))
        self.notes: list[str] = []
        self.counts: list[str] = []
        self.terraform = Terraform(self.fake, self.directory, job)
        self.take_over = TakeOver(
            api,  # type: ignore[arg-type]  # the part of the client that is used
            assignment(kind=kind),
            self.fake,
            confined=True,
            note=self.notes.append,
            count=self.counts.append,
            rolling_back=rolling_back,
        )

    def carry_out(self) -> bool | None:
        return self.take_over.carry_out(self.terraform)

    @property
    def imports(self) -> str:
        path = self.directory.work / IMPORTS_FILE
        return path.read_text() if path.exists() else ""


BUCKET = {"aws_s3_bucket.b": {"bucket": "b"}}


def test_nothing_left_behind_costs_no_plan(tmp_path: Path) -> None:
    world = World(tmp_path, FakeApi(), BUCKET, {}, RunKind.APPLY)
    assert world.carry_out() is None
    assert world.fake.commands == []


def test_a_create_becomes_an_import_and_its_plan_is_the_runs(tmp_path: Path) -> None:
    api = FakeApi(record("s3", "CreateBucket", {"Bucket": "b"}, {}))
    world = World(tmp_path, api, BUCKET, {"aws_s3_bucket.b": "b"}, RunKind.APPLY)
    assert world.carry_out() is True
    assert 'id = "b"' in world.imports
    assert world.counts == ["import"]
    assert any("importing aws_s3_bucket.b" in note for note in world.notes)
    # Once without and once with the import; the last is the plan to apply.
    assert world.fake.commands.count("plan") == 2
    (made,) = api.recovery(TARGET, run=RUN, holder=HOLDER).creates
    assert world.take_over.taken_over == {"aws_s3_bucket.b": made.run_id}


def test_a_create_where_the_state_holds_what_is_gone_makes_room_first(tmp_path: Path) -> None:
    api = FakeApi(record("s3", "CreateBucket", {"Bucket": "b"}, {}))
    world = World(tmp_path, api, BUCKET, {"aws_s3_bucket.b": "b"}, RunKind.APPLY)
    # The first half of a replacement: the old bucket was deleted, and the stored state is from before that.
    world.fake.gone = {"aws_s3_bucket.b"}
    assert world.carry_out() is True
    assert world.fake.commands.count("state") == 1
    assert world.imports.count("to = aws_s3_bucket.b") == 1


def test_a_create_without_an_answer_that_made_nothing_is_dropped(tmp_path: Path) -> None:
    api = FakeApi(record("s3", "CreateBucket", {"Bucket": "b"}), record("iam", "CreateRole", {"RoleName": "r"}))
    wanted = {**BUCKET, "aws_iam_role.r": {"name": "r", "tags": {"service": "orders"}}}
    world = World(tmp_path, api, wanted, {"aws_iam_role.r": "r"}, RunKind.APPLY)
    assert world.carry_out() is True
    assert "aws_s3_bucket.b" not in world.imports
    assert "aws_iam_role.r" in world.imports
    assert any("made nothing" in note for note in world.notes)


def test_an_answered_create_of_which_two_plans_say_that_it_is_not_there_is_gone(tmp_path: Path) -> None:
    api = FakeApi(record("s3", "CreateBucket", {"Bucket": "b"}, {}))
    world = World(tmp_path, api, BUCKET, {}, RunKind.APPLY)
    assert world.carry_out() is True
    assert "aws_s3_bucket.b" not in world.imports
    assert any("do not exist any more, as two plans found" in note for note in world.notes)


def test_an_answered_create_that_shows_late_is_imported(tmp_path: Path) -> None:
    api = FakeApi(record("s3", "CreateBucket", {"Bucket": "b"}, {}))
    world = World(tmp_path, api, BUCKET, {}, RunKind.APPLY)
    world.fake.shows_late = {"aws_s3_bucket.b": "b"}
    assert world.carry_out() is True
    assert "aws_s3_bucket.b" in world.imports


def test_a_plan_that_fails_for_another_reason_fails_in_plain_sight(tmp_path: Path) -> None:
    api = FakeApi(record("s3", "CreateBucket", {"Bucket": "b"}, {}))
    world = World(tmp_path, api, BUCKET, {}, RunKind.APPLY)
    world.fake.summary = "Invalid function argument"
    with pytest.raises(TerraformFailed):
        world.carry_out()


def test_what_cannot_be_imported_is_listed_and_stops_the_run(tmp_path: Path) -> None:
    api = FakeApi(record("s3", "CreateBucket", {"Bucket": "other"}, {}), record("ec2", "RunInstances", {}, {}))
    world = World(tmp_path, api, BUCKET, {}, RunKind.APPLY)
    with pytest.raises(OrphansLeft, match="2 resources") as caught:
        world.carry_out()
    assert "s3:CreateBucket (Bucket=other)" in str(caught.value)
    assert "ec2:RunInstances" in str(caught.value)
    assert sum("not accounted for" in note for note in world.notes) == 2


def test_what_an_exec_run_made_is_named_and_does_not_stop(tmp_path: Path) -> None:
    api = FakeApi(record("s3", "CreateBucket", {"Bucket": "other"}, {}))
    api.kind = RunKind.EXEC
    world = World(tmp_path, api, BUCKET, {}, RunKind.APPLY)
    assert world.carry_out() is True
    assert any("left by an exec run" in note for note in world.notes)


def test_a_destroy_imports_one_by_one_and_makes_its_own_plan(tmp_path: Path) -> None:
    api = FakeApi(record("s3", "CreateBucket", {"Bucket": "b"}, {}))
    world = World(tmp_path, api, BUCKET, {"aws_s3_bucket.b": "b"}, RunKind.DESTROY)
    assert world.carry_out() is None
    assert world.imports == "", "import blocks are not read by a destroy"
    assert world.fake.commands[-1] == "import"


def test_what_may_have_been_there_before_is_not_imported_and_stops_the_run(tmp_path: Path) -> None:
    api = FakeApi(record("iam", "CreateRole", {"RoleName": "r"}))
    wanted = {"aws_iam_role.r": {"name": "r", "tags": {"service": "orders"}}}
    world = World(tmp_path, api, wanted, {"aws_iam_role.r": "r"}, RunKind.APPLY)
    world.fake.actual = {"aws_iam_role.r": {"name": "r", "tags": {"service": "payments"}}}
    with pytest.raises(OrphansLeft, match="it was there before"):
        world.carry_out()
    assert "aws_iam_role.r" not in world.imports


def answering(monkeypatch: pytest.MonkeyPatch, **found: Candidate) -> None:
    """The cloud has these, by type."""
    exists = {kind: (candidate,) for kind, candidate in found.items()}
    monkeypatch.setattr("worker.take_over.query_candidates", lambda *_, **__: exists)


TOPIC = Candidate(id="arn:t", attributes={"name": "t"})
GROUP = Candidate(id="arn:g", attributes={"name": "g"})
ADDRESS = Candidate(id="eipalloc-b", tags={"service": "orders"})


@pytest.mark.parametrize(
    ("made", "wanted", "exists", "kind"),
    [
        (
            record("elasticloadbalancing", "CreateTargetGroup", {"Name": "g"}),
            {"aws_lb_target_group.g": {"name": "g"}},
            {"aws_lb_target_group": GROUP},
            RunKind.APPLY,
        ),
        (
            record("sns", "CreateTopic", {"Name": "t"}),
            {"aws_sns_topic.t": {"name": "t"}},
            {"aws_sns_topic": TOPIC},
            RunKind.DESTROY,
        ),
        (
            record("ec2", "AllocateAddress"),
            {"aws_eip.a": {"tags": {"service": "orders"}}},
            {"aws_eip": ADDRESS},
            RunKind.DESTROY,
        ),
    ],
    ids=["a target group", "a topic", "an address"],
)
def test_that_it_exists_does_not_make_it_ours(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    made: JournalRecord,
    wanted: dict[str, dict[str, Any]],
    exists: dict[str, Candidate],
    kind: RunKind,
) -> None:
    answering(monkeypatch, **exists)
    (address,) = wanted
    (candidate,) = exists.values()
    # The client tried it twice; nobody can tell which of the two was refused.
    api = FakeApi(made, made.model_copy(update={"call_id": "c" * 32}))
    world = World(tmp_path, api, wanted, {address: candidate.id}, kind)
    with pytest.raises(OrphansLeft, match=r"there before|somebody else's"):
        world.carry_out()
    assert address not in world.imports
    assert "import" not in world.fake.commands


def test_a_rollback_takes_in_no_topic_that_may_have_been_there_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, aws_sns_topic=TOPIC)
    made = record("sns", "CreateTopic", {"Name": "t"})
    world = World(
        tmp_path,
        FakeApi(made),
        {"aws_sns_topic.t": {"name": "t"}},
        {"aws_sns_topic.t": "arn:t"},
        RunKind.ROLLBACK,
        rolling_back=True,
    )
    assert [item.record for item in world.take_over.settle(world.terraform, [made])] == [made]
    assert "import" not in world.fake.commands


@pytest.mark.parametrize("before", [True, False])
def test_a_groups_rule_that_was_there_before_is_kept_though_its_answer_was_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    kind, values = "aws_vpc_security_group_ingress_rule", {"security_group_id": "sg-1", "ip_protocol": "tcp"}
    monkeypatch.setattr(
        "worker.take_over.query_candidates", lambda *_, **__: {kind: (Candidate(id="sgr-1", attributes=values),)}
    )
    made = record("ec2", "AuthorizeSecurityGroupIngress", {"GroupId": "sg-1"})
    wanted = {f"{kind}.web": dict(values)}
    world = World(tmp_path, FakeApi(made), wanted, {f"{kind}.web": "sgr-1"}, RunKind.ROLLBACK, rolling_back=True)
    world.fake.actual[f"{kind}.web"] = {**values, "id": "sgr-1"}
    restoring = frozenset(wanted) if before else frozenset()
    left = world.take_over.settle(world.terraform, [made], restoring=restoring)
    assert ([item.record for item in left], "import" in world.fake.commands) == ([] if before else [made], before)


def test_what_one_configuration_could_not_settle_another_one_does_not_forget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, aws_eip=ADDRESS)
    made = record("ec2", "AllocateAddress")
    wanted = {"aws_eip.a": {"tags": {"service": "orders"}}}
    world = World(tmp_path, FakeApi(made), wanted, {}, RunKind.ROLLBACK, rolling_back=True)
    assert [item.record for item in world.take_over.settle(world.terraform, [made])] == [made]
    world.fake.wanted = {}
    assert [item.record for item in world.take_over.settle(world.terraform, [made], named=True)] == [made]


def test_what_another_run_was_answered_with_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, aws_eip=ADDRESS)
    api = FakeApi(record("ec2", "AllocateAddress"))
    api.left = api.left.model_copy(update={"others": ("eipalloc-b",)})
    world = World(tmp_path, api, {"aws_eip.a": {"tags": {"service": "orders"}}}, {}, RunKind.APPLY)
    assert world.carry_out() is True
    assert world.imports == ""


def test_a_recovery_imports_into_the_state_as_a_destroy_does(tmp_path: Path) -> None:
    api = FakeApi(record("sqs", "CreateQueue", {"QueueName": "q"}, {"QueueUrl": "https://q"}))
    wanted = {"aws_sqs_queue.q": {"name": "q"}}
    world = World(tmp_path, api, wanted, {"aws_sqs_queue.q": "https://q"}, RunKind.RECOVER)
    assert world.carry_out() is None
    assert world.fake.commands[-1] == "import"


QUARANTINED = RecoveryState(epoch=3, serial=7, lineage="l", run_id=RUN, state={})


def test_a_quarantined_state_is_accepted(tmp_path: Path) -> None:
    api = FakeApi(quarantine=QUARANTINED)
    world = World(tmp_path, api, BUCKET, {}, RunKind.APPLY)
    assert world.carry_out() is None
    assert api.accepted == [3]


def test_a_state_that_does_not_continue_stays_in_quarantine(tmp_path: Path) -> None:
    api = FakeApi(quarantine=QUARANTINED)
    api.refusal = ApiError("another lineage", status=409, code="lineage")
    world = World(tmp_path, api, BUCKET, {}, RunKind.APPLY)
    assert world.carry_out() is None
    assert any("another lineage" in note for note in world.notes)


def test_a_lost_lease_ends_the_take_over(tmp_path: Path) -> None:
    api = FakeApi(quarantine=QUARANTINED)
    api.refusal = ApiError("lost", status=409, code="lease_lost")
    with pytest.raises(ApiError):
        World(tmp_path, api, BUCKET, {}, RunKind.APPLY).carry_out()


def test_a_part_of_something_that_stays_is_unheld_too() -> None:
    part = record("iam", "PutRolePolicy", {"RoleName": "r", "PolicyName": "p"}, {})
    assert [item.record for item in unheld([part], plan_json({}))] == [part]
    held = {"aws_iam_role_policy.p": {"role": "r", "name": "p"}}
    assert unheld([part], plan_json({}, held)) == ()
