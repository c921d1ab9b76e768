"""In which of the cloud's regions a plan makes something: the target's, unless its configuration says otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from shared.safety.plan_document import without_keys


class Placing:
    """The regions of one plan."""

    def __init__(self, plan: Mapping[str, Any], region: str) -> None:
        """Read the configuration.

        Args:
            plan: `terraform show -json` of it.
            region: the target's.
        """
        configuration = plan.get("configuration") or {}
        self._region = region
        self._providers = configuration.get("provider_config") or {}
        self._keys = dict(_keys(configuration.get("root_module") or {}))

    def region_of(self, address: str, values: Mapping[str, Any]) -> str | None:
        """Where it is, or will be; None: nobody can tell.

        Args:
            address: of an instance.
            values: its attributes.
        """
        if isinstance(own := values.get("region"), str) and own:
            return own
        provider = self._providers.get(self._keys.get(without_keys(address)))
        if not isinstance(provider, Mapping):
            return self._region
        said = (provider.get("expressions") or {}).get("region") or {}
        if isinstance(constant := said.get("constant_value"), str):
            return constant
        # One by default follows the target; of another one nobody knows what its variables say.
        return None if provider.get("alias") else self._region


def _keys(module: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """The provider of each resource in the configuration."""
    for resource in module.get("resources") or ():
        yield prefix + str(resource.get("address")), str(resource.get("provider_config_key"))
    for name, call in (module.get("module_calls") or {}).items():
        yield from _keys(call.get("module") or {}, f"{prefix}module.{name}.")
