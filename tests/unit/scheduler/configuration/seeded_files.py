"""Seeded errors of the files themselves: what is no YAML, what is in no schema, and regions, phases and targets."""

from __future__ import annotations

from scheduler.configuration.report import Kind, Severity
from tests.unit.scheduler.configuration.fleets import FILES
from tests.unit.scheduler.configuration.seeded import F, N, S, Seeded, case

DIGEST = "digest: sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefg", "bcdefgh", strict=True)
)

FILES_AND_SYNTAX: tuple[Seeded, ...] = (
    case("a duplicate key", Kind.SYNTAX, "twice", (F, "  size: 3\n", "  size: 3\n  size: 4 # <-\n")),
    case("a duplicate key deep inside", Kind.SYNTAX, "twice", (N, "{cpu: 1}", "{cpu: 1, cpu: 2} # <-")),
    case("not UTF-8", Kind.SYNTAX, "UTF-8", (N, None, b"name: north\nrealm: t\xe9st\n"), at=f"{N}:2"),
    case("an anchor bomb", Kind.SYNTAX, "aliases", (N, None, BOMB), at=f"{N}:6"),
    case("a file without end", Kind.SYNTAX, "larger than", (N, None, "#" * 2**20 + "\n#"), at=f"{N}:1"),
    case("no YAML", Kind.SYNTAX, "not valid YAML", (N, None, "name: [north\nrealm: x"), at=f"{N}:2"),
    case("a tab", Kind.SYNTAX, "not valid YAML", (N, "      limits", "\tlimits"), at=f"{N}:11"),
    case("a tag", Kind.SYNTAX, "tag", (F, "size: 3", "size: !!python/name:os.system 3 # <-")),
    case("a merge key", Kind.SYNTAX, "merge keys", (F, "  size: 3", "  <<: {size: 3} # <-")),
    case("an alias to nothing", Kind.SYNTAX, "anchor", (F, "size: 3", "size: *three # <-")),
    case(
        "two documents",
        Kind.SYNTAX,
        "second document",
        (N, None, "name: north\nrealm: test\n---\nname: x\n"),
        at=f"{N}:3",
    ),
    case("no mapping", Kind.SCHEMA, "mapping", (N, None, "- north\n"), at=f"{N}:1"),
    case("an empty file", Kind.SCHEMA, "mapping", (N, None, ""), at=f"{N}:1"),
    case("an octal", Kind.SYNTAX, "YAML 1.1", (N, '"000011112222"', "000011112222 # <-")),
    case("a hexadecimal", Kind.SYNTAX, "YAML 1.1", (F, "size: 3", "size: 0x3 # <-")),
    case("what is not a number", Kind.SYNTAX, "no number", (F, "size: 3", "size: .nan # <-")),
    case("more digits than a float has", Kind.SYNTAX, "exactly", (F, "size: 3", "size: 3.0000000000000000001 # <-")),
    case("a key that is a list", Kind.SYNTAX, "key", (F, "  size: 3", "  ? [size] # <-\n  : 3")),
    case("nested without end", Kind.SYNTAX, "deeper", (F, "size: 3", f"size: {'[' * 99}{']' * 99} # <-")),
)
SCHEMA: tuple[Seeded, ...] = (
    case("an unknown key", Kind.SCHEMA, "no such key", (F, "owners:", "colour: red # <-\nowners:")),
    case("a misspelt key", Kind.SCHEMA, "did you mean 'owners'", (F, "owners: [", "owner: [ # <-\n ")),
    case(
        "a misspelt key of a phase",
        Kind.SCHEMA,
        "did you mean 'approval'",
        (F, "- name: canary", "- name: canary\n    aproval: true # <-"),
    ),
    case(
        "a misspelt key of a target",
        Kind.SCHEMA,
        "did you mean 'phase'",
        (F, "    phase: canary", "    phases: canary # <-"),
    ),
    case("a region without realm", Kind.SCHEMA, "realm is missing", (N, "realm: test\n", ""), at=f"{N}:1"),
    case("no targets", Kind.SCHEMA, "targets", (F, None, "name: shop\nconfiguration: tf\ntargets: [] # <-\n")),
    case("a name with capitals", Kind.SCHEMA, "name", (F, "name: shop\n", "name: Shop # <-\n")),
    case("an account that is a number", Kind.SCHEMA, '"111122223333"', (N, '"000011112222"', "111122223333 # <-")),
    case("a text for a number", Kind.SCHEMA, "bake_s", (F, "- name: canary", '- name: canary\n    bake_s: "6" # <-')),
    case("a word for a bool", Kind.SCHEMA, "approval", (F, "- name: canary", "- name: canary\n    approval: yes # <-")),
    case("two days", Kind.SCHEMA, "bake_s", (F, "- name: canary", "- name: canary\n    bake_s: 172800 # <-")),
    case("a digest that is a tag", Kind.SCHEMA, "digest", (F, DIGEST, "digest: latest # <-")),
    case(
        "a target in two ways",
        Kind.SCHEMA,
        "either",
        (F, "- region: north\n", "- region: north # <-\n    realm: test\n"),
    ),
    case("a target nowhere", Kind.SCHEMA, "either", (F, "  - region: north\n    phase", "  - phase"), at=f"{F}:19"),
)
TARGETS: tuple[Seeded, ...] = (
    case("an unknown region", Kind.UNRESOLVED, "did you mean 'north'", (F, "region: north\n", "region: nort # <-\n")),
    case("an unknown realm", Kind.UNRESOLVED, "did you mean 'live'", (F, "realm: live", "realm: lives # <-")),
    case(
        "a region of an unknown realm", Kind.UNRESOLVED, "did you mean 'test'", (N, "realm: test", "realm: tests # <-")
    ),
    case(
        "two targets with one name",
        Kind.CONFLICT,
        "listed twice",
        (F, "  - realm: live", "  - {region: north, phase: rest} # <-\n  - realm: live"),
    ),
    case(
        "a target twice through its realm",
        Kind.CONFLICT,
        "listed twice",
        (F, "    name: blue", "    name: edge"),
        at=f"{F}:26",
    ),
    case(
        "two targets with one state",
        Kind.CONFLICT,
        "says where a target's state is",
        (F, "phases:", "backend: {http: {address: https://example.com/state}} # <-\nphases:"),
    ),
    case(
        "two flocks with one name",
        Kind.CONFLICT,
        "other/flock.yaml has the name 'shop' as well",
        ("other/flock.yaml", None, FILES[F].replace("configuration: tf", "configuration: tf\nfleet: ..")),
        at=f"{F}:1",
    ),
    case(
        "one region in two files",
        Kind.CONFLICT,
        "says the same name",
        ("regions/north.yml", None, f"{FILES[N]}# x"),
        at="regions/north.yml:1",
    ),
    case(
        "a region file that is not read",
        Kind.UNUSED,
        "is not read",
        ("regions/east.json", None, '{"name": "east"}'),
        at="regions/east.json:1",
        severity=Severity.WARNING,
    ),
    case(
        "a region file one folder too deep",
        Kind.UNUSED,
        "is not read",
        ("regions/eu/east.yaml", None, "name: east\nrealm: live\n"),
        at="regions/eu:1",
        severity=Severity.WARNING,
    ),
    case(
        "a phase without targets",
        Kind.UNUSED,
        "no target is in phase 'last'",
        (F, "- name: rest\n", "- name: rest\n  - name: last # <-\n"),
        severity=Severity.NOTE,
    ),
    case(
        "a second cycle of phases",
        Kind.CYCLE,
        "d -> c -> d",
        (
            F,
            "- name: rest\n",
            "- name: rest\n    after: [rest]\n  - {name: d, after: [c]}\n  - {name: c, after: [d]}\n",
        ),
        at=f"{F}:19",
    ),
    case(
        "a target of a misspelt region",
        Kind.MISSPELT,
        "did you mean 'shop.south.blue'",
        (S, "shop.south.blue:", "shop.souht.blue: # <-"),
    ),
    case(
        "a path with a zero byte", Kind.SCHEMA, "unprintable", (F, "configuration: tf", 'configuration: "t\\0f" # <-')
    ),
    case("a file with another name", Kind.CONFLICT, "called", (N, "name: north", "name: nord # <-")),
    case("an unknown phase", Kind.UNRESOLVED, "did you mean 'canary'", (F, "phase: canary", "phase: canari # <-")),
    case("a target without phase", Kind.MISSING, "no phase", (F, "    phase: canary\n", ""), at=f"{F}:19"),
    case("a phase twice", Kind.CONFLICT, "listed twice", (F, "- name: rest\n", "- name: rest\n  - name: rest # <-\n")),
    case(
        "a cycle of phases",
        Kind.CYCLE,
        "canary -> rest -> canary",
        (F, "- name: canary\n", "- name: canary\n    after: [rest] # <-\n"),
    ),
    case(
        "a phase after itself",
        Kind.CYCLE,
        "rest -> rest",
        (F, "- name: rest\n", "- name: rest\n    after: [rest] # <-\n"),
    ),
    case(
        "a phase after none",
        Kind.UNRESOLVED,
        "did you mean 'canary'",
        (F, "- name: rest\n", "- name: rest\n    after: [canari] # <-\n"),
    ),
    case("a folder above", Kind.OUTSIDE, "leads out", (F, "configuration: tf", "configuration: ../tf # <-")),
    case("an absolute folder", Kind.OUTSIDE, "leads out", (F, "configuration: edge", "configuration: /etc # <-")),
    case("an unknown folder", Kind.UNRESOLVED, "no folder", (F, "configuration: edge", "configuration: egde # <-")),
    case(
        "a folder without Terraform",
        Kind.UNRESOLVED,
        "no Terraform files",
        (F, "configuration: edge", "configuration: realms # <-"),
    ),
    case(
        "an unknown fleet",
        Kind.UNRESOLVED,
        "no folder",
        (F, "configuration: tf", "configuration: tf\nfleet: ../elsewhere # <-"),
    ),
    case("an unknown flock in a region", Kind.MISSPELT, "did you mean 'shop'", (N, "  shop:", "  shopp: # <-")),
    case(
        "an unknown target in a region",
        Kind.MISSPELT,
        "did you mean 'shop.south.blue'",
        (S, "shop.south.blue:", "shop.south.bleu: # <-"),
    ),
    case(
        "another region's target",
        Kind.CONFLICT,
        "no target of region south",
        (S, "shop.south.blue:", "shop.north: # <-"),
    ),
)
