"""Resource types that hold nothing of their own: whoever deletes one loses only what the configuration says. One list.

A type stands here only when its service says that it is settings, a grant, or a link between two others. What is not
here and not in `stateful` is unknown, and counts as holding data.
"""

from __future__ import annotations

from typing import Final

from shared.rollback.stateful import LOSSES

#: Types of several services that are only settings of, or links between, others, told by how they end.
_ENDINGS: Final = (
    "_policy",
    "_policy_attachment",
    "_policy_document",
    "_attachment",
    "_association",
    "_permission",
    "_subnet_group",
    "_parameter_group",
    "_option_group",
    "_metric_filter",
    "_subscription_filter",
    "_resource_policy",
    "_access_point",
    "_mount_target",
    "_lifecycle_policy",
    "_listener",
    "_listener_rule",
    "_target_group",
)
_REBUILT: Final = frozenset(
    """
    aws_acm_certificate_validation aws_alb_listener_certificate aws_api_gateway_account aws_api_gateway_authorizer
    aws_api_gateway_base_path_mapping aws_api_gateway_deployment aws_api_gateway_documentation_part
    aws_api_gateway_documentation_version aws_api_gateway_gateway_response aws_api_gateway_integration
    aws_api_gateway_integration_response aws_api_gateway_method aws_api_gateway_method_response
    aws_api_gateway_method_settings aws_api_gateway_model aws_api_gateway_request_validator aws_api_gateway_resource
    aws_api_gateway_stage aws_api_gateway_usage_plan aws_api_gateway_usage_plan_key aws_api_gateway_vpc_link
    aws_apigatewayv2_api_mapping aws_apigatewayv2_authorizer aws_apigatewayv2_deployment aws_apigatewayv2_integration
    aws_apigatewayv2_integration_response aws_apigatewayv2_model aws_apigatewayv2_route aws_apigatewayv2_route_response
    aws_apigatewayv2_stage aws_apigatewayv2_vpc_link aws_appautoscaling_scheduled_action aws_appautoscaling_target
    aws_appmesh_gateway_route aws_appmesh_mesh aws_appmesh_route aws_appmesh_virtual_gateway aws_appmesh_virtual_node
    aws_appmesh_virtual_router aws_appmesh_virtual_service aws_appsync_datasource aws_appsync_function
    aws_appsync_resolver aws_athena_named_query aws_autoscaling_group_tag aws_autoscaling_lifecycle_hook
    aws_autoscaling_notification aws_autoscaling_schedule aws_backup_plan aws_backup_selection
    aws_backup_vault_notifications aws_batch_compute_environment aws_batch_job_definition aws_budgets_budget
    aws_cloudformation_stack_set_instance aws_cloudfront_cache_policy aws_cloudfront_function
    aws_cloudfront_origin_access_control aws_cloudfront_origin_access_identity aws_cloudfront_response_headers_policy
    aws_cloudtrail aws_cloudwatch_composite_alarm aws_cloudwatch_dashboard aws_cloudwatch_event_api_destination
    aws_cloudwatch_event_bus aws_cloudwatch_event_connection aws_cloudwatch_event_rule aws_cloudwatch_event_target
    aws_cloudwatch_log_delivery aws_cloudwatch_log_delivery_destination aws_cloudwatch_log_delivery_source
    aws_cloudwatch_log_destination aws_cloudwatch_metric_alarm aws_cloudwatch_metric_stream
    aws_cloudwatch_query_definition aws_codebuild_project aws_codedeploy_app aws_codedeploy_deployment_config
    aws_codedeploy_deployment_group aws_codepipeline aws_codestarnotifications_notification_rule
    aws_cognito_identity_pool_roles_attachment aws_cognito_identity_provider aws_cognito_resource_server
    aws_cognito_user_group aws_cognito_user_in_group aws_config_aggregate_authorization aws_config_config_rule
    aws_config_configuration_aggregator aws_config_configuration_recorder aws_config_configuration_recorder_status
    aws_config_delivery_channel aws_config_remediation_configuration aws_customer_gateway aws_db_event_subscription
    aws_db_proxy aws_db_proxy_default_target_group aws_db_proxy_endpoint aws_db_proxy_target aws_default_network_acl
    aws_default_route_table aws_default_security_group aws_default_subnet aws_default_vpc
    aws_dynamodb_contributor_insights aws_dynamodb_kinesis_streaming_destination aws_dynamodb_tag
    aws_ec2_client_vpn_authorization_rule aws_ec2_client_vpn_route aws_ec2_managed_prefix_list_entry aws_ec2_tag
    aws_ec2_transit_gateway_route aws_ec2_transit_gateway_route_table aws_ec2_transit_gateway_route_table_propagation
    aws_ecr_pull_through_cache_rule aws_ecr_registry_scanning_configuration aws_ecr_replication_configuration
    aws_ecs_account_setting_default aws_ecs_capacity_provider aws_ecs_cluster_capacity_providers aws_ecs_service
    aws_ecs_tag aws_ecs_task_definition aws_ecs_task_set aws_egress_only_internet_gateway aws_eks_access_entry
    aws_eks_addon aws_eks_fargate_profile aws_eks_identity_provider_config aws_elasticache_user_group aws_flow_log
    aws_glue_classifier aws_glue_connection aws_glue_crawler aws_glue_job aws_glue_trigger aws_glue_workflow
    aws_guardduty_detector aws_guardduty_filter aws_guardduty_ipset aws_iam_account_alias
    aws_iam_account_password_policy aws_iam_group aws_iam_group_membership aws_iam_group_policies_exclusive
    aws_iam_group_policy_attachments_exclusive aws_iam_instance_profile aws_iam_openid_connect_provider aws_iam_role
    aws_iam_role_policies_exclusive aws_iam_role_policy_attachments_exclusive aws_iam_service_linked_role
    aws_iam_user_group_membership aws_iam_user_policies_exclusive aws_iam_user_policy_attachments_exclusive
    aws_internet_gateway aws_kms_alias aws_kms_grant aws_lambda_alias aws_lambda_code_signing_config
    aws_lambda_event_source_mapping aws_lambda_function_event_invoke_config aws_lambda_function_recursion_config
    aws_lambda_provisioned_concurrency_config aws_lambda_runtime_management_config aws_launch_configuration
    aws_launch_template aws_lb_cookie_stickiness_policy aws_lb_listener_certificate aws_lb_ssl_negotiation_policy
    aws_lb_trust_store aws_main_route_table_association aws_nat_gateway aws_network_acl aws_network_acl_rule
    aws_network_interface aws_networkfirewall_firewall aws_networkfirewall_logging_configuration
    aws_networkfirewall_rule_group aws_pipes_pipe aws_placement_group aws_ram_principal_association
    aws_ram_resource_share aws_route aws_route53_cidr_collection aws_route53_cidr_location aws_route53_health_check
    aws_route53_hosted_zone_dnssec aws_route53_query_log aws_route53_record aws_route53_resolver_config
    aws_route53_resolver_dnssec_config aws_route53_resolver_endpoint aws_route53_resolver_firewall_config
    aws_route53_resolver_firewall_domain_list aws_route53_resolver_firewall_rule
    aws_route53_resolver_firewall_rule_group aws_route53_resolver_query_log_config aws_route53_resolver_rule
    aws_route53_vpc_association_authorization aws_route_table aws_s3_account_public_access_block
    aws_s3_bucket_accelerate_configuration aws_s3_bucket_acl aws_s3_bucket_analytics_configuration
    aws_s3_bucket_cors_configuration aws_s3_bucket_intelligent_tiering_configuration aws_s3_bucket_inventory
    aws_s3_bucket_lifecycle_configuration aws_s3_bucket_logging aws_s3_bucket_metric aws_s3_bucket_notification
    aws_s3_bucket_ownership_controls aws_s3_bucket_public_access_block aws_s3_bucket_replication_configuration
    aws_s3_bucket_request_payment_configuration aws_s3_bucket_server_side_encryption_configuration
    aws_s3_bucket_versioning aws_s3_bucket_website_configuration aws_scheduler_schedule aws_scheduler_schedule_group
    aws_schemas_discoverer aws_secretsmanager_secret_rotation aws_security_group aws_security_group_rule
    aws_securityhub_account aws_service_discovery_http_namespace aws_service_discovery_service
    aws_ses_active_receipt_rule_set aws_ses_configuration_set aws_ses_event_destination
    aws_ses_identity_notification_topic aws_ses_receipt_filter aws_ses_receipt_rule aws_ses_receipt_rule_set
    aws_ses_template aws_sesv2_configuration_set aws_sesv2_configuration_set_event_destination aws_sfn_activity
    aws_sfn_alias aws_shield_protection aws_sns_sms_preferences aws_sns_topic aws_sqs_queue_redrive_allow_policy
    aws_ssm_default_patch_baseline aws_ssm_document aws_ssm_maintenance_window aws_ssm_maintenance_window_target
    aws_ssm_maintenance_window_task aws_ssm_patch_baseline aws_ssm_patch_group aws_ssm_resource_data_sync
    aws_ssm_service_setting aws_subnet aws_synthetics_canary aws_vpc aws_vpc_dhcp_options aws_vpc_endpoint
    aws_vpc_endpoint_connection_accepter aws_vpc_endpoint_connection_notification aws_vpc_endpoint_private_dns
    aws_vpc_endpoint_service_allowed_principal aws_vpc_peering_connection aws_vpc_peering_connection_accepter
    aws_vpc_peering_connection_options aws_vpc_security_group_egress_rule aws_vpc_security_group_ingress_rule
    aws_vpclattice_access_log_subscription aws_vpclattice_service_network aws_vpn_connection_route aws_vpn_gateway
    aws_vpn_gateway_route_propagation aws_waf_ipset aws_waf_rule aws_waf_rule_group aws_waf_web_acl
    aws_wafregional_ipset aws_wafregional_rule aws_wafregional_rule_group aws_wafregional_web_acl aws_wafv2_ip_set
    aws_wafv2_regex_pattern_set aws_wafv2_rule_group aws_wafv2_web_acl aws_wafv2_web_acl_logging_configuration
    aws_xray_group aws_xray_sampling_rule
    null_resource terraform_data local_file local_sensitive_file time_sleep
    """.split()  # noqa: SIM905  # 250 quoted names would hide what stands here
)


def is_rebuilt(kind: str) -> bool:
    """Whether a resource of this type is nothing but what its configuration says."""
    return kind not in LOSSES and (kind in _REBUILT or (kind.startswith("aws_") and kind.endswith(_ENDINGS)))
