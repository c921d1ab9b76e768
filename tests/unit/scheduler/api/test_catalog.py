"""Routes: flocks, targets."""

from __future__ import annotations

import pytest

from shared.errors import ApiError
from tests.releases import packed_release
from tests.unit.scheduler.api.conftest import Clients


def test_an_unknown_target_is_a_404(client: Clients) -> None:
    with pytest.raises(ApiError) as missing:
        client("admin").target("web.nowhere")
    assert missing.value.status == 404


def test_a_flock_is_put_twice_without_harm(client: Clients) -> None:
    admin = client("admin")
    digest = admin.publish_release(packed_release("web.north")).digest
    assert admin.put_flock("web", digest) == admin.put_flock("web", digest)
