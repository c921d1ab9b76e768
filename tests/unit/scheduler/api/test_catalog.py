"""Routes: bundles, flocks, targets."""

from __future__ import annotations

import pytest

from shared.errors import ApiError
from shared.models import TargetUpsert
from tests.unit.scheduler.api.conftest import Clients
from tests.unit.scheduler.support import bundle


def test_a_bundle_that_is_none_is_refused(client: Clients) -> None:
    with pytest.raises(ApiError, match=r"no tar\.gz") as refused:
        client("admin").upload_bundle(b"text")
    assert refused.value.status == 400


def test_an_unknown_bundle_or_target_is_a_404(client: Clients) -> None:
    admin = client("admin")
    for look in (lambda: admin.bundle("sha256:" + "0" * 64), lambda: admin.target("web.nowhere")):
        with pytest.raises(ApiError) as missing:
            look()
        assert missing.value.status == 404


def test_a_digest_of_another_form_is_refused(client: Clients) -> None:
    with pytest.raises(ApiError) as refused:
        client("admin").bundle("latest")
    assert refused.value.status == 422


def test_a_flock_is_put_twice_without_harm(client: Clients) -> None:
    admin = client("admin")
    digest = admin.upload_bundle(bundle())
    target = TargetUpsert(id="web.north", region="north", provider_region="eu-1")
    assert admin.put_flock("web", digest, [target]) == admin.put_flock("web", digest, [target])
