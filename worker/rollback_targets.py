"""What of a plan can be done without that of it which is refused: the addresses for -target. Pure.

Terraform takes along what a target needs. So nothing is chosen that needs something refused, and nothing is deleted
that something refused still needs. Whether that was enough the plan which comes of it shows, and it is judged anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from shared.rollback.records import RollbackVerdict
from shared.safety.entries import Operation
from shared.safety.plan_document import without_keys

#: What is no resource, or changes none.
_UNTARGETED: Final = (Operation.READ, Operation.OUTPUT, Operation.PROVISIONER)


def targets(document: Mapping[str, Any], verdict: RollbackVerdict) -> tuple[str, ...]:
    """The addresses to plan alone.

    Args:
        document: the whole plan, as `terraform show -json` says it; what its state and its configuration know of
            dependencies counts. What goes through a local value no plan tells.
        verdict: on that plan.
    """
    needs = dict(_dependencies(document))
    refused = {without_keys(refusal.item.address) for refusal in verdict.refused}
    needed_by_refused = _reached(refused, needs)
    chosen = []
    for item in verdict.allowed:
        place = without_keys(item.address)
        if item.operation in _UNTARGETED or place in refused:
            continue
        if item.operation is Operation.DELETE:
            if place in needed_by_refused:
                continue
        elif refused & _reached({place}, needs):
            continue
        chosen.append(item.address)
        if item.previous_address is not None:
            # Terraform plans nothing at all while one end of a move is left out.
            chosen.append(item.previous_address)
    return tuple(dict.fromkeys(chosen))


def _reached(start: Iterable[str], needs: Mapping[str, frozenset[str]]) -> set[str]:
    """Everything that these need, directly or not, and they themselves."""
    found: set[str] = set()
    waiting = list(start)
    while waiting:
        if (place := waiting.pop()) not in found:
            found.add(place)
            waiting += needs.get(place, ())
    return found


def _dependencies(document: Mapping[str, Any]) -> Iterator[tuple[str, frozenset[str]]]:
    """What each resource needs, by addresses without keys: as the state has it, and as it is configured."""
    found: dict[str, set[str]] = {}
    waiting = [((document.get("prior_state") or {}).get("values") or {}).get("root_module") or {}]
    while waiting:
        module = waiting.pop()
        for resource in module.get("resources") or ():
            found.setdefault(without_keys(resource["address"]), set()).update(resource.get("depends_on") or ())
        waiting += module.get("child_modules") or ()
    for place, needs in _configured((document.get("configuration") or {}).get("root_module") or {}, ""):
        found.setdefault(place, set()).update(needs)
    return ((place, frozenset(map(without_keys, needs))) for place, needs in found.items())


def _configured(module: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, set[str]]]:
    """The same of resources, of what is passed to modules, and of what these put out."""
    for resource in module.get("resources") or ():
        yield prefix + resource["address"], _references(resource, prefix)
    for name, call in (module.get("module_calls") or {}).items():
        inside, inner = call.get("module") or {}, f"{prefix}module.{name}."
        for variable, expression in (call.get("expressions") or {}).items():
            yield f"{inner}var.{variable}", _references(expression, prefix)
        for output, said in (inside.get("outputs") or {}).items():
            yield inner + output, _references(said, inner)
        yield from _configured(inside, inner)


def _references(said: Any, prefix: str) -> set[str]:
    """Everything that is referred to, however deep, by addresses without keys."""
    found: set[str] = set()
    waiting = [said]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Mapping):
            named = [*(value.get("references") or ()), *(value.get("depends_on") or ())]
            for words in (without_keys(str(one)).split(".") for one in named):
                found.add(prefix + ".".join(words[: 3 if words[0] in ("module", "data") else 2]))
            waiting += [one for key, one in value.items() if key != "constant_value"]
        elif isinstance(value, list):
            waiting += value
    return found
