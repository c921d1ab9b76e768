# What both releases have. What they have each is in first/ and second/.
terraform {
  required_version = ">= 1.7"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

provider "aws" {}

variable "name" {
  description = "First part of every name."
  type        = string
}

locals {
  tags  = { Owner = "rollback-faults" }
  zones = { a = 0, b = 1 }
}

data "aws_region" "here" {}

resource "aws_vpc" "main" {
  cidr_block = "10.40.0.0/16"
  tags       = merge(local.tags, { Name = "${var.name}-main" })
}

resource "aws_internet_gateway" "main" {
  vpc_id = aws_vpc.main.id
  tags   = merge(local.tags, { Name = "${var.name}-main" })
}

resource "aws_route_table" "main" {
  vpc_id = aws_vpc.main.id
  tags   = merge(local.tags, { Name = "${var.name}-main" })
}

resource "aws_route" "out" {
  route_table_id         = aws_route_table.main.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.main.id
}

resource "aws_subnet" "fixed" {
  for_each          = local.zones
  vpc_id            = aws_vpc.main.id
  availability_zone = "${data.aws_region.here.name}${each.key}"
  cidr_block        = cidrsubnet(aws_vpc.main.cidr_block, 8, each.value)
  tags              = merge(local.tags, { Name = "${var.name}-fixed-${each.key}" })
}

resource "aws_route_table_association" "fixed" {
  for_each       = local.zones
  subnet_id      = aws_subnet.fixed[each.key].id
  route_table_id = aws_route_table.main.id
}

resource "aws_security_group" "database" {
  name   = "${var.name}-database"
  vpc_id = aws_vpc.main.id
  tags   = merge(local.tags, { Name = "${var.name}-database" })
}

resource "aws_sns_topic" "alarms" {
  name = "${var.name}-alarms"
  tags = local.tags
}

resource "aws_sns_topic" "audit" {
  name = "${var.name}-audit"
  tags = local.tags
}

resource "aws_iam_role" "service" {
  name               = "${var.name}-service"
  assume_role_policy = data.aws_iam_policy_document.assume.json
  tags               = local.tags
}

resource "aws_iam_role_policy_attachment" "service" {
  role       = aws_iam_role.service.name
  policy_arn = aws_iam_policy.read.arn
}

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }
  }
}

resource "aws_ssm_parameter" "fixed" {
  count = 6
  name  = "/${var.name}/fixed/${count.index}"
  type  = "String"
  value = "fixed ${count.index}"
  tags  = local.tags
}

resource "aws_cloudwatch_metric_alarm" "fixed" {
  for_each            = toset(["cpu", "memory", "disk"])
  alarm_name          = "${var.name}-${each.key}"
  namespace           = "rollback-faults"
  metric_name         = each.key
  comparison_operator = "GreaterThanThreshold"
  evaluation_periods  = 1
  period              = 60
  statistic           = "Average"
  threshold           = 90
  alarm_actions       = [aws_sns_topic.alarms.arn]
  tags                = local.tags
}

output "alarm" {
  description = "What the alarms of a bake watch."
  value       = aws_cloudwatch_metric_alarm.fixed["cpu"].alarm_name
}
