"""The `exec` kind: any command line, under the lease. Its exit code is the run's."""

from __future__ import annotations

from collections.abc import Sequence

from shared.errors import ConfigurationError
from shared.models import RunStatus
from worker.commands import Commands
from worker.provisioners.outcome import Outcome


def run_command(commands: Commands, argv: Sequence[str]) -> Outcome:
    """Run `argv` in the sandbox, with the flock's configuration as working directory.

    Args:
        commands: runs it.
        argv: the command.

    Raises:
        ConfigurationError: there is no command, or it cannot be started.
        StopRequested: the run had to stop.
    """
    if not argv:
        raise ConfigurationError("an exec run without a command", hint="interlock exec --target T -- CMD …")
    code = commands.run(argv)
    if code == 0:
        return Outcome(status=RunStatus.SUCCEEDED, exit_code=0)
    return Outcome(status=RunStatus.ERRORED, exit_code=code, reason=f"{argv[0]} exited with {code}")
