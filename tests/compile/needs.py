"""Which operations a resource type needs, by action: recorded traces, and what the models add to them.

    python -m tests.compile.needs

A trace shows what one configuration called. Another one sets further attributes, so the models add, for each type, the
operations of its service that change a thing of the same name: for aws_instance, whose create called RunInstances,
ModifyInstanceAttribute and its like. Nothing that creates, deletes, touches data or manages permissions is added so;
what else a type needs stands in FURTHER, with the reason.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from signing_proxy.access import OperationClass, access_table, class_of

TRACES = Path(__file__).resolve().parents[1] / "aws_corpus" / "traces.json"
TABLE = Path(__file__).resolve().parents[2] / "signing_proxy" / "needs.json"

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z0-9]*")
#: Verbs of the updates that the models add; an operation counts if what follows the verb begins with the thing's name.
_DOES = "Modify|Update|Set|Put|Enable|Associate|Attach|Start|Change|Increase"
_UNDOES = "Disable|Disassociate|Detach|Stop|Decrease|Reset|Reboot|Replace"
_UNDOES_FIRST = "Disable|Disassociate|Detach|Stop"
_TAG = re.compile(r"(Tag|AddTags|CreateTags|CreateOrUpdateTags|ChangeTags|Put\w*Tagging)\w*")
_UNTAG = re.compile(r"(Untag|RemoveTags|DeleteTags|ChangeTags|Delete\w*Tagging)\w*")
#: Tags whatever it is.
_TAGS_ANYTHING = re.compile(r"\w+(Tags|TagResource|UntagResource|Resource)|TagResource|UntagResource")

#: (type, action) -> operations that neither a trace nor a model shows.
FURTHER: dict[tuple[str, str], str] = {
    # force_destroy empties the bucket first.
    ("aws_s3_bucket", "delete"): "s3:DeleteObject s3:DeleteObjects",
    # A large object goes up in parts.
    ("aws_s3_object", "create"): "s3:AbortMultipartUpload s3:CompleteMultipartUpload s3:CreateMultipartUpload"
    " s3:UploadPart",
    ("aws_s3_object", "update"): "s3:AbortMultipartUpload s3:CompleteMultipartUpload s3:CreateMultipartUpload"
    " s3:PutObjectAcl s3:PutObjectLegalHold s3:PutObjectRetention s3:PutObjectTagging s3:UploadPart",
    # force_destroy deletes the records first.
    ("aws_route53_zone", "delete"): "route53:ChangeResourceRecordSets",
    # force_detach_policies, and inline policies that the role still holds.
    ("aws_iam_role", "delete"): "iam:DeleteRolePermissionsBoundary iam:DeleteRolePolicy iam:DetachRolePolicy"
    " iam:RemoveRoleFromInstanceProfile",
    ("aws_iam_role", "update"): "iam:DeleteRolePermissionsBoundary iam:PutRolePermissionsBoundary"
    " iam:UpdateAssumeRolePolicy",
    # force_destroy takes off what the user still holds.
    ("aws_iam_user", "delete"): "iam:DeactivateMFADevice iam:DeleteAccessKey iam:DeleteLoginProfile"
    " iam:DeleteSSHPublicKey iam:DeleteServiceSpecificCredential iam:DeleteSigningCertificate iam:DeleteUserPolicy"
    " iam:DeleteVirtualMFADevice iam:DetachUserPolicy iam:RemoveUserFromGroup",
    # A version is made for each change, the oldest of five is deleted for it.
    ("aws_iam_policy", "update"): "iam:CreatePolicyVersion iam:DeletePolicyVersion iam:SetDefaultPolicyVersion",
    ("aws_iam_policy", "delete"): "iam:DeletePolicyVersion",
    # Rules within the group.
    ("aws_security_group", "update"): "ec2:AuthorizeSecurityGroupEgress ec2:AuthorizeSecurityGroupIngress"
    " ec2:RevokeSecurityGroupEgress ec2:RevokeSecurityGroupIngress",
    # Routes and their targets within the table.
    ("aws_route_table", "create"): "ec2:CreateRoute ec2:EnableVgwRoutePropagation",
    ("aws_route_table", "update"): "ec2:CreateRoute ec2:DeleteRoute ec2:DisableVgwRoutePropagation"
    " ec2:EnableVgwRoutePropagation ec2:ReplaceRoute",
    ("aws_network_acl", "update"): "ec2:CreateNetworkAclEntry ec2:DeleteNetworkAclEntry"
    " ec2:ReplaceNetworkAclAssociation ec2:ReplaceNetworkAclEntry",
    ("aws_launch_template", "update"): "ec2:CreateLaunchTemplateVersion ec2:ModifyLaunchTemplate",
    # A key's policy is an attribute of it.
    ("aws_kms_key", "create"): "kms:PutKeyPolicy",
    ("aws_kms_key", "update"): "kms:DisableKey kms:DisableKeyRotation kms:EnableKey kms:EnableKeyRotation"
    " kms:PutKeyPolicy",
    # So is a queue's, a topic's and a secret's.
    ("aws_sqs_queue", "create"): "sqs:SetQueueAttributes",
    ("aws_sqs_queue", "update"): "sqs:SetQueueAttributes",
    ("aws_sns_topic", "create"): "sns:SetTopicAttributes",
    ("aws_sns_topic", "update"): "sns:SetTopicAttributes",
    ("aws_secretsmanager_secret", "create"): "secretsmanager:PutResourcePolicy secretsmanager:RestoreSecret",
    ("aws_secretsmanager_secret", "update"): "secretsmanager:DeleteResourcePolicy secretsmanager:PutResourcePolicy"
    " secretsmanager:RemoveRegionsFromReplication secretsmanager:ReplicateSecretToRegions",
    ("aws_db_instance", "update"): "rds:AddRoleToDBInstance rds:RebootDBInstance rds:RemoveRoleFromDBInstance",
    # What a table is given after it was made.
    ("aws_dynamodb_table", "create"): "dynamodb:EnableKinesisStreamingDestination dynamodb:PutResourcePolicy"
    " dynamodb:UpdateContinuousBackups dynamodb:UpdateContributorInsights dynamodb:UpdateTimeToLive",
    ("aws_dynamodb_table", "update"): "dynamodb:DeleteResourcePolicy dynamodb:DisableKinesisStreamingDestination"
    " dynamodb:EnableKinesisStreamingDestination dynamodb:PutResourcePolicy dynamodb:UpdateContinuousBackups"
    " dynamodb:UpdateContributorInsights dynamodb:UpdateTimeToLive",
    # A load balancer's settings have names of their own.
    ("aws_lb", "create"): "elasticloadbalancing:ModifyCapacityReservation elasticloadbalancing:SetIpAddressType"
    " elasticloadbalancing:SetSecurityGroups elasticloadbalancing:SetSubnets",
    ("aws_lb", "update"): "elasticloadbalancing:ModifyCapacityReservation elasticloadbalancing:ModifyIpPools"
    " elasticloadbalancing:SetIpAddressType elasticloadbalancing:SetSecurityGroups elasticloadbalancing:SetSubnets",
    ("aws_lb_listener", "update"): "elasticloadbalancing:AddListenerCertificates"
    " elasticloadbalancing:RemoveListenerCertificates",
    ("aws_lb_listener_rule", "update"): "elasticloadbalancing:SetRulePriorities",
    # So have a scaling group's.
    ("aws_autoscaling_group", "create"): "autoscaling:AttachLoadBalancerTargetGroups autoscaling:AttachLoadBalancers"
    " autoscaling:AttachTrafficSources autoscaling:EnableMetricsCollection autoscaling:PutLifecycleHook"
    " autoscaling:PutWarmPool autoscaling:SuspendProcesses autoscaling:UpdateAutoScalingGroup",
    ("aws_autoscaling_group", "update"): "autoscaling:AttachLoadBalancerTargetGroups autoscaling:AttachLoadBalancers"
    " autoscaling:AttachTrafficSources autoscaling:CancelInstanceRefresh autoscaling:DeleteWarmPool"
    " autoscaling:DetachLoadBalancerTargetGroups autoscaling:DetachLoadBalancers autoscaling:DetachTrafficSources"
    " autoscaling:DisableMetricsCollection autoscaling:EnableMetricsCollection autoscaling:PutLifecycleHook"
    " autoscaling:PutWarmPool autoscaling:ResumeProcesses autoscaling:SetInstanceProtection"
    " autoscaling:StartInstanceRefresh autoscaling:SuspendProcesses autoscaling:TerminateInstanceInAutoScalingGroup",
    ("aws_autoscaling_group", "delete"): "autoscaling:DeleteWarmPool autoscaling:SetInstanceProtection"
    " autoscaling:UpdateAutoScalingGroup",
    ("aws_ecs_cluster", "create"): "ecs:PutClusterCapacityProviders ecs:UpdateClusterSettings",
    ("aws_ecs_cluster", "update"): "ecs:PutClusterCapacityProviders ecs:UpdateClusterSettings",
    ("aws_ecr_repository", "create"): "ecr:PutImageScanningConfiguration ecr:PutImageTagMutability",
    ("aws_ecr_repository", "update"): "ecr:PutImageScanningConfiguration ecr:PutImageTagMutability",
    ("aws_efs_file_system", "create"): "elasticfilesystem:PutLifecycleConfiguration"
    " elasticfilesystem:UpdateFileSystemProtection",
    ("aws_efs_file_system", "update"): "elasticfilesystem:PutLifecycleConfiguration"
    " elasticfilesystem:UpdateFileSystemProtection",
    ("aws_efs_mount_target", "update"): "elasticfilesystem:ModifyMountTargetSecurityGroups",
    ("aws_cloudwatch_log_group", "create"): "logs:AssociateKmsKey logs:PutRetentionPolicy",
    ("aws_cloudwatch_log_group", "update"): "logs:AssociateKmsKey logs:DeleteRetentionPolicy logs:DisassociateKmsKey"
    " logs:PutRetentionPolicy",
    ("aws_cloudwatch_event_rule", "update"): "events:DisableRule events:EnableRule",
    ("aws_cloudwatch_metric_alarm", "update"): "monitoring:PutMetricAlarm",
    ("aws_kinesis_stream", "create"): "kinesis:EnableEnhancedMonitoring kinesis:IncreaseStreamRetentionPeriod"
    " kinesis:StartStreamEncryption",
    ("aws_kinesis_stream", "update"): "kinesis:DecreaseStreamRetentionPeriod kinesis:DisableEnhancedMonitoring"
    " kinesis:EnableEnhancedMonitoring kinesis:IncreaseStreamRetentionPeriod kinesis:StartStreamEncryption"
    " kinesis:StopStreamEncryption kinesis:UpdateShardCount kinesis:UpdateStreamMode",
    ("aws_route53_zone", "create"): "route53:AssociateVPCWithHostedZone",
    ("aws_route53_zone", "update"): "route53:AssociateVPCWithHostedZone route53:DisassociateVPCFromHostedZone"
    " route53:UpdateHostedZoneComment",
    ("aws_vpc", "create"): "ec2:AssociateVpcCidrBlock ec2:ModifyVpcAttribute ec2:ModifyVpcTenancy",
    ("aws_vpc", "update"): "ec2:AssociateVpcCidrBlock ec2:DisassociateVpcCidrBlock ec2:ModifyVpcAttribute",
    ("aws_subnet", "create"): "ec2:AssociateSubnetCidrBlock ec2:ModifySubnetAttribute",
    ("aws_subnet", "update"): "ec2:AssociateSubnetCidrBlock ec2:DisassociateSubnetCidrBlock ec2:ModifySubnetAttribute",
    ("aws_internet_gateway", "create"): "ec2:AttachInternetGateway",
    ("aws_internet_gateway", "update"): "ec2:AttachInternetGateway ec2:DetachInternetGateway",
    ("aws_internet_gateway", "delete"): "ec2:DetachInternetGateway",
    ("aws_ssm_parameter", "update"): "ssm:PutParameter",
    ("aws_secretsmanager_secret_version", "update"): "secretsmanager:UpdateSecretVersionStage",
    ("aws_secretsmanager_secret_version", "delete"): "secretsmanager:UpdateSecretVersionStage",
    ("aws_instance", "create"): "ec2:AssociateIamInstanceProfile ec2:MonitorInstances",
    ("aws_instance", "update"): "ec2:AssociateIamInstanceProfile ec2:AttachVolume ec2:DetachVolume"
    " ec2:DisassociateIamInstanceProfile ec2:MonitorInstances ec2:ReplaceIamInstanceProfileAssociation"
    " ec2:StartInstances ec2:StopInstances ec2:UnmonitorInstances",
    ("aws_eip", "update"): "ec2:AssociateAddress ec2:DisassociateAddress",
    ("aws_eip", "create"): "ec2:AssociateAddress",
    ("aws_eip", "delete"): "ec2:DisassociateAddress",
}


def build(traces: dict[str, dict[str, list[str]]]) -> dict[str, dict[str, list[str]]]:
    """Complete the traces. A type without a recorded create is left out: better bounded by class than by half a map."""
    types: dict[str, dict[str, list[str]]] = {}
    for kind, actions in sorted(traces.items()):
        made, changed, gone = (set(actions.get(action, ())) for action in ("create", "update", "delete"))
        if not made:
            continue
        nouns = {noun(name) for name in made} - {""}
        services = {name.partition(":")[0] for name in made | changed | gone}
        does, undoes = _updates(services, nouns, _DOES), _updates(services, nouns, _UNDOES)
        tags, untags = _tagging(services, nouns, _TAG), _tagging(services, nouns, _UNTAG)
        again = {name for name in made if _is_set_again(name)}
        types[kind] = {
            "create": sorted(made | does | tags | _further(kind, "create")),
            "update": sorted(changed | does | undoes | again | tags | untags | _further(kind, "update")),
            "delete": sorted(gone | _updates(services, nouns, _UNDOES_FIRST) | _further(kind, "delete")),
        }
    return types


def _is_set_again(name: str) -> bool:
    """Whether an update may call what made it: it sets something (Put…, Attach…), and does not make another one."""
    return _kind(name) in (OperationClass.UPDATE, OperationClass.PERMISSION) and ":Create" not in name


def noun(name: str) -> str:
    """What an operation is about: sqs:CreateQueue -> Queue."""
    return "".join(_WORDS.findall(name.partition(":")[2])[1:])


def _updates(services: set[str], nouns: set[str], verbs: str) -> set[str]:
    """Operations of class update that one of these verbs makes of one of these things."""
    things = "|".join(re.escape(word.removesuffix("s")) for word in sorted(nouns))
    pattern = re.compile(rf"({verbs})({things})\w*")
    return {
        f"{service}:{operation}"
        for service in services
        for operation, kind in access_table()[service].items()
        if things and kind is OperationClass.UPDATE and pattern.fullmatch(operation)
    }


def _tagging(services: set[str], nouns: set[str], pattern: re.Pattern[str]) -> set[str]:
    """Operations that tag anything, or one of these things."""
    return {
        f"{service}:{operation}"
        for service in services
        for operation, kind in access_table()[service].items()
        if pattern.fullmatch(operation)
        and not kind.reads
        and kind is not OperationClass.DATA
        and (_TAGS_ANYTHING.fullmatch(operation) or any(word.removesuffix("s") in operation for word in nouns))
    }


def _further(kind: str, action: str) -> set[str]:
    return set(FURTHER.get((kind, action), "").split())


def _kind(name: str) -> OperationClass:
    service, _, operation = name.partition(":")
    return class_of(service, operation)


if __name__ == "__main__":
    table = {"types": build(json.loads(TRACES.read_text(encoding="utf-8"))["types"])}
    TABLE.write_text(json.dumps(table, indent=0, sort_keys=True) + "\n", encoding="utf-8")
