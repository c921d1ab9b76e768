# The demo's flock: a small order service. One generic configuration, deployed to every target;
# whatever differs between targets comes in through variables.

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
  description = "Prefix of every name; differs by target, since IAM names are global to an account."
  type        = string
}

variable "provider_region" {
  description = "The cloud's region that this target lives in."
  type        = string
}

variable "cidr" {
  description = "Address range of the target's network; a /16."
  type        = string
  default     = "10.20.0.0/16"
}

provider "aws" {
  region = var.provider_region
}

locals {
  tags = {
    Name    = var.name
    service = "orders"
  }
}
