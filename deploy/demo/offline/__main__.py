"""Serves the stand-in over Terraform's plugin protocol: `python -m deploy.demo.offline`."""

import os
import tempfile
from typing import Any

from msgpack.ext import ExtType  # type: ignore[import-untyped]  # publishes no types
from tf import iface, runner, types, utils
from tf.schema import Attribute, Schema
from tf.utils import Diagnostics

from deploy.demo.offline import access, messaging, network, storage
from deploy.demo.offline.aws import Aws
from deploy.demo.offline.base import AwsResource

RESOURCES: tuple[type[AwsResource], ...] = (*storage.TYPES, *messaging.TYPES, *access.TYPES, *network.TYPES)


class DemoProvider(iface.Provider):  # type: ignore[misc]  # tf publishes no types
    """`hashicorp/aws` by name; knows the demo's types only."""

    def __init__(self) -> None:
        self.aws: Aws | None = None

    def get_model_prefix(self) -> str:
        return "aws_"

    def full_name(self) -> str:
        return "registry.terraform.io/hashicorp/aws"

    def get_provider_schema(self, diags: Diagnostics) -> Schema:
        return Schema(
            version=0,
            attributes=[
                Attribute("region", types.String(), optional=True),
                Attribute("allowed_account_ids", types.Set(types.String()), optional=True),
            ],
        )

    def validate_config(self, diags: Diagnostics, config: dict[str, Any]) -> None:
        """Nothing that the schema does not say."""

    def configure_provider(self, diags: Diagnostics, config: dict[str, Any]) -> None:
        region = config.get("region") or os.environ.get("AWS_REGION")
        if not isinstance(region, str):
            diags.add_error("No region", "Set `region` in the provider block or AWS_REGION.")
            return
        aws = Aws(region)
        if allowed := config.get("allowed_account_ids"):
            account = aws.client("sts").get_caller_identity()["Account"]
            if account not in allowed:
                diags.add_error("AWS account ID not allowed", f"{account} is not one of {', '.join(sorted(allowed))}.")
                return
        self.aws = aws

    def get_data_sources(self) -> list[type[iface.DataSource]]:
        return []

    def get_resources(self) -> list[type[AwsResource]]:
        return list(RESOURCES)


def read_extension(code: int, data: bytes) -> Any:
    """What an extension of Terraform's msgpack stands for.

    Beside a plain unknown (0) there is one with refinements (12, "a string that is not null"), which `tf` does
    not know; an unknown is all that this provider needs of it. (Terraform's docs/plugin-protocol/object-wire-format.md)
    """
    return types.Unknown if code in (0, 12) else ExtType(code, data)


def main() -> None:
    utils._msgpack_ext_hook = read_extension  # there is no public place for it
    # The plugin's certificate is cached below HOME by default: a sandbox may have none, and nobody else should read it.
    with tempfile.TemporaryDirectory() as home:
        os.environ["HOME"] = home
        runner.run_provider(DemoProvider())


if __name__ == "__main__":
    main()
