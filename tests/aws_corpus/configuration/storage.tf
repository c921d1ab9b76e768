resource "aws_s3_bucket" "this" {
  bucket        = "corpus-0123456789"
  force_destroy = true
}

resource "aws_s3_bucket_versioning" "this" {
  bucket = aws_s3_bucket.this.id
  versioning_configuration {
    status = var.revision > 1 ? "Suspended" : "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id
  rule {
    bucket_key_enabled = var.revision > 1
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket              = aws_s3_bucket.this.id
  block_public_acls   = true
  block_public_policy = var.revision > 1
}

resource "aws_s3_bucket_policy" "this" {
  bucket = aws_s3_bucket.this.id
  policy = jsonencode({ Version = "2012-10-17", Statement = [{
    Sid       = "Revision${var.revision}", Effect = "Deny", Principal = "*", Action = "s3:DeleteBucket"
    Resource  = aws_s3_bucket.this.arn
    Condition = { Bool = { "aws:SecureTransport" = "false" } }
  }] })
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  bucket = aws_s3_bucket.this.id
  rule {
    id     = "expire"
    status = "Enabled"
    filter {
      prefix = "tmp/"
    }
    expiration {
      days = var.revision
    }
  }
}

resource "aws_s3_bucket_cors_configuration" "this" {
  bucket = aws_s3_bucket.this.id
  cors_rule {
    allowed_methods = ["GET"]
    allowed_origins = ["https://r${var.revision}.example"]
  }
}

resource "aws_s3_bucket_website_configuration" "this" {
  bucket = aws_s3_bucket.this.id
  index_document {
    suffix = "index${var.revision}.html"
  }
}

resource "aws_s3_bucket_ownership_controls" "this" {
  bucket = aws_s3_bucket.this.id
  rule {
    object_ownership = var.revision > 1 ? "BucketOwnerPreferred" : "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_notification" "this" {
  bucket = aws_s3_bucket.this.id
  queue {
    id        = "revision-${var.revision}"
    queue_arn = aws_sqs_queue.this.arn
    events    = ["s3:ObjectCreated:*"]
  }
}

resource "aws_s3_object" "this" {
  bucket  = aws_s3_bucket.this.id
  key     = "settings.txt"
  content = local.text
}

resource "aws_dynamodb_table" "this" {
  name         = local.name
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "id"
  attribute {
    name = "id"
    type = "S"
  }
  ttl {
    enabled        = true
    attribute_name = "expires"
  }
}

resource "aws_dynamodb_table_item" "this" {
  table_name = aws_dynamodb_table.this.name
  hash_key   = "id"
  item       = jsonencode({ id = { S = "one" }, text = { S = local.text } })
}

resource "aws_efs_file_system" "this" {
  creation_token  = local.name
  throughput_mode = "bursting"
}

resource "aws_efs_mount_target" "this" {
  file_system_id = aws_efs_file_system.this.id
  subnet_id      = aws_subnet.this["a"].id
}

resource "aws_efs_access_point" "this" {
  file_system_id = aws_efs_file_system.this.id
}

resource "aws_backup_vault" "this" {
  name = local.name
}

resource "aws_db_subnet_group" "this" {
  name        = local.name
  description = "corpus"
  subnet_ids  = [for subnet in aws_subnet.this : subnet.id]
}

resource "aws_db_parameter_group" "this" {
  name   = local.name
  family = "postgres15"
  parameter {
    name  = "log_min_duration_statement"
    value = tostring(var.revision)
  }
}

resource "aws_db_instance" "this" {
  identifier           = local.name
  engine               = "postgres"
  instance_class       = "db.t3.micro"
  allocated_storage    = 10
  username             = "corpus"
  password             = "corpus-only-0123"
  skip_final_snapshot  = true
  apply_immediately    = true
  db_subnet_group_name = aws_db_subnet_group.this.name
}
