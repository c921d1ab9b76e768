"""A stand-in for the provider hashicorp/external: its data source, which runs a program while Terraform plans.

`python -m tests.external_provider` serves it; `install` lays it out for `terraform init -plugin-dir`.
"""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tf import iface, runner, types
from tf.schema import Attribute, Schema
from tf.utils import Diagnostics

VERSION = "2.3.99"
ROOT = Path(__file__).resolve().parent.parent


class External(iface.DataSource):  # type: ignore[misc]  # tf publishes no types
    """`data "external"`: the program's standard output is JSON and becomes `result`."""

    def __init__(self, provider: Any) -> None:
        """Nothing to keep."""

    @classmethod
    def get_name(cls) -> str:
        return "external"

    @classmethod
    def get_schema(cls) -> Schema:
        return Schema(
            version=0,
            attributes=[
                Attribute("program", types.List(types.String()), required=True),
                Attribute("result", types.Map(types.String()), computed=True),
            ],
        )

    def validate(self, diags: Diagnostics, type_name: str, config: dict[str, Any]) -> None:
        """Nothing that the schema does not say."""

    def read(self, ctx: Any, config: dict[str, Any]) -> dict[str, Any]:
        done = subprocess.run(config["program"], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            ctx.diagnostics.add_error("The program failed", done.stderr[-2000:])
            return {"program": config["program"], "result": {}}
        return {"program": config["program"], "result": json.loads(done.stdout)}


class ExternalProvider(iface.Provider):  # type: ignore[misc]  # tf publishes no types
    def get_model_prefix(self) -> str:
        return ""

    def full_name(self) -> str:
        return "registry.terraform.io/hashicorp/external"

    def get_provider_schema(self, diags: Diagnostics) -> Schema:
        return Schema(version=0, attributes=[])

    def validate_config(self, diags: Diagnostics, config: dict[str, Any]) -> None:
        """It takes none."""

    def configure_provider(self, diags: Diagnostics, config: dict[str, Any]) -> None:
        """It takes none."""

    def get_data_sources(self) -> list[type[External]]:
        return [External]

    def get_resources(self) -> list[Any]:
        return []


#: What the AWS CLI imports, besides what the demo's stand-in brings along.
CLI_PACKAGES = ("colorama", "docutils", "rsa", "pyasn1", "yaml", "_yaml")


def install(root: Path) -> Path:
    """Lay it out under `root`; what -plugin-dir takes."""
    return _lay_out(root, f'PYTHONPATH={ROOT} exec {sys.executable} -m tests.external_provider "$@"')


def install_alone(root: Path) -> Path:
    """The same for a sandbox that shows a run `root` and an interpreter without packages.

    `aws` in it is the AWS CLI.
    """
    import awscli

    from deploy.demo import vendor

    library = root / "_lib"
    vendor.copy_packages(library, (*vendor.PACKAGES, *CLI_PACKAGES, "tests.external_provider"))
    shutil.copytree(Path(awscli.__file__).parent, library / "awscli", ignore=shutil.ignore_patterns("examples"))
    python = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    # The folders that only hold a copied package need no files of their own: they are namespace packages.
    start = f"import sys; sys.path.insert(0, '{library}');"
    serve = "from tests.external_provider import runner, ExternalProvider; runner.run_provider(ExternalProvider())"
    aws = root / "aws"
    aws.write_text(
        f'#!/bin/sh\nexec {python} -ISB -c "{start} from awscli.clidriver import main; sys.exit(main())" "$@"\n'
    )
    aws.chmod(0o755)
    return _lay_out(root, f'exec {python} -ISB -c "{start} {serve}" "$@"')


def _lay_out(root: Path, command: str) -> Path:
    machine = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    for host in ("registry.terraform.io", "registry.opentofu.org"):
        folder = root / host / "hashicorp" / "external" / VERSION / f"linux_{machine}"
        folder.mkdir(parents=True)
        program = folder / f"terraform-provider-external_v{VERSION}"
        program.write_text(f"#!/bin/sh\n{command}\n")
        program.chmod(0o755)
    return root


if __name__ == "__main__":
    runner.run_provider(ExternalProvider())
