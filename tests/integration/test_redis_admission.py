"""A Redis that must not hold leases, and durations that cannot be right: refused at the start of every component, and
found by `interlock doctor`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli import checks_services, doctor
from cli.findings import Finding
from scheduler.assembly import build_context
from shared.errors import ConfigurationError
from shared.settings import Settings, load_settings
from signing_proxy.main import run_proxy
from tests.servers import QUICK_SYNC, ValkeyCluster, ValkeyServer, wait_for
from worker.main import run_worker

Factory = Callable[..., ValkeyServer]
#: `interlock server` and `interlock beat` both begin with the first.
COMPONENTS: dict[str, Callable[[Settings], object]] = {
    "server and beat": build_context, "worker": run_worker, "proxy": run_proxy,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _own_settings_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INTERLOCK_HOME", str(tmp_path / "home"))


def refusals(url: str, **options: Any) -> list[ConfigurationError]:
    """What each component says at its start."""
    found = []
    for name, start in COMPONENTS.items():
        settings = load_settings(redis_url=url, sandbox="none", token="t", **options)
        with pytest.raises(ConfigurationError) as caught:
            start(settings)
        assert caught.value.hint, name
        found.append(caught.value)
    return found


def doctors_finding(check: Callable[[Settings], Finding], url: str, **options: Any) -> Finding:
    """What the doctor's check of that name finds."""
    names = {one: name for name, one in checks_services.CHECKS}
    (finding,) = doctor._safely(names[check], lambda: check(load_settings(redis_url=url, token="t", **options)))
    return finding


def assert_refused(url: str, words: str, **options: Any) -> None:
    """Every component refuses it with these words, and so does the doctor, who says what to do."""
    assert all(words in str(error) for error in refusals(url, **options)), words
    finding = doctors_finding(checks_services.redis, url, **options)
    assert (finding.status, words in finding.what, bool(finding.mend)) == ("fail", True, True), finding


def test_a_redis_that_evicts(redis_server_factory: Factory) -> None:
    server = redis_server_factory("--maxmemory-policy", "allkeys-lru")
    assert_refused(server.url, "may evict keys (maxmemory-policy allkeys-lru)")


def test_a_replica_given_as_the_primary(redis_server_factory: Factory) -> None:
    primary = redis_server_factory(*QUICK_SYNC, tcp=True)
    replica = redis_server_factory(*QUICK_SYNC, "--replicaof", f"127.0.0.1 {primary.port}")
    assert_refused(replica.url, "is a replica")
    with primary.client() as client:
        wait_for("the replica", lambda: client.info("replication")["connected_slaves"] == 1)
    assert_refused(primary.url, "has 1 replicas, but redis_replicas is 0")


@pytest.mark.parametrize("name", ["EVALSHA", "WAIT", "PUBLISH", "HSET", "INFO"])
def test_a_redis_without_a_needed_command(redis_server_factory: Factory, name: str) -> None:
    # INFO is how a test knows that the server is up, so it is renamed like the others: to something nobody guesses.
    server = redis_server_factory("--rename-command", name, f"{name}-HIDDEN")
    assert_refused(server.url, name)


@pytest.mark.parametrize(
    ("denied", "words"),
    [
        ("-publish", "PUBLISH"),
        ("-hincrby", "HINCRBY"),
        ("-wait", "wait"),
        ("-eval", "eval"),
        ("-info", "info"),
        ("-subscribe", "subscribe"),
        ("-@scripting", "evalsha"),
        ("resetkeys ~other:*", "key"),
        ("resetchannels", "channel"),
    ],
)
def test_a_user_who_may_not_do_what_leases_need(redis_server_factory: Factory, denied: str, words: str) -> None:
    server = redis_server_factory(tcp=True)
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", "interlock", "on", ">pw", "~*", "&*", "+@all", *denied.split())
    url = f"redis://interlock:pw@127.0.0.1:{server.port}/0"
    for error in refusals(url):
        assert words.lower() in str(error).lower(), error
    assert doctors_finding(checks_services.redis, url).status == "fail"


def test_a_user_with_only_the_permissions_that_the_documentation_lists_is_enough(
    redis_server_factory: Factory,
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    listed = page.partition("The user that Interlock logs in as needs ")[2].partition(" (and CLUSTER SLOTS")[0]
    names = [name.strip() for name in listed.replace(" and ", ", ").replace("\n", " ").split(",")]
    server = redis_server_factory(tcp=True)
    with server.client() as client:
        client.execute_command(
            "ACL", "SETUSER", "interlock", "reset", "on", ">pw", "~interlock:*", "&interlock:*",
            *(f"+{name.lower()}" for name in names),
        )  # fmt: skip
    settings = load_settings(redis_url=f"redis://interlock:pw@127.0.0.1:{server.port}/0")
    with checks_services.lease_store(settings) as store:
        store.check_server()
        store.check_timing(settings.timing, settings.node)
        store.clear("web.eu", store.view("web.eu").incarnation, 0)
        assert store.durable("web.eu", 1)
        assert store.targets() == ["web.eu"]


def test_two_hosts_with_different_ttls(redis_server_factory: Factory) -> None:
    server = redis_server_factory()
    theirs = load_settings(redis_url=server.url, node="host-b", ttl_ms=12_000)
    with checks_services.lease_store(theirs) as store:
        store.beat("host-b", {"node": "host-b", "timing": theirs.timing.model_dump()}, 600_000)
    words = "host-b: ttl_ms is 10000 here and 12000 there"
    assert all(words in str(error) for error in refusals(server.url, node="host-a"))
    finding = doctors_finding(checks_services.lease_timing, server.url, node="host-a")
    assert (finding.status, words in finding.what) == ("fail", True)


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"INTERLOCK_TTL_MS": "5999"}, "at least three times renew_ms (2000)"),
        ({"INTERLOCK_DELTA_MS": "10001"}, "delta_ms (10001) must be smaller than ttl_ms (10000)"),
        ({"INTERLOCK_REDIS_URL": "redis+cluster://h:1"}, "broker_url: must be set"),
        ({"INTERLOCK_REDIS_URL": "redis+sentinel://h:1"}, "what the Sentinels call the set"),
    ],
)
def test_settings_that_cannot_be_right(variables: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match="settings: ") as caught:
        load_settings()  # what every component begins with
    assert words in str(caught.value)
    *_, last = doctor.run_checks()
    assert (last.name, last.status, words in last.what) == ("settings", "fail", True)


def test_a_good_server_and_a_good_cluster_pass_the_doctor(redis_server_factory: Factory) -> None:
    assert doctors_finding(checks_services.redis, redis_server_factory().url).status == "ok"
    cluster = ValkeyCluster()
    try:
        finding = doctors_finding(checks_services.redis, cluster.url, broker_url="redis://127.0.0.1:1/0")
        assert (finding.status, "3 primaries" in finding.what) == ("ok", True), finding
    finally:
        cluster.close()
