terraform {
  required_version = ">= 1.6"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

variable "name" {
  description = "First part of every name."
  type        = string
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
}

provider "aws" {}

resource "aws_sns_topic" "purge" {
  name = "${var.name}-purge"
  tags = var.tags
}

resource "aws_sqs_queue" "purge" {
  name = "${var.name}-purge"
  tags = var.tags
}
