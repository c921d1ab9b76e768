terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

variable "prefix" {
  description = "First part of the bucket's name; bucket names are global to the cloud."
  type        = string
}

variable "provider_region" {
  description = "The cloud's region."
  type        = string
}

provider "aws" {
  region = var.provider_region
}

resource "aws_s3_bucket" "example" {
  bucket = "${var.prefix}-${var.provider_region}"
}

resource "aws_s3_bucket_versioning" "example" {
  bucket = aws_s3_bucket.example.id

  versioning_configuration {
    status = "Enabled"
  }
}
