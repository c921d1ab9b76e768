"""`python -m tests.chaos.builds BUILD COMMAND`: `interlock COMMAND` with one rule switched off."""

import sys
from importlib import import_module

from cli.main import main

BUILDS = ("gate", "window", "embargo", "state_fence")

if __name__ == "__main__":
    build, *command = sys.argv[1:]
    if build not in BUILDS:
        sys.exit(f"no test-only build is called {build}: {', '.join(BUILDS)}")
    import_module(f"tests.chaos.builds.{build}").switch_off()
    sys.exit(main(command))
