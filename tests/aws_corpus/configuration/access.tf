locals {
  trust = jsonencode({ Version = "2012-10-17", Statement = [{
    Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ec2.amazonaws.com" }
  }] })
  policy = jsonencode({ Version = "2012-10-17", Statement = [{
    Effect = "Allow", Action = "sqs:ListQueues", Resource = "*", Sid = "Revision${var.revision}"
  }] })
}

resource "aws_iam_role" "this" {
  name               = local.name
  description        = local.text
  assume_role_policy = local.trust
}

resource "aws_iam_role_policy" "this" {
  name   = local.name
  role   = aws_iam_role.this.name
  policy = local.policy
}

resource "aws_iam_policy" "this" {
  name   = local.name
  policy = local.policy
}

resource "aws_iam_role_policy_attachment" "this" {
  role       = aws_iam_role.this.name
  policy_arn = aws_iam_policy.this.arn
}

resource "aws_iam_instance_profile" "this" {
  name = local.name
  role = aws_iam_role.this.name
}

resource "aws_iam_user" "this" {
  name = local.name
}

resource "aws_iam_user_policy" "this" {
  name   = local.name
  user   = aws_iam_user.this.name
  policy = local.policy
}

resource "aws_iam_user_policy_attachment" "this" {
  user       = aws_iam_user.this.name
  policy_arn = aws_iam_policy.this.arn
}

resource "aws_iam_group" "this" {
  name = local.name
}

resource "aws_iam_group_policy" "this" {
  name   = local.name
  group  = aws_iam_group.this.name
  policy = local.policy
}

resource "aws_iam_group_policy_attachment" "this" {
  group      = aws_iam_group.this.name
  policy_arn = aws_iam_policy.this.arn
}

resource "aws_iam_group_membership" "this" {
  name  = local.name
  group = aws_iam_group.this.name
  users = [aws_iam_user.this.name]
}

resource "aws_iam_openid_connect_provider" "this" {
  url             = "https://idp.corpus.example"
  client_id_list  = ["corpus"]
  thumbprint_list = ["cf23df2207d99a74fbe169e3eba035e633b65d94"]
}

resource "aws_iam_account_password_policy" "this" {
  minimum_password_length = 12 + var.revision
}

resource "aws_kms_key" "this" {
  description             = local.text
  deletion_window_in_days = 7
  enable_key_rotation     = var.revision > 1
}

resource "aws_kms_alias" "this" {
  name          = "alias/${local.name}"
  target_key_id = aws_kms_key.this.key_id
}

resource "aws_secretsmanager_secret" "this" {
  name                    = local.name
  description             = local.text
  recovery_window_in_days = 0
}

resource "aws_secretsmanager_secret_version" "this" {
  secret_id     = aws_secretsmanager_secret.this.id
  secret_string = local.text
}

resource "aws_secretsmanager_secret_policy" "this" {
  secret_arn = aws_secretsmanager_secret.this.arn
  policy = jsonencode({ Version = "2012-10-17", Statement = [{
    Sid = "Revision${var.revision}", Effect = "Deny", Principal = "*", Action = "secretsmanager:DeleteSecret", Resource = "*"
  }] })
}

resource "aws_ssm_parameter" "this" {
  name  = "/${local.name}/text"
  type  = "SecureString"
  value = local.text
}

resource "aws_ssm_document" "this" {
  name          = local.name
  document_type = "Command"
  content = jsonencode({ schemaVersion = "2.2", description = local.text, mainSteps = [
    { action = "aws:runShellScript", name = "say", inputs = { runCommand = ["true"] } }
  ] })
}

resource "aws_ssm_maintenance_window" "this" {
  name     = local.name
  schedule = "cron(0 4 ? * SUN *)"
  duration = 3
  cutoff   = 1
}

resource "aws_acm_certificate" "this" {
  domain_name       = "corpus.example"
  validation_method = "DNS"
}

resource "aws_wafv2_ip_set" "this" {
  name               = local.name
  scope              = "REGIONAL"
  ip_address_version = "IPV4"
  addresses          = ["10.${var.revision}.0.0/16"]
}
