"""Operations are found in botocore's models."""

from __future__ import annotations

import pytest

from signing_proxy.catalog import ServiceCatalog, load_model


def test_the_most_specific_route_wins() -> None:
    model = load_model("s3")
    found = model.match("PUT", "/b/k", "uploadId=1&partNumber=2", {"x-amz-copy-source": "x"})
    assert found is not None
    assert found[0] == "UploadPartCopy"
    found = model.match("PUT", "/b/k", "", {})
    assert found is not None
    assert found[0] == "PutObject"


def test_what_fits_no_route_has_no_name() -> None:
    assert load_model("lambda").match("BREW", "/2015-03-31/functions", "", {}) is None
    assert load_model("lambda").match("GET", "/elsewhere", "", {}) is None


def test_a_model_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(LookupError, match="nonesuch"):
        load_model("nonesuch")


async def test_models_are_read_once_and_unknown_names_are_not_kept() -> None:
    catalog = ServiceCatalog()
    first = await catalog.models("sqs")
    assert [model.name for model in first] == ["sqs"]
    assert await catalog.models("sqs") is first
    for name in ("x1", "x2", "x3"):
        assert await catalog.models(name) == ()
    assert list(catalog._models) == ["sqs"]
