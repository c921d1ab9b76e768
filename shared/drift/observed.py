"""What differs between the state and what Terraform has just read, by object. Pure.

`resource_drift` of a plan says it. It leaves out objects that a replacement left behind, and there are builds of
OpenTofu that report no drift at all; so the state from before is compared with the one that was read as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from shared.drift.changes import Difference, differences
from shared.drift.instances import Instance, Key
from shared.drift.meaning import both_moments
from shared.drift.schemas import UNKNOWN, Shape
from shared.safety.plan_document import PlanDocument

#: Stands for an object that is no longer in what was read, although nothing reports it as deleted.
GONE: Final = ("(gone)",)
DELETED: Final = ("delete",)
#: How services call a status that does not last, and what follows it when all goes well.
_UNDER_WAY: Final = re.compile(r"(?i)pending|in[-_ ]?progress|(?!running|deleting)[a-z]+ing")
_DONE: Final = frozenset(
    {"active", "associated", "attached", "available", "completed", "created", "deployed", "enabled", "inservice"}
    | {"inuse", "issued", "ok", "ready", "running", "succeeded", "success", "successful"}
)
#: What use changes, and no configuration: sizes, counts and states of work in progress. Reviewed against the schemas of
#: hashicorp/aws: none of them can be set, and none says who may do what.
MEASURED: Final[Mapping[str, frozenset[str]]] = {
    "aws_autoscaling_group": frozenset({"predicted_capacity", "warm_pool_size"}),
    "aws_backup_vault": frozenset({"recovery_points"}),
    "aws_cloudfront_distribution": frozenset({"in_progress_validation_batches"}),
    "aws_cloudfrontkeyvaluestore_key": frozenset({"total_size_in_bytes"}),
    "aws_cloudfrontkeyvaluestore_keys_exclusive": frozenset({"total_size_in_bytes"}),
    "aws_codeartifact_domain": frozenset({"asset_size_bytes", "repository_count"}),
    "aws_cognito_user_pool": frozenset({"estimated_number_of_users"}),
    "aws_detective_member": frozenset({"volume_usage_in_bytes"}),
    "aws_efs_file_system": frozenset({"size_in_bytes"}),
    "aws_emr_instance_fleet": frozenset({"provisioned_on_demand_capacity", "provisioned_spot_capacity"}),
    "aws_emr_instance_group": frozenset({"running_instance_count"}),
    "aws_lambda_event_source_mapping": frozenset({"last_processing_result"}),
    "aws_rds_export_task": frozenset({"percent_progress"}),
    "aws_ssm_activation": frozenset({"registration_count"}),
    "aws_timestreamwrite_database": frozenset({"table_count"}),
    "aws_vpn_connection": frozenset({"vgw_telemetry"}),
}


@dataclass(frozen=True, kw_only=True)
class Observed:
    """An object that differs, or that has another address."""

    key: Key
    """Which."""
    type: str
    """Of the resource."""
    actions: tuple[str, ...]
    """As Terraform says it: update, delete, or no-op for a move."""
    previous_address: str | None = None
    """Before a move."""
    before: Mapping[str, Any] = field(default_factory=dict)
    """The state's values, in clear."""
    after: Mapping[str, Any] = field(default_factory=dict)
    """Those that were read, in clear."""
    differences: tuple[Difference, ...] = ()
    """Between the two."""
    unreported: bool = False
    """Whether only the two states show it."""

    @property
    def apparent(self) -> tuple[str, ...]:
        """What two looks have to agree in: whether it is there, and which attributes say something else."""
        if self.actions == DELETED:
            return DELETED
        return tuple(sorted({one.top for one in self.differences if not one.same and not moved_on(one, self.type)}))


def observed(document: PlanDocument, plan: Mapping[str, Any], shapes: Mapping[str, Shape]) -> dict[Key, Observed]:
    """What `resource_drift` says, with the values in clear: a secret that was changed is drift, too.

    Args:
        document: the plan, read strictly.
        plan: the same as JSON.
        shapes: of resource types.
    """
    found: dict[Key, Observed] = {}
    for change, raw in zip(document.resource_drift, plan.get("resource_drift") or (), strict=True):
        if change.mode != "managed":
            continue
        detail = raw["change"]
        one = Observed(
            key=(change.address, change.deposed),
            type=change.type,
            actions=change.actions,
            previous_address=change.previous_address if change.previous_address != change.address else None,
            before=_mapping(detail.get("before")),
            after=_mapping(detail.get("after")),
            differences=()
            if change.actions == DELETED
            else tuple(
                differences(
                    detail.get("before"),
                    detail.get("after"),
                    before_mask=detail.get("before_sensitive"),
                    after_mask=detail.get("after_sensitive"),
                    shape=shapes.get(change.type, UNKNOWN),
                )
            ),
        )
        found[one.key] = one
    return found


def unreported(
    before: Mapping[Key, Instance],
    now: Mapping[Key, Instance],
    reported: Mapping[Key, Observed],
    shapes: Mapping[str, Shape],
) -> Iterator[Observed]:
    """What only the two states show.

    Args:
        before: the state.
        now: as it was read.
        reported: what is known already.
        shapes: of resource types.
    """
    left = {one.previous_address for one in reported.values()}
    for key, was in before.items():
        if was.mode != "managed" or key in reported or was.address in left:
            continue
        if key not in now:
            yield Observed(
                key=key, type=was.type, actions=DELETED if was.deposed else GONE, before=was.values, unreported=True
            )
        elif found := compared(was, now[key], shapes.get(was.type, UNKNOWN)):
            yield Observed(
                key=key,
                type=was.type,
                actions=("update",),
                before=was.values,
                after=now[key].values,
                differences=tuple(found),
                unreported=True,
            )


def compared(was: Instance, now: Instance, shape: Shape = UNKNOWN) -> list[Difference]:
    """What differs between two times of one object."""
    return differences(was.values, now.values, before_mask=was.mask, after_mask=now.mask, shape=shape)


def moved_on(one: Difference, kind: str) -> bool:
    """Whether a value moved on by itself: a measurement; or one that no configuration can set, and that is a point in
    time or a status on its way.

    Args:
        one: what differs.
        kind: the type of the resource.
    """
    if one.top in MEASURED.get(kind, ()):
        return True
    return one.shape.computed_only and (both_moments(one.before, one.after) or _came_through(one.before, one.after))


def _came_through(before: Any, after: Any) -> bool:
    """Whether a service finished what an apply had begun, and well: PENDING_VALIDATION -> ISSUED."""
    if not isinstance(before, str) or not isinstance(after, str):
        return False
    return bool(_UNDER_WAY.match(before)) and after.lower().replace("_", "").replace("-", "") in _DONE


def zero_for_nothing(one: Difference) -> bool:
    """Whether nothing inside of a block is read as zero or false: providers that know no null there write it so at the
    first refresh after each apply. An attribute of the resource itself is told.
    """
    values = (one.before, one.after)
    return len(one.path) > 1 and None in values and any(value is False or value == 0 for value in values)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
