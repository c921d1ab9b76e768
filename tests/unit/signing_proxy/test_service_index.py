"""The compiled index is that of the installed botocore."""

from __future__ import annotations

from signing_proxy.service_index import build, read_model, service_index


def test_the_index_is_up_to_date() -> None:
    compiled = {
        name: {"models": list(entry.models), "labels": sorted(entry.labels)} for name, entry in service_index().items()
    }
    assert compiled == build(), "run `python -m signing_proxy.service_index`"


def test_no_label_names_a_region_or_a_whole_domain() -> None:
    everything = set().union(*(entry.labels for entry in service_index().values()))
    assert not everything & {"us-east-1", "amazonaws", "com", "api", "global", "aws"}


def test_a_model_that_does_not_exist_is_none() -> None:
    assert read_model("nonesuch") is None
