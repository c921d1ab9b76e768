"""The `plan`, `apply` and `destroy` kinds: init, take over what a cut left, plan, show what that does, apply.

Every file is the release's: the generic configuration, unchanged, and beside it the files rendered for this target,
whose names start with `interlock` (variables, and a backend override: state through the proxy, for this target only).
Ours are the imports of a take-over. The state password is in none of them, it comes through TF_HTTP_PASSWORD.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from shared import exit_codes
from shared.constants import MAX_PLAN_BYTES
from shared.errors import ConfigurationError, PeerError
from shared.models import RunKind, RunStatus
from shared.safety import plan_document
from shared.versions import satisfies
from worker.commands import Commands
from worker.provisioners.outcome import Outcome
from worker.run_directory import RunDirectory

PLAN_FILE = "interlock.tfplan"
MAX_VERSION_BYTES = 1024**2
_MAX_MESSAGES_BYTES: Final = 64 * 1024**2
#: A command that signal n ended has exit code 128 + n.
_KILLED = 128


@dataclass(frozen=True, kw_only=True)
class TerraformJob:
    """Everything that one run of Terraform needs to know."""

    terraform: tuple[str, ...]
    """First words of every command line, as seen from inside."""
    versions: str | None = None
    """Which versions of Terraform the release allows; None: any."""
    plugin_dir: str | None = None
    """Directory for -plugin-dir, as seen from inside; None: providers come as the CLI configuration says."""


_HINTS = {
    "init": "for a provider that cannot be found: name its mirror in INTERLOCK_PLUGIN_DIR or in the file that "
    "TF_CLI_CONFIG_FILE names, on the worker's host; for a lock file that does not fit: publish the release again",
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


class TerraformKilled(PeerError):  # noqa: N818  # named after what happened, as in shared.errors
    """It did not end by itself: what it had begun is known from the journal only."""


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
        """Check Terraform's version and run init with exactly the providers of the release's lock file.

        Raises:
            ConfigurationError: the directory holds no configuration, or Terraform is none that the release allows.
            TerraformFailed: init said no.
        """
        if not self.directory.has_terraform_files():
            raise ConfigurationError(
                "the flock's configuration directory holds no Terraform files",
                hint="`configuration` in the flock file names the directory with the *.tf files",
            )
        if self._job.versions is not None:
            self._require_version(self._job.versions)
        plugins = [f"-plugin-dir={self._job.plugin_dir}"] if self._job.plugin_dir else []
        self._must("init", "-input=false", "-no-color", "-lockfile=readonly", *plugins)

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

    def plan_quietly(self) -> bool:
        """As `plan`, for one that is compared and not applied: only its errors are for the run's log."""
        capture = self.directory.captures / "compared-plan.txt"
        code = self.try_plan(capture=capture)
        capture.unlink(missing_ok=True)
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
            ConfigurationError: truncated, or of a format that this version does not understand.
        """
        return plan_document.load(self._captured("show", "-json", "-no-color", PLAN_FILE))

    def plan_file(self) -> bytes:
        """The plan that was made, as Terraform wrote it.

        Raises:
            ConfigurationError: it is larger than what is kept.
            PeerError: something else has its name.
        """
        content = self.directory.read(PLAN_FILE, MAX_PLAN_BYTES)
        if content is None:
            raise ConfigurationError(f"terraform left no {PLAN_FILE}", hint="the run's log says what it did instead")
        return content

    def apply(self) -> int:
        """Apply the plan in `PLAN_FILE`; returns Terraform's exit code.

        Raises:
            TerraformKilled: something ended it.
        """
        code = self._run("apply", "-input=false", "-no-color", PLAN_FILE)
        if code >= _KILLED:
            raise TerraformKilled(
                f"terraform apply was killed (exit code {code})", hint="look for the kernel's out-of-memory killer"
            )
        return code

    def store_refreshed(self) -> int:
        """Store what is there as it is, and change nothing; returns Terraform's exit code."""
        return self._run("apply", "-refresh-only", "-auto-approve", "-input=false", "-no-color")

    def show_state(self) -> dict[str, Any]:
        """The state as JSON (`terraform show -json`).

        Raises:
            TerraformFailed: it cannot be read.
            ConfigurationError: truncated, or of a format that this version does not understand.
        """
        return plan_document.load(self._captured("show", "-json", "-no-color"))

    def provider_schemas(self) -> bytes:
        """The schemas of all providers as JSON; 14 MB for hashicorp/aws.

        Raises:
            TerraformFailed: they cannot be had.
        """
        return self._captured("providers", "schema", "-json", "-no-color")

    def outputs(self) -> dict[str, Any]:
        """The outputs as JSON, by name (`terraform output -json`).

        Raises:
            TerraformFailed: they cannot be read.
            ConfigurationError: they are no JSON.
        """
        try:
            return dict(json.loads(self._captured("output", "-json", "-no-color")))
        except (ValueError, TypeError) as error:
            raise ConfigurationError(f"the outputs cannot be read: {error}", hint="the run's log says more") from error

    def pull_state(self) -> bytes:
        """The state as it is stored (`terraform state pull`); empty where there is none.

        Raises:
            TerraformFailed: it cannot be read.
        """
        return self._captured("state", "pull")

    def push_state(self, name: str) -> int:
        """Store a state file of the work directory that continues the stored one; returns Terraform's exit code."""
        return self._run("state", "push", "-no-color", name)

    def forget(self, address: str) -> int:
        """Take an address out of the state; what it stands for stays. Returns Terraform's exit code."""
        return self._run("state", "rm", "-no-color", address)

    def import_one(self, address: str, identifier: str) -> int:
        """`terraform import`, for a destroy, where import blocks are not read; returns its exit code."""
        return self._run("import", "-input=false", "-no-color", address, identifier)

    def _require_version(self, allowed: str) -> None:
        capture = self.directory.captures / "version.json"
        code = self._commands.run([*self._job.terraform, "version", "-json"], capture=capture)
        if code != 0:
            raise TerraformFailed("version", code)
        with capture.open("rb") as file:
            content = file.read(MAX_VERSION_BYTES)
        capture.unlink()
        try:
            version = str(json.loads(content)["terraform_version"])
            satisfied = satisfies(version, allowed)
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(
                f"Terraform's version cannot be read: {error}", hint="name another binary in INTERLOCK_TERRAFORM"
            ) from error
        if not satisfied:
            raise ConfigurationError(
                f"this worker has Terraform {version}; the release wants {allowed}",
                hint="install such a version, name it in INTERLOCK_TERRAFORM and restart the worker; "
                "or publish with another `terraform` in flock.yaml",
            )

    def _captured(self, *words: str) -> bytes:
        """Standard output, one byte more than may be read at most."""
        capture = self.directory.captures / f"{words[0]}.json"
        code = self._commands.run([*self._job.terraform, *words], capture=capture)
        if code != 0:
            raise TerraformFailed(words[0], code)
        with capture.open("rb") as file:
            content = file.read(plan_document.MAX_BYTES + 1)
        capture.unlink()
        return content

    def _run(self, *words: str) -> int:
        return self._commands.run([*self._job.terraform, *words])

    def _must(self, step: str, *options: str) -> None:
        code = self._run(step, *options)
        if code != 0:
            raise TerraformFailed(step, code)


def diagnostics_in(capture: Path) -> list[Mapping[str, Any]]:
    """What Terraform had to say with `-json`, as far as it is read; a provider's own output is passed over.

    Args:
        capture: its output.
    """
    with capture.open("rb") as file:
        said = file.read(_MAX_MESSAGES_BYTES).decode(errors="replace")
    found = []
    for line in said.splitlines():
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(message, dict) and isinstance(message.get("diagnostic"), dict):
            found.append(message["diagnostic"])
    return found


def run_terraform(
    terraform: Terraform,
    kind: RunKind,
    *,
    take_over: Callable[[Terraform], bool | None],
    progress: Callable[[RunStatus], None],
    gate: Callable[[Terraform], Outcome | None],
    saved: bytes | None = None,
    keep: Callable[[bytes, bool], None] | None = None,
) -> Outcome:
    """Carry out one plan, apply, destroy or recover; the last one only takes over.

    Args:
        terraform: in its directory.
        kind: which.
        take_over: brings in what an earlier, cut run left; called after init. Returns whether the plan that it left in
            place has changes, or None when there is none.
        progress: told when planning and applying begin.
        gate: is shown the plan that was made; returns how the run ends instead of applying, or None to go on.
        saved: an apply: the plan file to apply. Nothing else is then applied: the plan that is made now is only shown
            to the gate, so that what changed in the cloud since the approval is noticed before anything begins.
        keep: a plan: takes the plan file and whether it has changes.

    Raises:
        StopRequested: the run had to stop.
        ConfigurationError: there is nothing that Terraform could run.
    """
    options: Sequence[str] = ("-destroy",) if kind is RunKind.DESTROY else ()
    try:
        progress(RunStatus.PLANNING)
        terraform.prepare()
        changes = take_over(terraform)
        if kind is RunKind.RECOVER:
            return Outcome(status=RunStatus.APPLIED, exit_code=exit_codes.OK)
        if changes is None:
            changes = terraform.plan_quietly() if saved is not None else terraform.plan(*options)
        # What is shown is what is applied: written down again below, after everything that runs in between.
        made = terraform.plan_file() if saved is None else saved
        if (ended := gate(terraform)) is not None:
            return ended
        if kind is RunKind.PLAN:
            if keep is not None:
                keep(made, changes)
            return Outcome(status=RunStatus.PLANNED, exit_code=exit_codes.CHANGES if changes else exit_codes.OK)
        progress(RunStatus.APPLYING)
        # Byte for byte. Terraform itself refuses an earlier run's plan should the state have moved.
        terraform.directory.write_bytes(PLAN_FILE, made)
        return _applied(terraform.apply())
    except TerraformFailed as failed:
        return Outcome(status=RunStatus.ERRORED, exit_code=exit_codes.ERROR, reason=str(failed))


def _applied(code: int) -> Outcome:
    if code != 0:
        reason = f"terraform apply failed with exit code {code}; the log says why"
        return Outcome(status=RunStatus.ERRORED, exit_code=exit_codes.ERROR, reason=reason)
    return Outcome(status=RunStatus.APPLIED, exit_code=exit_codes.OK)
