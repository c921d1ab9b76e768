"""Which attributes show which other resources: a table, made from the documentation of hashicorp/aws. Pure.

Each of these resources warns there that its parent has an argument for the same thing, or the parent has an attribute
that lists them. `reflections` asks it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final


@dataclass(frozen=True, kw_only=True)
class Shown:
    """Resources that an attribute shows."""

    type: str
    """Their type."""
    whole: bool = False
    """Whether one of them decides all of the attribute, and would tell itself what was changed; else each accounts for
    an element."""
    counted: tuple[tuple[str, str], ...] = ()
    """Of a number: their attributes that name who is counted, each with what that is."""
    link: tuple[str, ...] = ()
    """Their attributes that name the resource whose attribute it is; empty: any does."""
    parent: tuple[str, ...] = ()
    """Attributes of that resource by which it is named there, beside those that every resource has."""
    where: Mapping[str, Any] = field(default_factory=dict)
    """Which of them: those with these values."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _whole(*types: str, by: str = "", parent: str = "") -> tuple[Shown, ...]:
    """`by` and `parent` are `link` and `parent`, with spaces between."""
    return tuple(Shown(type=one, whole=True, link=_words(by), parent=_words(parent)) for one in types)


def _each(*types: str, by: str = "", parent: str = "", **where: Any) -> tuple[Shown, ...]:
    return tuple(Shown(type=one, link=_words(by), parent=_words(parent), where=where) for one in types)


def _counted(kind: str, by: str, of: str) -> tuple[Shown, ...]:
    """`of` is `attribute=what`, or more of them with spaces between."""
    counted = tuple((name, what or name) for name, _, what in (pair.partition("=") for pair in of.split()))
    return (Shown(type=kind, link=_words(by), counted=counted),)


_GROUP: Final = {
    "ingress": (
        *_each("aws_security_group_rule", by="security_group_id", type="ingress"),
        *_each("aws_vpc_security_group_ingress_rule", by="security_group_id"),
    ),
    "egress": (
        *_each("aws_security_group_rule", by="security_group_id", type="egress"),
        *_each("aws_vpc_security_group_egress_rule", by="security_group_id"),
    ),
}
_ACL: Final = {
    "ingress": _each("aws_network_acl_rule", by="network_acl_id", egress=False),
    "egress": _each("aws_network_acl_rule", by="network_acl_id", egress=True),
    "subnet_ids": _each("aws_network_acl_association", by="network_acl_id"),
}
_CLUSTER: Final = {
    "cluster_members": _each(
        "aws_rds_cluster_instance",
        "aws_neptune_cluster_instance",
        "aws_docdb_cluster_instance",
        by="cluster_identifier",
        parent="cluster_identifier",
    ),
    "iam_roles": _each("aws_rds_cluster_role_association", by="db_cluster_identifier", parent="cluster_identifier"),
}
_ROUTES: Final = {
    "route": (*_each("aws_route", by="route_table_id"), *_each("aws_vpc_endpoint", by="route_table_ids")),
    "propagating_vgws": _each("aws_vpn_gateway_route_propagation", by="route_table_id"),
}


def _bucket(kind: str) -> tuple[Shown, ...]:
    return _whole(f"aws_s3_bucket_{kind}", by="bucket")


#: Resource type -> attribute -> what it shows.
TABLE: Final[Mapping[str, Mapping[str, tuple[Shown, ...]]]] = {
    "aws_iam_policy": {
        "attachment_count": (
            *_counted("aws_iam_role_policy_attachment", "policy_arn", "role"),
            *_counted("aws_iam_user_policy_attachment", "policy_arn", "user"),
            *_counted("aws_iam_group_policy_attachment", "policy_arn", "group"),
            *_counted("aws_iam_policy_attachment", "policy_arn", "roles=role users=user groups=group"),
            *_counted("aws_iam_role", "managed_policy_arns", "name=role"),
            *_counted("aws_iam_role_policy_attachments_exclusive", "policy_arns", "role_name=role"),
            *_counted("aws_iam_user_policy_attachments_exclusive", "policy_arns", "user_name=user"),
            *_counted("aws_iam_group_policy_attachments_exclusive", "policy_arns", "group_name=group"),
        ),
    },
    "aws_iam_role": {
        "inline_policy": _each("aws_iam_role_policy", by="role"),
        "managed_policy_arns": (
            *_each("aws_iam_role_policy_attachment", by="role"),
            *_each("aws_iam_policy_attachment", by="roles"),
        ),
    },
    "aws_security_group": _GROUP,
    "aws_default_security_group": _GROUP,
    "aws_network_acl": _ACL,
    "aws_default_network_acl": _ACL,
    "aws_route_table": _ROUTES,
    "aws_default_route_table": _ROUTES,
    "aws_s3_bucket": {
        "acceleration_status": _bucket("accelerate_configuration"),
        "acl": _bucket("acl"),
        "cors_rule": _bucket("cors_configuration"),
        "grant": _bucket("acl"),
        "lifecycle_rule": _bucket("lifecycle_configuration"),
        "logging": _bucket("logging"),
        "object_lock_configuration": _bucket("object_lock_configuration"),
        "object_lock_enabled": _bucket("object_lock_configuration"),
        "policy": _bucket("policy"),
        "replication_configuration": _bucket("replication_configuration"),
        "request_payer": _bucket("request_payment_configuration"),
        "server_side_encryption_configuration": _bucket("server_side_encryption_configuration"),
        "versioning": _bucket("versioning"),
        "website": _bucket("website_configuration"),
        "website_domain": _bucket("website_configuration"),
        "website_endpoint": _bucket("website_configuration"),
    },
    "aws_sqs_queue": {
        "policy": _whole("aws_sqs_queue_policy", by="queue_url"),
        "redrive_allow_policy": _whole("aws_sqs_queue_redrive_allow_policy", by="queue_url"),
        "redrive_policy": _whole("aws_sqs_queue_redrive_policy", by="queue_url"),
    },
    "aws_sns_topic": {"policy": _whole("aws_sns_topic_policy", by="arn")},
    "aws_kms_key": {"policy": _whole("aws_kms_key_policy", by="key_id", parent="key_id")},
    "aws_secretsmanager_secret": {"policy": _whole("aws_secretsmanager_secret_policy", by="secret_arn")},
    "aws_api_gateway_rest_api": {"policy": _whole("aws_api_gateway_rest_api_policy", by="rest_api_id")},
    "aws_opensearch_domain": {
        "access_policies": _whole("aws_opensearch_domain_policy", by="domain_name", parent="domain_name")
    },
    "aws_elasticsearch_domain": {
        "access_policies": _whole("aws_elasticsearch_domain_policy", by="domain_name", parent="domain_name")
    },
    "aws_vpc": {
        "default_route_table_id": _whole("aws_main_route_table_association", by="vpc_id"),
        "dhcp_options_id": _whole("aws_vpc_dhcp_options_association", by="vpc_id"),
        "main_route_table_id": _whole("aws_main_route_table_association", by="vpc_id"),
        "ipv6_association_id": _whole("aws_vpc_ipv6_cidr_block_association", by="vpc_id"),
        "ipv6_cidr_block": _whole("aws_vpc_ipv6_cidr_block_association", by="vpc_id"),
    },
    "aws_vpc_endpoint": {
        "policy": _whole("aws_vpc_endpoint_policy", by="vpc_endpoint_id"),
        "route_table_ids": _each("aws_vpc_endpoint_route_table_association", by="vpc_endpoint_id"),
        "security_group_ids": _each("aws_vpc_endpoint_security_group_association", by="vpc_endpoint_id"),
        "subnet_ids": _each("aws_vpc_endpoint_subnet_association", by="vpc_endpoint_id"),
    },
    "aws_internet_gateway": {"vpc_id": _whole("aws_internet_gateway_attachment", by="internet_gateway_id")},
    "aws_vpn_gateway": {"vpc_id": _whole("aws_vpn_gateway_attachment", by="vpn_gateway_id")},
    "aws_network_interface": {
        "attachment": (
            *_whole("aws_network_interface_attachment", by="network_interface_id"),
            *_whole("aws_instance"),
        ),
        "security_groups": _each("aws_network_interface_sg_attachment", by="network_interface_id"),
    },
    "aws_instance": {
        "ebs_block_device": _each("aws_volume_attachment", by="instance_id"),
        "public_dns": (*_whole("aws_eip", by="instance"), *_whole("aws_eip_association", by="instance_id")),
        "public_ip": (*_each("aws_eip", by="instance"), *_each("aws_eip_association", by="instance_id")),
        "vpc_security_group_ids": _each("aws_network_interface_sg_attachment"),
    },
    "aws_eip": {
        **{
            name: (*_each("aws_eip_association", "aws_nat_gateway", by="allocation_id"), *_whole("aws_lb"))
            for name in ("association_id", "instance", "network_interface", "private_ip")
        },
        "private_dns": (*_whole("aws_eip_association", "aws_nat_gateway", by="allocation_id"), *_whole("aws_lb")),
    },
    "aws_efs_file_system": {"number_of_mount_targets": _counted("aws_efs_mount_target", "file_system_id", "id")},
    "aws_autoscaling_group": {
        "load_balancers": _each("aws_autoscaling_attachment", by="autoscaling_group_name"),
        "target_group_arns": _each("aws_autoscaling_attachment", by="autoscaling_group_name"),
        "traffic_source": _each(
            "aws_autoscaling_traffic_source_attachment", "aws_autoscaling_attachment", by="autoscaling_group_name"
        ),
    },
    "aws_elb": {"instances": _each("aws_elb_attachment", by="elb")},
    "aws_lb_target_group": {"load_balancer_arns": _each("aws_lb_listener", "aws_lb_listener_rule", "aws_lb")},
    "aws_rds_cluster": _CLUSTER,
    "aws_neptune_cluster": _CLUSTER,
    "aws_docdb_cluster": {
        "cluster_members": _each("aws_docdb_cluster_instance", by="cluster_identifier", parent="cluster_identifier")
    },
    **{
        f"aws_{kind}_global_cluster": {
            "global_cluster_members": _each(
                f"aws_{kind}_cluster", by="global_cluster_identifier", parent="global_cluster_identifier"
            )
        }
        for kind in ("docdb", "neptune", "rds")
    },
    "aws_redshift_cluster": {
        name: _whole(f"aws_redshift_{kind}", by="cluster_identifier", parent="cluster_identifier")
        for name, kind in (
            ("iam_roles", "cluster_iam_roles"),
            ("logging", "logging"),
            ("snapshot_copy", "snapshot_copy"),
        )
    },
    "aws_elasticache_user_group": {
        "user_ids": _each("aws_elasticache_user_group_association", by="user_group_id", parent="user_group_id")
    },
    "aws_acmpca_certificate_authority": {
        name: _whole("aws_acmpca_certificate_authority_certificate", by="certificate_authority_arn")
        for name in ("certificate", "certificate_chain", "not_after", "not_before", "serial")
    },
    "aws_api_gateway_stage": {"web_acl_arn": _whole("aws_wafv2_web_acl_association", by="resource_arn")},
    "aws_ec2_managed_prefix_list": {
        "entry": _each("aws_ec2_managed_prefix_list_entry", by="prefix_list_id"),
        "version": _whole("aws_ec2_managed_prefix_list_entry", by="prefix_list_id"),
    },
    "aws_ec2_transit_gateway": {
        f"{kind}_default_route_table_id": _whole(
            f"aws_ec2_transit_gateway_default_route_table_{kind}", by="transit_gateway_id"
        )
        for kind in ("association", "propagation")
    },
    "aws_vpc_endpoint_service": {
        "allowed_principals": _each("aws_vpc_endpoint_service_allowed_principal", by="vpc_endpoint_service_id")
    },
    "aws_db_instance": {"replicas": _each("aws_db_instance", by="replicate_source_db", parent="identifier")},
    "aws_elasticache_replication_group": {
        "member_clusters": _each("aws_elasticache_cluster", by="replication_group_id", parent="replication_group_id")
    },
    "aws_route53_zone": {"vpc": _each("aws_route53_zone_association", by="zone_id", parent="zone_id")},
    "aws_acm_certificate": {
        name: _whole("aws_acm_certificate_validation", by="certificate_arn")
        for name in ("status", "not_after", "not_before", "pending_renewal", "renewal_eligibility", "renewal_summary")
    },
    "aws_cognito_user_pool": {
        "custom_domain": _each("aws_cognito_user_pool_domain", by="user_pool_id"),
        "domain": _each("aws_cognito_user_pool_domain", by="user_pool_id"),
    },
    "aws_dynamodb_table": {"replica": _each("aws_dynamodb_table_replica", by="global_table_arn")},
}
