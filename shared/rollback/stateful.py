"""Which resource types hold something that nothing brings back. One table, each line with where that is said.

    DATA      what the resource holds is lost with it; its settings come back
    PASSING   the same, of what is on its way through or comes from the configuration: what a deployment made itself,
              its rollback deletes
    GONE      the resource itself does not come back as it was: its name, address, key or identifier is part of what
              others know it by

Names in the comments are pages of the service's API reference, or of its guide where that is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final


class Holds(Enum):
    """What is lost with a resource."""

    DATA = "data"
    PASSING = "passing"
    GONE = "gone"


@dataclass(frozen=True, kw_only=True)
class Loss:
    """What becomes of a resource that is destroyed."""

    holds: Holds
    """Of which kind the loss is."""
    why: str
    """In a few words: what is lost."""


def _table(holds: Holds, lines: Mapping[str, str]) -> dict[str, Loss]:
    return {kind: Loss(holds=holds, why=why) for kind, why in lines.items()}


_DATA: Final = {
    # Amazon S3: DeleteBucket ("all objects … must be deleted before"); the name is free for anybody afterwards.
    "aws_s3_bucket": "its objects are lost, and anybody may take its name",
    "aws_s3_directory_bucket": "its objects are lost",
    # S3 Tables: DeleteTable "with purge … all data".
    "aws_s3tables_table": "its rows are lost",
    "aws_s3tables_table_bucket": "its tables are lost",
    # Amazon DynamoDB: DeleteTable "deletes a table and all of its items".
    "aws_dynamodb_table": "its items are lost",
    "aws_dynamodb_table_replica": "the items of the replica are lost",
    "aws_dynamodb_global_table": "its items are lost",
    # Amazon RDS: DeleteDBInstance "all automated backups … are deleted and can't be recovered"; a final snapshot, where
    # one is made, is restored under a new identifier, by hand.
    "aws_db_instance": "its data is lost, or only in a final snapshot",
    "aws_rds_cluster": "its data is lost, or only in a final snapshot",
    "aws_rds_cluster_instance": "what was not replicated is lost",
    "aws_rds_global_cluster": "its replication is lost",
    "aws_rds_shard_group": "its data is lost",
    # DeleteDBSnapshot, DeleteDBClusterSnapshot.
    "aws_db_snapshot": "the snapshot is lost",
    "aws_db_cluster_snapshot": "the snapshot is lost",
    "aws_db_snapshot_copy": "the snapshot is lost",
    # Amazon DocumentDB, Neptune: DeleteDBCluster.
    "aws_docdb_cluster": "its data is lost, or only in a final snapshot",
    "aws_docdb_cluster_snapshot": "the snapshot is lost",
    "aws_docdbelastic_cluster": "its data is lost",
    "aws_neptune_cluster": "its data is lost, or only in a final snapshot",
    "aws_neptune_cluster_snapshot": "the snapshot is lost",
    "aws_neptunegraph_graph": "its data is lost",
    # Amazon Redshift: DeleteCluster; Redshift Serverless: DeleteNamespace.
    "aws_redshift_cluster": "its data is lost, or only in a final snapshot",
    "aws_redshift_cluster_snapshot": "the snapshot is lost",
    "aws_redshiftserverless_namespace": "its data is lost",
    "aws_redshiftserverless_snapshot": "the snapshot is lost",
    # Amazon ElastiCache: DeleteCacheCluster, DeleteReplicationGroup, DeleteServerlessCache; MemoryDB: DeleteCluster.
    "aws_elasticache_cluster": "what it holds is lost",
    "aws_elasticache_replication_group": "what it holds is lost, or only in a final snapshot",
    "aws_elasticache_serverless_cache": "what it holds is lost",
    "aws_memorydb_cluster": "its data is lost, or only in a final snapshot",
    "aws_memorydb_snapshot": "the snapshot is lost",
    "aws_dax_cluster": "what it holds is lost",
    # Amazon EFS: DeleteFileSystem "you can't access any contents of the deleted file system"; FSx: DeleteFileSystem.
    "aws_efs_file_system": "its files are lost",
    "aws_efs_replication_configuration": "the replication is over, and its copy is an ordinary file system",
    "aws_fsx_lustre_file_system": "its files are lost",
    "aws_fsx_windows_file_system": "its files are lost",
    "aws_fsx_ontap_file_system": "its files are lost",
    "aws_fsx_ontap_storage_virtual_machine": "its volumes are lost",
    "aws_fsx_ontap_volume": "its files are lost",
    "aws_fsx_openzfs_file_system": "its files are lost",
    "aws_fsx_openzfs_volume": "its files are lost",
    "aws_fsx_openzfs_snapshot": "the snapshot is lost",
    "aws_fsx_backup": "the backup is lost",
    "aws_fsx_file_cache": "what it holds is lost",
    # Amazon EC2: DeleteVolume; TerminateInstances (the root volume goes with it: DeleteOnTermination); DeleteSnapshot;
    # DeregisterImage.
    "aws_ebs_volume": "its blocks are lost",
    "aws_ebs_snapshot": "the snapshot is lost",
    "aws_ebs_snapshot_copy": "the snapshot is lost",
    "aws_ebs_snapshot_import": "the snapshot is lost",
    "aws_instance": "its disks are lost, and its addresses",
    "aws_spot_instance_request": "the disks of its instance are lost",
    "aws_ami": "the image is lost",
    "aws_ami_copy": "the image is lost",
    "aws_ami_from_instance": "the image is lost",
    "aws_lightsail_instance": "its disk is lost",
    "aws_lightsail_database": "its data is lost",
    "aws_lightsail_disk": "its blocks are lost",
    "aws_lightsail_bucket": "its objects are lost",
    # AWS Backup: DeleteBackupVault (only when empty), DeleteRecoveryPoint.
    "aws_backup_vault": "its recovery points are lost",
    "aws_backup_logically_air_gapped_vault": "its recovery points are lost",
    # Amazon ECR: DeleteRepository (force: "deletes the contents of the repository").
    "aws_ecr_repository": "its images are lost",
    "aws_ecrpublic_repository": "its images are lost, and who pulls from it fails",
    # Amazon CloudWatch Logs: DeleteLogGroup "permanently deletes all the archived log events"; DeleteLogStream.
    "aws_cloudwatch_log_group": "its log events are lost",
    "aws_cloudwatch_log_stream": "its log events are lost",
    # AWS CloudTrail Lake: DeleteEventDataStore ("pending deletion" for seven days).
    "aws_cloudtrail_event_data_store": "its events are lost after seven days",
    "aws_cloudwatch_event_archive": "its events are lost",
    # Amazon Kinesis: DeleteStream "deletes a … stream and all its shards and data"; Amazon MSK: DeleteCluster.
    "aws_kinesis_stream": "its records are lost",
    "aws_kinesis_video_stream": "its media is lost",
    "aws_msk_cluster": "its topics are lost",
    "aws_msk_serverless_cluster": "its topics are lost",
    "aws_mq_broker": "its messages are lost",
    # Amazon OpenSearch Service: DeleteDomain "deletes … and all of its data"; Serverless: DeleteCollection.
    "aws_opensearch_domain": "its indices are lost",
    "aws_elasticsearch_domain": "its indices are lost",
    "aws_opensearchserverless_collection": "its indices are lost",
    "aws_cloudsearch_domain": "its indices are lost",
    # Amazon Timestream: DeleteTable "permanently … can't be recovered"; Keyspaces: DeleteTable; QLDB: DeleteLedger.
    "aws_timestreamwrite_database": "its tables are lost",
    "aws_timestreamwrite_table": "its records are lost",
    "aws_timestreaminfluxdb_db_instance": "its data is lost",
    "aws_keyspaces_keyspace": "its tables are lost",
    "aws_keyspaces_table": "its rows are lost",
    "aws_qldb_ledger": "its journal is lost",
    # AWS CodeCommit: DeleteRepository; CodeArtifact: DeleteDomain, DeleteRepository.
    "aws_codecommit_repository": "its commits are lost",
    "aws_codeartifact_repository": "its packages are lost",
    "aws_codeartifact_domain": "its packages are lost",
    # Amazon SageMaker: DeleteNotebookInstance, DeleteDomain (RetentionPolicy), DeleteFeatureGroup.
    "aws_sagemaker_notebook_instance": "its disk is lost",
    "aws_sagemaker_domain": "the home folders of its users are lost",
    "aws_sagemaker_feature_group": "what its online store holds is lost",
    # Amazon WorkSpaces: TerminateWorkspaces "permanently … the user's data is destroyed".
    "aws_workspaces_workspace": "the user's data is lost",
    # AWS Directory Service: DeleteDirectory.
    "aws_directory_service_directory": "its users are lost, and its addresses",
    "aws_grafana_workspace": "its dashboards are lost, and its address",
    "aws_prometheus_workspace": "its metrics are lost",
    "aws_location_tracker": "its positions are lost",
    "aws_appstream_image_builder": "its disk is lost",
    # AWS Storage Gateway: DeleteVolume, DeleteFileShare, DeleteTapePool; DataSync keeps nothing.
    "aws_storagegateway_cached_iscsi_volume": "its blocks are lost",
    "aws_storagegateway_stored_iscsi_volume": "its blocks are lost",
    "aws_transfer_server": "its users and their keys are lost, and its address",
    "aws_connect_instance": "its configuration and its contacts are lost, and its numbers",
    "aws_emr_cluster": "what its disks hold is lost",
    "aws_pinpoint_app": "its segments and endpoints are lost",
    "aws_sesv2_contact_list": "its contacts are lost",
    "aws_evidently_project": "its results are lost",
    "aws_rekognition_collection": "its faces are lost",
    "aws_bedrockagent_knowledge_base": "its index is lost",
    "aws_kendra_index": "its documents are lost",
    "aws_simpledb_domain": "its items are lost",
    # Aurora DSQL, MemoryDB, ElastiCache: DeleteCluster, DeleteMultiRegionCluster, DeleteGlobalReplicationGroup.
    "aws_dsql_cluster": "its data is lost",
    "aws_memorydb_multi_region_cluster": "its data is lost",
    "aws_elasticache_global_replication_group": "its replication is lost",
    "aws_rds_cluster_snapshot_copy": "the snapshot is lost",
    # S3 on Outposts: DeleteBucket; CloudFront: DeleteKeyValueStore; Security Lake: DeleteDataLake.
    "aws_s3control_bucket": "its objects are lost",
    "aws_cloudfront_key_value_store": "its keys and values are lost",
    "aws_securitylake_data_lake": "its records are lost",
    # Managed Service for Apache Flink: DeleteApplication, with its state and snapshots; Glue: DeleteRegistry.
    "aws_kinesisanalyticsv2_application": "its state and its snapshots are lost",
    "aws_glue_registry": "its schemas and their versions are lost",
    "aws_glue_schema": "its versions are lost",
    # Amazon GuardDuty: DeleteDetector, AWS Security Hub: DisableSecurityHub: the findings go with it; Macie, Detective.
    "aws_guardduty_detector": "its findings are lost",
    "aws_securityhub_account": "its findings are lost",
    "aws_macie2_account": "its findings are lost",
    "aws_detective_graph": "its behavior graph is lost",
    # AWS Audit Manager: DeleteAssessment; Incident Manager: DeleteReplicationSet.
    "aws_auditmanager_assessment": "its evidence is lost",
    "aws_ssmincidents_replication_set": "its incidents are lost",
    # What others make from a template, or by the Cloud Control API, may be anything: DeleteStack, DeleteResource.
    "aws_cloudformation_stack": "what its template made is lost, whatever that is",
    "aws_cloudcontrolapi_resource": "it is lost, whatever it is",
    "aws_servicecatalog_provisioned_product": "what its product made is lost, whatever that is",
    "aws_serverlessapplicationrepository_cloudformation_stack": "what its template made is lost, whatever that is",
    # Amazon CodeCatalyst: DeleteProject, DeleteDevEnvironment; Cloud9: DeleteEnvironment; CodeBuild: DeleteReportGroup.
    "aws_codecatalyst_project": "its repositories and issues are lost",
    "aws_codecatalyst_dev_environment": "its disk is lost",
    "aws_cloud9_environment_ec2": "its disk is lost",
    "aws_codebuild_report_group": "its reports are lost",
    # AWS Data Exchange: DeleteDataSet, DeleteRevision; FinSpace: DeleteKxEnvironment; MWAA: DeleteEnvironment.
    "aws_dataexchange_data_set": "its revisions are lost",
    "aws_dataexchange_revision": "its assets are lost",
    "aws_finspace_kx_environment": "its databases are lost",
    "aws_mwaa_environment": "the history of its runs is lost, with its connections and variables",
    # Amazon SageMaker: DeleteSpace, DeleteUserProfile, DeleteModelPackageGroup; Bedrock: DeleteCustomModel.
    "aws_sagemaker_space": "its disk is lost",
    "aws_sagemaker_user_profile": "the user's home folder is lost",
    "aws_sagemaker_model_package_group": "its versions are lost",
    "aws_bedrock_custom_model": "the model is lost",
    "aws_qbusiness_application": "its indices and conversations are lost",
    # Customer Profiles: DeleteProfile; Location: DeleteGeofenceCollection; End User Messaging: DeleteOptOutList.
    "aws_customerprofiles_profile": "the profile is lost",
    "aws_location_geofence_collection": "its geofences are lost",
    "aws_pinpointsmsvoicev2_opt_out_list": "its numbers are lost: who opted out gets messages again",
    # EC2 Image Builder: DeleteImage.
    "aws_imagebuilder_image": "the image is lost",
}

_PASSING: Final = {
    # Amazon SQS: DeleteQueue "deletes … regardless of the queue's contents", and its name is taken for 60 seconds.
    "aws_sqs_queue": "its messages are lost",
    # AWS Lambda: DeleteFunction "deletes … all versions and aliases".
    "aws_lambda_function": "its published versions are lost",
    "aws_lambda_layer_version": "the version is lost, and its number is not given again",
    # Step Functions: DeleteStateMachine "running executions are stopped"; its history goes too.
    "aws_sfn_state_machine": "its executions and their history are lost",
    # Amazon EC2 Auto Scaling: DeleteAutoScalingGroup terminates its instances.
    "aws_autoscaling_group": "the disks of its instances are lost",
    # Amazon EKS, ECS: what runs in them is not in the configuration.
    "aws_eks_cluster": "what runs in it is lost, and its address",
    "aws_eks_node_group": "the disks of its nodes are lost",
    "aws_ecs_cluster": "its running tasks are stopped",
    "aws_batch_job_queue": "its jobs are lost",
    "aws_kinesis_firehose_delivery_stream": "what it had not delivered is lost",
    # Amazon S3: DeleteObject: without versioning "removes it permanently".
    "aws_s3_object": "the object is lost",
    "aws_s3_bucket_object": "the object is lost",
    "aws_s3_object_copy": "the object is lost",
    # Amazon DynamoDB: DeleteItem.
    "aws_dynamodb_table_item": "the item is lost",
    # AWS Systems Manager: DeleteParameter, with all of its versions.
    "aws_ssm_parameter": "its earlier versions are lost",
    # AWS Glue: DeleteDatabase, DeleteTable (its partitions go with it); Athena: DeleteWorkGroup; IoT: DeleteThing.
    "aws_glue_catalog_database": "its tables are lost",
    "aws_glue_catalog_table": "its partitions are lost",
    "aws_athena_workgroup": "its named queries and its history are lost",
    "aws_iot_thing": "its shadow is lost",
    # Amazon CloudFront: DeleteKey of a key value store.
    "aws_cloudfrontkeyvaluestore_key": "the value is lost",
    "aws_grafana_workspace_service_account": "its tokens are lost",
}

_GONE: Final = {
    # AWS KMS: ScheduleKeyDeletion: a waiting period of 7 to 30 days, in which the key is of no use; after it "all data
    # that was encrypted under the KMS key is unrecoverable". A new key has another id.
    "aws_kms_key": "the key is pending deletion, then what it encrypted is lost; a new one is another key",
    "aws_kms_external_key": "the key is pending deletion, then what it encrypted is lost; a new one is another key",
    "aws_kms_replica_key": "the replica is pending deletion; a new one needs the window to end",
    "aws_kms_replica_external_key": "the replica is pending deletion; a new one needs the window to end",
    "aws_kms_custom_key_store": "its keys are of no use without it",
    "aws_cloudhsm_v2_cluster": "its keys are lost",
    # AWS Payment Cryptography: DeleteKey: a waiting period of 3 to 180 days.
    "aws_paymentcryptography_key": "the key is pending deletion, then what it encrypted is lost",
    # AWS Secrets Manager: DeleteSecret: a recovery window of 7 to 30 days in which the name cannot be used again; with
    # none the value is lost at once.
    "aws_secretsmanager_secret": "its value is lost, and its name cannot be used before the recovery window ends",
    "aws_secretsmanager_secret_version": "the value is lost",
    # Amazon S3 Glacier: DeleteVault (only when empty), and locks: CompleteVaultLock "cannot be changed or deleted".
    "aws_glacier_vault": "its archives are lost",
    "aws_glacier_vault_lock": "a completed lock cannot be taken back",
    # Amazon S3: PutObjectLockConfiguration: "once … enabled, you can't disable it"; retention in compliance mode.
    "aws_s3_bucket_object_lock_configuration": "object lock cannot be switched off, nor retention shortened",
    # AWS Backup: PutBackupVaultLockConfiguration: immutable after its grace time.
    "aws_backup_vault_lock_configuration": "after its grace time a lock cannot be taken back",
    # Amazon Cognito: DeleteUserPool; its id, its users and their passwords.
    "aws_cognito_user_pool": "its users and their passwords are lost, and its id",
    "aws_cognito_user": "the user's password is lost",
    "aws_cognito_identity_pool": "its identities are lost, and its id",
    "aws_cognito_user_pool_client": "its id and its secret are lost",
    "aws_cognito_user_pool_domain": "anybody may take its name",
    # Amazon EC2: ReleaseAddress: "the address … might be unavailable to you"; RecoverAddress only while nobody has it.
    "aws_eip": "its address is given away",
    "aws_lightsail_static_ip": "its address is given away",
    "aws_ec2_managed_prefix_list": "its id is lost, which other accounts may name",
    "aws_vpc_ipam_pool_cidr": "its addresses may be given to somebody else",
    "aws_vpc_ipam_pool_cidr_allocation": "its addresses may be given to somebody else",
    "aws_vpc_ipv6_cidr_block_association": "its addresses may be given to somebody else",
    # DeleteKeyPair: the private half is with its owner only.
    "aws_key_pair": "a pair that EC2 made cannot be made again",
    # DeleteVpnConnection: new addresses and keys: "you must … configure the customer gateway device again".
    "aws_vpn_connection": "its addresses and keys are lost",
    "aws_dx_connection": "it is a line that somebody has to order and to lay",
    "aws_dx_gateway": "its id is lost, which other accounts name",
    # Amazon Route 53: CreateHostedZone: "a different set of … name servers" for each; DeleteHostedZone.
    "aws_route53_zone": "a new zone has other name servers, and its records are lost",
    "aws_route53_delegation_set": "its name servers are lost",
    "aws_route53_key_signing_key": "a new key breaks the chain of trust until the parent knows it",
    "aws_route53domains_domain": "the domain is free for anybody",
    "aws_route53domains_registered_domain": "the domain's settings are not those of a registration",
    "aws_service_discovery_private_dns_namespace": "its hosted zone and its instances are lost",
    "aws_service_discovery_public_dns_namespace": "a new zone has other name servers",
    # AWS Certificate Manager: DeleteCertificate "can't be recovered"; a new one has another ARN and is validated anew.
    "aws_acm_certificate": "its private key is lost; a new one has another ARN and is validated anew",
    # AWS Private CA: DeleteCertificateAuthority: restorable for 7 to 30 days, then its key is lost.
    "aws_acmpca_certificate_authority": "its key is lost after the restoration period",
    # AWS Organizations: CloseAccount, "suspended" for 90 days, closed for good afterwards; quota of closures.
    "aws_organizations_account": "the account is closed, for good after 90 days",
    "aws_organizations_organization": "the organization is dissolved",
    "aws_organizations_organizational_unit": "its id is lost, which policies name",
    "aws_account_region": "what is in a region that is switched off cannot be reached",
    "aws_controltower_landing_zone": "it cannot be set up again as it was",
    "aws_ssoadmin_managed_policy_attachment": "who relied on it loses access at once",
    "aws_identitystore_user": "a user of the same name is another one",
    "aws_identitystore_group": "a group of the same name is another one",
    # AWS IAM: DeleteAccessKey "can't be restored"; principals: "the ARN is transformed to the unique ID".
    "aws_iam_access_key": "the key is lost; a new one is another",
    "aws_iam_service_specific_credential": "the credential is lost; a new one is another",
    "aws_iam_user": "a user of the same name is another principal: policies that name it keep the old one's id",
    "aws_iam_user_login_profile": "the password is lost",
    "aws_iam_virtual_mfa_device": "its seed is lost",
    "aws_iam_server_certificate": "its private key is with its owner only",
    "aws_iam_saml_provider": "who signs in through it cannot meanwhile",
    # Amazon API Gateway, AppSync, CloudFront, Lambda: what is made anew has another id, and that is in its address.
    "aws_api_gateway_rest_api": "a new one has another address",
    "aws_api_gateway_api_key": "a new key has another value",
    "aws_api_gateway_domain_name": "a new one has another target name",
    "aws_apigatewayv2_api": "a new one has another address",
    "aws_apigatewayv2_domain_name": "a new one has another target name",
    "aws_appsync_domain_name": "a new one has another target name",
    "aws_appsync_graphql_api": "a new one has another address",
    "aws_appsync_api_key": "a new key has another value",
    "aws_cloudfront_distribution": "a new one has another domain name",
    "aws_cloudfront_key_group": "what was signed for it is refused",
    "aws_cloudfront_public_key": "what was signed for it is refused",
    "aws_lambda_function_url": "a new one has another address",
    "aws_amplify_app": "a new one has another address",
    "aws_apprunner_service": "a new one has another address",
    "aws_elastic_beanstalk_environment": "its instances and its database are lost",
    "aws_globalaccelerator_accelerator": "its addresses are given away",
    # Elastic Load Balancing: a new load balancer has another DNS name; DeleteLoadBalancer.
    "aws_lb": "a new one has another DNS name",
    "aws_alb": "a new one has another DNS name",
    "aws_elb": "a new one has another DNS name",
    "aws_vpc_endpoint_service": "a new one has another name, which its consumers name",
    # Amazon S3: CreateAccessPoint, CreateMultiRegionAccessPoint: "alias" is drawn anew.
    "aws_s3_access_point": "a new one has another alias",
    "aws_s3control_multi_region_access_point": "a new one has another alias",
    "aws_s3control_object_lambda_access_point": "a new one has another alias",
    # Amazon SES: identities are verified anew; DKIM tokens differ.
    "aws_ses_domain_identity": "it has to be verified anew",
    "aws_ses_email_identity": "it has to be verified anew",
    "aws_sesv2_email_identity": "it has to be verified anew, with other DKIM tokens",
    "aws_sesv2_dedicated_ip_pool": "its addresses lose their reputation",
    # Amazon SNS: Unsubscribe, and confirmation by who receives.
    "aws_sns_topic_subscription": "who receives may have to confirm again",
    "aws_pinpointsmsvoicev2_phone_number": "the number is given away",
    "aws_connect_phone_number": "the number is given away",
    # Keys and tokens whose values their services draw: AWS WAF: CreateAPIKey; Grafana; Lightsail.
    "aws_wafv2_api_key": "a new key has another value",
    "aws_grafana_workspace_api_key": "a new key has another value",
    "aws_grafana_workspace_service_account_token": "a new token has another value",
    "aws_lightsail_bucket_access_key": "the key is lost; a new one is another",
    "aws_lightsail_key_pair": "a pair that Lightsail made cannot be made again",
    # What draws or makes a value: another one next time (providers random, tls, time).
    "random_password": "another value is drawn",
    "random_string": "another value is drawn",
    "random_id": "another value is drawn",
    "random_pet": "another value is drawn",
    "random_uuid": "another value is drawn",
    "random_bytes": "another value is drawn",
    "random_integer": "another value is drawn",
    "random_shuffle": "another order is drawn",
    "tls_private_key": "the key is lost; a new one is another",
    "tls_self_signed_cert": "a new certificate is another",
    "tls_locally_signed_cert": "a new certificate is another",
    "time_static": "the time is another one",
    "time_rotating": "the time is another one",
}

LOSSES: Final[Mapping[str, Loss]] = {
    **_table(Holds.DATA, _DATA),
    **_table(Holds.PASSING, _PASSING),
    **_table(Holds.GONE, _GONE),
}
