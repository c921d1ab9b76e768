"""mitmproxy's parts can be imported where warnings are errors."""

from __future__ import annotations

import subprocess
import sys


def test_importing_them_warns_about_nothing() -> None:
    result = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning", "-c", "import signing_proxy.mitm"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
