# One resource of each type that the verifying cloud knows well enough for the provider. A second revision of it changes
# whatever can be changed in place.

terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

variable "revision" {
  description = "Changes tags, descriptions and settings."
  type        = number
  default     = 1
}

provider "aws" {
  region = "eu-west-1"
  default_tags {
    tags = local.tags
  }
}

locals {
  name = "corpus"
  tags = { revision = tostring(var.revision) }
  text = "Revision ${var.revision}."
}

data "aws_caller_identity" "current" {}
