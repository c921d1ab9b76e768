"""What making something does that deleting it does not take back. One table, each line with where that is said.

    STAYS     deleting it changes nothing of what it did, or only seems to: a rollback that deletes it has taken nothing
              back, so it does so only with consent by name
    LOSES     deleting it ends what it does, and what it did until then stays done
    ON        the same of what is set on something else: where that is made by the same plan, it goes with that

Names in the comments are pages of the service's API reference, of its guide, or of the provider's documentation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared.safety.plan_document import SENSITIVE, PlanDocument

STAYS: Final[Mapping[str, str]] = {
    # Amazon S3 Glacier: CompleteVaultLock: once it is locked, the policy cannot be changed or deleted.
    "aws_glacier_vault_lock": "a completed lock cannot be taken back",
    # AWS Backup: PutBackupVaultLockConfiguration: immutable after its grace time.
    "aws_backup_vault_lock_configuration": "after its grace time a lock cannot be taken back",
    # AWS Organizations: CloseAccount: suspended for 90 days; hashicorp/aws otherwise only lets go of it.
    "aws_organizations_account": "an account can only be closed, for good after 90 days",
    # Amazon Route 53: RegisterDomain: the registration is paid for its time.
    "aws_route53domains_domain": "a registration is paid for and cannot be returned",
    # Amazon EC2, RDS, ElastiCache: a purchase cannot be canceled; hashicorp/aws only takes it out of the state.
    "aws_ec2_capacity_block_reservation": "what was bought cannot be returned",
    "aws_rds_reserved_instance": "what was bought cannot be returned",
    "aws_elasticache_reserved_cache_node": "what was bought cannot be returned",
    # AWS Shield: CreateSubscription: a commitment for one year.
    "aws_shield_subscription": "it is a commitment for one year",
    # Amazon SWF: DeprecateDomain: a domain is never deleted, and its name stays taken.
    "aws_swf_domain": "it can only be deprecated, and its name stays taken",
    # AWS Lambda: Invoke; Redshift Data API: ExecuteStatement.
    "aws_lambda_invocation": "nobody knows what the function did",
    "aws_redshiftdata_statement": "nothing undoes what a statement did",
    # hashicorp/aws: these take over what is there, remove what is not configured, and restore nothing when deleted.
    "aws_default_security_group": "the rules that it took away are not given back",
    "aws_default_network_acl": "the rules that it took away are not given back",
    "aws_default_route_table": "the routes that it took away are not given back",
    "aws_cloudfrontkeyvaluestore_keys_exclusive": "the keys that it took away are not given back",
    "aws_iam_group_policies_exclusive": "the policies that it took away are not given back",
    "aws_iam_group_policy_attachments_exclusive": "the policies that it took away are not given back",
    "aws_iam_role_policies_exclusive": "the policies that it took away are not given back",
    "aws_iam_role_policy_attachments_exclusive": "the policies that it took away are not given back",
    "aws_iam_user_policies_exclusive": "the policies that it took away are not given back",
    "aws_iam_user_policy_attachments_exclusive": "the policies that it took away are not given back",
    "aws_route53_records_exclusive": "the records that it took away are not given back",
}
LOSES: Final[Mapping[str, str]] = {
    # Amazon S3 on Outposts: PutBucketLifecycleConfiguration: expired objects are deleted.
    "aws_s3control_bucket_lifecycle_configuration": "objects that expire until then are lost",
    # AWS Systems Manager: CreateAssociation: it runs on its targets at once.
    "aws_ssm_association": "what its document did on its targets stays done",
}


@dataclass(frozen=True, kw_only=True)
class SetOn:
    """What making something does to what it is set on."""

    attribute: str
    """That names what it is set on."""
    type: str
    """Of what it is set on."""
    name: str
    """Attribute of that, by which it is named."""
    why: str
    """What no delete takes back."""


_BUCKET: Final = {"attribute": "bucket", "type": "aws_s3_bucket", "name": "bucket"}
ON: Final[Mapping[str, SetOn]] = {
    # Amazon S3: PutObjectLockConfiguration: object lock cannot be disabled; hashicorp/aws takes away its rule only.
    "aws_s3_bucket_object_lock_configuration": SetOn(
        **_BUCKET, why="object lock cannot be switched off, nor retention shortened"
    ),
    # Amazon S3: PutBucketVersioning: a bucket never returns to an unversioned state.
    "aws_s3_bucket_versioning": SetOn(**_BUCKET, why="versioning that was switched on can only be suspended"),
    # Amazon S3: PutBucketLifecycleConfiguration: expired objects and versions are deleted for good.
    "aws_s3_bucket_lifecycle_configuration": SetOn(**_BUCKET, why="objects that expire until then are lost"),
    # Amazon ECR: PutLifecyclePolicy: what expires is deleted.
    "aws_ecr_lifecycle_policy": SetOn(
        attribute="repository", type="aws_ecr_repository", name="name", why="images that expire until then are lost"
    ),
}


#: Data sources that name nothing that is there.
_NAMELESS: Final = frozenset(
    {"archive_file", "aws_availability_zones", "aws_caller_identity", "aws_iam_policy_document", "aws_partition"}
    | {"aws_region", "template_file", "tls_certificate"}
)


def outlasts(document: PlanDocument) -> dict[str, str]:
    """What a plan sets on things that are there already, and no delete takes back: why, by address.

    What is not known before the apply names something that the apply makes, unless it may be read in it.

    Args:
        document: the plan.
    """
    makes = [change for change in document.resource_changes if change.mode == "managed" and "create" in change.actions]
    new = {(one.type, name, value) for one in makes for name, value in _mapping(one.after).items() if _is_name(value)}
    read_later = any(one.actions == ("read",) and one.type not in _NAMELESS for one in document.resource_changes)
    found = {}
    for change in makes:
        on = ON.get(change.type)
        if on is None:
            continue
        value = _mapping(change.after).get(on.attribute)
        unknown = _mapping(change.after_unknown).get(on.attribute) is True
        if not (unknown and not read_later) and (on.type, on.name, value if _is_name(value) else None) not in new:
            found[change.address] = f"made: {on.why}"
    return found


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and value not in ("", SENSITIVE)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
