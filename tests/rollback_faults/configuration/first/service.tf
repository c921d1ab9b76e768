# The first release. Beside each resource stands what the second does with it.

# Replaced, and with it the association that depends on it.
resource "aws_subnet" "app" {
  vpc_id            = aws_vpc.main.id
  availability_zone = "${data.aws_region.here.name}a"
  cidr_block        = cidrsubnet(aws_vpc.main.cidr_block, 8, 10)
  tags              = merge(local.tags, { Name = "${var.name}-app" })
}

resource "aws_route_table_association" "app" {
  subnet_id      = aws_subnet.app.id
  route_table_id = aws_route_table.main.id
}

# Replaced, the new one first, with the rule that depends on it.
resource "aws_security_group" "web" {
  name   = "${var.name}-web-1"
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

# Updated: it follows the subnet.
resource "aws_vpc_security_group_ingress_rule" "database" {
  security_group_id = aws_security_group.database.id
  cidr_ipv4         = aws_subnet.app.cidr_block
  ip_protocol       = "tcp"
  from_port         = 5432
  to_port           = 5432
}

# Updated.
resource "aws_ssm_parameter" "updated" {
  count = 2
  name  = "/${var.name}/updated/${count.index}"
  type  = "String"
  value = "first ${count.index}"
  tags  = local.tags
}

# Replaced: its name changes.
resource "aws_ssm_parameter" "replaced" {
  name  = "/${var.name}/replaced/first"
  type  = "String"
  value = "replaced"
  tags  = local.tags
}

# Deleted.
resource "aws_ssm_parameter" "deleted" {
  count = 2
  name  = "/${var.name}/deleted/${count.index}"
  type  = "String"
  value = "deleted ${count.index}"
  tags  = local.tags
}

# Moved to another address; nothing in the cloud changes.
resource "aws_ssm_parameter" "moved" {
  name  = "/${var.name}/moved"
  type  = "String"
  value = "moved"
  tags  = local.tags
}

# Forgotten: it stays in the cloud.
resource "aws_ssm_parameter" "forgotten" {
  name  = "/${var.name}/forgotten"
  type  = "String"
  value = "forgotten"
  tags  = local.tags
}

# Deleted.
resource "aws_sns_topic" "old" {
  name         = "${var.name}-old"
  display_name = "old"
  tags         = local.tags
}

# Deleted, with its policy.
resource "aws_iam_role" "old" {
  name               = "${var.name}-old"
  assume_role_policy = data.aws_iam_policy_document.assume.json
  tags               = local.tags
}

resource "aws_iam_role_policy" "old" {
  role   = aws_iam_role.old.name
  name   = "${var.name}-old"
  policy = data.aws_iam_policy_document.read.json
}

# Updated: another version of it.
resource "aws_iam_policy" "read" {
  name   = "${var.name}-read"
  policy = data.aws_iam_policy_document.read.json
  tags   = local.tags
}

data "aws_iam_policy_document" "read" {
  statement {
    actions   = ["ssm:GetParameter"]
    resources = ["*"]
  }
}

# Updated: retention and tags.
resource "aws_cloudwatch_log_group" "service" {
  name              = "/${var.name}/service"
  retention_in_days = 7
  tags              = local.tags
}

# Updated.
resource "aws_cloudwatch_metric_alarm" "errors" {
  alarm_name          = "${var.name}-errors"
  namespace           = "rollback-faults"
  metric_name         = "errors"
  comparison_operator = "GreaterThanThreshold"
  evaluation_periods  = 1
  period              = 60
  statistic           = "Sum"
  threshold           = 10
  alarm_actions       = [aws_sns_topic.alarms.arn]
  tags                = local.tags
}

# Updated, and its target replaced.
resource "aws_cloudwatch_event_rule" "nightly" {
  name                = "${var.name}-nightly"
  schedule_expression = "rate(12 hours)"
  tags                = local.tags
}

resource "aws_cloudwatch_event_target" "nightly" {
  rule      = aws_cloudwatch_event_rule.nightly.name
  target_id = "first"
  arn       = aws_sns_topic.alarms.arn
}
