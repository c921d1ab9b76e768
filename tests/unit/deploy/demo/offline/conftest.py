"""A cloud in this process for the stand-in provider's types."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from moto import mock_aws

from deploy.demo.offline.aws import Aws
from tests.unit.deploy.demo.offline.lifecycle import REGION


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    with mock_aws():
        yield Aws(REGION)
