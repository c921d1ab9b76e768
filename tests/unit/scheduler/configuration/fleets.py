"""A small fleet on disk, and what is found in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from scheduler.configuration.check import Checked, check
from scheduler.configuration.fleet import load_flock
from scheduler.configuration.report import Finding, ManyRefused

FLOCK = """\
name: shop
owners: [team-shop@example.com]
configuration: tf
artifacts:
  image:
    source: registry.example.com/shop
    digest: sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef
variables:
  name: shop-${region.name}
  image: ${artifact.image.digest}
  size: 3
  tags: {team: shop}
providers:
  aws: {region: "${region.provider_region}"}
phases:
  - name: canary
  - name: rest
targets:
  - region: north
    phase: canary
  - region: south
    name: blue
    phase: rest
    variables:
      size: 5
  - realm: live
    name: edge
    phase: rest
    configuration: edge
"""
REALM = """\
name: live
variables:
  tags: {realm: live}
"""
NORTH = """\
name: north
realm: test
provider_region: eu-north-1
zones: [eu-north-1a, eu-north-1b]
account: "000011112222"
variables:
  zones: ${region.zones}
flocks:
  shop:
    variables:
      limits: {cpu: 1}
"""
SOUTH = """\
name: south
realm: live
provider_region: eu-south-1
variables:
  zones: [eu-south-1a]
flocks:
  shop:
    variables:
      limits: {cpu: 2, memory: 512}
targets:
  shop.south.blue:
    variables:
      tags: {colour: blue}
"""
VARIABLES = """\
variable "name" {
  type = string
}

variable "image" {
  type = string
}

variable "size" {
  type    = number
  default = 1

  validation {
    condition     = var.size >= 1 && var.size <= 9
    error_message = "Between 1 and 9."
  }
}

variable "tags" {
  type    = map(string)
  default = {}
}

variable "zones" {
  type = list(string)
}

variable "limits" {
  type = object({
    cpu    = number
    memory = optional(number, 256)
  })
}

variable "public" {
  type     = bool
  default  = false
  nullable = false
}

variable "password" {
  type      = string
  default   = null
  sensitive = true
}
"""
MAIN = """\
terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

provider "aws" {}
"""
EDGE = """\
variable "name" {
  type = string
}

variable "tags" {
  type    = map(string)
  default = {}
}

provider "aws" {}
"""
FILES: Mapping[str, str] = {
    "flock.yaml": FLOCK,
    "realms/live.yaml": REALM,
    "realms/test.yaml": "name: test\n",
    "regions/north.yaml": NORTH,
    "regions/south.yaml": SOUTH,
    "tf/variables.tf": VARIABLES,
    "tf/main.tf": MAIN,
    "edge/main.tf": EDGE,
}


def write(folder: Path, files: Mapping[str, str | bytes] = FILES) -> Path:
    """Write `files` below `folder`; return the flock file."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder / "flock.yaml"


def checked(folder: Path, changes: Mapping[str, str | bytes] | None = None) -> Checked:
    """The small fleet with some files replaced or added, rendered and judged."""
    return check(load_flock(write(folder, {**FILES, **(changes or {})})))


def findings(folder: Path, files: Mapping[str, str | bytes]) -> tuple[Finding, ...]:
    """Everything that is found in a fleet of exactly these files."""
    try:
        return check(load_flock(write(folder, files))).report.findings
    except ManyRefused as error:
        return error.findings
