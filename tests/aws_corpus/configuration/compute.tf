resource "aws_key_pair" "this" {
  key_name   = local.name
  public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEZ1bW15a2V5Zm9ydGhlY29ycHVzb25seTEyMzQ1Njc4 corpus"
}

resource "aws_ebs_volume" "this" {
  availability_zone = "eu-west-1a"
  size              = var.revision
}

resource "aws_ebs_snapshot" "this" {
  volume_id = aws_ebs_volume.this.id
}

resource "aws_launch_template" "this" {
  name          = local.name
  image_id      = "ami-12c6146b"
  instance_type = var.revision > 1 ? "t3.small" : "t3.micro"
}

resource "aws_instance" "this" {
  ami           = "ami-12c6146b"
  instance_type = "t3.micro"
  subnet_id     = aws_subnet.this["a"].id
}

resource "aws_autoscaling_group" "this" {
  name                = local.name
  min_size            = 0
  max_size            = var.revision
  vpc_zone_identifier = [aws_subnet.this["a"].id]
  launch_template {
    id = aws_launch_template.this.id
  }
}

resource "aws_autoscaling_policy" "this" {
  name                   = local.name
  autoscaling_group_name = aws_autoscaling_group.this.name
  adjustment_type        = "ChangeInCapacity"
  scaling_adjustment     = var.revision
  cooldown               = 60
}

resource "aws_lb" "this" {
  name         = local.name
  internal     = true
  subnets      = [for subnet in aws_subnet.this : subnet.id]
  idle_timeout = 60 * var.revision
}

resource "aws_lb_target_group" "this" {
  name                 = local.name
  port                 = 80
  protocol             = "HTTP"
  vpc_id               = aws_vpc.this.id
  deregistration_delay = 60 * var.revision
}

resource "aws_lb_listener" "this" {
  load_balancer_arn = aws_lb.this.arn
  port              = 80
  protocol          = "HTTP"
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this.arn
  }
}

resource "aws_lb_listener_rule" "this" {
  listener_arn = aws_lb_listener.this.arn
  priority     = 10 * var.revision
  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this.arn
  }
  condition {
    path_pattern {
      values = ["/v${var.revision}/*"]
    }
  }
}

resource "aws_ecs_cluster" "this" {
  name = local.name
}

resource "aws_ecs_task_definition" "this" {
  family = local.name
  container_definitions = jsonencode([{
    name = "main", image = "corpus:1", memory = 128, cpu = 10, essential = true
  }])
}

resource "aws_ecr_repository" "this" {
  name                 = local.name
  image_tag_mutability = var.revision > 1 ? "IMMUTABLE" : "MUTABLE"
}

resource "aws_ecr_lifecycle_policy" "this" {
  repository = aws_ecr_repository.this.name
  policy = jsonencode({ rules = [{
    rulePriority = 1
    selection    = { tagStatus = "untagged", countType = "sinceImagePushed", countUnit = "days", countNumber = var.revision }
    action       = { type = "expire" }
  }] })
}

resource "aws_ecr_repository_policy" "this" {
  repository = aws_ecr_repository.this.name
  policy = jsonencode({ Version = "2012-10-17", Statement = [{
    Sid = "Revision${var.revision}", Effect = "Allow", Principal = "*", Action = "ecr:BatchGetImage"
  }] })
}
