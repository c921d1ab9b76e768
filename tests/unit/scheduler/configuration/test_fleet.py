"""Reading a flock from disk: what belongs to it, what is refused at once, and what is only told."""

from __future__ import annotations

from pathlib import Path

import pytest

from scheduler.configuration import fleet
from scheduler.configuration.fleet import find_flocks, flock_names, load_flock
from scheduler.configuration.report import Kind, ManyRefused
from shared.errors import ConfigurationError
from tests.unit.scheduler.configuration.fleets import FILES, FLOCK, NORTH, findings, write

ALONE = "name: solo\nconfiguration: .\ntargets: [{region: anywhere}]\n"


def test_a_flock_is_named_by_its_file_or_its_folder(tmp_path: Path) -> None:
    path = write(tmp_path)
    assert load_flock(path).name == load_flock(tmp_path).name == "shop"
    flock = load_flock(tmp_path)
    assert set(flock.regions) == {"north", "south"}
    assert set(flock.realms) == {"live", "test"}
    assert set(flock.generics) == {"tf", "edge"}
    assert flock.folder("tf") == tmp_path / "tf"


def test_a_flock_without_region_files_stands_alone(tmp_path: Path) -> None:
    flock = load_flock(write(tmp_path, {"flock.yaml": ALONE, "main.tf": ""}))
    assert not flock.has_regions
    assert flock.findings == ()


def test_files_are_named_as_the_user_would(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path)
    monkeypatch.chdir(tmp_path)
    flock = load_flock(Path())
    assert flock.document.tree.origin.file == "flock.yaml"
    assert flock.regions["north"].tree.origin.file == "regions/north.yaml"
    assert flock.generics["tf"].variables["size"].origin.file == "tf/variables.tf"


def test_several_flocks_share_the_regions_of_their_fleet(tmp_path: Path) -> None:
    files = {name: text for name, text in FILES.items() if "/" in name and name.startswith("re")}
    for name in ("a", "b"):
        files[f"{name}/flock.yaml"] = ALONE.replace("solo", name).replace("targets", "fleet: ..\ntargets")
        files[f"{name}/main.tf"] = ""
    files["b/.hidden/flock.yaml"] = ALONE
    write(tmp_path, files)
    flock = load_flock(tmp_path / "a")
    assert set(flock.regions) == {"north", "south"}
    assert flock.others == {"b"}
    assert find_flocks(tmp_path) == [tmp_path / "a/flock.yaml", tmp_path / "b/flock.yaml"]
    assert set(flock_names(tmp_path)) == {"a", "b"}


def test_a_flock_file_that_cannot_be_used_is_refused_with_everything_wrong(tmp_path: Path) -> None:
    with pytest.raises(ManyRefused) as caught:
        load_flock(write(tmp_path, {"flock.yaml": "name: X\ntargets: []\n"}))
    assert {one.origin.line for one in caught.value.findings} == {1, 2}
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        load_flock(tmp_path / "none.yaml")


@pytest.mark.parametrize("named", ["..", "../..", "../secret", "{absolute}", "/etc"])
def test_a_flock_that_somebody_sent_gets_nothing_from_outside_of_what_was_sent(tmp_path: Path, named: str) -> None:
    sent, secret = tmp_path / "sent", tmp_path / "secret"
    (secret / "regions").mkdir(parents=True)
    (secret / "regions/north.yaml").write_text("name: north\nrealm: hidden\n")
    text = ALONE.replace("targets", f"fleet: {named.format(absolute=secret)}\ntargets")
    path = write(sent, {"flock.yaml": text, "main.tf": ""})
    with pytest.raises(ManyRefused) as caught:
        load_flock(path, inside=sent)
    (told,) = caught.value.findings
    assert (told.kind, told.origin.line) == (Kind.OUTSIDE, 3)
    assert "hidden" not in str(told)


def test_a_flock_that_somebody_sent_may_lie_below_its_fleet(tmp_path: Path) -> None:
    text = ALONE.replace("targets", "fleet: ..\ntargets")
    write(tmp_path, {"a/flock.yaml": text, "a/main.tf": "", "regions/anywhere.yaml": "name: anywhere\nrealm: x\n"})
    assert set(load_flock(tmp_path / "a", inside=tmp_path).regions) == {"anywhere"}


def test_a_region_file_that_cannot_be_used_is_told_and_the_others_are_read(tmp_path: Path) -> None:
    flock = load_flock(write(tmp_path, {**FILES, "regions/north.yaml": "name: north\n"}))
    assert set(flock.regions) == {"south"}
    assert [one.kind for one in flock.findings] == [Kind.SCHEMA]


def test_a_region_can_be_looked_at_before_it_is_there(tmp_path: Path) -> None:
    extra = tmp_path / "east.yaml"
    extra.write_text(NORTH.replace("name: north", "name: east"))
    assert set(load_flock(write(tmp_path), extra_region=extra).regions) == {"north", "south", "east"}
    assert set(load_flock(tmp_path).regions) == {"north", "south"}


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(ManyRefused, match="larger than 1 MiB"):
        load_flock(write(tmp_path, {"flock.yaml": b"#" * 50 * 2**20}))


def test_a_link_out_of_the_flocks_folder_leaves_it(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "flock").mkdir()
    write(tmp_path / "flock", {"flock.yaml": ALONE.replace("configuration: .", "configuration: tf")})
    (tmp_path / "flock" / "tf").symlink_to(tmp_path / "outside")
    assert [one.kind for one in load_flock(tmp_path / "flock").findings] == [Kind.OUTSIDE]


def test_a_folder_that_is_no_fleet_is_not_searched_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "MAX_FOLDERS", 3)
    for name in "abcd":
        (tmp_path / name).mkdir()
    with pytest.raises(ConfigurationError, match="more than 3 folders"):
        find_flocks(tmp_path)


def test_too_many_regions_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "MAX_REGIONS", 1)
    with pytest.raises(ConfigurationError, match="more than 1 files"):
        load_flock(write(tmp_path, {**FILES, "flock.yaml": FLOCK}))


def test_regions_that_lead_out_of_the_fleet_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret.yaml").write_text("name: west\nrealm: live\nvariables: {password: hunter2}\n")
    write(tmp_path / "fleet")
    (tmp_path / "fleet" / "regions" / "west.yaml").symlink_to("../../secret.yaml")
    (tmp_path / "fleet" / "tf" / "x.tf").symlink_to("../../secret.yaml")
    flock = load_flock(tmp_path / "fleet")
    assert set(flock.regions) == {"north", "south"}
    assert {one.kind for one in flock.findings} == {Kind.OUTSIDE}
    assert "hunter2" not in str(flock.findings)


def test_what_is_wrong_with_a_region_is_told_once(tmp_path: Path) -> None:
    told = findings(tmp_path, {**FILES, "regions/north.yaml": b"name: north\nrealm: t\xe9st\n"})
    assert [one.kind for one in told] == [Kind.SYNTAX]


def test_a_folder_of_regions_that_leads_out_is_not_looked_into(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    write(tmp_path / "fleet", {name: text for name, text in FILES.items() if not name.startswith("regions/")})
    (tmp_path / "fleet" / "regions").symlink_to("../elsewhere")
    with pytest.raises(ManyRefused, match=r"fleet/regions:1: links to .*elsewhere"):
        load_flock(tmp_path / "fleet")
