"""The embedded master holds what it needs and nothing more."""

from __future__ import annotations

from pathlib import Path

import pytest
from mitmproxy.options import Options

from shared.errors import ConfigurationError
from signing_proxy.connection import Limits
from signing_proxy.core import CA_CERTIFICATE, ProxyCore, refuse_foreign_ca
from signing_proxy.destination import DestinationPolicy
from signing_proxy.testing import FixedCredentials
from tests.unit.signing_proxy.helpers import Bench


def make_core(ca_dir: Path) -> ProxyCore:
    bench = Bench()
    return ProxyCore(
        ca_dir=ca_dir,
        limits=Limits(max_body_bytes=1000),
        max_buffered_bytes=4000,
        clock=bench.clock,
        policy=DestinationPolicy(
            allowed_hosts=("*.amazonaws.com",), overrides={}, state_host="s.internal", api_url="http://127.0.0.1:1"
        ),
        credentials=FixedCredentials("A", "S"),
        journal=bench.journal,
        recorder=bench.recorder,
        permissions=bench.permissions,
        metrics=bench.metrics,
    )


async def test_options_and_addons(tmp_path: Path) -> None:
    core = make_core(tmp_path / "ca")
    await core.start()
    options = core._master.options
    try:
        assert options.connection_strategy == "lazy"
        # Bodies are bounded here: mitmproxy's own bound would hold for streamed ones as well.
        assert options.body_size_limit is None
        assert options.stream_large_bodies is None
        assert options.validate_inbound_headers
        assert not any((options.rawtcp, options.websocket, options.http2, options.ssl_insecure, options.mode))
        names = [getattr(addon, "name", type(addon).__name__) for addon in core._master.addons.chain]
        assert names == [
            "Core",
            "Proxyserver",
            "NextLayer",
            "TlsConfig",
            "interlock-caller",
            "interlock-destination",
            "interlock-aws-request-head",
            "interlock-bodies",
            "interlock-lease-gate",
            "interlock-state",
            "interlock-aws-request",
            "interlock-permission",
            "interlock-journal",
            "interlock-aws-signing",
        ]
    finally:
        await core.close()


@pytest.mark.parametrize("option", ["emudhra", "emudhra_old"])
async def test_the_leaked_ca_that_mitmproxy_ships_is_refused(option: str) -> None:
    opts = Options()
    opts.add_option(option, bool, False, "as mitmproxy 12.3 adds it")
    refuse_foreign_ca(opts)
    opts.update(**{option: True})
    with pytest.raises(ConfigurationError, match=option):
        refuse_foreign_ca(opts)


async def test_the_leaked_ca_is_off(tmp_path: Path) -> None:
    core = make_core(tmp_path / "ca")
    await core.start()
    try:
        options = core._master.options
        assert [name for name in sorted(options.keys()) if "emudhra" in name and getattr(options, name)] == []
    finally:
        await core.close()


async def test_a_certificate_authority_is_made_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    ca_dir = tmp_path / "ca"
    first = make_core(ca_dir)
    await first.start()
    await first.close()
    content = (ca_dir / CA_CERTIFICATE).read_bytes()
    second = make_core(ca_dir)
    await second.start()
    await second.close()
    assert (ca_dir / CA_CERTIFICATE).read_bytes() == content
    assert ca_dir.stat().st_mode & 0o777 == 0o700
    assert (ca_dir / "mitmproxy-ca.pem").stat().st_mode & 0o077 == 0
