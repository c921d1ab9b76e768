"""A provider lock file for a configuration that has none, made by `terraform init` in a copy of it.

What is made here holds the versions and hashes of the providers that this machine finds, for its own platform. A lock
file in the configuration's folder, reviewed like code and made for all platforms by `terraform providers lock`, is
better, and is taken as it is.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from shared.errors import ConfigurationError
from shared.release_manifest import LOCK_FILE
from shared.settings import Settings
from worker.terraform_binary import find_terraform

TIMEOUT_S: Final = 600
MAX_MESSAGE_CHARS: Final = 2000
# `terraform_data` and the like are built in. JSON and modules from elsewhere may need anything.
_NEEDS: Final = re.compile(
    r'^\s*(?:provider\s+"(?!terraform")|required_providers\b|(?:resource|data|ephemeral)\s+"(?!terraform_))'
    r'|^\s*source\s*=\s*"(?!\.\.?/)',
    re.MULTILINE,
)
_HINT: Final = (
    "run `terraform providers lock` in the folder and commit the file; or publish where Terraform finds the providers: "
    "INTERLOCK_PLUGIN_DIR names a mirror"
)


def needs_providers(files: Mapping[str, bytes]) -> bool:
    """Whether a configuration may use a provider that is not built into Terraform. Pure."""
    return any(
        name.endswith((".tf.json", ".tofu.json"))
        or (name.endswith((".tf", ".tofu")) and _NEEDS.search(content.decode(errors="replace")) is not None)
        for name, content in files.items()
    )


def make_lock(files: Mapping[str, bytes], shown_as: str, settings: Settings) -> bytes | None:
    """The lock file that Terraform makes for `files`; None when they need no provider after all.

    Args:
        files: the generic configuration.
        shown_as: its folder, in messages.
        settings: where Terraform and the providers are.

    Raises ConfigurationError when there is no Terraform, or it does not find the providers.
    """
    try:
        terraform = find_terraform(settings.terraform).argv(confined=False)
    except ConfigurationError as error:
        raise ConfigurationError(f"{shown_as} has no {LOCK_FILE}, and {error}", hint=_HINT) from error
    plugins = [f"-plugin-dir={settings.plugin_dir.resolve()}"] if settings.plugin_dir else []
    with tempfile.TemporaryDirectory(prefix="interlock-lock-") as name:
        work = Path(name)
        for path, content in files.items():
            copy = work / path
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(content)
        done = subprocess.run(
            [*terraform, "init", "-backend=false", "-input=false", "-no-color", *plugins],
            cwd=work,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        if done.returncode != 0:
            said = " ".join((done.stderr or done.stdout).split())[:MAX_MESSAGE_CHARS]
            raise ConfigurationError(
                f"{shown_as} has no {LOCK_FILE}, and terraform init makes none: {said}", hint=_HINT
            )
        made = work / LOCK_FILE
        return made.read_bytes() if made.is_file() else None
