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
    """Whether one of them decides all of the attribute; else each accounts for an element of it."""
    where: Mapping[str, Any] = field(default_factory=dict)
    """Which of them: those with these values."""


def _whole(*types: str) -> tuple[Shown, ...]:
    return tuple(Shown(type=one, whole=True) for one in types)


def _each(*types: str, **where: Any) -> tuple[Shown, ...]:
    return tuple(Shown(type=one, where=where) for one in types)


_GROUP: Final = {
    "ingress": (
        *_each("aws_security_group_rule", type="ingress"),
        *_each("aws_vpc_security_group_ingress_rule"),
    ),
    "egress": (
        *_each("aws_security_group_rule", type="egress"),
        *_each("aws_vpc_security_group_egress_rule"),
    ),
}
_ACL: Final = {
    "ingress": _each("aws_network_acl_rule", egress=False),
    "egress": _each("aws_network_acl_rule", egress=True),
    "subnet_ids": _each("aws_network_acl_association"),
}
_CLUSTER: Final = {
    "cluster_members": _each("aws_rds_cluster_instance", "aws_neptune_cluster_instance", "aws_docdb_cluster_instance"),
    "iam_roles": _each("aws_rds_cluster_role_association"),
}
_ROUTES: Final = {
    "route": _each("aws_route", "aws_vpc_endpoint"),
    "propagating_vgws": _each("aws_vpn_gateway_route_propagation"),
}
#: Resource type -> attribute -> what it shows.
TABLE: Final[Mapping[str, Mapping[str, tuple[Shown, ...]]]] = {
    "aws_iam_policy": {
        "attachment_count": _whole(
            "aws_iam_role_policy_attachment",
            "aws_iam_user_policy_attachment",
            "aws_iam_group_policy_attachment",
            "aws_iam_policy_attachment",
        ),
    },
    "aws_iam_role": {
        "inline_policy": _each("aws_iam_role_policy"),
        "managed_policy_arns": _each("aws_iam_role_policy_attachment", "aws_iam_policy_attachment"),
    },
    "aws_security_group": _GROUP,
    "aws_default_security_group": _GROUP,
    "aws_network_acl": _ACL,
    "aws_default_network_acl": _ACL,
    "aws_route_table": _ROUTES,
    "aws_default_route_table": _ROUTES,
    "aws_s3_bucket": {
        "acceleration_status": _whole("aws_s3_bucket_accelerate_configuration"),
        "acl": _whole("aws_s3_bucket_acl"),
        "cors_rule": _whole("aws_s3_bucket_cors_configuration"),
        "grant": _whole("aws_s3_bucket_acl"),
        "lifecycle_rule": _whole("aws_s3_bucket_lifecycle_configuration"),
        "logging": _whole("aws_s3_bucket_logging"),
        "object_lock_configuration": _whole("aws_s3_bucket_object_lock_configuration"),
        "object_lock_enabled": _whole("aws_s3_bucket_object_lock_configuration"),
        "policy": _whole("aws_s3_bucket_policy"),
        "replication_configuration": _whole("aws_s3_bucket_replication_configuration"),
        "request_payer": _whole("aws_s3_bucket_request_payment_configuration"),
        "server_side_encryption_configuration": _whole("aws_s3_bucket_server_side_encryption_configuration"),
        "versioning": _whole("aws_s3_bucket_versioning"),
        "website": _whole("aws_s3_bucket_website_configuration"),
        "website_domain": _whole("aws_s3_bucket_website_configuration"),
        "website_endpoint": _whole("aws_s3_bucket_website_configuration"),
    },
    "aws_sqs_queue": {
        "policy": _whole("aws_sqs_queue_policy"),
        "redrive_allow_policy": _whole("aws_sqs_queue_redrive_allow_policy"),
        "redrive_policy": _whole("aws_sqs_queue_redrive_policy"),
    },
    "aws_sns_topic": {"policy": _whole("aws_sns_topic_policy")},
    "aws_kms_key": {"policy": _whole("aws_kms_key_policy")},
    "aws_secretsmanager_secret": {"policy": _whole("aws_secretsmanager_secret_policy")},
    "aws_api_gateway_rest_api": {"policy": _whole("aws_api_gateway_rest_api_policy")},
    "aws_opensearch_domain": {"access_policies": _whole("aws_opensearch_domain_policy")},
    "aws_elasticsearch_domain": {"access_policies": _whole("aws_elasticsearch_domain_policy")},
    "aws_vpc": {
        "default_route_table_id": _whole("aws_main_route_table_association"),
        "dhcp_options_id": _whole("aws_vpc_dhcp_options_association"),
        "main_route_table_id": _whole("aws_main_route_table_association"),
        "ipv6_association_id": _whole("aws_vpc_ipv6_cidr_block_association"),
        "ipv6_cidr_block": _whole("aws_vpc_ipv6_cidr_block_association"),
    },
    "aws_vpc_endpoint": {
        "policy": _whole("aws_vpc_endpoint_policy"),
        "route_table_ids": _each("aws_vpc_endpoint_route_table_association"),
        "security_group_ids": _each("aws_vpc_endpoint_security_group_association"),
        "subnet_ids": _each("aws_vpc_endpoint_subnet_association"),
    },
    "aws_internet_gateway": {"vpc_id": _whole("aws_internet_gateway_attachment")},
    "aws_vpn_gateway": {"vpc_id": _whole("aws_vpn_gateway_attachment")},
    "aws_network_interface": {
        "attachment": _whole("aws_network_interface_attachment", "aws_instance"),
        "security_groups": _each("aws_network_interface_sg_attachment"),
    },
    "aws_instance": {
        "ebs_block_device": _each("aws_volume_attachment"),
        "public_dns": _whole("aws_eip", "aws_eip_association"),
        "public_ip": _whole("aws_eip", "aws_eip_association"),
        "vpc_security_group_ids": _each("aws_network_interface_sg_attachment"),
    },
    "aws_eip": {
        name: _whole("aws_eip_association", "aws_nat_gateway", "aws_lb")
        for name in ("association_id", "instance", "network_interface", "private_dns", "private_ip")
    },
    "aws_efs_file_system": {"number_of_mount_targets": _whole("aws_efs_mount_target")},
    "aws_autoscaling_group": {
        "load_balancers": _each("aws_autoscaling_attachment"),
        "target_group_arns": _each("aws_autoscaling_attachment"),
        "traffic_source": _each("aws_autoscaling_traffic_source_attachment", "aws_autoscaling_attachment"),
    },
    "aws_elb": {"instances": _each("aws_elb_attachment")},
    "aws_lb_target_group": {"load_balancer_arns": _each("aws_lb_listener", "aws_lb_listener_rule", "aws_lb")},
    "aws_rds_cluster": _CLUSTER,
    "aws_neptune_cluster": _CLUSTER,
    "aws_docdb_cluster": {"cluster_members": _each("aws_docdb_cluster_instance")},
    "aws_rds_global_cluster": {"global_cluster_members": _each("aws_rds_cluster")},
    "aws_docdb_global_cluster": {"global_cluster_members": _each("aws_docdb_cluster")},
    "aws_neptune_global_cluster": {"global_cluster_members": _each("aws_neptune_cluster")},
    "aws_redshift_cluster": {
        "iam_roles": _whole("aws_redshift_cluster_iam_roles"),
        "logging": _whole("aws_redshift_logging"),
        "snapshot_copy": _whole("aws_redshift_snapshot_copy"),
    },
    "aws_elasticache_user_group": {"user_ids": _each("aws_elasticache_user_group_association")},
    "aws_acmpca_certificate_authority": {
        name: _whole("aws_acmpca_certificate_authority_certificate")
        for name in ("certificate", "certificate_chain", "not_after", "not_before", "serial")
    },
    "aws_api_gateway_stage": {"web_acl_arn": _whole("aws_wafv2_web_acl_association")},
    "aws_ec2_managed_prefix_list": {
        "entry": _each("aws_ec2_managed_prefix_list_entry"),
        "version": _whole("aws_ec2_managed_prefix_list_entry"),
    },
    "aws_ec2_transit_gateway": {
        "association_default_route_table_id": _whole("aws_ec2_transit_gateway_default_route_table_association"),
        "propagation_default_route_table_id": _whole("aws_ec2_transit_gateway_default_route_table_propagation"),
    },
    "aws_vpc_endpoint_service": {"allowed_principals": _each("aws_vpc_endpoint_service_allowed_principal")},
    "aws_db_instance": {"replicas": _each("aws_db_instance")},
    "aws_elasticache_replication_group": {"member_clusters": _each("aws_elasticache_cluster")},
    "aws_route53_zone": {"vpc": _each("aws_route53_zone_association")},
    "aws_acm_certificate": {
        name: _whole("aws_acm_certificate_validation")
        for name in ("status", "not_after", "not_before", "pending_renewal", "renewal_eligibility", "renewal_summary")
    },
    "aws_cognito_user_pool": {
        "custom_domain": _whole("aws_cognito_user_pool_domain"),
        "domain": _whole("aws_cognito_user_pool_domain"),
    },
    "aws_dynamodb_table": {"replica": _each("aws_dynamodb_table_replica")},
}
