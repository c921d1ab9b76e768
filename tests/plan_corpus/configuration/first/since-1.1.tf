resource "aws_sqs_queue" "before" {
  name = "moved"
}

resource "aws_sqs_queue" "before_too" {
  name = "moved-and-changed"
}
