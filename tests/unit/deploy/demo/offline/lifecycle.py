"""What Terraform does to a resource in its life, in one go."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from tf import types
from tf.utils import Diagnostics

from deploy.demo.offline.aws import Aws
from deploy.demo.offline.base import AwsResource

REGION = "eu-west-1"
TAGS = {"Name": "orders", "service": "orders"}


def context(kind: type[AwsResource]) -> Any:
    """What `tf` passes to each operation."""
    return SimpleNamespace(diagnostics=Diagnostics(), type_name=f"aws_{kind.TYPE}")


def resource(kind: type[AwsResource], aws: Aws) -> AwsResource:
    return kind(SimpleNamespace(aws=aws))


def planned_state(kind: type[AwsResource], **wanted: Any) -> dict[str, Any]:
    """The plan that `tf` makes of a configuration: what the cloud decides is unknown."""
    schema = kind.get_schema()
    blocks: dict[str, Any] = {block.type_name: [] for block in schema.block_types}
    return {attribute.name: types.Unknown for attribute in schema.attributes} | blocks | wanted


def create(kind: type[AwsResource], aws: Aws, **wanted: Any) -> dict[str, Any]:
    """Create as configured; every attribute of the result is known."""
    asked = context(kind)
    made = resource(kind, aws).create(asked, planned_state(kind, **wanted))
    assert not asked.diagnostics.has_errors(), str(asked.diagnostics)
    assert made is not None
    assert types.Unknown not in made.values()
    for name, value in wanted.items():
        assert made[name] == value
    return made


def read(kind: type[AwsResource], aws: Aws, current: dict[str, Any]) -> dict[str, Any] | None:
    asked = context(kind)
    found = resource(kind, aws).read(asked, current)
    assert not asked.diagnostics.has_errors(), str(asked.diagnostics)
    return found


def find(kind: type[AwsResource], aws: Aws, import_id: str) -> dict[str, Any] | None:
    """Import; None with a diagnostic where there is nothing."""
    asked = context(kind)
    found = resource(kind, aws).import_(asked, import_id)
    assert asked.diagnostics.has_errors() == (found is None)
    return found


def change(kind: type[AwsResource], aws: Aws, current: dict[str, Any], **wanted: Any) -> dict[str, Any]:
    """Update in place and check that the cloud has it."""
    asked = context(kind)
    changed = resource(kind, aws).update(asked, current, current | wanted)
    assert not asked.diagnostics.has_errors(), str(asked.diagnostics)
    assert changed is not None
    seen = read(kind, aws, changed)
    assert seen is not None
    for name, value in wanted.items():
        assert seen[name] == value
    return changed


def lives(
    kind: type[AwsResource],
    aws: Aws,
    *,
    import_id: str | None = None,
    not_read: tuple[str, ...] = (),
    outlives: bool = False,
    **wanted: Any,
) -> dict[str, Any]:
    """Create, read without a difference, import the same, delete, be gone. Returns the state as created.

    Args:
        kind: the type.
        aws: the cloud.
        import_id: how an import names it; None: by its id.
        not_read: attributes that the cloud does not tell, so that an import lacks them.
        outlives: it is not gone after a delete.
        wanted: the configuration.
    """
    made = create(kind, aws, **wanted)
    assert read(kind, aws, made) == made, "a second plan would not be empty"
    found = find(kind, aws, import_id or made["id"])
    assert found == made | dict.fromkeys(not_read)
    asked = context(kind)
    resource(kind, aws).delete(asked, made)
    assert not asked.diagnostics.has_errors(), str(asked.diagnostics)
    assert (read(kind, aws, made) is None) is not outlives
    return made
