# Values that a provider, or the cloud, likes to give back in another form: policies, sets, empty strings, defaults.

terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

variable "provider_region" {
  type = string
}

variable "name" {
  type = string
}

provider "aws" {
  region = var.provider_region
  default_tags {
    tags = { fleet = "soak", name = var.name }
  }
}

data "aws_caller_identity" "current" {}

resource "aws_sqs_queue" "jobs" {
  name   = "${var.name}-jobs"
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Sid = "Send", Effect = "Allow", Principal = { Service = ["sns.amazonaws.com"] }, Action = ["sqs:SendMessage"], Resource = ["*"] }] })
  tags   = { "a key" = "", kind = "queue" }
}

resource "aws_sns_topic" "events" {
  name = "${var.name}-events"
}

resource "aws_sns_topic_subscription" "events" {
  topic_arn     = aws_sns_topic.events.arn
  protocol      = "sqs"
  endpoint      = aws_sqs_queue.jobs.arn
  filter_policy = jsonencode({ kind = ["b", "a"] })
}

resource "aws_ssm_parameter" "secret" {
  name  = "/${var.name}/secret"
  type  = "SecureString"
  value = "soak-${var.name}"
}

resource "aws_cloudwatch_log_group" "logs" {
  name              = "/${var.name}"
  retention_in_days = 14
}

resource "aws_iam_role" "worker" {
  name = "${var.name}-worker"
  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = [{
    Action = "sts:AssumeRole", Effect = "Allow", Principal = { Service = "ec2.amazonaws.com" }
  }] })
}

resource "aws_iam_role_policy" "worker" {
  name   = "send"
  role   = aws_iam_role.worker.id
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = ["sqs:SendMessage", "sqs:GetQueueUrl"], Resource = "*" }] })
}

resource "aws_dynamodb_table" "items" {
  name         = "${var.name}-items"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "id"
  attribute {
    name = "id"
    type = "S"
  }
}

resource "aws_kms_key" "key" {
  deletion_window_in_days = 7
}

resource "aws_vpc" "net" {
  cidr_block = "10.40.0.0/16"
}

resource "aws_security_group" "web" {
  name   = "${var.name}-web"
  vpc_id = aws_vpc.net.id
  dynamic "ingress" {
    for_each = toset(["443", "80"])
    content {
      from_port   = ingress.value
      to_port     = ingress.value
      protocol    = "tcp"
      cidr_blocks = ["10.0.0.0/8", "192.168.0.0/16"]
    }
  }
}

output "role" {
  value = aws_iam_role.worker.arn
}
