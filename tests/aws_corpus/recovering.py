"""The corpus is made, its state is lost, and everything is found again from the journal alone.

    by report      the blocks of the report that a scheduler makes, without a question to the cloud, and one plan
    by take-over   what a run does: plan, ask the cloud, decide, import, again, until nothing new is found
    unanswered     the same with every answer of a create taken out of the journal

An import counts when the plan of the real provider accepts it, and is right when it has the id that the lost state had.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

from shared.models import JournalRecord
from shared.recovery.building import Call
from shared.recovery.calls import to_account_for
from shared.recovery.imports import Import, render_imports
from shared.recovery.orphans import Orphan, find_orphans, planned_of
from shared.recovery.provenance import doubtful
from shared.recovery.questions import Answer, query_candidates
from shared.recovery.reconciling import reconcile
from shared.recovery.rules import rule_of
from shared.recovery.views import read_plan, read_state
from shared.safety.allowance import Allowance
from tests.aws_corpus.harness import Terraform, VerifyingCloud
from tests.integration.proxy_cloud import REAL_KEY, REAL_SECRET
from tests.integration.proxy_support import ProxyThread
from worker.signed_call import sign

REGION = "eu-west-1"
GOAL = 40
FLAGS = ("-no-color", "-input=false", "-parallelism=20")
BLOCKS = "interlock_recovery.tf"
MAX_ROUNDS = 8
#: What a plan says of an id, where it is not the state's: attributes that hold what the import took.
IDENTITIES = ("id", "arn", "name", "policy_arn", "network_acl_id")


class Recovering:
    """The corpus without its state."""

    def __init__(self, cloud: VerifyingCloud, terraform: Terraform, proxy: ProxyThread) -> None:
        self._cloud = cloud
        self._terraform = terraform
        self._proxy = proxy
        self._ids: dict[str, dict[str, Any]] = {}
        self._addresses: set[str] = set()
        self.wrong: list[str] = []

    def run(self) -> int:
        """All of it; 0 when all of it holds."""
        done = self._terraform.run(Allowance.unbounded(), "apply", "-auto-approve", *FLAGS)
        print(f"create: exit {done.returncode}", flush=True)
        if done.returncode != 0:
            print(done.stderr)
            return 1
        state = self._terraform.folder / "terraform.tfstate"
        held = read_state(json.loads(state.read_text()))
        self._ids = {item.address: dict(item.values) for item in held}
        records = to_account_for(self._records())
        if left := find_orphans(records, [held], None):
            self.wrong.append(f"reported although the state holds it: {[(one.operation, one.why) for one in left]}")
        state.unlink()
        state.with_name("terraform.tfstate.backup").unlink(missing_ok=True)
        self._by_report(records)
        self._by_rounds("take-over", records, goal=GOAL)
        lost = [record.model_copy(update=LOST) for record in records]
        # Nothing vouches for most of it: it is named, and not imported.
        self._by_rounds("unanswered", lost, goal=0)
        for problem in self.wrong:
            print(f"WRONG {problem}")
        return 1 if self.wrong else 0

    def _records(self) -> list[JournalRecord]:
        found = []
        for intent in self._proxy.journal.intents:
            outcome = self._proxy.journal.outcomes.get(intent.call_id)
            answer = {} if outcome is None else {
                "outcome": outcome.outcome, "http_status": outcome.http_status,
                "outcome_resource": outcome.resource, "error_code": outcome.error_code,
            }  # fmt: skip
            found.append(JournalRecord.model_validate({**intent.model_dump(), **answer}))
        return found

    def _by_report(self, records: list[JournalRecord]) -> None:
        plan = self._plan([])
        assert plan is not None, "a plan without imports"
        orphans = find_orphans(records, [], planned_of(plan))
        blocks = [orphan for orphan in orphans if orphan.import_block is not None]
        accepted = self._plan([_import(orphan) for orphan in blocks])
        if accepted is None:
            self.wrong.append("the plan did not accept the blocks of the report")
            return
        types = self._accepted("report", accepted, [_import(orphan) for orphan in blocks])
        without = sorted(f"{orphan.service}:{orphan.operation}" for orphan in orphans if orphan.import_block is None)
        print(f"report: {len(orphans)} orphans, {len(blocks)} blocks, {len(types)} types accepted; without: {without}")
        named = [_what(orphan.type, orphan) for orphan in orphans if orphan.import_block is None]
        self._unnoticed("report", {str(orphan.address) for orphan in blocks}, named)
        if len(types) < GOAL:
            self.wrong.append(f"report: {len(types)} types, the goal is {GOAL}")

    def _unnoticed(self, name: str, imported: set[str], named: Sequence[str]) -> None:
        """Nothing of what there was may be neither imported nor named."""
        nouns = [one.replace("_", "").replace("ingress", "").lower() for one in named]
        unnoticed = [
            address
            for address in sorted(self._ids.keys() - imported)
            if not any(address.split(".")[0].removeprefix("aws_").replace("_", "") in noun for noun in nouns)
        ]
        print(f"{name}: {len(self._ids)} resources, {len(imported)} imported; neither imported nor named: {unnoticed}")
        if unnoticed:
            self.wrong.append(f"{name}: nobody would know of {unnoticed}")

    def _by_rounds(self, name: str, records: list[JournalRecord], *, goal: int) -> None:
        imports: list[Import] = []
        dropped: set[str] = set()
        doubts: dict[str, str] = {}
        for number in range(1, MAX_ROUNDS + 1):
            plan = self._plan(imports)
            if plan is None:
                self.wrong.append(f"{name}: the plan of round {number} failed")
                return
            doubted = doubtful(plan, imports, records)
            if doubted:
                doubts |= {item.record.operation: item.why for item in doubted.values()}
                dropped |= doubted.keys()
                imports = [item for item in imports if item.call_id not in doubted]
                continue
            view = read_plan(plan)
            candidates = query_candidates(records, view, region=REGION, transport=self._ask)
            decision = reconcile(records, view, candidates, destroying=True, dropped=frozenset(dropped))
            if not decision.imports:
                break
            imports += decision.imports
        types = self._accepted(name, plan, imports)
        remains = (*decision.deferred, *decision.unimportable)
        left = sorted(f"{item.record.operation}: {item.why}" for item in remains)
        print(f"{name}: {len(imports)} imports of {len(types)} types in {number} rounds; left: {len(left)}")
        for line in left:
            print(f"    {line}")
        for operation, why in sorted(doubts.items()):
            print(f"    doubted {operation}: {why}")
        if goal:
            named = [_what(rule.type if (rule := rule_of(one.record)) else None, one.record) for one in remains]
            self._unnoticed(name, {item.address for item in imports}, named)
        if len(types) < goal:
            self.wrong.append(f"{name}: {len(types)} types, the goal is {goal}")

    def _accepted(self, name: str, plan: dict[str, Any], imports: Sequence[Import]) -> set[str]:
        """The types whose imports the plan shows, each held against the state that was lost."""
        shown = {change["address"]: change for change in plan["resource_changes"] if change["change"].get("importing")}
        for item in imports:
            change = shown.get(item.address)
            if change is None:
                self.wrong.append(f"{name}: {item.address} is not imported")
                continue
            before, was = change["change"].get("before") or {}, self._ids[item.address]
            if not any(before.get(key) == was.get(key) for key in IDENTITIES if was.get(key)):
                self.wrong.append(f"{name}: {item.address} is {item.id}, and was {was.get('id')}")
            if change["change"]["actions"] in (["delete", "create"], ["create", "delete"]):
                print(f"    {name}: {item.address} would be replaced")
        return {change["type"] for change in shown.values()}

    def _plan(self, imports: Sequence[Import]) -> dict[str, Any] | None:
        blocks = self._terraform.folder / BLOCKS
        blocks.write_text(render_imports(imports))
        done = self._terraform.run(Allowance.reads(), "plan", "-out=plan.out", *FLAGS)
        blocks.unlink()
        if done.returncode != 0:
            print(done.stderr[-4000:])
            return None
        return self._terraform.shown("plan.out")

    def _ask(self, calls: Sequence[Call]) -> list[Answer]:
        """As the sandbox's own script would, without the sandbox."""
        place = urlsplit(self._cloud.url)
        answers = []
        for call in calls:
            headers = sign(asdict(call), key_id=REAL_KEY, secret=REAL_SECRET, at=_now())
            connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)
            target = call.path + (f"?{call.query}" if call.query else "")
            try:
                connection.request(call.method, target, body=call.body, headers=headers)
                reply = connection.getresponse()
                answers.append(Answer(status=reply.status, body=reply.read().decode()))
            except (OSError, http.client.HTTPException) as error:
                print(f"    no answer from {call.host}: {call.body[:120]} ({error!r})")
                answers.append(Answer(status=0, body=repr(error)))
            finally:
                connection.close()
        return answers


LOST: dict[str, Any] = {"outcome": "unknown", "http_status": None, "outcome_resource": {}}


def _import(orphan: Orphan) -> Import:
    assert orphan.address is not None
    assert orphan.id is not None
    made = orphan.outcome == "made"
    return Import(address=orphan.address, id=orphan.id, call_id=orphan.call_id, certain=made, ours=made)


def _what(kind: str | None, call: Orphan | JournalRecord) -> str:
    """The type that is named, or else the one that the call is named after."""
    return kind or call.service + call.operation.removeprefix("Create")


def _now() -> str:
    from shared.clock import SystemClock

    return SystemClock().wall().strftime("%Y%m%dT%H%M%SZ")
