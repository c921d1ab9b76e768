"""What a Redis URL says, and which ones say nothing that can be right."""

from __future__ import annotations

import pytest

from shared.redis_address import Topology, parse_address


@pytest.mark.parametrize("url", ["redis://:pw@h:1/2", "rediss://h", "unix:///run/r.sock?db=1"])
def test_the_address_of_one_server_is_left_as_it_is(url: str) -> None:
    address = parse_address(url)
    assert (address.topology, address.url, address.hosts) == (Topology.ONE, url, ())


def test_a_sentinel_address_names_sentinels_set_and_database() -> None:
    address = parse_address("redis+sentinel://user:p%40ss@one:1,two/the%20set/3")
    assert (address.topology, address.master_name) == (Topology.SENTINEL, "the set")
    assert address.hosts == (("one", 1), ("two", 26379))
    assert address.options == {"username": "user", "password": "p@ss", "db": 3}
    assert address.sentinel_options == {}


def test_what_the_servers_and_the_sentinels_want_is_kept_apart() -> None:
    address = parse_address(
        "rediss+sentinel://:pw@one:1/set?ssl_ca_certs=/ca.pem&sentinel_username=s&sentinel_password=w"
    )
    assert address.tls
    assert address.options == {"password": "pw", "db": 0, "ssl": True, "ssl_ca_certs": "/ca.pem"}
    assert address.sentinel_options == {"username": "s", "password": "w", "ssl": True, "ssl_ca_certs": "/ca.pem"}


def test_a_cluster_address_names_some_nodes() -> None:
    address = parse_address("redis+cluster://:pw@one:1,[::1]:2,three/0")
    assert (address.topology, address.hosts) == (Topology.CLUSTER, (("one", 1), ("::1", 2), ("three", 6379)))
    assert address.options == {"password": "pw"}


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("redis+sentinel://:secret@one:1", "what the Sentinels call the set"),
        ("redis+sentinel://:secret@/set", "must name 1 to 64 hosts"),
        ("redis+sentinel://:secret@one:x/set", "its port is no number"),
        ("redis+sentinel://:secret@one:70000/set", "its port is no number"),
        ("redis+sentinel://:secret@:1/set", "a host without a name"),
        ("redis+sentinel://:secret@one:1/set/x", "its database is no number"),
        ("redis+sentinel://:secret@one:1/set?ssl_min_version=secret", "Invalid value for 'ssl_min_version'"),
        ("redis+cluster://:secret@one:1/2", "the database 0 only"),
        ("redis+cluster://:secret@" + ",".join(f"h{n}" for n in range(65)), "must name 1 to 64 hosts"),
        ("redis+other://:secret@one:1/2", "is no Redis URL"),
    ],
)
def test_an_impossible_address_is_refused_without_repeating_its_password(url: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as caught:
        parse_address(url)
    assert "secret" not in str(caught.value)
    assert "secret" not in repr(parse_address("redis+sentinel://:secret@one/set"))
