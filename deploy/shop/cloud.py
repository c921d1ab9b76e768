"""What the example's targets have in the cloud, in words that a person can compare with the region files."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from deploy.demo.inventory import CloudInventory


class ShopCloud(CloudInventory):
    """Reads names and sizes of everything of the example's types; changes nothing."""

    def details(self) -> dict[str, str]:
        """Identity, as a Terraform state has it -> what it is, for everything in every region.

        Raises:
            botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError: the cloud did not answer.
        """
        return {
            identity: f"{region} {what}"
            for region in self._regions
            for reader in (self._networks, self._queues, self._parameters)
            for identity, what in reader(region)
        }

    def _networks(self, region: str) -> Iterator[tuple[str, str]]:
        ours = set()
        for vpc in self._pages("ec2", region, "describe_vpcs", "Vpcs"):
            if not vpc["IsDefault"]:
                ours.add(vpc["VpcId"])
                yield vpc["VpcId"], f"network {vpc['CidrBlock']} {tags_of(vpc.get('Tags', ()))}"
        for subnet in self._pages("ec2", region, "describe_subnets", "Subnets"):
            if subnet["VpcId"] in ours:
                yield subnet["SubnetId"], f"subnet {subnet['CidrBlock']} in {subnet['AvailabilityZone']}"

    def _queues(self, region: str) -> Iterator[tuple[str, str]]:
        sqs = self._client("sqs", region)
        for url in self._pages("sqs", region, "list_queues", "QueueUrls"):
            of = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
            days = int(of["MessageRetentionPeriod"]) / 86400
            yield of["QueueArn"], f"queue {url.rpartition('/')[2]}, {days:g} days, {of['VisibilityTimeout']} s"
        for topic in self._pages("sns", region, "list_topics", "Topics"):
            yield topic["TopicArn"], f"topic {topic['TopicArn'].rpartition(':')[2]}"

    def _parameters(self, region: str) -> Iterator[tuple[str, str]]:
        ssm = self._client("ssm", region)
        for listed in self._pages("ssm", region, "describe_parameters", "Parameters"):
            parameter = ssm.get_parameter(Name=listed["Name"])["Parameter"]
            yield parameter["ARN"], f"parameter {parameter['Name']} = {parameter['Value']}"


def tags_of(tags: Iterable[Mapping[str, Any]]) -> str:
    """Tags in one order: `[a=1 b=2]`."""
    return "[" + " ".join(sorted(f"{tag['Key']}={tag['Value']}" for tag in tags)) + "]"
