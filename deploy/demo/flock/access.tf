resource "aws_iam_role" "service" {
  name = "${var.name}-service"
  tags = local.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "tables" {
  name = "tables"
  role = aws_iam_role.service.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"]
      Resource = [aws_dynamodb_table.orders.arn, aws_dynamodb_table.sessions.arn]
    }]
  })
}

resource "aws_iam_policy" "documents" {
  name = "${var.name}-documents"
  tags = local.tags

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["s3:GetObject", "s3:PutObject"]
      Resource = "${aws_s3_bucket.documents.arn}/*"
    }]
  })
}

resource "aws_iam_role_policy_attachment" "documents" {
  role       = aws_iam_role.service.name
  policy_arn = aws_iam_policy.documents.arn
}

resource "aws_kms_key" "orders" {
  description             = "Encrypts the orders of ${var.name}."
  deletion_window_in_days = 7
  tags                    = local.tags
}

resource "aws_kms_alias" "orders" {
  name          = "alias/${var.name}-orders"
  target_key_id = aws_kms_key.orders.key_id
}

resource "aws_secretsmanager_secret" "payments" {
  name                    = "${var.name}/payments"
  recovery_window_in_days = 0
  tags                    = local.tags
}

resource "aws_secretsmanager_secret_version" "payments" {
  secret_id     = aws_secretsmanager_secret.payments.id
  secret_string = jsonencode({ endpoint = "https://payments.example" })
}

resource "aws_ssm_parameter" "settings" {
  for_each = {
    currency  = "EUR"
    page_size = "50"
    log_level = "info"
    topic     = aws_sns_topic.orders.arn
  }

  name  = "/${var.name}/${each.key}"
  type  = "String"
  value = each.value
  tags  = local.tags
}

resource "aws_cloudwatch_log_group" "service" {
  for_each = toset(["api", "settlement"])

  name              = "/${var.name}/${each.key}"
  retention_in_days = 14
  tags              = local.tags
}
