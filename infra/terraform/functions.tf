# ---- the functions: zips that hold a program `bootstrap` for arm64, as `sam build` and
# `cargo lambda build --arm64 --output-format zip` make them; those of Python hold the packages of calls, and
# their program is in a layer

locals {
  environment = {
    TIDEMILL_BUCKET                     = local.bucket
    TIDEMILL_WORKER_MEMORY              = tostring(var.worker_memory)
    TIDEMILL_LARGE_WORKER_MEMORY        = tostring(var.large_worker_memory)
    TIDEMILL_PYTHON_WORKER_MEMORY       = tostring(var.python_worker_memory)
    TIDEMILL_LARGE_PYTHON_WORKER_MEMORY = tostring(var.large_python_worker_memory)
    TIDEMILL_PYTHON_SQL_WORKER_MEMORY   = tostring(var.python_sql_worker_memory)
    TIDEMILL_WORKER_CONCURRENCY         = tostring(var.worker_concurrency)
    TIDEMILL_PROVISIONED_POLLERS        = tostring(var.provisioned_pollers)
  }
  queue_url = { for name, queue in aws_sqs_queue.queue : name => queue.id }
  queue_arn = { for name, queue in aws_sqs_queue.queue : name => queue.arn }

  everything = ["*"]
  written    = ["runs/*", "work/*", "results/*", "tables/*"]
  begun      = ["recent/*", "runs/*", "work/*", "results/*", "tables/*"]
  deleted    = ["work/*", "tables/*"]

  # of those who run code of users, and so write nothing that is theirs or starts a run
  of_calls      = ["calls/*", "runs/*", "work/*", "results/*"]
  made_by_calls = ["runs/*", "work/*", "results/*"]

  layers = {
    PythonLayer = {
      description = "The Python worker's program, which supervises the interpreter, and cloudpickle."
      package     = "python-layer"
      runtime     = var.python_runtime
    }
    PythonSqlLayer = {
      description = "The program of the worker for statements that call Python functions, and cloudpickle."
      package     = "python-sql-layer"
      runtime     = var.python_runtime
    }
  }

  functions = {
    Planner = {
      package = "planner"
      runtime = "provided.al2023"
      handler = "bootstrap"
      layers  = []
      memory  = 1769
      timeout = 60
      storage = 512
      loops   = false
      environment = {
        TIDEMILL_EVENTS_QUEUE_URL            = local.queue_url["EventsQueue"]
        TIDEMILL_DEADLINE                    = tostring(var.default_deadline_seconds)
        TIDEMILL_MAX_COST_USD                = var.default_max_cost_usd
        TIDEMILL_TASK_QUEUE_URL              = local.queue_url["TaskQueue"]
        TIDEMILL_PYTHON_TASK_QUEUE_URL       = local.queue_url["PythonTaskQueue"]
        TIDEMILL_LARGE_PYTHON_TASK_QUEUE_URL = local.queue_url["LargePythonTaskQueue"]
        TIDEMILL_PYTHON_SQL_TASK_QUEUE_URL   = local.queue_url["PythonSqlTaskQueue"]
        TIDEMILL_WATCH_QUEUE_URL             = local.queue_url["WatchQueue"]
      }
      reads    = local.everything
      writes   = local.begun
      deletes  = local.deleted
      sends    = ["TaskQueue", "PythonTaskQueue", "LargePythonTaskQueue", "PythonSqlTaskQueue", "WatchQueue"]
      receives = ["EventsQueue"]
      hides    = ["EventsQueue"]
    }
    Worker = {
      package = "worker"
      runtime = "provided.al2023"
      handler = "bootstrap"
      layers  = []
      memory  = var.worker_memory
      timeout = 900
      storage = 10240
      loops   = true
      environment = {
        TIDEMILL_TASK_QUEUE_URL            = local.queue_url["TaskQueue"]
        TIDEMILL_LARGE_TASK_QUEUE_URL      = local.queue_url["LargeTaskQueue"]
        TIDEMILL_PYTHON_SQL_TASK_QUEUE_URL = local.queue_url["PythonSqlTaskQueue"]
        MIMALLOC_PURGE_DELAY               = "1000"
        MIMALLOC_ALLOW_THP                 = "0"
      }
      reads    = local.everything
      writes   = local.written
      deletes  = local.deleted
      sends    = ["TaskQueue", "LargeTaskQueue", "PythonSqlTaskQueue"]
      receives = ["TaskQueue"]
      hides    = ["TaskQueue"]
    }
    LargeWorker = {
      package = "worker"
      runtime = "provided.al2023"
      handler = "bootstrap"
      layers  = []
      memory  = var.large_worker_memory
      timeout = 900
      storage = 10240
      loops   = true
      environment = {
        TIDEMILL_TASK_QUEUE_URL            = local.queue_url["TaskQueue"]
        TIDEMILL_LARGE_TASK_QUEUE_URL      = local.queue_url["LargeTaskQueue"]
        TIDEMILL_PYTHON_SQL_TASK_QUEUE_URL = local.queue_url["PythonSqlTaskQueue"]
        TIDEMILL_WORKER_KIND               = "large"
        MIMALLOC_PURGE_DELAY               = "1000"
        MIMALLOC_ALLOW_THP                 = "0"
      }
      reads    = local.everything
      writes   = local.written
      deletes  = local.deleted
      sends    = ["TaskQueue", "PythonSqlTaskQueue"]
      receives = ["LargeTaskQueue"]
      hides    = ["LargeTaskQueue"]
    }
    PythonWorker = {
      package = "python-packages"
      runtime = var.python_runtime
      handler = "none"
      layers  = ["PythonLayer"]
      memory  = var.python_worker_memory
      timeout = 900
      storage = 10240
      loops   = true
      environment = {
        AWS_LAMBDA_EXEC_WRAPPER              = "/opt/tidemill/python"
        TIDEMILL_WORKER_KIND                 = "python"
        TIDEMILL_TASK_QUEUE_URL              = local.queue_url["TaskQueue"]
        TIDEMILL_PYTHON_TASK_QUEUE_URL       = local.queue_url["PythonTaskQueue"]
        TIDEMILL_LARGE_PYTHON_TASK_QUEUE_URL = local.queue_url["LargePythonTaskQueue"]
      }
      reads    = local.of_calls
      writes   = local.made_by_calls
      deletes  = ["work/*"]
      sends    = ["PythonTaskQueue", "LargePythonTaskQueue", "TaskQueue"]
      receives = ["PythonTaskQueue"]
      hides    = ["PythonTaskQueue"]
    }
    LargePythonWorker = {
      package = "python-packages"
      runtime = var.python_runtime
      handler = "none"
      layers  = ["PythonLayer"]
      memory  = var.large_python_worker_memory
      timeout = 900
      storage = 10240
      loops   = true
      environment = {
        AWS_LAMBDA_EXEC_WRAPPER              = "/opt/tidemill/python"
        TIDEMILL_WORKER_KIND                 = "large-python"
        TIDEMILL_TASK_QUEUE_URL              = local.queue_url["TaskQueue"]
        TIDEMILL_LARGE_PYTHON_TASK_QUEUE_URL = local.queue_url["LargePythonTaskQueue"]
      }
      reads    = local.of_calls
      writes   = local.made_by_calls
      deletes  = ["work/*"]
      sends    = ["LargePythonTaskQueue", "TaskQueue"]
      receives = ["LargePythonTaskQueue"]
      hides    = ["LargePythonTaskQueue"]
    }
    PythonSqlWorker = {
      package = "python-packages"
      runtime = var.python_runtime
      handler = "none"
      layers  = ["PythonSqlLayer"]
      memory  = var.python_sql_worker_memory
      timeout = 900
      storage = 10240
      loops   = true
      environment = {
        AWS_LAMBDA_EXEC_WRAPPER            = "/opt/tidemill/python-sql"
        TIDEMILL_WORKER_KIND               = "python-sql"
        TIDEMILL_TASK_QUEUE_URL            = local.queue_url["TaskQueue"]
        TIDEMILL_PYTHON_SQL_TASK_QUEUE_URL = local.queue_url["PythonSqlTaskQueue"]
        MIMALLOC_PURGE_DELAY               = "1000"
        MIMALLOC_ALLOW_THP                 = "0"
      }
      reads    = local.everything
      writes   = local.made_by_calls
      deletes  = ["work/*"]
      sends    = ["PythonSqlTaskQueue", "TaskQueue"]
      receives = ["PythonSqlTaskQueue"]
      hides    = ["PythonSqlTaskQueue"]
    }
    Watcher = {
      package = "watcher"
      runtime = "provided.al2023"
      handler = "bootstrap"
      layers  = []
      memory  = 256
      timeout = 60
      storage = 512
      loops   = true
      environment = {
        TIDEMILL_TASK_QUEUE_URL              = local.queue_url["TaskQueue"]
        TIDEMILL_PYTHON_TASK_QUEUE_URL       = local.queue_url["PythonTaskQueue"]
        TIDEMILL_LARGE_PYTHON_TASK_QUEUE_URL = local.queue_url["LargePythonTaskQueue"]
        TIDEMILL_PYTHON_SQL_TASK_QUEUE_URL   = local.queue_url["PythonSqlTaskQueue"]
        TIDEMILL_WATCH_QUEUE_URL             = local.queue_url["WatchQueue"]
      }
      reads    = ["pipelines/*", "recent/*", "runs/*", "work/*", "results/*", "tables/*"]
      writes   = local.begun
      deletes  = local.deleted
      sends    = ["TaskQueue", "PythonTaskQueue", "LargePythonTaskQueue", "PythonSqlTaskQueue"]
      receives = ["WatchQueue", "DeadLetterQueue"]
      hides    = ["WatchQueue"]
    }
    Api = {
      package     = "api"
      runtime     = "provided.al2023"
      handler     = "bootstrap"
      layers      = []
      memory      = 256
      timeout     = 30
      storage     = 512
      loops       = false
      environment = {}
      reads       = ["jobs/api/*", "pipelines/*", "runs/*", "work/*", "results/*", "tables/*/_schema.json"]
      writes      = ["jobs/api/*", "runs/*/cancel", "pipelines/*", "inbox/*", "tables/*"]
      deletes     = ["pipelines/*"]
      sends       = []
      receives    = []
      hides       = []
    }
  }

  # without s3:ListBucket a missing key is a 403 and not a 404
  statements = {
    for name, f in local.functions : name => concat(
      [
        { Effect = "Allow", Action = ["s3:GetObject"], Resource = [for p in f.reads : "${local.arn}/${p}"] },
        { Effect = "Allow", Action = ["s3:ListBucket"], Resource = [local.arn] },
        { Effect = "Allow", Action = ["logs:CreateLogStream", "logs:PutLogEvents"], Resource = ["${aws_cloudwatch_log_group.function[name].arn}:*"] },
      ],
      length(f.writes) == 0 ? [] : [{ Effect = "Allow", Action = ["s3:PutObject", "s3:AbortMultipartUpload"], Resource = [for p in f.writes : "${local.arn}/${p}"] }],
      length(f.deletes) == 0 ? [] : [{ Effect = "Allow", Action = ["s3:DeleteObject"], Resource = [for p in f.deletes : "${local.arn}/${p}"] }],
      length(f.sends) == 0 ? [] : [{ Effect = "Allow", Action = ["sqs:SendMessage"], Resource = [for q in f.sends : local.queue_arn[q]] }],
      length(f.hides) == 0 ? [] : [{ Effect = "Allow", Action = ["sqs:ChangeMessageVisibility"], Resource = [for q in f.hides : local.queue_arn[q]] }],
      # an event source acts by the function's role
      length(f.receives) == 0 ? [] : [{ Effect = "Allow", Action = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], Resource = [for q in f.receives : local.queue_arn[q]] }],
    )
  }

  sources = {
    Planner           = { function = "Planner", queue = "EventsQueue", batch = 1, concurrency = 20 }
    Worker            = { function = "Worker", queue = "TaskQueue", batch = 1, concurrency = var.worker_concurrency }
    LargeWorker       = { function = "LargeWorker", queue = "LargeTaskQueue", batch = 1, concurrency = var.worker_concurrency }
    PythonWorker      = { function = "PythonWorker", queue = "PythonTaskQueue", batch = 1, concurrency = var.worker_concurrency }
    LargePythonWorker = { function = "LargePythonWorker", queue = "LargePythonTaskQueue", batch = 1, concurrency = var.worker_concurrency }
    PythonSqlWorker   = { function = "PythonSqlWorker", queue = "PythonSqlTaskQueue", batch = 1, concurrency = var.worker_concurrency }
    Runs              = { function = "Watcher", queue = "WatchQueue", batch = 1, concurrency = 10 }
    DeadLetters       = { function = "Watcher", queue = "DeadLetterQueue", batch = 10, concurrency = 2 }
  }
}

resource "aws_iam_role" "function" {
  for_each = local.functions
  name     = "${var.name}-${local.region}-${each.key}"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "lambda.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}

resource "aws_iam_role_policy" "function" {
  for_each = local.functions
  role     = aws_iam_role.function[each.key].id
  policy   = jsonencode({ Version = "2012-10-17", Statement = local.statements[each.key] })
}

resource "aws_cloudwatch_log_group" "function" {
  for_each          = local.functions
  name              = "/aws/lambda/${var.name}-${each.key}"
  retention_in_days = var.log_retention_days
}

resource "aws_lambda_layer_version" "layer" {
  for_each                 = local.layers
  layer_name               = "${var.name}-${each.key}"
  description              = each.value.description
  compatible_runtimes      = [each.value.runtime]
  compatible_architectures = ["arm64"]
  s3_bucket                = var.packages_bucket
  s3_key                   = "${var.packages_prefix}${each.value.package}.zip"
}

resource "aws_lambda_function" "function" {
  for_each      = local.functions
  function_name = "${var.name}-${each.key}"
  role          = aws_iam_role.function[each.key].arn
  runtime       = each.value.runtime
  architectures = ["arm64"]
  handler       = each.value.handler
  layers        = [for layer in each.value.layers : aws_lambda_layer_version.layer[layer].arn]
  s3_bucket     = var.packages_bucket
  s3_key        = "${var.packages_prefix}${each.value.package}.zip"
  memory_size   = each.value.memory
  timeout       = each.value.timeout
  ephemeral_storage {
    size = each.value.storage
  }
  environment {
    variables = merge(local.environment, each.value.environment)
  }
  depends_on = [aws_cloudwatch_log_group.function, aws_iam_role_policy.function]
}

# on a cycle of events: worker → queue → worker, worker → dead letters → watcher → queue → worker
resource "aws_lambda_function_recursion_config" "function" {
  for_each       = { for name, f in local.functions : name => f if f.loops }
  function_name  = aws_lambda_function.function[each.key].function_name
  recursive_loop = "Allow"
}

resource "aws_lambda_event_source_mapping" "source" {
  for_each                = local.sources
  event_source_arn        = local.queue_arn[each.value.queue]
  function_name           = aws_lambda_function.function[each.value.function].arn
  batch_size              = each.value.batch
  function_response_types = ["ReportBatchItemFailures"]
  # AWS takes one or the other
  dynamic "scaling_config" {
    for_each = each.key == "Worker" && var.provisioned_pollers > 0 ? [] : [each.value.concurrency]
    content {
      maximum_concurrency = scaling_config.value
    }
  }
  dynamic "provisioned_poller_config" {
    for_each = each.key == "Worker" && var.provisioned_pollers > 0 ? [var.provisioned_pollers] : []
    content {
      minimum_pollers = provisioned_poller_config.value
      maximum_pollers = 200
    }
  }
}
