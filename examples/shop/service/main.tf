terraform {
  required_version = ">= 1.6"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

# Region and account come from the region's file, as an override.
provider "aws" {}

locals {
  zones = { for index, zone in var.zones : zone => index }
}

resource "aws_vpc" "shop" {
  cidr_block = var.cidr
  tags       = merge(var.tags, { Name = var.name })
}

resource "aws_subnet" "shop" {
  for_each          = local.zones
  vpc_id            = aws_vpc.shop.id
  availability_zone = each.key
  cidr_block        = cidrsubnet(var.cidr, 4, each.value)
  tags              = var.tags
}

resource "aws_sqs_queue" "orders" {
  name                       = "${var.name}-orders"
  message_retention_seconds  = var.queue.retention_days * 86400
  visibility_timeout_seconds = var.queue.visibility_s
  tags                       = var.tags
}

resource "aws_ssm_parameter" "image" {
  name  = "/${var.name}/image"
  type  = "String"
  value = var.image
  tags  = var.tags
}

resource "aws_ssm_parameter" "allowed" {
  count = length(var.allowed_cidrs) > 0 ? 1 : 0
  name  = "/${var.name}/allowed-cidrs"
  type  = "StringList"
  value = join(",", var.allowed_cidrs)
  tags  = var.tags
}
