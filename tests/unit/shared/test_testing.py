"""The fake server behaves like one that can be hurt."""

from __future__ import annotations

from shared.testing import FakeServer, fake_lease_store


def test_stores_of_one_server_share_its_data() -> None:
    server = FakeServer()
    server.store().clear("web.eu", server.incarnation, 0)
    assert server.store().view("web.eu").cleared
    assert not fake_lease_store().view("web.eu").cleared


def test_a_restart_and_a_failover_are_other_incarnations() -> None:
    server = FakeServer()
    seen = {server.store().view("web.eu").incarnation}
    server.fail_over()
    seen.add(server.store().view("web.eu").incarnation)
    server.restart(empty=False)
    seen.add(server.store().view("web.eu").incarnation)
    assert len(seen) == 3


def test_an_empty_restart_forgets_and_another_does_not() -> None:
    server = FakeServer()
    server.store().clear("web.eu", server.incarnation, 3)
    server.restart(empty=False)
    assert server.store().view("web.eu").epoch == 2
    server.restart(empty=True)
    assert server.store().view("web.eu").state is None


def test_durability_is_what_the_test_says() -> None:
    store = fake_lease_store()
    assert store.durable("web.eu", 1)
    store.server.durable = False
    assert not store.durable("web.eu", 1)
