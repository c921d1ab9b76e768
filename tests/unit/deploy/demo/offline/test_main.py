"""How the stand-in is configured: a region, and the accounts that it may work in, as the real provider has it."""

from __future__ import annotations

import pytest
from tf.utils import Diagnostics

from deploy.demo.offline.__main__ import DemoProvider
from deploy.demo.offline.aws import Aws
from tests.unit.deploy.demo.offline.lifecycle import REGION

MINE = "123456789012"


def configured(**config: object) -> tuple[DemoProvider, Diagnostics]:
    provider, said = DemoProvider(), Diagnostics()
    provider.configure_provider(said, {"region": None, "allowed_account_ids": None, **config})
    return provider, said


def test_it_works_in_its_region(aws: Aws) -> None:
    provider, said = configured(region=REGION)
    assert not said.has_errors()
    assert provider.aws is not None
    assert provider.aws.region == REGION


def test_without_a_region_it_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION", raising=False)
    provider, said = configured()
    assert said.has_errors()
    assert provider.aws is None


def test_an_account_that_is_not_allowed_is_refused(aws: Aws) -> None:
    assert not configured(region=REGION, allowed_account_ids={MINE, "210987654321"})[1].has_errors()
    provider, said = configured(region=REGION, allowed_account_ids={"210987654321"})
    assert said.has_errors()
    assert provider.aws is None
