removed {
  from = aws_sqs_queue.forgotten
  lifecycle {
    destroy = false
  }
}
