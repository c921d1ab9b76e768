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
  visibility_timeout_seconds = 60
}

resource "aws_sqs_queue" "altered" {
  name                       = "altered"
  visibility_timeout_seconds = 30
}

resource "aws_sqs_queue" "removed_in_the_cloud" {
  name = "removed-in-the-cloud"
}

resource "aws_sqs_queue" "replaced" {
  name = "replaced-2"
}

resource "aws_sqs_queue" "replaced_before" {
  name = "replaced-before-2"
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_sqs_queue" "counted" {
  count = 1
  name  = "counted-${count.index}"
}

resource "aws_ssm_parameter" "secret" {
  name  = "/secret"
  type  = "SecureString"
  value = "the-second-secret"
}

module "group" {
  source = "./group"
  days   = 30
}

output "url" {
  value = aws_sqs_queue.changed.id
}

output "secret" {
  value     = aws_ssm_parameter.secret.value
  sensitive = true
}

output "new" {
  value = "here"
}

resource "aws_sqs_queue" "created" {
  name = "created"
  provisioner "local-exec" {
    command = "true"
  }
}

# Read at the apply: what it asks for is not there yet.
data "aws_sqs_queue" "created" {
  name = element(split(":", aws_sqs_queue.created.arn), 5)
}
