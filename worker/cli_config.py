"""Reads what a Terraform CLI configuration says about where providers come from, and writes a configuration that says
only that.

The user's own file never enters a sandbox: it may hold registry tokens (`credentials` blocks). The language is a small
corner of HCL: blocks, assignments, strings, lists of strings.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from shared.errors import ConfigurationError

MAX_FILE_BYTES = 1024 * 1024
_TOKEN = re.compile(
    r"""(?P<skip>\s+|\#[^\n]*|//[^\n]*|/\*.*?\*/)
      | (?P<string>"(?:[^"\\\n]|\\.)*")
      | (?P<word>[A-Za-z_][A-Za-z0-9_./-]*)
      | (?P<number>-?[0-9][0-9.]*)
      | (?P<mark>[{}\[\],=:])""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, kw_only=True)
class Mirror:
    """One `filesystem_mirror` block."""

    path: Path
    """Directory on the host."""
    include: tuple[str, ...] = ()
    """Provider patterns that it serves; empty: all."""
    exclude: tuple[str, ...] = ()
    """Provider patterns that it does not."""


@dataclass(frozen=True, kw_only=True)
class ProviderSources:
    """Where providers may come from, in so far as a sandbox can reach it."""

    mirrors: tuple[Mirror, ...] = ()
    """Local directories in Terraform's mirror layout."""
    overrides: tuple[tuple[str, Path], ...] = ()
    """`dev_overrides`: provider address and the directory with its binary."""
    network_mirrors: tuple[str, ...] = ()
    """URLs of network mirrors; they work only when the proxy allows their hosts."""
    direct: bool = True
    """Whether the registries themselves may be asked; likewise."""

    @property
    def directories(self) -> tuple[Path, ...]:
        """What has to be visible inside the sandbox."""
        return tuple(dict.fromkeys([mirror.path for mirror in self.mirrors] + [path for _, path in self.overrides]))


@dataclass(frozen=True, kw_only=True)
class _Block:
    """A block or the file itself."""

    name: str
    attributes: dict[str, object] = field(default_factory=dict)
    blocks: list[_Block] = field(default_factory=list)


def parse_cli_config(text: str, *, name: str) -> ProviderSources:
    """Read a CLI configuration.

    Args:
        text: the file's content.
        name: the file's name, for messages.

    Raises:
        ConfigurationError: it is not in the language that Terraform takes here.
    """
    top = _Parser(text, name).parse()
    installation = next((block for block in top.blocks if block.name == "provider_installation"), None)
    if installation is None:
        return ProviderSources()
    mirrors: list[Mirror] = []
    networks: list[str] = []
    overrides: list[tuple[str, Path]] = []
    direct = False
    for block in installation.blocks:
        if block.name == "filesystem_mirror":
            mirrors.append(
                Mirror(
                    path=_real(str(block.attributes.get("path", ""))),
                    include=_words(block.attributes.get("include")),
                    exclude=_words(block.attributes.get("exclude")),
                )
            )
        elif block.name == "network_mirror":
            networks.append(str(block.attributes.get("url", "")))
        elif block.name == "dev_overrides":
            overrides += [(key, _real(str(value))) for key, value in block.attributes.items()]
        elif block.name == "direct":
            direct = True
    return ProviderSources(
        mirrors=tuple(mirrors), overrides=tuple(overrides), network_mirrors=tuple(networks), direct=direct
    )


def _real(path: str) -> Path:
    # A link below /usr would be there in the sandbox, what it points to would not: only real paths are bound.
    return Path(path).expanduser().resolve()


def load_provider_sources(environment: dict[str, str], home: Path) -> tuple[ProviderSources, str]:
    """Find and read the CLI configuration that Terraform would use on this host.

    Args:
        environment: the worker's own, for TF_CLI_CONFIG_FILE.
        home: the user's home directory, for `.terraformrc` and the implied mirrors.

    Returns:
        The sources, and a note for the log (empty when there is nothing to say).

    Raises:
        ConfigurationError: the file is there and cannot be read.
    """
    named = environment.get("TF_CLI_CONFIG_FILE") or environment.get("TERRAFORM_CONFIG")
    path = Path(named) if named else next((p for p in (home / ".terraformrc", home / ".tofurc") if p.is_file()), None)
    note = ""
    if path is not None and not path.is_file():
        note = f"TF_CLI_CONFIG_FILE names {path}, which does not exist; it is ignored"
        path = None
    if path is None:
        # Terraform's implied local mirrors; HOME is another one inside the sandbox.
        implied = (home / ".terraform.d" / "plugins", Path("/usr/local/share/terraform/plugins"))
        return ProviderSources(
            mirrors=tuple(Mirror(path=folder.resolve()) for folder in implied if folder.is_dir())
        ), note
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ConfigurationError(f"{path}: larger than 1 MiB", hint="is this a Terraform CLI configuration?")
        sources = parse_cli_config(path.read_text(encoding="utf-8"), name=str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read: {error}", hint="correct TF_CLI_CONFIG_FILE") from error
    missing = [folder for folder in sources.directories if not folder.is_dir()]
    if missing:
        raise ConfigurationError(
            f"{path}: {missing[0]} is not a directory", hint="correct provider_installation in that file"
        )
    return sources, note


def render_cli_config(sources: ProviderSources) -> str:
    """The configuration for inside: the same sources, nothing else, and no calls home."""
    lines = ["disable_checkpoint = true", "provider_installation {"]
    if sources.overrides:
        lines.append("  dev_overrides {")
        lines += [f"    {json.dumps(address)} = {json.dumps(str(path))}" for address, path in sources.overrides]
        lines.append("  }")
    for mirror in sources.mirrors:
        lines += ["  filesystem_mirror {", f"    path = {json.dumps(str(mirror.path))}"]
        if mirror.include:
            lines.append(f"    include = {json.dumps(list(mirror.include))}")
        if mirror.exclude:
            lines.append(f"    exclude = {json.dumps(list(mirror.exclude))}")
        lines.append("  }")
    lines += [f"  network_mirror {{\n    url = {json.dumps(url)}\n  }}" for url in sources.network_mirrors]
    if sources.direct:
        served = [pattern for mirror in sources.mirrors for pattern in mirror.include]
        excluded = f"\n    exclude = {json.dumps(served)}\n  " if served else ""
        lines.append(f"  direct {{{excluded}}}")
    lines.append("}")
    return "\n".join(lines) + "\n"


class _Parser:
    """Recursive descent over the tokens."""

    def __init__(self, text: str, name: str) -> None:
        self._name = name
        self._tokens = list(self._split(text))
        self._position = 0

    def parse(self) -> _Block:
        top = _Block(name="")
        self._body(top, end="")
        return top

    def _split(self, text: str) -> Iterator[tuple[str, str]]:
        position = 0
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                line = text.count("\n", 0, position) + 1
                raise self._wrong(f"unexpected {text[position]!r} in line {line}")
            position = match.end()
            if match.lastgroup != "skip":
                yield str(match.lastgroup), match.group()
        yield "end", ""

    def _body(self, block: _Block, *, end: str) -> None:
        while True:
            kind, text = self._next()
            if text == end and kind in ("mark", "end"):
                return
            if kind == "mark" and text == ",":
                continue
            if kind not in ("word", "string"):
                raise self._wrong(f"expected a name, found {text or 'the end'!r}")
            name = _unquoted(kind, text)
            while self._tokens[self._position][0] in ("string", "word"):
                self._next()  # labels, as in: credentials "host" { … }
            kind, mark = self._next()
            if mark in ("=", ":"):
                block.attributes[name] = self._value()
            elif mark == "{":
                inner = _Block(name=name)
                self._body(inner, end="}")
                block.blocks.append(inner)
            else:
                raise self._wrong(f"expected = or {{ after {name}, found {mark or 'the end'!r}")

    def _value(self) -> object:
        kind, text = self._next()
        if text == "[" and kind == "mark":
            items: list[str] = []
            while True:
                kind, text = self._next()
                if kind == "mark" and text == "]":
                    return items
                if kind == "mark" and text == ",":
                    continue
                if kind not in ("string", "word", "number"):
                    raise self._wrong(f"unexpected {text or 'the end'!r} in a list")
                items.append(_unquoted(kind, text))
        if text == "{" and kind == "mark":
            inner = _Block(name="")
            self._body(inner, end="}")
            return inner.attributes
        if kind in ("string", "word", "number"):
            return _unquoted(kind, text)
        raise self._wrong(f"expected a value, found {text or 'the end'!r}")

    def _next(self) -> tuple[str, str]:
        token = self._tokens[self._position]
        # The end token is not passed, so that reading on at the end finds the end again.
        self._position = min(self._position + 1, len(self._tokens) - 1)
        return token

    def _wrong(self, what: str) -> ConfigurationError:
        return ConfigurationError(f"{self._name}: {what}", hint="`terraform version` says whether Terraform reads it")


def _unquoted(kind: str, text: str) -> str:
    if kind != "string":
        return text
    return re.sub(r"\\(.)", lambda match: {"n": "\n", "t": "\t"}.get(match[1], match[1]), text[1:-1])


def _words(value: object) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, list) else ()
