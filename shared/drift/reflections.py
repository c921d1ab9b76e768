"""Attributes that show other resources: a role shows its policies, a group its rules, a bucket its versioning. Pure.

Terraform reads the role before it makes the policy. From then on the state says "no policies" and the cloud says "one",
and nobody has touched anything; the policy is a resource of the state and is looked at itself. A policy that is not one
of the state's is something else: that one was put there outside.

Which attribute shows which type is a table, made from the provider's documentation: each of these resources warns there
that its parent has an argument for the same thing. What the table does not name is taken for a reflection only where a
resource that depends on this one accounts for every part of what is new, by what the state says of it: whoever sets the
same tag on all of them has changed all of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from shared.drift.instances import Instance, Key
from shared.drift.meaning import is_nothing, plain
from shared.safety.plan_document import without_keys

#: Attributes that name a resource to another one.
_NAMES: Final = ("id", "arn", "name", "url", "bucket", "invoke_arn", "execution_arn")
_MAX_DEPTH: Final = 32


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
        "attachment": _whole("aws_network_interface_attachment"),
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
    "aws_docdb_cluster": _CLUSTER,
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


class Reflections:
    """The objects of one state, to be asked what an attribute shows."""

    def __init__(self, held: Iterable[Instance], then: Mapping[Key, Instance] | None = None) -> None:
        """Index them.

        Args:
            held: everything managed that the state holds, as it was read.
            then: the same as the state says; None: it cannot be had.
        """
        self._then = then
        self._by_type: dict[str, list[Instance]] = {}
        self._by_dependency: dict[str, list[Instance]] = {}
        self._texts: dict[int, frozenset[str]] = {}
        for instance in held:
            self._by_type.setdefault(instance.type, []).append(instance)
            for address in instance.depends_on:
                self._by_dependency.setdefault(address, []).append(instance)

    def explain(self, instance: Instance, attribute: str, before: Any, after: Any) -> bool:
        """Whether the difference shows other resources of the state, and nothing else.

        Args:
            instance: whose attribute it is.
            attribute: of the resource itself, with all that is inside it.
            before: its value in the state.
            after: its value now.
        """
        names = set(_identities(instance))
        shown = TABLE.get(instance.type, {}).get(attribute)
        if shown is None:
            near = [one for one in self._by_dependency.get(without_keys(instance.address), ()) if one is not instance]
            if self._then is not None:
                near = [self._then[one.key] for one in near if one.key in self._then]
            # Nothing may be missing: what these would no longer account for is not known.
            return not _only_in(before, after) and self._accounted(before, after, near, names)
        known: list[Instance] = []
        for kind in shown:
            for one in self._by_type.get(kind.type, ()):
                if one is instance or not names & self._texts_of(one):
                    continue
                if all(one.values.get(name) == value for name, value in kind.where.items()):
                    if kind.whole:
                        return True
                    known.append(one)
        # What is missing was one of those resources: where the state still holds it, it is told as deleted itself, and
        # where not, the last apply has removed it.
        if any(kind.whole for kind in shown):
            return False
        return self._accounted(before, after, known, names)

    def _accounted(self, before: Any, after: Any, known: Iterable[Instance], names: set[str]) -> bool:
        """Whether every element that is new is one that these resources made."""
        added = _only_in(after, before)
        if not added:
            return isinstance(before, (list, dict))
        sources = [texts for texts in map(self._texts_of, known) if names & texts]
        return all(_explained(element, sources, names) for element in added)

    def _texts_of(self, instance: Instance) -> frozenset[str]:
        known = self._texts.get(id(instance))
        if known is None:
            known = self._texts[id(instance)] = frozenset(_texts(instance.values))
        return known


def _explained(element: Any, sources: Sequence[frozenset[str]], names: set[str]) -> bool:
    """One resource has every single value of the element; its lists may come from several such."""
    singles = {text for value in _singles(element) for text in _texts(value)} - names
    fitting = [texts for texts in sources if singles <= texts]
    listed = {text for values in _lists(element) for text in _texts(values)} - names
    together: set[str] = set().union(*fitting) if fitting else set()
    return bool(fitting) and bool(singles or listed) and listed <= together


def _singles(element: Any) -> Iterator[Any]:
    if isinstance(element, dict):
        for value in element.values():
            yield from _singles(value)
    elif not isinstance(element, list):
        yield element


def _lists(element: Any) -> Iterator[list[Any]]:
    if isinstance(element, dict):
        for value in element.values():
            yield from _lists(value)
    elif isinstance(element, list):
        yield element


def _identities(instance: Instance) -> Iterator[str]:
    for name in _NAMES:
        value = instance.values.get(name)
        if isinstance(value, str) and value:
            yield value


def _texts(value: Any, depth: int = 0) -> Iterator[str]:
    """Every value inside, spelled so that equal ones are equal; not those that say nothing."""
    if is_nothing(value) or value is False or value == 0 or depth > _MAX_DEPTH:
        return
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, depth + 1)
    else:
        yield _spelled(value)


def _spelled(value: Any) -> str:
    if isinstance(value, str):
        document = plain(value)
        return value if isinstance(document, str) else json.dumps(document, sort_keys=True)
    return json.dumps(value)


def _only_in(one: Any, other: Any) -> list[Any]:
    """Elements of `one` that `other` has not; of maps their entries; anything else is one element."""
    if isinstance(one, list) or isinstance(other, list):
        mine, theirs = _listed(one), _listed(other)
    elif isinstance(one, dict) or isinstance(other, dict):
        mine, theirs = _entries(one), _entries(other)
    else:
        return [] if is_nothing(one) or one == other else [one]
    left = [json.dumps(plain(value), sort_keys=True) for value in theirs]
    found = []
    for value in mine:
        text = json.dumps(plain(value), sort_keys=True)
        if text in left:
            left.remove(text)
        else:
            found.append(value)
    return found


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _entries(value: Any) -> list[Any]:
    return [{"key": key, "value": item} for key, item in value.items()] if isinstance(value, dict) else []
