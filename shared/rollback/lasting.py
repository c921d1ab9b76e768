"""What making something does that deleting it does not take back. One table, each line with where that is said.

    STAYS     deleting it changes nothing of what it did, or only seems to: a rollback that deletes it has taken nothing
              back, so it does so only with consent by name
    LOSES     deleting it ends what it does, and what it did until then stays done

Names in the comments are pages of the service's API reference, of its guide, or of the provider's documentation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

STAYS: Final[Mapping[str, str]] = {
    # Amazon S3 Glacier: CompleteVaultLock: once it is locked, the policy cannot be changed or deleted.
    "aws_glacier_vault_lock": "a completed lock cannot be taken back",
    # Amazon S3: PutObjectLockConfiguration: object lock cannot be disabled; hashicorp/aws takes away its rule only.
    "aws_s3_bucket_object_lock_configuration": "object lock cannot be switched off, nor retention shortened",
    # AWS Backup: PutBackupVaultLockConfiguration: immutable after its grace time.
    "aws_backup_vault_lock_configuration": "after its grace time a lock cannot be taken back",
    # Amazon S3: PutBucketVersioning: a bucket "can never return to an unversioned state".
    "aws_s3_bucket_versioning": "versioning that was switched on can only be suspended",
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
    # Amazon S3: PutBucketLifecycleConfiguration: expired objects and versions are deleted for good.
    "aws_s3_bucket_lifecycle_configuration": "objects that expire until then are lost",
    "aws_s3control_bucket_lifecycle_configuration": "objects that expire until then are lost",
    # Amazon ECR: PutLifecyclePolicy: what expires is deleted.
    "aws_ecr_lifecycle_policy": "images that expire until then are lost",
    # AWS Systems Manager: CreateAssociation: it runs on its targets at once.
    "aws_ssm_association": "what its document did on its targets stays done",
}
