"""Values -> YAML text that `yaml_source` reads as the same values, whatever other readers would make of it."""

from __future__ import annotations

import re
from typing import Any, Final

import yaml

_SAFE: Final = re.compile(r"[A-Za-z./_][A-Za-z0-9./_-]*")
_WORDS: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n", "~", ".inf", ".nan"})


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    plain = _SAFE.fullmatch(value) and value.lower() not in _WORDS and not value.startswith(".")
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=None if plain or value == "." else '"')


def _number(dumper: yaml.SafeDumper, value: float) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:float", repr(value))


_Dumper.add_representer(str, _text)
_Dumper.add_representer(float, _number)


def yaml_text(value: Any) -> str:
    """`value` as YAML: maps in their own order, every text that could be read as something else in quotes."""
    return str(yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110))
