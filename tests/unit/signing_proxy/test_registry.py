"""A flow of a connection that is not ours has no run."""

from __future__ import annotations

import pytest

from signing_proxy.registry import Connections
from tests.unit.signing_proxy.helpers import make_flow


@pytest.mark.parametrize("stranger", [None, object()])
def test_a_stranger_is_an_error(stranger: object) -> None:
    flow = make_flow()
    table = {} if stranger is None else {flow.client_conn.id: stranger}
    with pytest.raises(LookupError, match="belongs to no run"):
        Connections(table).of(flow.client_conn)
