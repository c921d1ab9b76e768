# The second release; see first/ for what it does with each resource. New ones stand at the end.

resource "aws_subnet" "app" {
  vpc_id            = aws_vpc.main.id
  availability_zone = "${data.aws_region.here.name}a"
  cidr_block        = cidrsubnet(aws_vpc.main.cidr_block, 8, 20)
  tags              = merge(local.tags, { Name = "${var.name}-app" })
}

resource "aws_route_table_association" "app" {
  subnet_id      = aws_subnet.app.id
  route_table_id = aws_route_table.main.id
}

resource "aws_security_group" "web" {
  name   = "${var.name}-web-2"
  vpc_id = aws_vpc.main.id
  tags   = merge(local.tags, { Name = "${var.name}-web" })
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "web" {
  security_group_id = aws_security_group.web.id
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_ingress_rule" "database" {
  security_group_id = aws_security_group.database.id
  cidr_ipv4         = aws_subnet.app.cidr_block
  ip_protocol       = "tcp"
  from_port         = 5432
  to_port           = 5432
}

resource "aws_ssm_parameter" "updated" {
  count = 2
  name  = "/${var.name}/updated/${count.index}"
  type  = "String"
  value = "second ${count.index}"
  tags  = local.tags
}

resource "aws_ssm_parameter" "replaced" {
  name  = "/${var.name}/replaced/second"
  type  = "String"
  value = "replaced"
  tags  = local.tags
}

moved {
  from = aws_ssm_parameter.moved
  to   = aws_ssm_parameter.settled
}

resource "aws_ssm_parameter" "settled" {
  name  = "/${var.name}/moved"
  type  = "String"
  value = "moved"
  tags  = local.tags
}

removed {
  from = aws_ssm_parameter.forgotten
  lifecycle {
    destroy = false
  }
}

resource "aws_iam_policy" "read" {
  name   = "${var.name}-read"
  policy = data.aws_iam_policy_document.read.json
  tags   = local.tags
}

data "aws_iam_policy_document" "read" {
  statement {
    actions   = ["ssm:GetParameter", "ssm:GetParametersByPath"]
    resources = ["*"]
  }
}

resource "aws_cloudwatch_log_group" "service" {
  name              = "/${var.name}/service"
  retention_in_days = 30
  tags              = merge(local.tags, { Release = "second" })
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  alarm_name          = "${var.name}-errors"
  namespace           = "rollback-faults"
  metric_name         = "errors"
  comparison_operator = "GreaterThanThreshold"
  evaluation_periods  = 1
  period              = 60
  statistic           = "Sum"
  threshold           = 20
  alarm_actions       = [aws_sns_topic.alarms.arn]
  tags                = local.tags
}

resource "aws_cloudwatch_event_rule" "nightly" {
  name                = "${var.name}-nightly"
  schedule_expression = "rate(24 hours)"
  tags                = local.tags
}

resource "aws_cloudwatch_event_target" "nightly" {
  rule      = aws_cloudwatch_event_rule.nightly.name
  target_id = "second"
  arn       = aws_sns_topic.audit.arn
}

# New.

resource "aws_ssm_parameter" "created" {
  count = 2
  name  = "/${var.name}/created/${count.index}"
  type  = "String"
  value = aws_sns_topic.new.arn
  tags  = local.tags
}

resource "aws_sns_topic" "new" {
  name         = "${var.name}-new"
  display_name = "new"
  tags         = local.tags
}

resource "aws_iam_role" "new" {
  name               = "${var.name}-new"
  assume_role_policy = data.aws_iam_policy_document.assume.json
  tags               = local.tags
}

resource "aws_iam_role_policy" "new" {
  role   = aws_iam_role.new.name
  name   = "${var.name}-new"
  policy = data.aws_iam_policy_document.read.json
}
