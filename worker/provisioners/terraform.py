"""The `plan`, `apply` and `destroy` kinds: init, take over what a cut left, plan, apply.

The configuration is the flock's, unchanged; what is ours lies beside it in files whose names start with `interlock`:
a backend override (state through the proxy, for this target only), the target's variables, and the imports of a
take-over. The state password is not in them, it comes through TF_HTTP_PASSWORD.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared import exit_codes
from shared.errors import ConfigurationError
from shared.models import RunKind, RunStatus
from worker.commands import Commands
from worker.provisioners.outcome import Outcome
from worker.run_directory import RunDirectory

BACKEND_FILE = "interlock_backend_override.tf.json"
VARIABLES_FILE = "interlock.auto.tfvars.json"
PLAN_FILE = "interlock.tfplan"
MAX_PLAN_JSON_BYTES = 256 * 1024**2


@dataclass(frozen=True, kw_only=True)
class TerraformJob:
    """Everything that one run of Terraform needs to know."""

    terraform: tuple[str, ...]
    """First words of every command line, as seen from inside."""
    state_address: str
    """URL of the target's state."""
    variables: Mapping[str, Any]
    """The target's variables."""
    provider_region: str
    """The cloud's region; given to the variable `provider_region` where the configuration declares it."""
    plugin_dir: str | None = None
    """Directory for -plugin-dir, as seen from inside; None: providers come as the CLI configuration says."""


_HINTS = {
    "init": "for a provider that cannot be found: name its mirror in INTERLOCK_PLUGIN_DIR or in the file that "
    "TF_CLI_CONFIG_FILE names, on the worker's host; `interlock doctor` looks for it",
    "plan": "an invalid configuration is named with file and line: correct it and apply with -f again",
}


class TerraformFailed(Exception):  # noqa: N818  # named after what happened, as in shared.errors
    """A step ended with an error that Terraform has explained in the run's log."""

    def __init__(self, step: str, code: int) -> None:
        """Keep which step, and its exit code."""
        hint = _HINTS.get(step, "")
        super().__init__(
            f"terraform {step} failed with exit code {code}; the log says why" + (f" ({hint})" if hint else "")
        )
        self.code = code


class Terraform:
    """Terraform in a run's work directory."""

    def __init__(self, commands: Commands, directory: RunDirectory, job: TerraformJob) -> None:
        """Bind the parts.

        Args:
            commands: runs Terraform.
            directory: holds the configuration.
            job: what to do it with.
        """
        self.directory = directory
        self._commands = commands
        self._job = job

    def prepare(self) -> None:
        """Write our files and run init.

        Raises:
            ConfigurationError: the directory holds no configuration.
            TerraformFailed: init said no.
        """
        if not self.directory.has_terraform_files():
            raise ConfigurationError(
                "the flock's configuration directory holds no Terraform files",
                hint="`configuration` in the flock file names the directory with the *.tf files",
            )
        self.directory.write(BACKEND_FILE, json.dumps(backend_override(self._job.state_address), indent=2))
        variables = dict(self._job.variables)
        if "provider_region" not in variables and self._declares("provider_region"):
            variables["provider_region"] = self._job.provider_region
        self.directory.write(VARIABLES_FILE, json.dumps(variables, indent=2))
        plugins = [f"-plugin-dir={self._job.plugin_dir}"] if self._job.plugin_dir else []
        self._must("init", "-input=false", "-no-color", *plugins)

    def plan(self, *options: str) -> bool:
        """Write a plan to `PLAN_FILE`.

        Args:
            options: more options, for example -destroy.

        Returns:
            Whether there is anything to do.

        Raises:
            TerraformFailed: there is no plan.
        """
        code = self.try_plan(*options)
        if code not in (0, 2):
            raise TerraformFailed("plan", code)
        return code == exit_codes.CHANGES

    def try_plan(self, *options: str, capture: Path | None = None) -> int:
        """As `plan`, returning Terraform's exit code instead of raising.

        Args:
            options: more options.
            capture: takes standard output instead of the run's log.
        """
        words = ["plan", "-input=false", "-no-color", "-detailed-exitcode", f"-out={PLAN_FILE}", *options]
        return self._commands.run([*self._job.terraform, *words], capture=capture)

    def show_plan(self) -> dict[str, Any]:
        """The plan as JSON (`terraform show -json`).

        Raises:
            TerraformFailed: there is no such plan.
            ConfigurationError: a format that this version does not understand.
        """
        capture = self.directory.captures / "plan.json"
        code = self._commands.run([*self._job.terraform, "show", "-json", "-no-color", PLAN_FILE], capture=capture)
        if code != 0:
            raise TerraformFailed("show", code)
        with capture.open("rb") as file:
            content = file.read(MAX_PLAN_JSON_BYTES + 1)
        capture.unlink()
        if len(content) > MAX_PLAN_JSON_BYTES:
            raise ConfigurationError(
                f"the plan's JSON is larger than {MAX_PLAN_JSON_BYTES} bytes", hint="split the flock into smaller ones"
            )
        plan: dict[str, Any] = json.loads(content)
        if not str(plan.get("format_version", "")).startswith("1."):
            raise ConfigurationError(
                f"Terraform writes plan format {plan.get('format_version')}; only 1.x is understood",
                hint="use an older Terraform or a newer Interlock",
            )
        return plan

    def apply(self) -> int:
        """Apply the plan in `PLAN_FILE`; returns Terraform's exit code."""
        return self._run("apply", "-input=false", "-no-color", PLAN_FILE)

    def import_one(self, address: str, identifier: str) -> int:
        """`terraform import`, for a destroy, where import blocks are not read; returns its exit code."""
        return self._run("import", "-input=false", "-no-color", address, identifier)

    def _run(self, *words: str) -> int:
        return self._commands.run([*self._job.terraform, *words])

    def _must(self, step: str, *options: str) -> None:
        code = self._run(step, *options)
        if code != 0:
            raise TerraformFailed(step, code)

    def _declares(self, variable: str) -> bool:
        pattern = re.compile(rf'^\s*variable\s+"?{variable}"?\s*\{{', re.MULTILINE)
        json_pattern = re.compile(rf'"variable"\s*:.*"{variable}"', re.DOTALL)
        for path in sorted(self.directory.work.iterdir()):
            if path.suffix in (".tf", ".tofu") and pattern.search(path.read_text(errors="replace")):
                return True
            if path.name.endswith((".tf.json", ".tofu.json")) and json_pattern.search(path.read_text(errors="replace")):
                return True
        return False


def run_terraform(
    terraform: Terraform,
    kind: RunKind,
    *,
    take_over: Callable[[Terraform], bool | None],
    progress: Callable[[RunStatus], None],
) -> Outcome:
    """Carry out one plan, apply or destroy.

    Args:
        terraform: in its directory.
        kind: which.
        take_over: brings in what an earlier, cut run left; called after init. Returns whether the plan that it left in
            place has changes, or None when there is none.
        progress: told when planning and applying begin.

    Raises:
        StopRequested: the run had to stop.
        ConfigurationError: there is nothing that Terraform could run.
    """
    options: Sequence[str] = ("-destroy",) if kind is RunKind.DESTROY else ()
    try:
        progress(RunStatus.PLANNING)
        terraform.prepare()
        changes = take_over(terraform)
        if changes is None:
            changes = terraform.plan(*options)
        if kind is RunKind.PLAN:
            return Outcome(status=RunStatus.PLANNED, exit_code=exit_codes.CHANGES if changes else exit_codes.OK)
        progress(RunStatus.APPLYING)
        code = terraform.apply()
    except TerraformFailed as failed:
        return Outcome(status=RunStatus.ERRORED, exit_code=exit_codes.ERROR, reason=str(failed))
    if code != 0:
        reason = f"terraform apply failed with exit code {code}; the log says why"
        return Outcome(status=RunStatus.ERRORED, exit_code=exit_codes.ERROR, reason=reason)
    return Outcome(status=RunStatus.APPLIED, exit_code=exit_codes.OK)


def backend_override(address: str) -> dict[str, Any]:
    """The override file that replaces whatever backend the configuration names.

    Args:
        address: URL of the target's state.
    """
    backend = {
        "address": address,
        "lock_address": address,
        "unlock_address": address,
        "update_method": "POST",
        "lock_method": "LOCK",
        "unlock_method": "UNLOCK",
        # Refusals end at once; what is retried is a connection that broke.
        "retry_max": 3,
        "retry_wait_min": 1,
        "retry_wait_max": 5,
    }
    return {"terraform": {"backend": {"http": backend}}}
