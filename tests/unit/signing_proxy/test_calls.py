"""A call is complete only with every check of its kind, and with nothing against it."""

from __future__ import annotations

import pytest

from shared.clock import ManualClock
from signing_proxy.access import OperationClass
from signing_proxy.calls import REQUIRED, Call, Check, call_of
from signing_proxy.classify import Operation, Protocol
from signing_proxy.denial import Denial, Reason
from signing_proxy.destination import Upstream
from tests.unit.signing_proxy.helpers import CLOUD, STATE, make_call, make_flow, make_run


@pytest.mark.parametrize("upstream", [CLOUD, STATE], ids=["cloud", "state"])
def test_one_missing_check_is_enough(upstream: Upstream) -> None:
    run = make_run(ManualClock())
    for missing in REQUIRED[upstream.kind]:
        passed = set(REQUIRED[upstream.kind]) - {missing}
        assert not Call(run=run, upstream=upstream, passed=passed).complete
    assert Call(run=run, upstream=upstream, passed=set(REQUIRED[upstream.kind])).complete


def test_a_denied_call_is_not_complete() -> None:
    call = Call(run=make_run(ManualClock()), upstream=CLOUD, passed=set(Check))
    assert call.complete
    call.denial = Denial(reason=Reason.WRONG_KEY, message="no")
    assert not call.complete


def test_a_call_without_a_destination_is_not_complete() -> None:
    assert not Call(run=make_run(ManualClock()), passed=set(Check)).complete


def test_what_is_not_known_to_read_mutates() -> None:
    run = make_run(ManualClock())
    read = Operation(service="s3", operation="GetObject", kind=OperationClass.DATA_READ, protocol=Protocol.REST_XML)
    assert Call(run=run, upstream=CLOUD).mutating
    assert not Call(run=run, upstream=CLOUD, operation=read).mutating
    assert not Call(run=run, upstream=STATE).mutating


def test_a_call_is_found_on_its_flow() -> None:
    flow = make_flow()
    assert call_of(flow) is None
    call = make_call(flow, make_run(ManualClock()))
    assert call_of(flow) is call
