"""What all types share: unknowns are filled in, errors become diagnostics, a failed read loses nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tf import types

from deploy.demo.offline.aws import Aws
from deploy.demo.offline.base import JSON, AwsResource, State, computed, given, optional, required
from tests.unit.deploy.demo.offline.lifecycle import REGION, context, planned_state, resource


class Thing(AwsResource):
    """A type whose cloud is a dictionary."""

    TYPE = "thing"
    ATTRIBUTES = (required("name", replace=True), optional("size"), computed("arn"))
    cloud: dict[str, State]
    broken: ClientError | None

    def make(self, planned: State) -> State:
        self._fail()
        self.cloud[planned["name"]] = {"name": planned["name"], "size": planned["size"] or "small", "arn": "arn:x"}
        return {"id": planned["name"]}

    def observe(self, state: State) -> State | None:
        self._fail()
        found = self.cloud.get(state["id"])
        return None if found is None else {"id": state["id"], **found}

    def change(self, current: State, planned: State) -> None:
        self._fail()
        self.cloud[current["id"]]["size"] = planned["size"]

    def remove(self, current: State) -> None:
        self._fail()
        del self.cloud[current["id"]]

    def _fail(self) -> None:
        if self.broken is not None:
            raise self.broken


@pytest.fixture
def thing() -> AwsResource:
    Thing.cloud, Thing.broken = {}, None
    return resource(Thing, Aws(REGION))


def denied() -> ClientError:
    return ClientError({"Error": {"Code": "ExpiredToken", "Message": "no lease"}}, "CreateThing")


def test_what_was_unknown_is_filled_in_and_what_was_planned_is_kept(thing: AwsResource) -> None:
    made = thing.create(context(Thing), planned_state(Thing, name="a"))
    assert made == {"id": "a", "name": "a", "size": "small", "arn": "arn:x"}
    made = thing.create(context(Thing), planned_state(Thing, name="b", size="large"))
    assert made is not None
    assert made["size"] == "large"


def test_a_refusal_becomes_a_diagnostic_with_the_cloud_s_words(thing: AwsResource) -> None:
    Thing.broken = denied()
    asked = context(Thing)
    assert thing.create(asked, planned_state(Thing, name="a")) is None
    (diagnostic,) = asked.diagnostics.diagnostics
    assert "no lease" in diagnostic.detail


@pytest.mark.parametrize("operation", ["read", "update"])
def test_a_refused_read_or_update_keeps_the_state(thing: AwsResource, operation: str) -> None:
    made = thing.create(context(Thing), planned_state(Thing, name="a"))
    assert made is not None
    Thing.broken = denied()
    asked = context(Thing)
    again = thing.read(asked, made) if operation == "read" else thing.update(asked, made, made | {"size": "large"})
    assert again == made
    assert asked.diagnostics.has_errors()


def test_a_thing_that_is_gone_is_null(thing: AwsResource) -> None:
    assert thing.read(context(Thing), {"id": "a", "name": "a", "size": "", "arn": ""}) is None


def test_an_import_has_every_attribute(thing: AwsResource) -> None:
    thing.create(context(Thing), planned_state(Thing, name="a"))
    found = thing.import_(context(Thing), "a")
    assert found == {"id": "a", "name": "a", "size": "small", "arn": "arn:x"}


def test_an_import_of_nothing_is_an_error(thing: AwsResource) -> None:
    asked = context(Thing)
    assert thing.import_(asked, "a") is None
    assert asked.diagnostics.has_errors()


def test_what_was_made_and_cannot_be_found_is_an_error(thing: AwsResource, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Thing, "observe", lambda self, state: None)
    asked = context(Thing)
    assert thing.create(asked, planned_state(Thing, name="a")) is None
    assert asked.diagnostics.has_errors()


@pytest.mark.parametrize("value", [None, types.Unknown])
def test_json_that_is_not_known_stays_so(value: Any) -> None:
    assert JSON.encode(value) is value


def test_json_reads_as_terraform_writes_it() -> None:
    text = '{"Action":["a","b"],"Version":"1"}'
    assert JSON.encode(json.loads(text)) == text
    assert JSON.decode(text) == json.loads(text)


def test_arguments_that_are_not_set_are_left_out() -> None:
    assert given({"a": 1, "b": None}, First="a", Second="b", Third="c") == {"First": 1}
