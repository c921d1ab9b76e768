# ruff: noqa: E501  # one rule a line: a table is read across
"""The table of rules: which call makes which resource, what identifies it, and what its import takes.

Measured with hashicorp/aws 5.100. A second create of what exists already either fails (then only an import helps), is
answered with what exists (`adopts`), or makes a second one (no name identifies it: `anonymous`). What is `part` of
something else goes with it and stops nobody.

Names of the journal and attributes may have alternatives (`A|B=a|b`): the first that is known counts. In what an import
takes, `{A|B}` is the first of both, and what stands in `[…]` is left out where its name is not known.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One operation that makes one type of resource."""

    service: str
    """Signing name."""
    operation: str
    """As in the service's API reference."""
    type: str
    """Terraform's resource type."""
    same: tuple[tuple[str, str], ...] = ()
    """(name in the journal, attribute in Terraform): all that are known on both sides have to be equal."""
    import_id: str = ""
    """What `terraform import` takes, built from names in the journal; empty: its type cannot be imported."""
    adopts: bool = False
    """A second create returns the first one's resource."""
    anonymous: bool = False
    """Only its id tells two of them apart; the journal's answer or a query supplies it."""
    part: bool = False
    """It is set on something else, and may belong to a resource that sets it itself: unmatched, it is that one's."""
    alone: bool = False
    """There is one of it, and nothing names it."""
    where: tuple[tuple[str, str], ...] = ()
    """(name in the request, values that it may have): the operation makes it only where all of them hold."""
    as_planned: tuple[tuple[str, str], ...] = ()
    """(name in the journal, attribute): the import takes it as the configuration writes it."""


def _pairs(same: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, attribute) for name, _, attribute in (pair.partition("=") for pair in same.split()))


def _named(
    service: str,
    operation: str,
    kind: str,
    same: str,
    import_id: str,
    flag: str = "",
    where: str = "",
    planned: str = "",
) -> Rule:
    """`same` is `JournalName=attribute`, or more of them with spaces between; `where` and `planned` are as well.

    `within` is a part that a second call of the kind is refused for.
    """
    return Rule(
        service=service, operation=operation, type=f"aws_{kind}", same=_pairs(same), import_id=import_id,
        adopts=flag in ("adopts", "part"), part=flag in ("part", "within"), alone=not same,
        where=_pairs(where), as_planned=_pairs(planned),
    )  # fmt: skip


def _anonymous(service: str, operation: str, kind: str, import_id: str, same: str = "") -> Rule:
    """`same` are hints: they tell two planned resources apart where the journal knows more than the id."""
    pairs = _pairs(same)
    return Rule(
        service=service, operation=operation, type=f"aws_{kind}", same=pairs, import_id=import_id, anonymous=True
    )  # fmt: skip


TABLE: tuple[Rule, ...] = (
    # service, operation, type without aws_, journal name=attribute, import id
    _named("autoscaling", "CreateAutoScalingGroup", "autoscaling_group", "AutoScalingGroupName=name", "{AutoScalingGroupName}"),
    _named("backup", "CreateBackupVault", "backup_vault", "BackupVaultName=name", "{BackupVaultName}"),
    _named("cloudtrail", "CreateTrail", "cloudtrail", "Name=name", "{TrailARN}"),
    _named("dynamodb", "CreateTable", "dynamodb_table", "TableName=name", "{TableName}"),
    _named("ec2", "AssociateRouteTable", "route_table_association", "RouteTableId=route_table_id SubnetId=subnet_id GatewayId=gateway_id", "{SubnetId}/{RouteTableId}"),
    _named("ec2", "CreateLaunchTemplate", "launch_template", "LaunchTemplateName=name", "{LaunchTemplateId}"),
    _named("ec2", "ImportKeyPair", "key_pair", "KeyName=key_name", "{KeyName}"),
    _named("ecr", "CreateRepository", "ecr_repository", "repositoryName=name", "{repositoryName}"),
    _named("ecs", "CreateCluster", "ecs_cluster", "clusterName=name", "{clusterName}"),
    _named("elasticloadbalancing", "CreateLoadBalancer", "lb", "Name=name", "{LoadBalancerArn}"),
    _named("elasticloadbalancing", "CreateTargetGroup", "lb_target_group", "Name=name", "{TargetGroupArn}"),
    _named("events", "CreateArchive", "cloudwatch_event_archive", "ArchiveName=name", "{ArchiveName}"),
    _named("events", "CreateEventBus", "cloudwatch_event_bus", "Name=name", "{Name}"),
    _named("firehose", "CreateDeliveryStream", "kinesis_firehose_delivery_stream", "DeliveryStreamName=name", "{DeliveryStreamARN}"),
    _named("glue", "CreateDatabase", "glue_catalog_database", "Name=name", "{CatalogId}:{Name}"),
    _named("glue", "CreateTable", "glue_catalog_table", "DatabaseName=database_name Name=name", "{CatalogId}:{DatabaseName}:{Name}"),
    _named("iam", "CreateGroup", "iam_group", "GroupName=name", "{GroupName}"),
    _named("iam", "CreateInstanceProfile", "iam_instance_profile", "InstanceProfileName=name", "{InstanceProfileName}"),
    _named("iam", "CreateOpenIDConnectProvider", "iam_openid_connect_provider", "Url=url", "{OpenIDConnectProviderArn}"),
    _named("iam", "CreatePolicy", "iam_policy", "PolicyName=name", "{Arn}"),
    _named("iam", "CreateRole", "iam_role", "RoleName=name", "{RoleName}"),
    _named("iam", "CreateUser", "iam_user", "UserName=name", "{UserName}"),
    _named("kinesis", "CreateStream", "kinesis_stream", "StreamName=name", "{StreamName}"),
    _named("kms", "CreateAlias", "kms_alias", "AliasName=name", "{AliasName}"),
    _named("lambda", "CreateFunction", "lambda_function", "FunctionName=function_name", "{FunctionName}"),
    _named("logs", "CreateLogGroup", "cloudwatch_log_group", "logGroupName=name", "{logGroupName}"),
    _named("logs", "CreateLogStream", "cloudwatch_log_stream", "logGroupName=log_group_name logStreamName=name", "{logGroupName}:{logStreamName}"),
    _named("rds", "CreateDBInstance", "db_instance", "DBInstanceIdentifier=identifier", "{DBInstanceIdentifier}"),
    _named("rds", "CreateDBParameterGroup", "db_parameter_group", "DBParameterGroupName=name", "{DBParameterGroupName}"),
    _named("rds", "CreateDBSubnetGroup", "db_subnet_group", "DBSubnetGroupName=name", "{DBSubnetGroupName}"),
    _named("resource-groups", "CreateGroup", "resourcegroups_group", "Name=name", "{Name}"),
    _named("s3", "CreateBucket", "s3_bucket", "Bucket=bucket", "{Bucket}"),
    _named("scheduler", "CreateSchedule", "scheduler_schedule", "GroupName=group_name Name=name", "{GroupName}/{Name}"),
    _named("scheduler", "CreateScheduleGroup", "scheduler_schedule_group", "Name=name", "{Name}"),
    _named("secretsmanager", "CreateSecret", "secretsmanager_secret", "Name=name", "{ARN}"),
    _named("ses", "CreateTemplate", "ses_template", "TemplateName=name", "{TemplateName}"),
    _named("ssm", "CreateDocument", "ssm_document", "Name=name", "{Name}"),
    _named("wafv2", "CreateIPSet", "wafv2_ip_set", "Name=name Scope=scope", "{Id}/{Name}/{Scope}"),
    _named("ssm", "PutParameter", "ssm_parameter", "Name=name", "{Name}"),
    # A second create is answered with what exists.
    _named("events", "PutRule", "cloudwatch_event_rule", "Name=name", "{Name}", "adopts"),
    _named("monitoring", "PutDashboard", "cloudwatch_dashboard", "DashboardName=dashboard_name", "{DashboardName}", "adopts"),
    _named("monitoring", "PutMetricAlarm", "cloudwatch_metric_alarm", "AlarmName=alarm_name", "{AlarmName}", "adopts"),
    _named("sns", "CreateTopic", "sns_topic", "Name=name", "{TopicArn}", "adopts"),
    _named("sns", "Subscribe", "sns_topic_subscription", "TopicArn=topic_arn Endpoint=endpoint Protocol=protocol", "{SubscriptionArn}", "adopts"),
    _named("sqs", "CreateQueue", "sqs_queue", "QueueName=name", "{QueueUrl}", "adopts"),
    _named("states", "CreateActivity", "sfn_activity", "name=name", "{activityArn}", "adopts"),
    # Set on something else. What it is set on cannot be destroyed before some of these.
    _named("autoscaling", "PutScalingPolicy", "autoscaling_policy", "AutoScalingGroupName=autoscaling_group_name PolicyName=name", "{AutoScalingGroupName}/{PolicyName}", "part"),
    _named("events", "PutTargets", "cloudwatch_event_target", "Rule=rule Id=target_id", "{Rule}/{Id}", "part"),
    _named("iam", "AttachGroupPolicy", "iam_group_policy_attachment", "GroupName=group PolicyArn=policy_arn", "{GroupName}/{PolicyArn}", "part"),
    _named("iam", "AttachRolePolicy", "iam_role_policy_attachment", "RoleName=role PolicyArn=policy_arn", "{RoleName}/{PolicyArn}", "part"),
    _named("iam", "AttachUserPolicy", "iam_user_policy_attachment", "UserName=user PolicyArn=policy_arn", "{UserName}/{PolicyArn}", "part"),
    _named("iam", "PutGroupPolicy", "iam_group_policy", "GroupName=group PolicyName=name", "{GroupName}:{PolicyName}", "part"),
    _named("iam", "PutRolePolicy", "iam_role_policy", "RoleName=role PolicyName=name", "{RoleName}:{PolicyName}", "part"),
    _named("iam", "PutUserPolicy", "iam_user_policy", "UserName=user PolicyName=name", "{UserName}:{PolicyName}", "part"),
    _named("logs", "PutMetricFilter", "cloudwatch_log_metric_filter", "logGroupName=log_group_name filterName=name", "{logGroupName}:{filterName}", "part"),
    _named("ecr", "PutLifecyclePolicy", "ecr_lifecycle_policy", "repositoryName=repository", "{repositoryName}", "part"),
    _named("ecr", "SetRepositoryPolicy", "ecr_repository_policy", "repositoryName=repository", "{repositoryName}", "part"),
    _named("logs", "PutResourcePolicy", "cloudwatch_log_resource_policy", "policyName=policy_name", "{policyName}", "part"),
    _named("s3", "PutBucketCors", "s3_bucket_cors_configuration", "Bucket=bucket", "{Bucket}", "part"),
    _named("s3", "PutBucketEncryption", "s3_bucket_server_side_encryption_configuration", "Bucket=bucket", "{Bucket}", "part"),
    _named("s3", "PutBucketLifecycleConfiguration", "s3_bucket_lifecycle_configuration", "Bucket=bucket", "{Bucket}", "part"),
    _named("s3", "PutBucketOwnershipControls", "s3_bucket_ownership_controls", "Bucket=bucket", "{Bucket}", "part"),
    _named("s3", "PutBucketPolicy", "s3_bucket_policy", "Bucket=bucket", "{Bucket}", "part"),
    _named("s3", "PutBucketWebsite", "s3_bucket_website_configuration", "Bucket=bucket", "{Bucket}", "part"),
    _named("s3", "PutPublicAccessBlock", "s3_bucket_public_access_block", "Bucket=bucket", "{Bucket}", "part"),
    _named("secretsmanager", "PutResourcePolicy", "secretsmanager_secret_policy", "SecretId=secret_arn", "{SecretId}", "part"),
    _named("dynamodb", "PutItem", "dynamodb_table_item", "TableName=table_name", "", "part"),
    _named("ec2", "AssociateDhcpOptions", "vpc_dhcp_options_association", "VpcId=vpc_id DhcpOptionsId=dhcp_options_id", "{VpcId}", "part"),
    _named("ec2", "CreateNetworkAclEntry", "network_acl_rule", "NetworkAclId=network_acl_id RuleNumber=rule_number Egress=egress", "{NetworkAclId}:{RuleNumber}:{Protocol}:{Egress}", "within"),
    _named("ec2", "CreateRoute", "route", "RouteTableId=route_table_id DestinationCidrBlock|DestinationIpv6CidrBlock|DestinationPrefixListId=destination_cidr_block|destination_ipv6_cidr_block|destination_prefix_list_id", "{RouteTableId}_{DestinationCidrBlock|DestinationIpv6CidrBlock|DestinationPrefixListId}", "within"),
    _named("ec2", "ReplaceRouteTableAssociation", "main_route_table_association", "RouteTableId=route_table_id", "", "part"),
    _named("iam", "AddUserToGroup", "iam_group_membership", "GroupName=group UserName=users", "", "part"),
    _named("iam", "AddUserToGroup", "iam_user_group_membership", "UserName=user GroupName=groups", "", "part"),
    _named("iam", "UpdateAccountPasswordPolicy", "iam_account_password_policy", "", "iam-account-password-policy", "part"),
    _named("route53", "ChangeResourceRecordSets", "route53_record", "Id=zone_id Name=fqdn|name Type=type SetIdentifier=set_identifier", "{Id}_{Name}_{Type}[_{SetIdentifier}]", "within", "Action=CREATE|UPSERT", "Name=name"),
    _named("s3", "CompleteMultipartUpload", "s3_object", "Bucket=bucket Key=key", "{Bucket}/{Key}", "part"),
    _named("s3", "PutBucketNotificationConfiguration", "s3_bucket_notification", "Bucket=bucket", "{Bucket}", "part"),
    _named("s3", "PutBucketVersioning", "s3_bucket_versioning", "Bucket=bucket", "{Bucket}", "part"),
    _named("s3", "PutObject", "s3_object", "Bucket=bucket Key=key", "{Bucket}/{Key}", "part"),
    _named("secretsmanager", "PutSecretValue", "secretsmanager_secret_version", "SecretId=secret_id VersionId=version_id", "{SecretId}|{VersionId}", "part"),
    _named("ses", "VerifyEmailIdentity", "ses_email_identity", "EmailAddress=email", "{EmailAddress}", "adopts"),
    _named("sns", "SetTopicAttributes", "sns_topic_policy", "TopicArn=arn", "{TopicArn}", "part", "AttributeName=Policy"),
    _named("sqs", "SetQueueAttributes", "sqs_queue_policy", "QueueUrl=queue_url", "{QueueUrl}", "part", "AttributeName=Policy"),
    # Of these the provider's import was not tried: they are told by their names, without a block.
    _named("autoscaling", "PutLifecycleHook", "autoscaling_lifecycle_hook", "AutoScalingGroupName=autoscaling_group_name LifecycleHookName=name", "", "part"),
    _named("autoscaling", "PutScheduledUpdateGroupAction", "autoscaling_schedule", "AutoScalingGroupName=autoscaling_group_name ScheduledActionName=scheduled_action_name", "", "part"),
    _named("backup", "PutBackupVaultAccessPolicy", "backup_vault_policy", "BackupVaultName=backup_vault_name", "", "part"),
    _named("elasticfilesystem", "PutFileSystemPolicy", "efs_file_system_policy", "FileSystemId=file_system_id", "", "part"),
    _named("elasticfilesystem", "PutBackupPolicy", "efs_backup_policy", "FileSystemId=file_system_id", "", "part"),
    _named("elasticloadbalancing", "AddListenerCertificates", "lb_listener_certificate", "ListenerArn=listener_arn CertificateArn=certificate_arn", "", "part"),
    _named("elasticloadbalancing", "RegisterTargets", "lb_target_group_attachment", "TargetGroupArn=target_group_arn Id=target_id", "", "part"),
    _named("ec2", "AssociateAddress", "eip_association", "AllocationId=allocation_id InstanceId=instance_id NetworkInterfaceId=network_interface_id", "", "part"),
    _named("ec2", "AssociateVpcCidrBlock", "vpc_ipv4_cidr_block_association", "VpcId=vpc_id CidrBlock=cidr_block", "", "part"),
    _named("ec2", "AttachInternetGateway", "internet_gateway_attachment", "InternetGatewayId=internet_gateway_id VpcId=vpc_id", "", "part"),
    _named("ec2", "AttachVolume", "volume_attachment", "VolumeId=volume_id InstanceId=instance_id", "", "part"),
    _named("kms", "PutKeyPolicy", "kms_key_policy", "KeyId=key_id", "", "part"),
    _named("lambda", "AddPermission", "lambda_permission", "FunctionName=function_name StatementId=statement_id", "", "part"),
    _named("logs", "PutSubscriptionFilter", "cloudwatch_log_subscription_filter", "logGroupName=log_group_name filterName=name", "", "part"),
    _named("route53", "AssociateVPCWithHostedZone", "route53_zone_association", "Id=zone_id VPCId=vpc_id", "", "part"),
    _named("s3", "CopyObject", "s3_object_copy", "Bucket=bucket Key=key", "", "part"),
    _named("s3", "PutBucketAccelerateConfiguration", "s3_bucket_accelerate_configuration", "Bucket=bucket", "", "part"),
    _named("s3", "PutBucketAcl", "s3_bucket_acl", "Bucket=bucket", "", "part"),
    _named("s3", "PutBucketInventoryConfiguration", "s3_bucket_inventory", "Bucket=bucket Id=name", "", "part"),
    _named("s3", "PutBucketLogging", "s3_bucket_logging", "Bucket=bucket", "", "part"),
    _named("s3", "PutBucketMetricsConfiguration", "s3_bucket_metric", "Bucket=bucket Id=name", "", "part"),
    _named("s3", "PutBucketReplication", "s3_bucket_replication_configuration", "Bucket=bucket", "", "part"),
    _named("s3", "PutBucketRequestPayment", "s3_bucket_request_payment_configuration", "Bucket=bucket", "", "part"),
    _named("s3", "PutObjectLockConfiguration", "s3_bucket_object_lock_configuration", "Bucket=bucket", "", "part"),
    _named("ses", "VerifyDomainIdentity", "ses_domain_identity", "Domain=domain", "", "part"),
    _named("sqs", "SetQueueAttributes", "sqs_queue_redrive_allow_policy", "QueueUrl=queue_url", "", "part", "AttributeName=RedriveAllowPolicy"),
    _named("sqs", "SetQueueAttributes", "sqs_queue_redrive_policy", "QueueUrl=queue_url", "", "part", "AttributeName=RedrivePolicy"),
    _named("wafv2", "AssociateWebACL", "wafv2_web_acl_association", "WebACLArn=web_acl_arn ResourceArn=resource_arn", "", "part"),
    # Only the id tells two of them apart.
    _anonymous("acm", "RequestCertificate", "acm_certificate", "{CertificateArn}", "DomainName=domain_name"),
    _anonymous("appconfig", "CreateApplication", "appconfig_application", "{Id}", "Name=name"),
    _anonymous("ec2", "AllocateAddress", "eip", "{AllocationId}"),
    _anonymous("ec2", "AuthorizeSecurityGroupEgress", "vpc_security_group_egress_rule", "{SecurityGroupRuleId}", "GroupId=security_group_id FromPort=from_port ToPort=to_port CidrIpv4=cidr_ipv4 IpProtocol=ip_protocol"),
    _anonymous("ec2", "AuthorizeSecurityGroupIngress", "vpc_security_group_ingress_rule", "{SecurityGroupRuleId}", "GroupId=security_group_id FromPort=from_port ToPort=to_port CidrIpv4=cidr_ipv4 IpProtocol=ip_protocol"),
    _anonymous("ec2", "CreateCustomerGateway", "customer_gateway", "{CustomerGatewayId}"),
    _anonymous("ec2", "CreateDhcpOptions", "vpc_dhcp_options", "{DhcpOptionsId}"),
    _anonymous("ec2", "CreateEgressOnlyInternetGateway", "egress_only_internet_gateway", "{EgressOnlyInternetGatewayId}", "VpcId=vpc_id"),
    _anonymous("ec2", "CreateFlowLogs", "flow_log", "{FlowLogId}"),
    _anonymous("ec2", "CreateInternetGateway", "internet_gateway", "{InternetGatewayId}"),
    _anonymous("ec2", "CreateManagedPrefixList", "ec2_managed_prefix_list", "{PrefixListId}", "PrefixListName=name"),
    _anonymous("ec2", "CreateNatGateway", "nat_gateway", "{NatGatewayId}", "SubnetId=subnet_id"),
    _anonymous("ec2", "CreateNetworkAcl", "network_acl", "{NetworkAclId}", "VpcId=vpc_id"),
    _anonymous("ec2", "CreateNetworkInterface", "network_interface", "{NetworkInterfaceId}", "SubnetId=subnet_id"),
    _anonymous("ec2", "CreateRouteTable", "route_table", "{RouteTableId}", "VpcId=vpc_id"),
    _anonymous("ec2", "CreateSecurityGroup", "security_group", "{GroupId}", "GroupName=name VpcId=vpc_id"),
    _anonymous("ec2", "CreateSnapshot", "ebs_snapshot", "{SnapshotId}", "VolumeId=volume_id"),
    _anonymous("ec2", "CreateSubnet", "subnet", "{SubnetId}", "VpcId=vpc_id CidrBlock=cidr_block AvailabilityZone=availability_zone"),
    _anonymous("ec2", "CreateVolume", "ebs_volume", "{VolumeId}", "AvailabilityZone=availability_zone"),
    _anonymous("ec2", "CreateVpc", "vpc", "{VpcId}", "CidrBlock=cidr_block"),
    _anonymous("ec2", "CreateVpcEndpoint", "vpc_endpoint", "{VpcEndpointId}", "VpcId=vpc_id ServiceName=service_name"),
    _anonymous("ec2", "CreateVpnGateway", "vpn_gateway", "{VpnGatewayId}"),
    _anonymous("ec2", "RunInstances", "instance", "{InstanceId}", "SubnetId=subnet_id"),
    _anonymous("ecs", "RegisterTaskDefinition", "ecs_task_definition", "{taskDefinitionArn}", "family=family"),
    _anonymous("elasticfilesystem", "CreateAccessPoint", "efs_access_point", "{AccessPointId}", "FileSystemId=file_system_id"),
    _anonymous("elasticfilesystem", "CreateFileSystem", "efs_file_system", "{FileSystemId}"),
    _anonymous("elasticfilesystem", "CreateMountTarget", "efs_mount_target", "{MountTargetId}", "FileSystemId=file_system_id SubnetId=subnet_id"),
    _anonymous("elasticloadbalancing", "CreateListener", "lb_listener", "{ListenerArn}", "LoadBalancerArn=load_balancer_arn Protocol=protocol"),
    _anonymous("elasticloadbalancing", "CreateRule", "lb_listener_rule", "{RuleArn}", "ListenerArn=listener_arn"),
    _anonymous("kms", "CreateKey", "kms_key", "{KeyId}"),
    _anonymous("route53", "CreateHealthCheck", "route53_health_check", "{Id}", "FullyQualifiedDomainName=fqdn"),
    _anonymous("route53", "CreateHostedZone", "route53_zone", "{Id}", "Name=name"),
    _anonymous("servicediscovery", "CreateService", "service_discovery_service", "{Id}", "Name=name"),
    _anonymous("ssm", "CreateMaintenanceWindow", "ssm_maintenance_window", "{WindowId}", "Name=name"),
)  # fmt: skip
