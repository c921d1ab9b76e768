resource "aws_sqs_queue" "after" {
  name = "moved"
}

moved {
  from = aws_sqs_queue.before
  to   = aws_sqs_queue.after
}

resource "aws_sqs_queue" "after_too" {
  name                       = "moved-and-changed"
  visibility_timeout_seconds = 60
}

moved {
  from = aws_sqs_queue.before_too
  to   = aws_sqs_queue.after_too
}
