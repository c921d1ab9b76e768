"""Routes: a flock is looked at as the commands do, and nothing of it stays."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest

from scheduler.api import configuration_routes
from scheduler.configuration import fleet
from tests.unit.scheduler.api.conftest import AppClient
from tests.unit.scheduler.configuration.fleets import FILES

FLEET = dict(FILES)
ALONE = "name: solo\nconfiguration: .\ntargets: [{region: anywhere}]\n"
EAST = "name: east\nrealm: live\n"


@pytest.fixture
def ask(raw: AppClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Post as an admin; what is left behind afterwards fails the test."""
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(uploads))

    def post(what: str, body: dict[str, Any], *, status: int = 200, token: str = "admin-token") -> Any:
        headers = {"Authorization": f"Bearer {token}"}
        answer = raw.post(f"/v1/configuration/{what}", json=body, headers=headers)
        assert answer.status_code == status, answer.text
        assert list(uploads.iterdir()) == []
        assert str(tmp_path) not in answer.text
        return answer.json()

    return post


def test_it_shows_what_can_be_set(ask: Any) -> None:
    found = ask("inspect", {"files": FLEET})
    assert {one["configuration"] for one in found["configurations"]} == {"tf", "edge"}
    assert found["findings"] == []


def test_it_renders_the_targets_that_are_wanted_with_origins_and_files(ask: Any) -> None:
    (one,) = ask("render", {"files": FLEET, "targets": ["shop.north"], "explain": True})["targets"]
    assert one["values"]["variables.name"] == "shop-north"
    assert (one["origins"]["variables.name"]["file"], one["origins"]["variables.name"]["line"]) == ("flock.yaml", 9)
    assert set(one["files"]) > {"interlock.auto.tfvars.json"}
    assert ask("render", {"files": FLEET, "targets": ["shop.nowhere"]}, status=422)["error"]["code"] == "invalid"


def test_every_fault_is_told_with_its_place_and_no_file_is_made_of_it(ask: Any) -> None:
    files = {**FLEET, "regions/south.yaml": FLEET["regions/south.yaml"].replace("tags: {colour", "password: {colour")}
    (told,) = ask("validate", {"files": files})["findings"]
    assert (told["kind"], told["file"], told["line"]) == ("secret", "regions/south.yaml", 13)
    rendered = ask("render", {"files": files, "targets": ["shop.south.blue"]})
    assert "blue}" not in str(rendered)
    assert rendered["targets"][0]["files"] == {}


def test_a_flock_that_cannot_be_read_is_findings_too(ask: Any) -> None:
    for what in ("inspect", "validate", "render"):
        (told,) = ask(what, {"files": {"flock.yaml": "a: ["}})["findings"]
        assert (told["kind"], told["file"]) == ("syntax", "flock.yaml")


def test_it_names_what_changes_from_one_to_the_other(ask: Any) -> None:
    after = {**FLEET, "flock.yaml": FLEET["flock.yaml"].replace("size: 5", "size: 6")}
    (change,) = ask("diff", {"before": {"files": FLEET}, "after": {"files": after}})["changes"]
    assert change["target"] == "shop.south.blue"
    assert [(one["before"], one["after"], one["after_origin"]["file"]) for one in change["values"]] == [
        (5, 6, "flock.yaml")
    ]


def test_it_shows_what_a_new_region_brings(ask: Any) -> None:
    (flock,) = ask("region", {"files": {**FLEET, "east.yaml": EAST}, "region": "east.yaml"})["flocks"]
    assert [step["target"] for step in flock["targets"]] == ["shop.east.edge"]
    assert flock["file"] == "flock.yaml"


def test_it_makes_a_flock_of_an_atlantis_file(ask: Any) -> None:
    files = {"atlantis.yaml": "version: 3\nprojects: [{dir: ., name: a}]\n", "main.tf": ""}
    assert ask("import", {"files": files, "name": "site", "region": "north"})["text"].startswith("name: site\n")
    (told,) = ask("import", {"files": files, "name": "site"})["findings"]
    assert told["line"] == 2


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a//b", "a/./b", ""])
def test_a_path_that_is_not_plain_is_refused(ask: Any, path: str) -> None:
    ask("validate", {"files": {**FLEET, path: "x"}}, status=422)


@pytest.mark.parametrize("named", ["..", "../../secret", "{absolute}"])
def test_no_file_of_the_server_is_read(ask: Any, tmp_path: Path, named: str) -> None:
    (tmp_path / "secret/regions").mkdir(parents=True)
    (tmp_path / "secret/regions/north.yaml").write_text("name: north\nrealm: hunter2\nvariables: {name: hunter2}\n")
    files = {**FLEET, "flock.yaml": f"fleet: {named.format(absolute=tmp_path / 'secret')}\n{FLEET['flock.yaml']}"}
    one = {"files": files}
    bodies = {"inspect": one, "validate": one, "render": one, "region": {**one, "region": "regions/north.yaml"}}
    for what, body in {**bodies, "diff": {"before": {"files": FLEET}, "after": one}}.items():
        answer = ask(what, body)
        assert "hunter2" not in str(answer)
        (told,) = answer["findings"]
        assert (told["kind"], told["file"], told["line"]) == ("outside", "flock.yaml", 1), told


def test_a_var_file_outside_of_the_upload_is_refused_without_saying_where_the_upload_is(ask: Any) -> None:
    text = (
        "version: 3\nprojects: [{dir: ., name: a, workflow: w}]\n"
        "workflows: {w: {plan: {steps: [{plan: {extra_args: [-var-file=../../x.tfvars]}}]}}}\n"
    )
    body = {"files": {"atlantis.yaml": text, "main.tf": ""}, "name": "site", "region": "north"}
    assert any("'../../x.tfvars' leads out of" in one["message"] for one in ask("import", body)["findings"])


def test_a_refusal_of_the_upload_as_a_whole_does_not_say_where_it_is(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "MAX_REGIONS", 1)
    refused = ask("validate", {"files": FLEET}, status=422)["error"]
    assert refused["message"] == "realms holds more than 1 files"
    ask("diff", {"before": {"files": {"flock.yaml": ALONE, "main.tf": ""}}, "after": {"files": FLEET}}, status=422)


def test_only_an_admin_may_ask(ask: Any) -> None:
    ask("validate", {"files": FLEET}, status=403, token="worker-token")


def test_one_is_looked_at_at_a_time_and_nobody_waits_in_a_thread_that_others_need(raw: AppClient) -> None:
    headers = {"Authorization": "Bearer admin-token"}
    with configuration_routes._TURN:
        # Answered while the turn is taken; one that waited would never come back here.
        refused = raw.post("/v1/configuration/validate", json={"files": FLEET}, headers=headers)
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "busy")
    assert refused.headers["Retry-After"] == str(configuration_routes.RETRY_AFTER_S)
    assert refused.json()["error"]["hint"] == "try again in 5 seconds"
    assert raw.post("/v1/configuration/validate", json={"files": FLEET}, headers=headers).status_code == 200
