# ---- who hears of what

resource "aws_sns_topic" "outcomes" {
  name = "${var.name}-Outcomes"
}

resource "aws_sns_topic_policy" "outcomes" {
  arn = aws_sns_topic.outcomes.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "s3.amazonaws.com" }
      Action    = "sns:Publish"
      Resource  = aws_sns_topic.outcomes.arn
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

resource "aws_sns_topic" "alarms" {
  name = "${var.name}-Alarms"
}

resource "aws_sns_topic_subscription" "email" {
  for_each  = var.alarm_email == "" ? {} : { outcomes = aws_sns_topic.outcomes.arn, alarms = aws_sns_topic.alarms.arn }
  topic_arn = each.value
  protocol  = "email"
  endpoint  = var.alarm_email
}

locals {
  alarms = {
    DeadLettersAlarm = {
      description = "A message was given up; its run fails with the reason. See infra/README.md."
      namespace   = "AWS/SQS"
      metric      = "NumberOfMessagesReceived"
      dimensions  = { QueueName = aws_sqs_queue.queue["DeadLetterQueue"].name }
      statistic   = "Sum"
      period      = 300
      periods     = 1
      threshold   = 1
    }
    TaskAgeAlarm = {
      description = "Tasks wait for long; there are too few workers for what was asked. See infra/README.md."
      namespace   = "AWS/SQS"
      metric      = "ApproximateAgeOfOldestMessage"
      dimensions  = { QueueName = aws_sqs_queue.queue["TaskQueue"].name }
      statistic   = "Maximum"
      period      = 60
      periods     = 5
      threshold   = var.task_age_alarm_seconds
    }
    CallAgeAlarm = {
      description = "Calls wait for long; there are too few Python workers for what was asked. See infra/README.md."
      namespace   = "AWS/SQS"
      metric      = "ApproximateAgeOfOldestMessage"
      dimensions  = { QueueName = aws_sqs_queue.queue["PythonTaskQueue"].name }
      statistic   = "Maximum"
      period      = 60
      periods     = 5
      threshold   = var.task_age_alarm_seconds
    }
    PythonSqlAgeAlarm = {
      description = "Tasks that call Python functions wait for long; there are too few workers for them. See infra/README.md."
      namespace   = "AWS/SQS"
      metric      = "ApproximateAgeOfOldestMessage"
      dimensions  = { QueueName = aws_sqs_queue.queue["PythonSqlTaskQueue"].name }
      statistic   = "Maximum"
      period      = 60
      periods     = 5
      threshold   = var.task_age_alarm_seconds
    }
    FailedRunsAlarm = {
      description = "A run failed; its _FAILED says why. See infra/README.md."
      namespace   = "Tidemill"
      metric      = "FailedRuns"
      dimensions  = { Deployment = local.bucket }
      statistic   = "Sum"
      period      = 300
      periods     = 1
      threshold   = 1
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "alarm" {
  for_each            = local.alarms
  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  period              = each.value.period
  evaluation_periods  = each.value.periods
  threshold           = each.value.threshold
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
}

locals {
  # title, statistic, seconds, metrics
  widgets = [
    ["Runs", "Sum", 300, [for m in ["SucceededRuns", "FailedRuns"] : ["Tidemill", m, "Deployment", local.bucket]]],
    ["Tasks", "Sum", 60, [for m in ["Tasks", "FailedAttempts", "ColdStarts"] : ["Tidemill", m, "Deployment", local.bucket]]],
    ["Tasks that wait", "Maximum", 60, concat(
      [for m in ["ApproximateNumberOfMessagesVisible", "ApproximateNumberOfMessagesNotVisible", "ApproximateAgeOfOldestMessage"] : ["AWS/SQS", m, "QueueName", aws_sqs_queue.queue["TaskQueue"].name]],
      [for q in ["PythonTaskQueue", "PythonSqlTaskQueue"] : ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", aws_sqs_queue.queue[q].name]],
    )],
    ["Functions at work", "Maximum", 60, [for f in ["Planner", "Worker", "LargeWorker", "PythonWorker", "LargePythonWorker", "PythonSqlWorker", "Watcher"] : ["AWS/Lambda", "ConcurrentExecutions", "FunctionName", "${var.name}-${f}"]]],
    ["Rows and bytes that tasks wrote", "Sum", 60, [for m in ["Rows", "Bytes"] : ["Tidemill", m, "Deployment", local.bucket]]],
    ["Errors", "Sum", 300, [for f in ["Planner", "Worker", "LargeWorker", "PythonWorker", "LargePythonWorker", "PythonSqlWorker", "Watcher"] : ["AWS/Lambda", "Errors", "FunctionName", "${var.name}-${f}"]]],
  ]
}

resource "aws_cloudwatch_dashboard" "dashboard" {
  dashboard_name = "${var.name}-tidemill"
  dashboard_body = jsonencode({
    widgets = [for n, w in local.widgets : {
      type       = "metric"
      x          = 12 * (n % 2)
      y          = 6 * floor(n / 2)
      width      = 12
      height     = 6
      properties = { title = w[0], region = local.region, stat = w[1], period = w[2], metrics = w[3] }
    }]
  })
}

# ---- drops a job again and again

resource "aws_iam_role" "schedule" {
  count = var.schedule_expression == "" ? 0 : 1
  name  = "${var.name}-${local.region}-Schedule"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "scheduler.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

resource "aws_iam_role_policy" "schedule" {
  count = var.schedule_expression == "" ? 0 : 1
  role  = aws_iam_role.schedule[0].id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "s3:PutObject", Resource = "${local.arn}/jobs/${var.scheduled_job_name}.sql" }]
  })
}

resource "aws_scheduler_schedule" "schedule" {
  count               = var.schedule_expression == "" ? 0 : 1
  name                = "${var.name}-Schedule"
  schedule_expression = var.schedule_expression
  flexible_time_window {
    mode = "OFF"
  }
  target {
    arn      = "arn:aws:scheduler:::aws-sdk:s3:putObject"
    role_arn = aws_iam_role.schedule[0].arn
    input = jsonencode({
      Bucket = local.bucket
      Key    = "jobs/${var.scheduled_job_name}.sql"
      Body   = var.scheduled_sql
    })
  }
}

output "bucket_name" {
  description = "Drop jobs here, under jobs/."
  value       = aws_s3_bucket.bucket.id
}

output "api_url" {
  description = "The HTTP API; GET /openapi.json describes it, and `tidemill api GET /runs` signs requests."
  value       = aws_apigatewayv2_api.api.api_endpoint
}

output "api_policies" {
  description = "Attach them to who may look, and to who may start and end runs, through the HTTP API."
  value       = { for name, policy in aws_iam_policy.api : name => policy.arn }
}

output "outcomes_topic" {
  description = "Subscribe to hear how each run ended."
  value       = aws_sns_topic.outcomes.arn
}

output "alarms_topic" {
  description = "Subscribe to hear of alarms."
  value       = aws_sns_topic.alarms.arn
}
