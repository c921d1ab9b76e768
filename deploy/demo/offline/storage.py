"""Buckets, tables, repositories, log groups."""

from typing import ClassVar

from tf.blocks import SetNestedBlock
from tf.schema import Attribute, Block

from deploy.demo.offline.aws import tag_list, tag_map, unless_absent
from deploy.demo.offline.base import BOOL, NUMBER, TAGS, AwsResource, State, computed, given, optional, required


class Bucket(AwsResource):
    TYPE = "s3_bucket"
    ATTRIBUTES = (required("bucket", replace=True), computed("arn"), optional("tags", TAGS))

    def make(self, planned: State) -> State:
        arguments: State = {"Bucket": planned["bucket"]}
        if self.aws.region != "us-east-1":
            arguments["CreateBucketConfiguration"] = {"LocationConstraint": self.aws.region}
        self.aws.client("s3").create_bucket(**arguments)
        self._tag(planned)
        return {"id": planned["bucket"]}

    def observe(self, state: State) -> State | None:
        s3, name = self.aws.client("s3"), state["id"]
        if unless_absent(s3.head_bucket, Bucket=name) is None:
            return None
        tagging = unless_absent(s3.get_bucket_tagging, "NoSuchTagSet", Bucket=name) or {}
        return {"id": name, "bucket": name, "arn": f"arn:aws:s3:::{name}", "tags": tag_map(tagging.get("TagSet"))}

    def change(self, current: State, planned: State) -> None:
        self._tag(planned)

    def remove(self, current: State) -> None:
        self.aws.client("s3").delete_bucket(Bucket=current["id"])

    def _tag(self, planned: State) -> None:
        if planned["tags"]:
            tagging = {"TagSet": tag_list(planned["tags"])}
            self.aws.client("s3").put_bucket_tagging(Bucket=planned["bucket"], Tagging=tagging)


class _OfBucket(AwsResource):
    """One setting of a bucket; its id is the bucket's name."""

    def make(self, planned: State) -> State:
        self.put(planned)
        return {"id": planned["bucket"]}

    def change(self, current: State, planned: State) -> None:
        self.put(planned)

    def put(self, planned: State) -> None:
        raise NotImplementedError


class BucketVersioning(_OfBucket):
    TYPE = "s3_bucket_versioning"
    ATTRIBUTES = (required("bucket", replace=True),)
    BLOCKS = (SetNestedBlock("versioning_configuration", Block(attributes=[required("status")])),)

    def put(self, planned: State) -> None:
        status = planned["versioning_configuration"][0]["status"]
        self.aws.client("s3").put_bucket_versioning(
            Bucket=planned["bucket"], VersioningConfiguration={"Status": status}
        )

    def observe(self, state: State) -> State | None:
        found = unless_absent(self.aws.client("s3").get_bucket_versioning, Bucket=state["id"])
        if not found or "Status" not in found:
            return None
        return {
            "id": state["id"],
            "bucket": state["id"],
            "versioning_configuration": [{"status": found["Status"]}],
        }

    def remove(self, current: State) -> None:
        self.aws.client("s3").put_bucket_versioning(
            Bucket=current["id"], VersioningConfiguration={"Status": "Suspended"}
        )


class BucketEncryption(_OfBucket):
    TYPE = "s3_bucket_server_side_encryption_configuration"
    ATTRIBUTES = (required("bucket", replace=True),)
    BLOCKS = (
        SetNestedBlock(
            "rule",
            Block(
                block_types=[
                    SetNestedBlock(
                        "apply_server_side_encryption_by_default", Block(attributes=[required("sse_algorithm")])
                    )
                ]
            ),
        ),
    )

    def put(self, planned: State) -> None:
        default = planned["rule"][0]["apply_server_side_encryption_by_default"][0]
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": default["sse_algorithm"]}}
        self.aws.client("s3").put_bucket_encryption(
            Bucket=planned["bucket"], ServerSideEncryptionConfiguration={"Rules": [rule]}
        )

    def observe(self, state: State) -> State | None:
        found = unless_absent(self.aws.client("s3").get_bucket_encryption, Bucket=state["id"])
        if found is None:
            return None
        rules = found["ServerSideEncryptionConfiguration"]["Rules"]
        algorithms = [rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] for rule in rules]
        return {
            "id": state["id"],
            "bucket": state["id"],
            "rule": [{"apply_server_side_encryption_by_default": [{"sse_algorithm": name}]} for name in algorithms],
        }

    def remove(self, current: State) -> None:
        self.aws.client("s3").delete_bucket_encryption(Bucket=current["id"])


class BucketPublicAccess(_OfBucket):
    TYPE = "s3_bucket_public_access_block"
    SETTINGS: ClassVar[dict[str, str]] = {
        "BlockPublicAcls": "block_public_acls",
        "BlockPublicPolicy": "block_public_policy",
        "IgnorePublicAcls": "ignore_public_acls",
        "RestrictPublicBuckets": "restrict_public_buckets",
    }
    ATTRIBUTES = (required("bucket", replace=True), *(optional(name, BOOL) for name in SETTINGS.values()))

    def put(self, planned: State) -> None:
        self.aws.client("s3").put_public_access_block(
            Bucket=planned["bucket"], PublicAccessBlockConfiguration=given(planned, **self.SETTINGS)
        )

    def observe(self, state: State) -> State | None:
        found = unless_absent(self.aws.client("s3").get_public_access_block, Bucket=state["id"])
        if found is None:
            return None
        settings = found["PublicAccessBlockConfiguration"]
        return {
            "id": state["id"],
            "bucket": state["id"],
            **{name: settings.get(argument) for argument, name in self.SETTINGS.items()},
        }

    def remove(self, current: State) -> None:
        self.aws.client("s3").delete_public_access_block(Bucket=current["id"])


class Table(AwsResource):
    TYPE = "dynamodb_table"
    ATTRIBUTES: ClassVar[tuple[Attribute, ...]] = (
        required("name", replace=True),
        required("hash_key", replace=True),
        optional("billing_mode"),
        computed("arn"),
        optional("tags", TAGS),
    )
    BLOCKS = (SetNestedBlock("attribute", Block(attributes=[required("name"), required("type")])),)

    def make(self, planned: State) -> State:
        self.aws.client("dynamodb").create_table(
            TableName=planned["name"],
            KeySchema=[{"AttributeName": planned["hash_key"], "KeyType": "HASH"}],
            AttributeDefinitions=[
                {"AttributeName": attribute["name"], "AttributeType": attribute["type"]}
                for attribute in planned["attribute"]
            ],
            Tags=tag_list(planned["tags"]),
            BillingMode=planned["billing_mode"] or "PAY_PER_REQUEST",
        )
        return {"id": planned["name"]}

    def observe(self, state: State) -> State | None:
        dynamodb = self.aws.client("dynamodb")
        found = unless_absent(dynamodb.describe_table, "ResourceNotFoundException", TableName=state["id"])
        if found is None:
            return None
        table = found["Table"]
        tags = dynamodb.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"]
        return {
            "id": table["TableName"],
            "name": table["TableName"],
            "arn": table["TableArn"],
            "hash_key": next(key["AttributeName"] for key in table["KeySchema"] if key["KeyType"] == "HASH"),
            "billing_mode": table.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED"),
            "attribute": [
                {"name": attribute["AttributeName"], "type": attribute["AttributeType"]}
                for attribute in table["AttributeDefinitions"]
            ],
            "tags": tag_map(tags),
        }

    def change(self, current: State, planned: State) -> None:
        self.aws.client("dynamodb").tag_resource(ResourceArn=current["arn"], Tags=tag_list(planned["tags"]))

    def remove(self, current: State) -> None:
        self.aws.client("dynamodb").delete_table(TableName=current["id"])


class Repository(AwsResource):
    TYPE = "ecr_repository"
    ATTRIBUTES = (required("name", replace=True), computed("arn"), computed("repository_url"), optional("tags", TAGS))

    def make(self, planned: State) -> State:
        self.aws.client("ecr").create_repository(repositoryName=planned["name"], tags=tag_list(planned["tags"]))
        return {"id": planned["name"]}

    def observe(self, state: State) -> State | None:
        ecr = self.aws.client("ecr")
        found = unless_absent(ecr.describe_repositories, "RepositoryNotFoundException", repositoryNames=[state["id"]])
        if found is None:
            return None
        repository = found["repositories"][0]
        tags = ecr.list_tags_for_resource(resourceArn=repository["repositoryArn"])["tags"]
        return {
            "id": repository["repositoryName"],
            "name": repository["repositoryName"],
            "arn": repository["repositoryArn"],
            "repository_url": repository["repositoryUri"],
            "tags": tag_map(tags),
        }

    def change(self, current: State, planned: State) -> None:
        self.aws.client("ecr").tag_resource(resourceArn=current["arn"], tags=tag_list(planned["tags"]))

    def remove(self, current: State) -> None:
        self.aws.client("ecr").delete_repository(repositoryName=current["id"])


class LogGroup(AwsResource):
    TYPE = "cloudwatch_log_group"
    ATTRIBUTES = (
        required("name", replace=True),
        optional("retention_in_days", NUMBER),
        computed("arn"),
        optional("tags", TAGS),
    )

    def make(self, planned: State) -> State:
        self.aws.client("logs").create_log_group(logGroupName=planned["name"], **given(planned, tags="tags"))
        self._retain(planned)
        return {"id": planned["name"]}

    def observe(self, state: State) -> State | None:
        logs = self.aws.client("logs")
        groups = logs.describe_log_groups(logGroupNamePrefix=state["id"])["logGroups"]
        group = next((group for group in groups if group["logGroupName"] == state["id"]), None)
        if group is None:
            return None
        arn = group["arn"].removesuffix(":*")
        return {
            "id": group["logGroupName"],
            "name": group["logGroupName"],
            "arn": arn,
            "retention_in_days": group.get("retentionInDays", 0),
            "tags": logs.list_tags_for_resource(resourceArn=arn)["tags"] or None,
        }

    def change(self, current: State, planned: State) -> None:
        self._retain(planned)
        self.aws.client("logs").tag_resource(resourceArn=current["arn"], tags=planned["tags"] or {})

    def remove(self, current: State) -> None:
        self.aws.client("logs").delete_log_group(logGroupName=current["id"])

    def _retain(self, planned: State) -> None:
        if planned["retention_in_days"]:
            self.aws.client("logs").put_retention_policy(
                logGroupName=planned["name"], retentionInDays=planned["retention_in_days"]
            )


class Parameter(AwsResource):
    TYPE = "ssm_parameter"
    ATTRIBUTES = (
        required("name", replace=True),
        required("type"),
        required("value"),
        computed("arn"),
        optional("tags", TAGS),
    )

    def make(self, planned: State) -> State:
        self.aws.client("ssm").put_parameter(
            Name=planned["name"], Type=planned["type"], Value=planned["value"], Tags=tag_list(planned["tags"])
        )
        return {"id": planned["name"]}

    def observe(self, state: State) -> State | None:
        ssm = self.aws.client("ssm")
        found = unless_absent(ssm.get_parameter, "ParameterNotFound", Name=state["id"], WithDecryption=True)
        if found is None:
            return None
        parameter = found["Parameter"]
        tags = ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=state["id"])["TagList"]
        return {
            "id": parameter["Name"],
            "name": parameter["Name"],
            "type": parameter["Type"],
            "value": parameter["Value"],
            "arn": parameter["ARN"],
            "tags": tag_map(tags),
        }

    def change(self, current: State, planned: State) -> None:
        self.aws.client("ssm").put_parameter(
            Name=planned["name"], Type=planned["type"], Value=planned["value"], Overwrite=True
        )

    def remove(self, current: State) -> None:
        self.aws.client("ssm").delete_parameter(Name=current["id"])


TYPES = (
    Bucket,
    BucketVersioning,
    BucketEncryption,
    BucketPublicAccess,
    Table,
    Repository,
    LogGroup,
    Parameter,
)
