"""What every resource type of the stand-in shares.

A type says how a thing is made, observed, changed and removed, and how it is found by an import id. The
rest (filling what was unknown in the plan, errors as diagnostics, imports) is here.
"""

import json
from collections.abc import Callable
from typing import Any, ClassVar

from botocore.exceptions import BotoCoreError, ClientError
from tf import iface, types
from tf.blocks import SetNestedBlock
from tf.schema import Attribute, Schema

from deploy.demo.offline.aws import Aws

type State = dict[str, Any]


class CompactJson(types.NormalizedJson):  # type: ignore[misc]  # tf publishes no types
    """JSON as Terraform's jsonencode writes it, so that an imported document reads like the configuration's."""

    def encode(self, value: Any) -> Any:
        if value is None or value is types.Unknown:
            return value
        return json.dumps(value, sort_keys=True, separators=(",", ":"))


STRING, NUMBER, BOOL = types.String(), types.Number(), types.Bool()
TAGS = types.Map(types.String())
JSON = CompactJson()


def required(name: str, kind: types.TfType = STRING, *, replace: bool = False) -> Attribute:
    """An attribute that the configuration must set; `replace`: changing it makes a new resource."""
    return Attribute(name, kind, required=True, requires_replace=replace)


def optional(name: str, kind: types.TfType = STRING, *, replace: bool = False) -> Attribute:
    """An attribute that the configuration may set; the cloud's own value counts otherwise."""
    return Attribute(name, kind, optional=True, computed=True, requires_replace=replace)


def computed(name: str, kind: types.TfType = STRING) -> Attribute:
    """An attribute that only the cloud knows."""
    return Attribute(name, kind, computed=True)


class AwsResource(iface.Resource):  # type: ignore[misc]  # tf publishes no types
    """A resource type; see the module."""

    TYPE: ClassVar[str]
    """The type's name without `aws_`."""
    ATTRIBUTES: ClassVar[tuple[Attribute, ...]]
    """Its attributes; every type also has a computed `id`."""
    BLOCKS: ClassVar[tuple[SetNestedBlock, ...]] = ()
    """Its nested blocks."""

    def __init__(self, provider: Any) -> None:
        self.aws: Aws = provider.aws

    # What a type says.

    def make(self, planned: State) -> State:
        """Create the thing; returns at least what `observe` needs to find it."""
        raise NotImplementedError

    def observe(self, state: State) -> State | None:
        """The attributes as the cloud has them, or None if the thing is gone."""
        raise NotImplementedError

    def change(self, current: State, planned: State) -> None:
        """Make the thing as planned. Not called for what forces a replacement."""

    def remove(self, current: State) -> None:
        """Delete the thing."""
        raise NotImplementedError

    def found_by(self, import_id: str) -> State:
        """What `observe` needs to find the thing that an import names."""
        return {"id": import_id}

    # What Terraform asks.

    @classmethod
    def get_name(cls) -> str:
        return cls.TYPE

    @classmethod
    def get_schema(cls) -> Schema:
        return Schema(version=0, attributes=[computed("id"), *cls.ATTRIBUTES], block_types=list(cls.BLOCKS))

    def create(self, ctx: iface.CreateContext, planned: State) -> State | None:
        def work() -> State:
            return self._settled(planned, self.make(_known(planned)))

        return self._attempt(ctx, work)

    def read(self, ctx: iface.ReadContext, current: State) -> State | None:
        def work() -> State | None:
            observed = self.observe(current)
            return None if observed is None else {**current, **observed}

        # Terraform takes a null for "gone": where the read failed it must keep what it has.
        result = self._attempt(ctx, work)
        return current if ctx.diagnostics.has_errors() else result

    def update(self, ctx: iface.UpdateContext, current: State, planned: State) -> State | None:
        def work() -> State:
            self.change(current, _known(planned))
            return self._settled(planned, {"id": current["id"]})

        result = self._attempt(ctx, work)
        return current if ctx.diagnostics.has_errors() else result

    def delete(self, ctx: iface.DeleteContext, current: State) -> None:
        self._attempt(ctx, lambda: self.remove(current))

    def import_(self, ctx: iface.ImportContext, id: str) -> State | None:
        def work() -> State | None:
            found = self._everything(self.found_by(id))
            observed = self.observe(found)
            if observed is None:
                ctx.diagnostics.add_error(f"Cannot import non-existent remote object aws_{self.TYPE} {id!r}")
                return None
            return {**found, **observed}

        return self._attempt(ctx, work)

    def _everything(self, some: State) -> State:
        """Every attribute and block, null or empty where `some` does not say."""
        empty: State = {attribute.name: None for attribute in self.get_schema().attributes}
        return {**empty, **{block.type_name: [] for block in self.BLOCKS}, **some}

    def _settled(self, planned: State, made: State) -> State:
        """The planned state with what was unknown filled in from the cloud."""
        observed = self.observe({**_known(planned), **made})
        if observed is None:
            raise LookupError(f"aws_{self.TYPE} was made and cannot be found")
        known = self._everything({**made, **observed})
        return {name: known[name] if value is types.Unknown else value for name, value in planned.items()}

    def _attempt[T](self, ctx: Any, work: Callable[[], T]) -> T | None:
        try:
            return work()
        except (BotoCoreError, ClientError, LookupError) as error:
            ctx.diagnostics.add_error(f"aws_{self.TYPE}: {type(error).__name__}", str(error))
            return None


def _known(planned: State) -> State:
    """The plan with null for what is not known yet."""
    return {name: None if value is types.Unknown else value for name, value in planned.items()}


def given(state: State, **names: str) -> State:
    """Arguments of a call from attributes that are set: `given(planned, Description="description")`."""
    return {argument: state[name] for argument, name in names.items() if state.get(name) is not None}
