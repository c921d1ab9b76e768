variable "days" {
  type = number
}

resource "aws_cloudwatch_log_group" "logs" {
  for_each          = toset(["a.b", "c[\"d\"]"])
  name              = "/${substr(each.key, 0, 1)}"
  retention_in_days = var.days
}
