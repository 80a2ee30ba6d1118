variable "name" {
  description = "What the names of the resources begin with."
  type        = string
  default     = "tidemill"
}

variable "packages_bucket" {
  description = "A bucket of yours that holds planner.zip, worker.zip, watcher.zip, api.zip, python-layer.zip, python-sql-layer.zip and python-packages.zip."
  type        = string
}

variable "packages_prefix" {
  description = "Where in it they are, e.g. tidemill/0.1.0/."
  type        = string
  default     = ""
}

variable "bucket_name" {
  description = "Name of the bucket to create; empty for a name made of the account and region."
  type        = string
  default     = ""
}

variable "worker_memory" {
  description = "Memory of a worker in MiB; 1769 MiB are one vCPU."
  type        = number
  default     = 3538
}

variable "large_worker_memory" {
  description = "Memory in MiB of the worker that takes over where a worker's memory did not suffice."
  type        = number
  default     = 10240
}

variable "python_worker_memory" {
  description = "Memory of a Python worker in MiB, of which its calls have nine tenths of all but 128."
  type        = number
  default     = 1769
}

variable "large_python_worker_memory" {
  description = "Memory in MiB of the Python worker that takes over where a Python worker's memory did not suffice."
  type        = number
  default     = 10240
}

variable "python_sql_worker_memory" {
  description = "Memory in MiB of the worker for the stages of statements that call Python functions."
  type        = number
  default     = 3538
}

variable "python_runtime" {
  description = "The version of Python that calls run on; clients use the same minor version."
  type        = string
  default     = "python3.13"
  validation {
    condition     = contains(["python3.12", "python3.13", "python3.14"], var.python_runtime)
    error_message = "It is python3.12, python3.13 or python3.14."
  }
}

variable "worker_concurrency" {
  description = "The most workers of a kind at once."
  type        = number
  default     = 100
  validation {
    condition     = var.worker_concurrency >= 2 && var.worker_concurrency <= 1000
    error_message = "It is from 2 to 1000."
  }
}

variable "provisioned_pollers" {
  description = "Pollers of the task queue that are always there, and paid while idle; 0 for none."
  type        = number
  default     = 0
  validation {
    condition     = var.provisioned_pollers == 0 || (var.provisioned_pollers >= 2 && var.provisioned_pollers <= 200)
    error_message = "It is 0, or from 2 to 200."
  }
}

variable "default_deadline_seconds" {
  description = "A run whose job has no deadline ends as failed after so many seconds."
  type        = number
  default     = 21600
}

variable "default_max_cost_usd" {
  description = "Dollars that the workers of a run may take whose job has no max_cost_usd; empty for no cap."
  type        = string
  default     = ""
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
  default     = 14
}

variable "alarm_email" {
  description = "Who hears of alarms and of how runs end; empty for nobody."
  type        = string
  default     = ""
}

variable "task_age_alarm_seconds" {
  description = "A task that has waited for so long raises an alarm."
  type        = number
  default     = 900
}

variable "schedule_expression" {
  description = "When the scheduled job is dropped, e.g. cron(0 6 * * ? *); empty for never."
  type        = string
  default     = ""
}

variable "scheduled_job_name" {
  description = "The scheduled job's name."
  type        = string
  default     = "scheduled"
}

variable "scheduled_sql" {
  description = "The scheduled job's SQL."
  type        = string
  default     = "SELECT 1"
}

variable "jwt_issuer" {
  description = "Who issues the tokens that the HTTP API takes; empty for requests that are signed with AWS credentials."
  type        = string
  default     = ""
}

variable "jwt_audience" {
  description = "Whom those tokens are for."
  type        = string
  default     = ""
}

variable "jwt_read_scope" {
  description = "The scope that a token needs to look; empty for none."
  type        = string
  default     = ""
}

variable "jwt_submit_scope" {
  description = "The scope that a token needs to start and end runs, upload and change pipelines; empty for none."
  type        = string
  default     = ""
}

variable "cors_origin" {
  description = "The origin whose pages may ask the HTTP API, e.g. https://console.example.com; empty for none."
  type        = string
  default     = ""
}
