"""Which services the provider hashicorp/aws calls for a resource type, told from the type's name.

Pure. Most types begin with the name of their service; the table holds those that don't. A type that neither rule
knows belongs to no service.
"""

import re
from functools import cache

from signing_proxy.service_index import service_index

#: Beginning of a type's name -> signing names; the longest that fits counts.
_PREFIXES: dict[str, tuple[str, ...]] = {
    "aws_accessanalyzer_": ("access-analyzer",),
    "aws_alb": ("elasticloadbalancing",),
    "aws_ami": ("ec2",),
    "aws_api_gateway_": ("apigateway",),
    "aws_apigatewayv2_": ("apigateway",),
    "aws_app_cookie_stickiness_policy": ("elasticloadbalancing",),
    "aws_appautoscaling_": ("application-autoscaling",),
    "aws_appintegrations_": ("app-integrations",),
    "aws_applicationinsights_": ("applicationinsights",),
    "aws_autoscaling_": ("autoscaling",),
    "aws_autoscalingplans_": ("autoscaling-plans",),
    "aws_bedrockagent_": ("bedrock",),
    "aws_chimesdkmediapipelines_": ("chime",),
    "aws_chimesdkvoice_": ("chime",),
    "aws_cloudcontrolapi_": ("cloudcontrolapi",),
    "aws_cloudwatch_composite_alarm": ("monitoring",),
    "aws_cloudwatch_contributor_": ("monitoring",),
    "aws_cloudwatch_dashboard": ("monitoring",),
    "aws_cloudwatch_event_": ("events",),
    "aws_cloudwatch_log_": ("logs",),
    "aws_cloudwatch_metric_": ("monitoring",),
    "aws_cloudwatch_query_definition": ("logs",),
    "aws_codestarconnections_": ("codestar-connections",),
    "aws_codestarnotifications_": ("codestar-notifications",),
    "aws_cognito_identity_": ("cognito-identity",),
    "aws_cognito_": ("cognito-idp",),
    "aws_config_": ("config",),
    "aws_customer_gateway": ("ec2",),
    "aws_customerprofiles_": ("profile",),
    "aws_datapipeline_": ("datapipeline",),
    "aws_db_": ("rds",),
    "aws_default_": ("ec2",),
    "aws_devopsguru_": ("devops-guru",),
    "aws_directory_service_": ("ds",),
    "aws_docdb_": ("rds",),
    "aws_docdbelastic_": ("docdb-elastic",),
    "aws_dx_": ("directconnect",),
    "aws_ebs_": ("ec2",),
    "aws_ec2_": ("ec2",),
    "aws_ecrpublic_": ("ecr-public",),
    "aws_efs_": ("elasticfilesystem",),
    "aws_egress_only_internet_gateway": ("ec2",),
    "aws_eip": ("ec2",),
    "aws_elastic_beanstalk_": ("elasticbeanstalk",),
    "aws_elasticsearch_": ("es",),
    "aws_elb": ("elasticloadbalancing",),
    "aws_emr_": ("elasticmapreduce",),
    "aws_emrcontainers_": ("emr-containers",),
    "aws_emrserverless_": ("emr-serverless",),
    "aws_flow_log": ("ec2",),
    "aws_grafana_": ("grafana",),
    "aws_identitystore_": ("identitystore",),
    "aws_instance": ("ec2",),
    "aws_internet_gateway": ("ec2",),
    "aws_iot_": ("iot",),
    "aws_ivschat_": ("ivschat",),
    "aws_key_pair": ("ec2",),
    "aws_keyspaces_": ("cassandra",),
    "aws_kinesis_analytics_": ("kinesisanalytics",),
    "aws_kinesis_firehose_": ("firehose",),
    "aws_kinesis_video_": ("kinesisvideo",),
    "aws_kinesisanalyticsv2_": ("kinesisanalytics",),
    "aws_launch_configuration": ("autoscaling",),
    "aws_launch_template": ("ec2",),
    "aws_lb": ("elasticloadbalancing",),
    "aws_lex_": ("lex",),
    "aws_lexv2models_": ("lex",),
    "aws_licensemanager_": ("license-manager",),
    "aws_load_balancer_": ("elasticloadbalancing",),
    "aws_location_": ("geo",),
    "aws_main_route_table_association": ("ec2",),
    "aws_media_convert_": ("mediaconvert",),
    "aws_media_package_": ("mediapackage",),
    "aws_media_packagev2_": ("mediapackagev2",),
    "aws_media_store_": ("mediastore",),
    "aws_memorydb_": ("memorydb",),
    "aws_mskconnect_": ("kafkaconnect",),
    "aws_msk_": ("kafka",),
    "aws_mwaa_": ("airflow",),
    "aws_nat_gateway": ("ec2",),
    "aws_neptune_": ("rds",),
    "aws_neptunegraph_": ("neptune-graph",),
    "aws_network_acl": ("ec2",),
    "aws_network_interface": ("ec2",),
    "aws_networkfirewall_": ("network-firewall",),
    "aws_opensearch_": ("es",),
    "aws_opensearchserverless_": ("aoss",),
    "aws_payment_cryptography_": ("payment-cryptography",),
    "aws_pinpoint_": ("mobiletargeting",),
    "aws_pinpointsmsvoicev2_": ("sms-voice",),
    "aws_placement_group": ("ec2",),
    "aws_prometheus_": ("aps",),
    "aws_proxy_protocol_policy": ("elasticloadbalancing",),
    "aws_redshiftdata_": ("redshift-data",),
    "aws_redshiftserverless_": ("redshift-serverless",),
    "aws_resourceexplorer2_": ("resource-explorer-2",),
    "aws_resourcegroups_": ("resource-groups",),
    "aws_route": ("ec2",),
    "aws_route53_": ("route53",),
    "aws_route53_resolver_": ("route53resolver",),
    "aws_route53domains_": ("route53domains",),
    "aws_route53profiles_": ("route53profiles",),
    "aws_route53recoverycontrolconfig_": ("route53-recovery-control-config",),
    "aws_route53recoveryreadiness_": ("route53-recovery-readiness",),
    "aws_s3_": ("s3",),
    "aws_s3control_": ("s3",),
    "aws_s3outposts_": ("s3-outposts",),
    "aws_s3tables_": ("s3tables",),
    "aws_security_group": ("ec2",),
    "aws_serverlessapplicationrepository_": ("serverlessrepo", "cloudformation"),
    "aws_servicecatalogappregistry_": ("servicecatalog",),
    "aws_service_discovery_": ("servicediscovery",),
    "aws_ses_": ("ses",),
    "aws_sesv2_": ("ses",),
    "aws_sfn_": ("states",),
    "aws_simpledb_": ("sdb",),
    "aws_snapshot_create_volume_permission": ("ec2",),
    "aws_spot_": ("ec2",),
    "aws_ssmcontacts_": ("ssm-contacts",),
    "aws_ssmincidents_": ("ssm-incidents",),
    "aws_ssmquicksetup_": ("ssm-quicksetup",),
    "aws_ssoadmin_": ("sso",),
    "aws_subnet": ("ec2",),
    "aws_timestreaminfluxdb_": ("timestream-influxdb",),
    "aws_timestreamquery_": ("timestream",),
    "aws_timestreamwrite_": ("timestream",),
    "aws_verifiedaccess_": ("ec2",),
    "aws_volume_attachment": ("ec2",),
    "aws_vpc": ("ec2",),
    "aws_vpclattice_": ("vpc-lattice",),
    "aws_vpn_": ("ec2",),
    "aws_waf_": ("waf",),
    "aws_wafregional_": ("waf-regional",),
}
_GUARDS = re.compile(
    r"polic|permission|role|grant|acl|access|principal|share|user|group|attachment|invitation|profile|delegat|launch"
)


@cache
def services_of(kind: str) -> tuple[str, ...]:
    """Signing names of the services that a resource type belongs to; none for a type that is not known."""
    for length in range(len(kind), len("aws_"), -1):
        found = _PREFIXES.get(kind[:length])
        if found is not None:
            return found
    provider, _, rest = kind.partition("_")
    if provider != "aws":
        return ()
    step = rest.partition("_")[0]
    return tuple(name for name in service_index() if name.replace("-", "") == step)


def guards_access(kind: str) -> bool:
    """Whether a resource of this type is about who may do what, so that changing it needs permission management."""
    return _GUARDS.search(kind.removeprefix("aws_")) is not None
