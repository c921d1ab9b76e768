"""Seeded errors of values: declarations, types, references, layers, secrets, states and the generic configuration."""

from __future__ import annotations

from scheduler.configuration.report import Kind, Severity
from tests.unit.scheduler.configuration.seeded import F, M, N, S, Seeded, V, case

BLUE = "tags: {colour: blue}"
DIGEST = "digest: sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
AWS = 'provider "aws" {}'

DECLARATIONS: tuple[Seeded, ...] = (
    case(
        "undeclared, by the flock",
        Kind.UNDECLARED,
        "no such variable",
        (F, "  size: 3", "  size: 3\n  flavour: sweet # <-"),
    ),
    case(
        "undeclared, by a region",
        Kind.UNDECLARED,
        "no such variable",
        (N, "  zones: $", "  subnet_ids: [a] # <-\n  zones: $"),
    ),
    case(
        "undeclared, by a realm",
        Kind.UNDECLARED,
        "no such variable",
        ("realms/live.yaml", "  tags", "  owner: me # <-\n  tags"),
    ),
    case(
        "undeclared, by a target",
        Kind.UNDECLARED,
        "no such variable",
        (F, "      size: 5", "      size: 5\n      flavour: sweet # <-"),
    ),
    case(
        "declared by another configuration only",
        Kind.UNDECLARED,
        "no such variable",
        (F, "    configuration: edge", "    configuration: edge\n    variables: {zones: [a]} # <-"),
    ),
    case("misspelt", Kind.MISSPELT, "did you mean 'size'", (F, "      size: 5", "      sise: 5 # <-")),
    case(
        "misspelt in a region", Kind.MISSPELT, "did you mean 'limits'", (N, "limits: {cpu: 1}", "limit: {cpu: 1} # <-")
    ),
    case(
        "in the wrong case", Kind.MISSPELT, "did you mean 'public'", (F, "  size: 3", "  size: 3\n  Public: true # <-")
    ),
    case("an undeclared attribute", Kind.UNDECLARED, "silently", (N, "{cpu: 1}", "{cpu: 1, disk: 3} # <-")),
    case("a misspelt attribute", Kind.MISSPELT, "did you mean 'memory'", (N, "{cpu: 1}", "{cpu: 1, memroy: 3} # <-")),
    case("a missing attribute", Kind.MISSING, "limits.cpu", (N, "limits: {cpu: 1}", "limits: {memory: 1} # <-")),
    case(
        "a variable that nobody sets",
        Kind.MISSING,
        "no layer sets it",
        (N, "      limits: {cpu: 1}", "      size: 1"),
        (V, 'variable "limits" {', 'variable "limits" { # <-'),
    ),
    case(
        "a required variable taken out",
        Kind.MISSING,
        "no layer sets it",
        (F, "      size: 5", "      $remove: [zones]"),
        (V, 'variable "zones" {', 'variable "zones" { # <-'),
    ),
    case(
        "a provider without a block",
        Kind.UNDECLARED,
        'add provider "google"',
        (F, "  aws: {", "  google: {project: x} # <-\n  aws: {"),
    ),
    case(
        "a misspelt provider",
        Kind.MISSPELT,
        "did you mean 'aws'",
        (F, "      size: 5", "      size: 5\n    providers: {awss: {}} # <-"),
    ),
)
TYPES: tuple[Seeded, ...] = (
    case("a text for a declared number", Kind.MISTYPED, "is no number", (F, "      size: 5", "      size: five # <-")),
    case("a bool for a declared number", Kind.MISTYPED, "is no number", (F, "      size: 5", "      size: true # <-")),
    case("yes for a declared bool", Kind.MISTYPED, "is no bool", (F, "  size: 3", "  size: 3\n  public: yes # <-")),
    case(
        "a list for a declared text",
        Kind.MISTYPED,
        "is no string",
        (F, "name: shop-${region.name}", "name: [shop] # <-"),
    ),
    case(
        "a text for a declared list",
        Kind.MISTYPED,
        "is no list",
        (N, "  zones: ${region.zones}", "  zones: eu-north-1a # <-"),
    ),
    case(
        "a list for a declared map",
        Kind.MISTYPED,
        "is no map",
        (F, "    phase: canary", "    phase: canary\n    variables: {tags: [team]} # <-"),
    ),
    case("a wrong type deep inside", Kind.MISTYPED, "limits.cpu", (N, "{cpu: 1}", "{cpu: [1]} # <-")),
    case(
        "a version that loses its zero",
        Kind.MISTYPED,
        'write it in quotes: "1.10"',
        (F, "tags: {team: shop}", "tags: {team: shop, version: 1.10} # <-"),
    ),
    case(
        "null for what is not nullable",
        Kind.MISTYPED,
        "not nullable",
        (F, "name: shop-${region.name}", "name: null # <-"),
        (V, 'variable "name" {\n', 'variable "name" {\n  nullable = false\n'),
    ),
    case("what a rule refuses", Kind.INVALID, "Between 1 and 9", (F, "      size: 5", "      size: 50 # <-")),
    case(
        "a provider that is no map",
        Kind.MISTYPED,
        "map of arguments",
        (F, "    phase: canary", "    phase: canary\n    providers: {aws: north} # <-"),
    ),
)
REFERENCES: tuple[Seeded, ...] = (
    case(
        "a reference to nothing",
        Kind.UNRESOLVED,
        "did you mean 'region.name'",
        (F, "shop-${region.name}", "shop-${region.nam} # <-"),
    ),
    case("a reference without end", Kind.UNRESOLVED, "no end", (F, "shop-${region.name}", "shop-${region.name # <-")),
    case(
        "a reference that the region leaves open",
        Kind.UNRESOLVED,
        "add `account`",
        (S, BLUE, 'tags: {account: "${region.account}"} # <-'),
    ),
    case(
        "an artifact that is not pinned",
        Kind.UNRESOLVED,
        "add the artifact's `digest`",
        (F, f"    {DIGEST}\n", ""),
        (F, "  image: ${artifact.image.digest}", "  image: ${artifact.image.digest} # <-"),
    ),
    case(
        "an unknown artifact",
        Kind.UNRESOLVED,
        "did you mean 'artifact.image.digest'",
        (F, "${artifact.image.digest}", "${artifact.imgae.digest} # <-"),
    ),
    case(
        "a list inside a text",
        Kind.UNRESOLVED,
        "cannot stand inside",
        (N, "zones: ${region.zones}", 'zones: ["z-${region.zones}"] # <-'),
    ),
)
LAYERS: tuple[Seeded, ...] = (
    case("removed, but not there", Kind.UNRESOLVED, "no lower layer", (S, BLUE, "tags: {$remove: [color]} # <-")),
    case("an item that is not there", Kind.UNRESOLVED, "no lower layer", (S, BLUE, "zones: {$remove: [z]} # <-")),
    case("an unknown directive", Kind.SCHEMA, "did you mean '$append'", (S, BLUE, "zones: {$apend: [x]} # <-")),
    case("a directive beside values", Kind.SCHEMA, "beside $append", (S, BLUE, "tags: {$append: [x], a: b} # <-")),
    case("a directive in a list", Kind.SCHEMA, "inside a list", (S, BLUE, "zones: [{$append: [x]}] # <-")),
    case("an append that is no list", Kind.SCHEMA, "takes a list", (S, BLUE, "zones: {$append: x} # <-")),
    case("removed and set", Kind.SCHEMA, "both removed", (S, BLUE, "tags: {$remove: [team], team: x} # <-")),
    case(
        "overridden everywhere",
        Kind.SHADOWED,
        "in no target",
        (N, "limits: {cpu: 1}", "limits: {cpu: 1}\n      size: 4"),
        (F, "  size: 3", "  size: 3 # <-"),
        severity=Severity.WARNING,
    ),
    case("a map over a list", Kind.SHADOWED, "is lost", (S, BLUE, "zones: {a: b} # <-"), severity=Severity.WARNING),
    case("a list onto a map", Kind.MISTYPED, "is lost", (S, BLUE, "tags: {$append: [x]} # <-")),
    case("a list onto a text", Kind.MISTYPED, "is lost", (S, BLUE, "name: {$append: [x]} # <-")),
    case(
        "appended to what only Terraform can evaluate",
        Kind.UNRESOLVED,
        "its default is an expression",
        (V, 'variable "public" {', 'variable "more" {\n  default = [1 + 1]\n}\n\nvariable "public" {'),
        (S, BLUE, "more: {$append: [x]} # <-"),
    ),
    case(
        "a removed bool that is not there",
        Kind.UNRESOLVED,
        "true: is to be removed",
        (S, BLUE, "tags: {$remove: [true]} # <-"),
    ),
)
SECRETS_AND_STATES: tuple[Seeded, ...] = (
    case("a secret in clear", Kind.SECRET, "in clear", (S, BLUE, "password: hunter2 # <-")),
    case("a secret as a default", Kind.SECRET, "in clear", (V, "default   = null", 'default   = "hunter2" # <-')),
    case(
        "a secret among a provider's arguments",
        Kind.SECRET,
        "in clear",
        (F, 'aws: {region: "${region.provider_region}"}', "aws: {secret_key: hunter2} # <-"),
    ),
    case(
        "a secret among a backend's arguments",
        Kind.SECRET,
        "in clear",
        (F, "phases:", 'backend: {s3: {key: "${target.id}", secret_key: x}} # <-\nphases:'),
    ),
    case("an unknown backend", Kind.MISSPELT, "did you mean 's3'", (F, "phases:", "backend: {S3: {}} # <-\nphases:")),
    case(
        "a backend that is none",
        Kind.SCHEMA,
        "there is no such backend",
        (F, "phases:", "backend: {floppy: {}} # <-\nphases:"),
    ),
    case(
        "a state that no lease fences",
        Kind.CONFLICT,
        "in no other backend",
        (F, "phases:", 'backend: {s3: {bucket: x, key: "${target.id}"}} # <-\nphases:'),
    ),
    case(
        "a misspelt argument of the backend",
        Kind.MISSPELT,
        "did you mean 'retry_max'",
        (F, "phases:", "backend: {http: {retries_max: 4}} # <-\nphases:"),
    ),
    case(
        "an argument of the backend of a wrong type",
        Kind.MISTYPED,
        "http.retry_max",
        (F, "phases:", "backend: {http: {retry_max: often}} # <-\nphases:"),
    ),
    case(
        "a secret that a higher layer hides",
        Kind.SECRET,
        "in clear",
        (F, "  size: 3", "  password: hunter2 # <-\n  size: 3"),
        (F, "      size: 5", "      size: 5\n      password: null"),
        (N, "      limits: {cpu: 1}", "      limits: {cpu: 1}\n      password: null"),
    ),
    case("a secret that is false", Kind.SECRET, "in clear", (S, BLUE, "password: false # <-")),
    case("a secret among keys", Kind.SECRET, "in clear", (S, BLUE, 'password: {hunter2: ""} # <-')),
    case("a secret in a list", Kind.SECRET, "in clear", (S, BLUE, "password: {$append: [hunter2]} # <-")),
    case(
        "a secret where sensitive is a text",
        Kind.SECRET,
        "in clear",
        (V, "sensitive = true", 'sensitive = "true"'),
        (S, BLUE, "password: hunter2 # <-"),
    ),
    case(
        "a secret where sensitive is an expression",
        Kind.SECRET,
        "in clear",
        (V, "sensitive = true", "sensitive = !false"),
        (S, BLUE, "password: hunter2 # <-"),
    ),
    case(
        "a secret of an ephemeral variable as its default",
        Kind.SECRET,
        "default stands here in clear",
        (V, "sensitive = true", "ephemeral = true"),
        (V, "default   = null", 'default   = "hunter2" # <-'),
    ),
    case(
        "a secret default that is an expression",
        Kind.SECRET,
        "default stands here in clear",
        (V, "default   = null", 'default   = "hun${"ter2"}" # <-'),
    ),
    case(
        "a sensitive variable that nobody may set",
        Kind.MISSING,
        "let a data source read the secret",
        (V, 'variable "password" {', 'variable "password" { # <-'),
        (V, "  default   = null\n", ""),
    ),
    case(
        "a secret under another argument's name",
        Kind.SECRET,
        "aws.assume.api_token",
        (F, 'aws: {region: "${region.provider_region}"}', "aws: {assume: {api_token: hunter2}} # <-"),
    ),
    case(
        "a state that gets lost",
        Kind.CONFLICT,
        "in no other backend",
        (F, "phases:", "backend: {local: {}} # <-\nphases:"),
    ),
    case(
        "two backends", Kind.CONFLICT, "in no other backend", (F, "phases:", "backend: {gcs: {}, s3: {}} # <-\nphases:")
    ),
)
GENERIC: tuple[Seeded, ...] = (
    case("HCL that does not parse", Kind.SYNTAX, "", (M, AWS, 'provider "aws" = {} # <-')),
    case("a text that does not end", Kind.SYNTAX, "", (M, 'source = "hashicorp/aws"', 'source = "hashicorp # <-')),
    case("a variable twice", Kind.CONFLICT, "declared twice", (M, AWS, f'{AWS}\nvariable "size" {{}}'), at=f"{V}:9"),
    case("a type that is none", Kind.SYNTAX, "no type constraint", (V, "type = list(string)", "type = lst(a) # <-")),
    case("terraform.tfvars", Kind.SHADOWED, "by itself", ("tf/terraform.tfvars", None, "size = 9 # <-\n")),
    case("z.auto.tfvars", Kind.SHADOWED, "by itself", ("tf/z.auto.tfvars", None, "size = 9 # <-\n")),
    case("a module outside", Kind.OUTSIDE, "leads out", (M, AWS, 'module "m" { # <-\n  source = "../edge"\n}')),
    case(
        "a module that is not there", Kind.UNRESOLVED, "no folder", (M, AWS, 'module "m" { # <-\n  source = "./m"\n}')
    ),
    case(
        "a module out and in again",
        Kind.OUTSIDE,
        "leads out",
        (M, AWS, 'module "m" { # <-\n  source = "../tf/m"\n}'),
        ("tf/m/main.tf", None, ""),
    ),
    case("an absolute module", Kind.OUTSIDE, "leads out", (M, AWS, 'module "m" { # <-\n  source = "/etc"\n}')),
    case(
        "a module behind an override",
        Kind.OUTSIDE,
        "leads out",
        (M, AWS, 'module "m" { # <-\n  source = "../edge"\n}'),
        ("tf/m_override.tf", None, 'module "m" {\n  version = "1"\n}\n'),
    ),
    case("a number that HCL has not", Kind.SYNTAX, "no number in HCL", (V, "default = 1\n", "default = 0x1 # <-\n")),
    case("two blocks in one line", Kind.SYNTAX, "line of its own", (M, AWS, f"{AWS} {AWS} # <-")),
    case("a brace in the next line", Kind.SYNTAX, "`{` must stand", (M, AWS, 'provider "aws"\n{ # <-\n}')),
    case("a source that is a list", Kind.SYNTAX, "must be a text", (M, AWS, 'module "m" {\n  source = ["x"] # <-\n}')),
    case(
        "a variable twice and a second fault behind it",
        Kind.OUTSIDE,
        "leads out",
        (M, AWS, f'{AWS}\nvariable "size" {{}}\nmodule "m" {{ # <-\n  source = "../edge"\n}}'),
    ),
    case("a cloud block", Kind.CONFLICT, "cloud", (M, "terraform {", "terraform {\n  cloud {} # <-")),
)
