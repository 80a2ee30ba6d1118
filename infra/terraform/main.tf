# The resources of template.yaml, for those who deploy with Terraform.
#
# Not tried: neither `terraform validate` nor `apply` has run on these files. `.ci/terraform.py` compares
# them with template.yaml, which is tried.

terraform {
  required_version = ">= 1.9"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.20, < 7"
    }
  }
}

data "aws_caller_identity" "current" {}
data "aws_region" "current" {}

locals {
  account = data.aws_caller_identity.current.account_id
  region  = data.aws_region.current.region
  bucket  = var.bucket_name != "" ? var.bucket_name : "${var.name}-${local.account}-${local.region}"
  arn     = "arn:aws:s3:::${local.bucket}"
}

# ---- the bucket

resource "aws_s3_bucket" "bucket" {
  bucket = local.bucket
  # what clients compare their Python with
  tags = {
    "tidemill:python" = var.python_runtime
    "tidemill:api"    = aws_apigatewayv2_api.api.api_endpoint
  }
  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_public_access_block" "bucket" {
  bucket                  = aws_s3_bucket.bucket.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "bucket" {
  bucket = aws_s3_bucket.bucket.id
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "bucket" {
  bucket = aws_s3_bucket.bucket.id
  rule {
    id     = "work"
    status = "Enabled"
    filter {
      prefix = "work/"
    }
    expiration {
      days = 7
    }
  }
  rule {
    id     = "calls"
    status = "Enabled"
    filter {
      prefix = "calls/"
    }
    expiration {
      days = 14
    }
  }
  rule {
    id     = "keys"
    status = "Enabled"
    filter {
      prefix = "jobs/api/_keys/"
    }
    expiration {
      days = 7
    }
  }
  rule {
    id     = "uploads"
    status = "Enabled"
    filter {}
    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}

# links to results and uploads, for the pages that may ask the HTTP API
resource "aws_s3_bucket_cors_configuration" "bucket" {
  count  = var.cors_origin == "" ? 0 : 1
  bucket = aws_s3_bucket.bucket.id
  cors_rule {
    allowed_origins = [var.cors_origin]
    allowed_methods = ["GET", "PUT"]
    allowed_headers = ["*"]
    expose_headers  = ["ETag"]
    max_age_seconds = 600
  }
}

resource "aws_s3_bucket_policy" "bucket" {
  bucket = aws_s3_bucket.bucket.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "EncryptedConnectionsOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [local.arn, "${local.arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}

resource "aws_s3_bucket_notification" "bucket" {
  bucket = aws_s3_bucket.bucket.id
  queue {
    queue_arn     = aws_sqs_queue.queue["EventsQueue"].arn
    events        = ["s3:ObjectCreated:*"]
    filter_prefix = "jobs/"
  }
  queue {
    queue_arn     = aws_sqs_queue.queue["EventsQueue"].arn
    events        = ["s3:ObjectCreated:*"]
    filter_prefix = "inbox/"
  }
  queue {
    queue_arn     = aws_sqs_queue.queue["EventsQueue"].arn
    events        = ["s3:ObjectCreated:*"]
    filter_prefix = "pipelines/"
    filter_suffix = ".json"
  }
  queue {
    queue_arn     = aws_sqs_queue.queue["WatchQueue"].arn
    events        = ["s3:ObjectCreated:*"]
    filter_prefix = "runs/"
    filter_suffix = "/cancel"
  }
  topic {
    topic_arn     = aws_sns_topic.outcomes.arn
    events        = ["s3:ObjectCreated:*"]
    filter_prefix = "results/"
    filter_suffix = "/_SUCCESS"
  }
  topic {
    topic_arn     = aws_sns_topic.outcomes.arn
    events        = ["s3:ObjectCreated:*"]
    filter_prefix = "results/"
    filter_suffix = "/_FAILED"
  }
  depends_on = [aws_sqs_queue_policy.storage, aws_sns_topic_policy.outcomes]
}

# ---- the queues

locals {
  queues = {
    EventsQueue          = { visibility = 60, retention = 345600, receives = 5 }
    TaskQueue            = { visibility = 900, retention = 345600, receives = 5 }
    LargeTaskQueue       = { visibility = 900, retention = 345600, receives = 3 }
    PythonTaskQueue      = { visibility = 900, retention = 345600, receives = 5 }
    LargePythonTaskQueue = { visibility = 900, retention = 345600, receives = 5 }
    PythonSqlTaskQueue   = { visibility = 900, retention = 345600, receives = 5 }
    WatchQueue           = { visibility = 360, retention = 1209600, receives = 0 }
    DeadLetterQueue      = { visibility = 360, retention = 1209600, receives = 0 }
  }
}

resource "aws_sqs_queue" "queue" {
  for_each                   = local.queues
  name                       = "${var.name}-${each.key}"
  visibility_timeout_seconds = each.value.visibility
  message_retention_seconds  = each.value.retention
  sqs_managed_sse_enabled    = true
}

resource "aws_sqs_queue_redrive_policy" "queue" {
  for_each  = { for name, queue in local.queues : name => queue if queue.receives > 0 }
  queue_url = aws_sqs_queue.queue[each.key].id
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.queue["DeadLetterQueue"].arn
    maxReceiveCount     = each.value.receives
  })
}

# the bucket tells of uploads and cancellations
resource "aws_sqs_queue_policy" "storage" {
  for_each  = toset(["EventsQueue", "WatchQueue"])
  queue_url = aws_sqs_queue.queue[each.key].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "s3.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = aws_sqs_queue.queue[each.key].arn
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}
