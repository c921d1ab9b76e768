# What every version since 0.12 understands. `../second` is the same, changed in every way that a plan tells apart.

variable "endpoint" {
  type = string
}

provider "aws" {
  region                      = "eu-west-1"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
  skip_region_validation      = true
  endpoints {
    sqs  = var.endpoint
    ssm  = var.endpoint
    logs = var.endpoint
  }
}

resource "aws_sqs_queue" "changed" {
  name                       = "changed"
  visibility_timeout_seconds = 30
}

resource "aws_sqs_queue" "altered" {
  name                       = "altered"
  visibility_timeout_seconds = 30
}

resource "aws_sqs_queue" "removed_in_the_cloud" {
  name = "removed-in-the-cloud"
}

resource "aws_sqs_queue" "deleted" {
  name = "deleted"
}

resource "aws_sqs_queue" "replaced" {
  name = "replaced-1"
}

resource "aws_sqs_queue" "replaced_before" {
  name = "replaced-before-1"
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_sqs_queue" "counted" {
  count = 2
  name  = "counted-${count.index}"
}

resource "aws_ssm_parameter" "secret" {
  name  = "/secret"
  type  = "SecureString"
  value = "the-first-secret"
}

module "group" {
  source = "./group"
  days   = 14
}

output "url" {
  value = aws_sqs_queue.changed.id
}

output "secret" {
  value     = aws_ssm_parameter.secret.value
  sensitive = true
}

output "gone" {
  value = "soon"
}
