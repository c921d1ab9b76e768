"""What a plan does with addresses only is read off its JSON, whole."""

from __future__ import annotations

from typing import Any

import pytest

from shared.errors import ConfigurationError
from shared.rollback import rearranging
from shared.rollback.rearranging import rearrangement
from shared.rollback.records import Imported, Moved, Rearrangement
from shared.safety.plan_document import load
from tests.unit.shared.safety.support import change, document


def of(*changes: dict[str, Any], **more: Any) -> Rearrangement:
    return rearrangement(load(document(*changes, **more)))


def test_a_plan_that_only_creates_changes_and_deletes_rearranges_nothing() -> None:
    found = of(change("aws_vpc.a", "create"), change("aws_vpc.b", "update"), change("aws_vpc.c", "delete"))
    assert found == Rearrangement()


def test_a_move_counts_whatever_else_is_done_to_the_object() -> None:
    found = of(
        change("aws_vpc.b", "no-op", previous_address="aws_vpc.a"),
        change("aws_vpc.d[0]", "update", previous_address="aws_vpc.c"),
        change("aws_vpc.f", "delete", "create", previous_address="aws_vpc.e"),
        change("aws_vpc.g", "no-op", previous_address="aws_vpc.g"),
    )
    assert found.moved == (
        Moved(before="aws_vpc.a", after="aws_vpc.b"),
        Moved(before="aws_vpc.c", after="aws_vpc.d[0]"),
        Moved(before="aws_vpc.e", after="aws_vpc.f"),
    )


def test_what_is_forgotten_is_named_as_it_was_called_before() -> None:
    found = of(
        change("aws_vpc.a", "forget"),
        change("aws_vpc.b", "create", "forget"),
        change("aws_vpc.d", "forget", previous_address="aws_vpc.c"),
        change("aws_vpc.e", "forget", deposed="00c0ffee"),
    )
    assert found.forgotten == ("aws_vpc.a", "aws_vpc.b", "aws_vpc.c")


def test_an_import_knows_its_id_and_whether_it_is_alone_in_its_resource() -> None:
    found = of(
        change("aws_vpc.a", "no-op", change_importing={"id": "vpc-1"}),
        change('aws_vpc.b["x"]', "update", change_importing={"id": "vpc-2"}),
        change('aws_vpc.b["y"]', "no-op"),
        change("aws_vpc.c[0]", "no-op", change_importing={"identity": {"name": "n"}}),
        change("aws_vpc.c[1]", "no-op", change_importing={"id": ""}),
        change("aws_vpc.d", "no-op", change_importing={"id": "x" * 5000}),
    )
    assert found.imported == (
        Imported(address="aws_vpc.a", type="aws_vpc", id="vpc-1", alone=True),
        Imported(address='aws_vpc.b["x"]', type="aws_vpc", id="vpc-2", alone=False),
        Imported(address="aws_vpc.c[0]", type="aws_vpc", alone=True),
        Imported(address="aws_vpc.c[1]", type="aws_vpc", alone=True),
        Imported(address="aws_vpc.d", type="aws_vpc", alone=True),
    )


def test_an_instance_that_goes_while_another_is_taken_in_is_one_beside_it() -> None:
    found = of(change("aws_vpc.a[0]", "delete"), change("aws_vpc.a[1]", "no-op", change_importing={"id": "vpc-1"}))
    assert [one.alone for one in found.imported] == [False]


def test_data_sources_are_not_deployed() -> None:
    assert of(change("data.aws_ami.a", "read", previous_address="data.aws_ami.b")) == Rearrangement()


def test_called_modules_are_known_with_their_sources_however_deep() -> None:
    inner = {"module_calls": {"b": {"source": "registry.example.com/b/aws", "module": {}}}}
    root = {"module_calls": {"a": {"source": "./a", "module": inner}, "c": {}}}
    assert of(configuration={"root_module": root}).packages == {
        "module.a": "./a",
        "module.a.module.b": "registry.example.com/b/aws",
        "module.c": "",
    }


def test_a_module_that_is_not_looked_into_is_known_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    root = {"module_calls": {"a": {"source": "x" * 2000}, "b": {"source": "./b", "module": {}}}}
    assert of(configuration={"root_module": root}).packages == {"module.a": "x" * 1024, "module.b": "./b"}
    monkeypatch.setattr(rearranging, "MAX_PACKAGES", 2)
    assert len(of(configuration={"root_module": root}).packages) == 2
    monkeypatch.setattr(rearranging, "MAX_PACKAGES", 1)
    with pytest.raises(ConfigurationError, match="calls 2 modules"):
        of(configuration={"root_module": root})


def test_modules_nested_without_end_are_refused() -> None:
    module: dict[str, Any] = {}
    for _ in range(120):
        module = {"module_calls": {"m": {"source": "./m", "module": module}}}
    with pytest.raises(ConfigurationError, match="nested too deeply"):
        of(configuration={"root_module": module})


def test_a_plan_without_changes_rearranges_nothing() -> None:
    assert rearrangement({"format_version": "1.2", "configuration": {"root_module": {}}}) == Rearrangement()


def test_what_is_no_plan_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        rearrangement({"format_version": "1.2"})
