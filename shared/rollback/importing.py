"""By which name an object is taken into a state again, where that is not its `id`. Pure.

Source: the section "Import" on each resource's page of the documentation of hashicorp/aws, and of the other providers
named. What is not here is imported by its `id`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

#: Attributes in braces; `{cluster/}` is only what follows the last slash of it. The first form that is whole counts.
_FORMS: Final[Mapping[str, tuple[str, ...]]] = {
    "aws_api_gateway_authorizer": ("{rest_api_id}/{id}",),
    "aws_api_gateway_base_path_mapping": ("{domain_name}/{base_path}", "{domain_name}/"),
    "aws_api_gateway_deployment": ("{rest_api_id}/{id}",),
    "aws_api_gateway_gateway_response": ("{rest_api_id}/{response_type}",),
    "aws_api_gateway_integration": ("{rest_api_id}/{resource_id}/{http_method}",),
    "aws_api_gateway_integration_response": ("{rest_api_id}/{resource_id}/{http_method}/{status_code}",),
    "aws_api_gateway_method": ("{rest_api_id}/{resource_id}/{http_method}",),
    "aws_api_gateway_method_response": ("{rest_api_id}/{resource_id}/{http_method}/{status_code}",),
    "aws_api_gateway_method_settings": ("{rest_api_id}/{stage_name}/{method_path}",),
    "aws_api_gateway_model": ("{rest_api_id}/{name}",),
    "aws_api_gateway_request_validator": ("{rest_api_id}/{id}",),
    "aws_api_gateway_resource": ("{rest_api_id}/{id}",),
    "aws_api_gateway_stage": ("{rest_api_id}/{stage_name}",),
    "aws_api_gateway_usage_plan_key": ("{usage_plan_id}/{key_id}",),
    "aws_apigatewayv2_api_mapping": ("{id}/{domain_name}",),
    "aws_apigatewayv2_authorizer": ("{api_id}/{id}",),
    "aws_apigatewayv2_deployment": ("{api_id}/{id}",),
    "aws_apigatewayv2_integration": ("{api_id}/{id}",),
    "aws_apigatewayv2_model": ("{api_id}/{id}",),
    "aws_apigatewayv2_route": ("{api_id}/{id}",),
    "aws_apigatewayv2_stage": ("{api_id}/{name}",),
    "aws_appautoscaling_policy": ("{service_namespace}/{resource_id}/{scalable_dimension}/{name}",),
    "aws_appautoscaling_target": ("{service_namespace}/{resource_id}/{scalable_dimension}",),
    "aws_autoscaling_lifecycle_hook": ("{autoscaling_group_name}/{name}",),
    "aws_autoscaling_policy": ("{autoscaling_group_name}/{name}",),
    "aws_autoscaling_schedule": ("{autoscaling_group_name}/{scheduled_action_name}",),
    "aws_backup_selection": ("{plan_id}|{id}",),
    "aws_cloudwatch_event_target": ("{event_bus_name}/{rule}/{target_id}", "{rule}/{target_id}"),
    "aws_cloudwatch_log_metric_filter": ("{log_group_name}:{name}",),
    "aws_cloudwatch_log_stream": ("{log_group_name}:{name}",),
    "aws_cloudwatch_log_subscription_filter": ("{log_group_name}|{name}",),
    "aws_codebuild_project": ("{name}",),
    "aws_codedeploy_app": ("{name}",),
    "aws_codedeploy_deployment_group": ("{app_name}:{deployment_group_name}",),
    "aws_cognito_identity_provider": ("{user_pool_id}:{provider_name}",),
    "aws_cognito_resource_server": ("{user_pool_id}|{identifier}",),
    "aws_cognito_user": ("{user_pool_id}/{username}",),
    "aws_cognito_user_group": ("{user_pool_id}/{name}",),
    "aws_cognito_user_pool_client": ("{user_pool_id}/{id}",),
    "aws_ecs_cluster": ("{name}",),
    "aws_ecs_service": ("{cluster/}/{name}",),
    "aws_ecs_task_definition": ("{arn}",),
    "aws_iam_group_policy_attachment": ("{group}/{policy_arn}",),
    "aws_iam_role_policy_attachment": ("{role}/{policy_arn}",),
    "aws_iam_user_policy_attachment": ("{user}/{policy_arn}",),
    "aws_lambda_alias": ("{function_name}/{name}",),
    "aws_lambda_permission": ("{function_name}:{qualifier}/{statement_id}", "{function_name}/{statement_id}"),
    "aws_lb_listener_certificate": ("{listener_arn}_{certificate_arn}",),
    "aws_network_acl_rule": ("{network_acl_id}:{rule_number}:{protocol}:{egress}",),
    "aws_route": (
        "{route_table_id}_{destination_cidr_block}",
        "{route_table_id}_{destination_ipv6_cidr_block}",
        "{route_table_id}_{destination_prefix_list_id}",
    ),
    "aws_route_table_association": ("{subnet_id}/{route_table_id}", "{gateway_id}/{route_table_id}"),
    "aws_s3_object": ("{bucket}/{key}",),
    "aws_s3_bucket_object": ("{bucket}/{key}",),
    "aws_service_discovery_private_dns_namespace": ("{id}:{vpc}",),
    "aws_ssm_maintenance_window_target": ("{window_id}/{id}",),
    "aws_ssm_maintenance_window_task": ("{window_id}/{id}",),
    "aws_volume_attachment": ("{device_name}:{volume_id}:{instance_id}",),
    "aws_vpc_dhcp_options_association": ("{vpc_id}",),
    "aws_vpc_endpoint_route_table_association": ("{vpc_endpoint_id}/{route_table_id}",),
    "aws_vpc_endpoint_security_group_association": ("{vpc_endpoint_id}/{security_group_id}",),
    "aws_vpc_endpoint_subnet_association": ("{vpc_endpoint_id}/{subnet_id}",),
    "aws_wafv2_ip_set": ("{id}/{name}/{scope}",),
    "aws_wafv2_regex_pattern_set": ("{id}/{name}/{scope}",),
    "aws_wafv2_rule_group": ("{id}/{name}/{scope}",),
    "aws_wafv2_web_acl": ("{id}/{name}/{scope}",),
}
#: Pages without such a section, or on which the import takes what a state does not have.
_NEVER: Final = frozenset(
    """
    aws_dynamodb_table_item aws_iam_access_key aws_iam_group_membership aws_iam_policy_attachment
    aws_lb_target_group_attachment aws_alb_target_group_attachment aws_main_route_table_association
    aws_network_interface_sg_attachment aws_s3_object_copy aws_security_group_rule aws_spot_instance_request
    aws_vpn_gateway_route_propagation local_file local_sensitive_file null_resource random_password random_shuffle
    time_sleep tls_cert_request tls_locally_signed_cert tls_private_key tls_self_signed_cert
    """.split()  # noqa: SIM905  # as in `rebuilt`
)
_ATTRIBUTE: Final = re.compile(r"\{(?P<name>[a-z0-9_]+)(?P<last>/?)\}")


def import_name(kind: str, id_: str | None, attributes: Mapping[str, Any]) -> str | None:
    """What an `import` block takes for an object; None where none takes it in.

    Args:
        kind: its type.
        id_: its `id`.
        attributes: its values, without those that are secrets.
    """
    if kind in _NEVER:
        return None
    if kind not in _FORMS:
        return id_
    return next((found for form in _FORMS[kind] if (found := _filled(form, attributes)) is not None), None)


def _filled(form: str, attributes: Mapping[str, Any]) -> str | None:
    values: dict[str, str] = {}
    for match in _ATTRIBUTE.finditer(form):
        value = attributes.get(match["name"])
        if isinstance(value, bool):
            value = str(value).lower()
        if value is None or value == "" or not isinstance(value, str | int):
            return None
        values[match[0]] = str(value).rpartition("/")[2] if match["last"] else str(value)
    return _ATTRIBUTE.sub(lambda match: values[match[0]], form)
