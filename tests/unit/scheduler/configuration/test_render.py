"""What a target is made of, and that each value can be rebuilt from where it is said to come from."""

from __future__ import annotations

import json
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.configuration.check import check
from scheduler.configuration.fleet import load_flock
from scheduler.configuration.nodes import ListNode, MapNode, Scalar, leaves, plain
from scheduler.configuration.render import BACKEND_FILE, PROVIDERS_FILE, VARIABLES_FILE, RenderedTarget
from tests.unit.scheduler.configuration.fleets import FILES, FLOCK, NORTH, REALM, SOUTH, checked, findings, write

TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"), exclude_characters="$\x85\u2028\u2029\ufeff"),
    max_size=6,
)
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(-(10**9), 10**9), TEXTS)
NAMES = st.sampled_from(["a", "b", "c"])
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=6
)
EDITS = st.one_of(
    VALUES,
    st.builds(lambda items: {"$append": items}, st.lists(LEAVES, max_size=2)),
    st.builds(lambda value: {"$replace": value}, VALUES),
)
LAYER = st.dictionaries(NAMES, EDITS, max_size=3)


def rebuilt(target: RenderedTarget) -> Any:
    """The values made anew from nothing but paths, files, lines and columns."""
    result: Any = {}
    for path, leaf in leaves(target.variables):
        if not path:
            continue
        lines = Path(leaf.origin.file).read_text().split("\n")
        text = "\n".join([lines[leaf.origin.line - 1][leaf.origin.column - 1 :], *lines[leaf.origin.line :]])
        # The files of this test are JSON, which is YAML too.
        value = json.JSONDecoder().raw_decode(text)[0] if isinstance(leaf, Scalar) else None
        put(result, path, value if isinstance(leaf, Scalar) else [] if isinstance(leaf, ListNode) else {})
    return result


def put(result: Any, path: tuple[str | int, ...], value: Any) -> None:
    if not path:
        return
    for step, following in pairwise(path):
        fresh: Any = [] if isinstance(following, int) else {}
        if isinstance(step, int):
            if step == len(result):
                result.append(fresh)
            result = result[step]
        else:
            result = result.setdefault(step, fresh)
    if isinstance(path[-1], int):
        result.append(value)
    else:
        result[path[-1]] = value


def as_json(layer: Any) -> str:
    return json.dumps(layer, indent=1, ensure_ascii=False)


@settings(max_examples=60, deadline=None)
@given(st.lists(LAYER, min_size=6, max_size=6))
def test_each_value_can_be_rebuilt_from_its_provenance_alone(layers: list[Any]) -> None:
    flock, target, realm, realm_flock, region, region_flock = layers
    files = {
        "flock.yaml": as_json(
            {
                "name": "shop",
                "configuration": "tf",
                "variables": flock,
                "targets": [{"region": "north", "variables": target}],
            }
        ),
        "realms/test.yaml": as_json(
            {"name": "test", "variables": realm, "flocks": {"shop": {"variables": realm_flock}}}
        ),
        "regions/north.yaml": as_json(
            {"name": "north", "realm": "test", "variables": region, "flocks": {"shop": {"variables": region_flock}}}
        ),
        "tf/main.tf": "".join(f'variable "{name}" {{\n  default = null\n}}\n' for name in "abc"),
    }
    with tempfile.TemporaryDirectory() as folder:
        (rendered,) = check(load_flock(write(Path(folder), files))).targets
        assert rebuilt(rendered) == plain(rendered.variables)
        assert all(leaf.origin.layer for path, leaf in leaves(rendered.variables) if path)


def values_of(target: RenderedTarget) -> Any:
    return json.loads(target.files[VARIABLES_FILE])


def test_generic_is_below_realm_is_below_region_is_below_target(tmp_path: Path) -> None:
    def tags(layer: str) -> str:
        return "tags: {" + ", ".join(f"{name}: {layer}" for name in order[order.index(layer) :]) + "}"

    order = ["default", "flock", "realm", "realm-flock", "region", "region-flock", "entry", "region-target"]
    changes = {
        "flock.yaml": FLOCK.replace("tags: {team: shop}", tags("flock")).replace(
            "      size: 5", f"      size: 5\n      {tags('entry')}"
        ),
        "realms/live.yaml": f"name: live\nvariables:\n  {tags('realm')}\n"
        f"flocks:\n  shop:\n    variables:\n      {tags('realm-flock')}\n",
        "regions/south.yaml": SOUTH.replace("  zones: [", f"  {tags('region')}\n  zones: [")
        .replace("      limits", f"      {tags('region-flock')}\n      limits")
        .replace("tags: {colour: blue}", tags("region-target")),
        "tf/variables.tf": FILES["tf/variables.tf"].replace(
            "default = {}", 'default = { default = "default", flock = "default" }'
        ),
    }
    blue = checked(tmp_path, changes).by_id["shop.south.blue"]
    assert values_of(blue)["tags"] == {name: name for name in order}


def test_a_variable_that_no_layer_sets_is_left_to_terraform(tmp_path: Path) -> None:
    assert "public" not in values_of(checked(tmp_path).by_id["shop.north"])


def test_a_list_is_appended_to_terraforms_default(tmp_path: Path) -> None:
    changes = {
        "tf/variables.tf": FILES["tf/variables.tf"].replace(
            "type = list(string)", 'type = list(string)\n  default = ["z"]'
        ),
        "regions/north.yaml": NORTH.replace("zones: ${region.zones}", "zones: {$append: [y]}"),
    }
    north = checked(tmp_path, changes).by_id["shop.north"]
    assert values_of(north)["zones"] == ["z", "y"]
    zones = north.variables.entries["zones"]
    assert isinstance(zones, ListNode)
    assert [item.origin.layer for item in zones.items] == ["Terraform's default", "region north"]


def test_a_reference_shows_where_its_value_stands_and_where_it_was_asked_for(tmp_path: Path) -> None:
    zones = checked(tmp_path).by_id["shop.north"].variables.entries["zones"]
    assert isinstance(zones, ListNode)
    first = zones.items[0]
    assert isinstance(first, Scalar)
    assert first.via is not None
    assert (first.origin.line, first.via.line) == (4, 7)


def test_the_clouds_region_is_said_by_the_layer_that_names_it(tmp_path: Path) -> None:
    changes = {"flock.yaml": FLOCK.replace("name: blue", "name: blue\n    provider_region: eu-south-2")}
    by_id = checked(tmp_path, changes).by_id
    layers = {}
    for name in ("shop.north", "shop.south.blue"):
        aws = by_id[name].providers.entries["aws"]
        assert isinstance(aws, MapNode)
        layers[name] = aws.entries["region"].origin.layer
    assert layers == {"shop.north": "region north", "shop.south.blue": "target entry 2"}


def test_the_clouds_region_reaches_a_variable_of_that_name_unless_somebody_sets_it(tmp_path: Path) -> None:
    declared = FILES["tf/main.tf"] + 'variable "provider_region" {}\n'
    by_id = checked(tmp_path, {"tf/main.tf": declared}).by_id
    assert values_of(by_id["shop.north"])["provider_region"] == "eu-north-1"
    assert values_of(by_id["shop.south.blue"])["provider_region"] == "eu-south-1"
    set_by_flock = FLOCK.replace("  size: 3", "  size: 3\n  provider_region: moon")
    by_id = checked(tmp_path, {"tf/main.tf": declared, "flock.yaml": set_by_flock}).by_id
    assert values_of(by_id["shop.north"])["provider_region"] == "moon"


def test_three_files_are_rendered_and_nothing_is_written(tmp_path: Path) -> None:
    before = None
    for _ in range(2):
        result = checked(tmp_path)
        after = sorted((path, path.read_bytes()) for path in tmp_path.rglob("*") if path.is_file())
        assert before in (None, after)
        before = after
    assert {name for target in result.targets for name in target.files} == {
        VARIABLES_FILE,
        BACKEND_FILE,
        PROVIDERS_FILE,
    }
    for target in result.targets:
        backend = json.loads(target.files[BACKEND_FILE])["terraform"]["backend"]["http"]
        assert backend["address"].endswith(f"/v1/state/{target.id}")
        assert json.loads(target.files[PROVIDERS_FILE]) == {
            "provider": {"aws": [{"region": target.plan.provider_region}]}
        }


def test_a_provider_with_an_alias_is_overridden_by_its_alias(tmp_path: Path) -> None:
    changes = {
        "tf/main.tf": FILES["tf/main.tf"] + 'provider "aws" {\n  alias = "dns"\n}\n',
        "flock.yaml": FLOCK.replace("  aws: {", "  aws.dns: {region: global}\n  aws: {"),
    }
    blocks = json.loads(checked(tmp_path, changes).by_id["shop.north"].files[PROVIDERS_FILE])["provider"]["aws"]
    assert blocks == [{"region": "eu-north-1"}, {"alias": "dns", "region": "global"}]


def test_the_digest_changes_with_the_values_and_with_nothing_else(tmp_path: Path) -> None:
    first = checked(tmp_path)
    moved = checked(tmp_path, {"flock.yaml": "# a line more\n" + FLOCK, "realms/live.yaml": REALM + "# and one here\n"})
    assert {one.id: one.digest for one in moved.targets} == {one.id: one.digest for one in first.targets}
    changed = checked(tmp_path, {"flock.yaml": FLOCK.replace("      size: 5", "      size: 6")})
    differing = {one.id for one in changed.targets if one.digest != first.by_id[one.id].digest}
    assert differing == {"shop.south.blue"}


def test_sensitive_variables_are_known_as_such(tmp_path: Path) -> None:
    assert checked(tmp_path).by_id["shop.north"].sensitive == {"password"}


def test_values_for_all_flocks_that_another_flock_may_declare_are_a_note(tmp_path: Path) -> None:
    files = {**FILES, "regions/north.yaml": NORTH.replace("  zones: $", "  subnet_ids: [a]\n  zones: $")}
    files["other/flock.yaml"] = "name: other\nconfiguration: tf\nfleet: ..\ntargets: [{region: north}]\n"
    (found,) = findings(tmp_path, files)
    assert (found.kind, found.severity) == ("unused", "note")


def test_null_for_what_is_not_nullable_is_shown_as_the_default_that_terraform_takes(tmp_path: Path) -> None:
    flock = FILES["flock.yaml"].replace("  size: 3", "  public: null\n  size: 3")
    target = checked(tmp_path, {"flock.yaml": flock}).by_id["shop.north"]
    leaf = target.variables.entries["public"]
    assert isinstance(leaf, Scalar)
    assert (leaf.value, leaf.origin.layer, leaf.origin.file) == (
        False,
        "Terraform's default",
        f"{tmp_path}/tf/variables.tf",
    )
    assert str(leaf.via) == f"{tmp_path}/flock.yaml:11"


def test_a_layer_says_how_patient_terraform_is_and_nothing_else_of_its_state(tmp_path: Path) -> None:
    flock = FILES["flock.yaml"].replace("phases:", "backend: {http: {retry_max: 9, address: https://x}}\nphases:")
    target = checked(tmp_path, {"flock.yaml": flock}).by_id["shop.north"]
    http = json.loads(target.files["interlock_backend_override.tf.json"])["terraform"]["backend"]["http"]
    assert http["retry_max"] == 9
    assert http["address"].endswith("/v1/state/shop.north")


def test_a_literal_in_many_lines_is_a_default_like_any_other(tmp_path: Path) -> None:
    variables = FILES["tf/variables.tf"] + 'variable "more" {\n  default = [<<A\nx\nA\n  ]\n}\n'
    south = FILES["regions/south.yaml"].replace("tags: {colour: blue}", "more: {$append: [y]}")
    target = checked(tmp_path, {"tf/variables.tf": variables, "regions/south.yaml": south}).by_id["shop.south.blue"]
    assert plain(target.variables.entries["more"]) == ["x\n", "y"]
