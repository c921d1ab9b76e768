"""Roles and policies, keys, secrets."""

import json
from typing import Any

from deploy.demo.offline.aws import tag_list, tag_map, unless_absent
from deploy.demo.offline.base import JSON, NUMBER, TAGS, AwsResource, State, computed, given, optional, required


class Role(AwsResource):
    TYPE = "iam_role"
    ATTRIBUTES = (
        required("name", replace=True),
        required("assume_role_policy", JSON),
        computed("arn"),
        optional("tags", TAGS),
    )

    def make(self, planned: State) -> State:
        self.aws.client("iam").create_role(
            RoleName=planned["name"],
            AssumeRolePolicyDocument=json.dumps(planned["assume_role_policy"]),
            Tags=tag_list(planned["tags"]),
        )
        return {"id": planned["name"]}

    def observe(self, state: State) -> State | None:
        found = unless_absent(self.aws.client("iam").get_role, "NoSuchEntity", RoleName=state["id"])
        if found is None:
            return None
        role = found["Role"]
        return {
            "id": role["RoleName"],
            "name": role["RoleName"],
            "arn": role["Arn"],
            "assume_role_policy": role["AssumeRolePolicyDocument"],
            "tags": tag_map(role.get("Tags")),
        }

    def change(self, current: State, planned: State) -> None:
        iam = self.aws.client("iam")
        iam.update_assume_role_policy(RoleName=current["id"], PolicyDocument=json.dumps(planned["assume_role_policy"]))
        iam.tag_role(RoleName=current["id"], Tags=tag_list(planned["tags"]))

    def remove(self, current: State) -> None:
        self.aws.client("iam").delete_role(RoleName=current["id"])


class RolePolicy(AwsResource):
    TYPE = "iam_role_policy"
    ATTRIBUTES = (required("name", replace=True), required("role", replace=True), required("policy", JSON))

    def make(self, planned: State) -> State:
        self._put(planned)
        return {"id": f"{planned['role']}:{planned['name']}"}

    def observe(self, state: State) -> State | None:
        role, _, name = state["id"].partition(":")
        found = unless_absent(self.aws.client("iam").get_role_policy, "NoSuchEntity", RoleName=role, PolicyName=name)
        if found is None:
            return None
        return {"id": state["id"], "role": role, "name": name, "policy": found["PolicyDocument"]}

    def change(self, current: State, planned: State) -> None:
        self._put(planned)

    def remove(self, current: State) -> None:
        self.aws.client("iam").delete_role_policy(RoleName=current["role"], PolicyName=current["name"])

    def _put(self, planned: State) -> None:
        self.aws.client("iam").put_role_policy(
            RoleName=planned["role"], PolicyName=planned["name"], PolicyDocument=json.dumps(planned["policy"])
        )


class Policy(AwsResource):
    TYPE = "iam_policy"
    ATTRIBUTES = (
        required("name", replace=True),
        required("policy", JSON, replace=True),
        computed("arn"),
        optional("tags", TAGS),
    )

    def make(self, planned: State) -> State:
        answer = self.aws.client("iam").create_policy(
            PolicyName=planned["name"],
            PolicyDocument=json.dumps(planned["policy"]),
            Tags=tag_list(planned["tags"]),
        )
        return {"id": answer["Policy"]["Arn"]}

    def observe(self, state: State) -> State | None:
        iam = self.aws.client("iam")
        found = unless_absent(iam.get_policy, "NoSuchEntity", PolicyArn=state["id"])
        if found is None:
            return None
        policy = found["Policy"]
        version = iam.get_policy_version(PolicyArn=state["id"], VersionId=policy["DefaultVersionId"])
        return {
            "id": policy["Arn"],
            "arn": policy["Arn"],
            "name": policy["PolicyName"],
            "policy": version["PolicyVersion"]["Document"],
            "tags": tag_map(policy.get("Tags")),
        }

    def change(self, current: State, planned: State) -> None:
        self.aws.client("iam").tag_policy(PolicyArn=current["id"], Tags=tag_list(planned["tags"]))

    def remove(self, current: State) -> None:
        self.aws.client("iam").delete_policy(PolicyArn=current["id"])


class RolePolicyAttachment(AwsResource):
    TYPE = "iam_role_policy_attachment"
    ATTRIBUTES = (required("role", replace=True), required("policy_arn", replace=True))

    def make(self, planned: State) -> State:
        self.aws.client("iam").attach_role_policy(RoleName=planned["role"], PolicyArn=planned["policy_arn"])
        return {"id": f"{planned['role']}/{planned['policy_arn']}"}

    def observe(self, state: State) -> State | None:
        role, _, arn = state["id"].partition("/")
        found = unless_absent(self.aws.client("iam").list_attached_role_policies, "NoSuchEntity", RoleName=role)
        attached = {policy["PolicyArn"] for policy in (found or {}).get("AttachedPolicies", [])}
        return {"id": state["id"], "role": role, "policy_arn": arn} if arn in attached else None

    def remove(self, current: State) -> None:
        self.aws.client("iam").detach_role_policy(RoleName=current["role"], PolicyArn=current["policy_arn"])


class Key(AwsResource):
    TYPE = "kms_key"
    ATTRIBUTES = (
        optional("description"),
        optional("deletion_window_in_days", NUMBER),
        computed("key_id"),
        computed("arn"),
        optional("tags", TAGS),
    )

    def make(self, planned: State) -> State:
        answer = self.aws.client("kms").create_key(
            Tags=tag_list(planned["tags"], "TagKey", "TagValue"), **given(planned, Description="description")
        )
        return {"id": answer["KeyMetadata"]["KeyId"]}

    def observe(self, state: State) -> State | None:
        kms = self.aws.client("kms")
        found = unless_absent(kms.describe_key, "NotFoundException", KeyId=state["id"])
        if found is None or found["KeyMetadata"]["KeyState"] == "PendingDeletion":
            return None
        key = found["KeyMetadata"]
        tags = kms.list_resource_tags(KeyId=key["KeyId"])["Tags"]
        return {
            "id": key["KeyId"],
            "key_id": key["KeyId"],
            "arn": key["Arn"],
            "description": key.get("Description"),
            "tags": tag_map(tags, "TagKey", "TagValue"),
        }

    def change(self, current: State, planned: State) -> None:
        kms = self.aws.client("kms")
        kms.update_key_description(KeyId=current["id"], Description=planned["description"] or "")
        kms.tag_resource(KeyId=current["id"], Tags=tag_list(planned["tags"], "TagKey", "TagValue"))

    def remove(self, current: State) -> None:
        days = current["deletion_window_in_days"] or 30
        self.aws.client("kms").schedule_key_deletion(KeyId=current["id"], PendingWindowInDays=days)


class Alias(AwsResource):
    TYPE = "kms_alias"
    ATTRIBUTES = (required("name", replace=True), required("target_key_id"), computed("arn"))

    def make(self, planned: State) -> State:
        self.aws.client("kms").create_alias(AliasName=planned["name"], TargetKeyId=planned["target_key_id"])
        return {"id": planned["name"]}

    def observe(self, state: State) -> State | None:
        pages = self.aws.client("kms").get_paginator("list_aliases").paginate()
        aliases = (alias for page in pages for alias in page["Aliases"])
        alias = next((alias for alias in aliases if alias["AliasName"] == state["id"]), None)
        if alias is None:
            return None
        return {
            "id": alias["AliasName"],
            "name": alias["AliasName"],
            "arn": alias["AliasArn"],
            "target_key_id": alias["TargetKeyId"],
        }

    def change(self, current: State, planned: State) -> None:
        self.aws.client("kms").update_alias(AliasName=current["id"], TargetKeyId=planned["target_key_id"])

    def remove(self, current: State) -> None:
        self.aws.client("kms").delete_alias(AliasName=current["id"])


class Secret(AwsResource):
    TYPE = "secretsmanager_secret"
    ATTRIBUTES = (
        required("name", replace=True),
        optional("recovery_window_in_days", NUMBER),
        computed("arn"),
        optional("tags", TAGS),
    )

    def make(self, planned: State) -> State:
        answer = self.aws.client("secretsmanager").create_secret(Name=planned["name"], Tags=tag_list(planned["tags"]))
        return {"id": answer["ARN"]}

    def observe(self, state: State) -> State | None:
        found = self._describe(state["id"])
        if found is None:
            return None
        return {"id": found["ARN"], "arn": found["ARN"], "name": found["Name"], "tags": tag_map(found.get("Tags"))}

    def change(self, current: State, planned: State) -> None:
        self.aws.client("secretsmanager").tag_resource(SecretId=current["id"], Tags=tag_list(planned["tags"]))

    def remove(self, current: State) -> None:
        days = current["recovery_window_in_days"]
        kept: dict[str, Any] = {"RecoveryWindowInDays": days} if days else {"ForceDeleteWithoutRecovery": True}
        self.aws.client("secretsmanager").delete_secret(SecretId=current["id"], **kept)

    def _describe(self, secret_id: str) -> dict[str, Any] | None:
        found = unless_absent(
            self.aws.client("secretsmanager").describe_secret, "ResourceNotFoundException", SecretId=secret_id
        )
        return None if found is None or found.get("DeletedDate") else found


class SecretVersion(AwsResource):
    TYPE = "secretsmanager_secret_version"
    ATTRIBUTES = (
        required("secret_id", replace=True),
        required("secret_string", replace=True),
        computed("version_id"),
        computed("arn"),
    )

    def make(self, planned: State) -> State:
        answer = self.aws.client("secretsmanager").put_secret_value(
            SecretId=planned["secret_id"], SecretString=planned["secret_string"]
        )
        return {"id": f"{planned['secret_id']}|{answer['VersionId']}"}

    def observe(self, state: State) -> State | None:
        secret, _, version = state["id"].rpartition("|")
        found = unless_absent(
            self.aws.client("secretsmanager").get_secret_value,
            "ResourceNotFoundException",
            SecretId=secret,
            VersionId=version,
        )
        if found is None:
            return None
        return {
            "id": state["id"],
            "secret_id": secret,
            "secret_string": found["SecretString"],
            "version_id": version,
            "arn": found["ARN"],
        }

    def remove(self, current: State) -> None:
        """A secret's current version can't be deleted alone; it goes with the secret."""


TYPES = (Role, RolePolicy, Policy, RolePolicyAttachment, Key, Alias, Secret, SecretVersion)
