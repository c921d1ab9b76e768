"""Instances, scaling, load balancers, containers."""

from __future__ import annotations

import json
from collections.abc import Iterator

from tests.aws_corpus.injections.row import GONE, Injection, one, policy


def compute() -> Iterator[Injection]:
    """The rows."""
    yield one(
        "aws_ebs_volume.this",
        "size",
        "ec2.modify_volume",
        lambda r, of: {"VolumeId": r["id"], "Size": 9},
    )
    instance = "aws_instance.this"
    yield one(
        instance,
        "disable_api_termination",
        "ec2.modify_instance_attribute",
        lambda r, of: {"InstanceId": r["id"], "DisableApiTermination": {"Value": True}},
    )
    yield one(
        instance,
        "source_dest_check",
        "ec2.modify_instance_attribute",
        lambda r, of: {"InstanceId": r["id"], "SourceDestCheck": {"Value": False}},
    )
    yield one(instance, "instance_state", "ec2.stop_instances", lambda r, of: {"InstanceIds": [r["id"]]})
    yield one(
        "aws_launch_template.this",
        "latest_version",
        "ec2.create_launch_template_version",
        lambda r, of: {
            "LaunchTemplateId": r["id"],
            "LaunchTemplateData": {"ImageId": r["image_id"], "InstanceType": "m5.large"},
        },
    )
    group = "aws_autoscaling_group.this"
    yield one(
        group,
        "max_size health_check_grace_period",
        "autoscaling.update_auto_scaling_group",
        lambda r, of: {
            "AutoScalingGroupName": r["name"],
            "MaxSize": 7,
            "HealthCheckGracePeriod": 77,
        },
    )
    yield one(
        group,
        "tag[0]",
        "autoscaling.create_or_update_tags",
        lambda r, of: {
            "Tags": [
                {
                    "ResourceId": r["name"],
                    "ResourceType": "auto-scaling-group",
                    "Key": "injected",
                    "Value": "yes",
                    "PropagateAtLaunch": True,
                }
            ]
        },
    )
    yield one(
        group,
        "suspended_processes[0]",
        "autoscaling.suspend_processes",
        lambda r, of: {"AutoScalingGroupName": r["name"], "ScalingProcesses": ["Launch"]},
    )
    yield one(
        "aws_autoscaling_policy.this",
        "scaling_adjustment cooldown adjustment_type",
        "autoscaling.put_scaling_policy",
        lambda r, of: {
            "AutoScalingGroupName": r["autoscaling_group_name"],
            "PolicyName": r["name"],
            "PolicyType": "SimpleScaling",
            "AdjustmentType": "ExactCapacity",
            "ScalingAdjustment": 7,
            "Cooldown": 77,
        },
    )
    balancer = "aws_lb.this"
    for name, path, value in (
        ("idle_timeout.timeout_seconds", "idle_timeout", "77"),
        ("routing.http.drop_invalid_header_fields.enabled", "drop_invalid_header_fields", "true"),
        ("routing.http2.enabled", "enable_http2", "false"),
    ):
        yield one(
            balancer,
            path,
            "elbv2.modify_load_balancer_attributes",
            lambda r, of, name=name, value=value: {
                "LoadBalancerArn": r["arn"],
                "Attributes": [{"Key": name, "Value": value}],
            },
        )
    target_group = "aws_lb_target_group.this"
    yield one(
        target_group,
        "deregistration_delay",
        "elbv2.modify_target_group_attributes",
        lambda r, of: {
            "TargetGroupArn": r["arn"],
            "Attributes": [{"Key": "deregistration_delay.timeout_seconds", "Value": "77"}],
        },
    )
    yield one(
        target_group,
        "health_check[0].path health_check[0].interval health_check[0].healthy_threshold",
        "elbv2.modify_target_group",
        lambda r, of: {
            "TargetGroupArn": r["arn"],
            "HealthCheckPath": "/injected",
            "HealthCheckIntervalSeconds": 77,
            "HealthyThresholdCount": 7,
        },
    )
    yield one(
        "aws_lb_listener.this", "port", "elbv2.modify_listener", lambda r, of: {"ListenerArn": r["arn"], "Port": 81}
    )
    yield one(
        "aws_lb_listener_rule.this",
        "condition[0].path_pattern[0].values[0]",
        "elbv2.modify_rule",
        lambda r, of: {
            "RuleArn": r["arn"],
            "Conditions": [{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/injected/*"]}}],
        },
    )
    yield one(
        "aws_lb_listener_rule.this",
        "priority",
        "elbv2.set_rule_priorities",
        lambda r, of: {"RulePriorities": [{"RuleArn": r["arn"], "Priority": 77}]},
    )
    yield one(
        "aws_ecs_cluster.this",
        "setting[0].value",
        "ecs.update_cluster",
        lambda r, of: {"cluster": r["name"], "settings": [{"name": "containerInsights", "value": "enabled"}]},
    )
    yield one(
        "aws_ecs_task_definition.this",
        GONE,
        "ecs.deregister_task_definition",
        lambda r, of: {"taskDefinition": r["arn"]},
    )
    repository = "aws_ecr_repository.this"
    yield one(
        repository,
        "image_tag_mutability",
        "ecr.put_image_tag_mutability",
        lambda r, of: {"repositoryName": r["name"], "imageTagMutability": "MUTABLE"},
    )
    yield one(
        repository,
        "image_scanning_configuration[0].scan_on_push",
        "ecr.put_image_scanning_configuration",
        lambda r, of: {"repositoryName": r["name"], "imageScanningConfiguration": {"scanOnPush": True}},
    )
    yield one(
        "aws_ecr_lifecycle_policy.this",
        "policy",
        "ecr.put_lifecycle_policy",
        lambda r, of: {
            "repositoryName": r["repository"],
            "lifecyclePolicyText": json.dumps(
                {
                    "rules": [
                        {
                            "rulePriority": 1,
                            "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 77},
                            "action": {"type": "expire"},
                        }
                    ]
                }
            ),
        },
    )
    yield one(
        "aws_ecr_repository_policy.this",
        "policy",
        "ecr.set_repository_policy",
        lambda r, of: {
            "repositoryName": r["repository"],
            "policyText": policy("Injected", Resource=None, Effect="Allow", Action="ecr:BatchGetImage"),
        },
    )
