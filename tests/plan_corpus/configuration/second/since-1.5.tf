import {
  to = aws_cloudwatch_log_group.imported
  id = "/imported"
}

resource "aws_cloudwatch_log_group" "imported" {
  name = "/imported"
}

import {
  to = aws_cloudwatch_log_group.imported_and_changed
  id = "/imported-and-changed"
}

resource "aws_cloudwatch_log_group" "imported_and_changed" {
  name              = "/imported-and-changed"
  retention_in_days = 30
}

check "counted" {
  assert {
    condition     = length(aws_sqs_queue.counted) == 2
    error_message = "This one fails."
  }
}
