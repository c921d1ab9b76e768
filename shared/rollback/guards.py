"""What its configuration guards from being destroyed (`prevent_destroy`), as Terraform tells it. Pure.

Terraform makes no plan at all that destroys such an object, and a rollback has to see one: what is guarded is refused
by name, and the rest is taken back. So the guard is lifted by an override file for the rollback's own plans, of exactly
the resources that Terraform named, and each plan then says what of it is guarded (`RollbackPlanItem.guarded`).

Terraform names those of one layer: what another guarded resource depends on is named once that one's guard is lifted.

Sources: Terraform's language reference, "Override files" (`lifecycle` is merged argument by argument) and "lifecycle".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from shared.rollback.inverses import steps
from shared.safety.plan_document import without_keys

#: Overrides are merged in the order of their names, the last one counts: this is behind every letter.
FILE_NAME: Final = "~interlock_guards_override.tf"
_SAYS: Final = re.compile(r"Resource (?P<address>.+) has lifecycle\.prevent_destroy set\b")
_RESOURCE: Final = re.compile(r"(?P<type>[^\W\d][\w-]*)\.(?P<name>[^\W\d][\w-]*)")
_HEAD: Final = "# Made for a rollback: its plans show what is guarded, and nothing of it is done without consent.\n"


def place_of(address: str) -> tuple[str, str]:
    """The key of its module in .terraform/modules/modules.json (empty: the root), and the resource: `net.inner`, `t.n`.

    Args:
        address: of an instance.
    """
    *modules, resource = steps(without_keys(address))
    return ".".join(step.removeprefix("module.") for step in modules), resource


def guarded(diagnostics: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """The addresses for which Terraform refused a plan, in its order; those that no override could name are left out.

    Args:
        diagnostics: of `terraform plan -json`.
    """
    found = (_SAYS.match(str(one.get("detail"))) for one in diagnostics if one.get("severity") == "error")
    addresses = (said["address"] for said in found if said is not None)
    return tuple(dict.fromkeys(one for one in addresses if _RESOURCE.fullmatch(place_of(one)[1])))


def lifting(resources: Iterable[str]) -> str:
    """HCL that lifts the guard of these resources of one module, and leaves all else of theirs as it is.

    Args:
        resources: `aws_s3_bucket.jobs`, without keys.
    """
    blocks = [_HEAD]
    for resource in sorted(set(resources)):
        kind, name = resource.split(".")
        blocks.append(f'resource "{kind}" "{name}" {{\n  lifecycle {{\n    prevent_destroy = false\n  }}\n}}\n')
    return "\n".join(blocks)
