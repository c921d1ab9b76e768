resource "aws_sqs_queue" "this" {
  name                       = local.name
  visibility_timeout_seconds = 30 * var.revision
}

resource "aws_sqs_queue_policy" "this" {
  queue_url = aws_sqs_queue.this.id
  policy = jsonencode({ Version = "2012-10-17", Statement = [{
    Sid      = "Revision${var.revision}", Effect = "Allow", Principal = { Service = "sns.amazonaws.com" }, Action = "sqs:SendMessage"
    Resource = aws_sqs_queue.this.arn
  }] })
}

resource "aws_sns_topic" "this" {
  name         = local.name
  display_name = "Revision ${var.revision}"
}

resource "aws_sns_topic_policy" "this" {
  arn = aws_sns_topic.this.arn
  policy = jsonencode({ Version = "2012-10-17", Statement = [{
    Sid      = "Revision${var.revision}", Effect = "Allow", Principal = { Service = "events.amazonaws.com" }, Action = "sns:Publish"
    Resource = aws_sns_topic.this.arn
  }] })
}

resource "aws_sns_topic_subscription" "this" {
  topic_arn            = aws_sns_topic.this.arn
  protocol             = "sqs"
  endpoint             = aws_sqs_queue.this.arn
  raw_message_delivery = var.revision > 1
}

resource "aws_cloudwatch_event_rule" "this" {
  name                = local.name
  description         = local.text
  schedule_expression = "rate(${var.revision + 1} hours)"
}

resource "aws_cloudwatch_event_target" "this" {
  rule  = aws_cloudwatch_event_rule.this.name
  arn   = aws_sqs_queue.this.arn
  input = jsonencode({ revision = var.revision })
}

resource "aws_cloudwatch_event_bus" "this" {
  name = local.name
}

resource "aws_cloudwatch_event_archive" "this" {
  name             = local.name
  description      = local.text
  event_source_arn = aws_cloudwatch_event_bus.this.arn
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/${local.name}"
  retention_in_days = var.revision > 1 ? 30 : 14
}

resource "aws_cloudwatch_log_stream" "this" {
  name           = local.name
  log_group_name = aws_cloudwatch_log_group.this.name
}

resource "aws_cloudwatch_log_metric_filter" "this" {
  name           = local.name
  pattern        = "ERROR${var.revision}"
  log_group_name = aws_cloudwatch_log_group.this.name
  metric_transformation {
    name      = "errors"
    namespace = local.name
    value     = "1"
  }
}

resource "aws_cloudwatch_log_resource_policy" "this" {
  policy_name = local.name
  policy_document = jsonencode({ Version = "2012-10-17", Statement = [{
    Sid = "Revision${var.revision}", Effect = "Allow", Principal = { Service = "es.amazonaws.com" }, Action = "logs:PutLogEvents", Resource = "*"
  }] })
}

resource "aws_cloudwatch_metric_alarm" "this" {
  alarm_name          = local.name
  alarm_description   = local.text
  comparison_operator = "GreaterThanThreshold"
  evaluation_periods  = var.revision
  metric_name         = "errors"
  namespace           = local.name
  period              = 60
  statistic           = "Sum"
  threshold           = 1
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = local.name
  dashboard_body = jsonencode({ widgets = [{ type = "text", x = 0, y = 0, width = 3, height = 3, properties = { markdown = local.text } }] })
}

resource "aws_kinesis_stream" "this" {
  name             = local.name
  shard_count      = var.revision
  retention_period = 24
}

resource "aws_kinesis_firehose_delivery_stream" "this" {
  name        = local.name
  destination = "extended_s3"
  extended_s3_configuration {
    role_arn           = aws_iam_role.this.arn
    bucket_arn         = aws_s3_bucket.this.arn
    buffering_interval = 60 * var.revision
  }
}

resource "aws_sfn_activity" "this" {
  name = local.name
}

resource "aws_scheduler_schedule_group" "this" {
  name = local.name
}

resource "aws_scheduler_schedule" "this" {
  name                = local.name
  group_name          = aws_scheduler_schedule_group.this.name
  description         = local.text
  schedule_expression = "rate(1 hours)"
  flexible_time_window {
    mode = "OFF"
  }
  target {
    arn      = aws_sqs_queue.this.arn
    role_arn = aws_iam_role.this.arn
  }
}

resource "aws_route53_zone" "this" {
  name    = "corpus.example"
  comment = local.text
}

resource "aws_route53_record" "this" {
  zone_id = aws_route53_zone.this.zone_id
  name    = "www.corpus.example"
  type    = "CNAME"
  ttl     = 60 * var.revision
  records = ["corpus.example"]
}

resource "aws_route53_health_check" "this" {
  fqdn              = "www.corpus.example"
  port              = 443
  type              = "HTTPS"
  resource_path     = "/v${var.revision}"
  failure_threshold = 5
  request_interval  = 30
}

resource "aws_service_discovery_private_dns_namespace" "this" {
  name = "corpus.internal"
  vpc  = aws_vpc.this.id
}

resource "aws_service_discovery_service" "this" {
  name        = local.name
  description = local.text
  dns_config {
    namespace_id = aws_service_discovery_private_dns_namespace.this.id
    dns_records {
      ttl  = 10 * var.revision
      type = "A"
    }
  }
}

resource "aws_ses_email_identity" "this" {
  email = "corpus@corpus.example"
}

resource "aws_ses_template" "this" {
  name    = local.name
  subject = local.text
  text    = local.text
}

resource "aws_resourcegroups_group" "this" {
  name        = local.name
  description = local.text
  resource_query {
    query = jsonencode({ ResourceTypeFilters = ["AWS::AllSupported"], TagFilters = [{ Key = "revision", Values = ["1"] }] })
  }
}

resource "aws_glue_catalog_database" "this" {
  name        = local.name
  description = local.text
}

resource "aws_glue_catalog_table" "this" {
  name          = local.name
  database_name = aws_glue_catalog_database.this.name
  description   = local.text
}

resource "aws_cloudtrail" "this" {
  name           = local.name
  s3_bucket_name = aws_s3_bucket.this.id
  enable_logging = var.revision > 1
  depends_on     = [aws_s3_bucket_policy.this]
}

resource "aws_appconfig_application" "this" {
  name        = local.name
  description = local.text
}
