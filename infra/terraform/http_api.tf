# ---- the HTTP API

locals {
  routes = [
    "POST /runs",
    "GET /runs",
    "GET /runs/{run}",
    "GET /runs/{run}/tasks",
    "GET /runs/{run}/results",
    "POST /runs/{run}/cancel",
    "POST /runs/{run}/retry",
    "POST /explain",
    "POST /uploads",
    "POST /uploads/complete",
    "GET /tables",
    "GET /tables/{table}",
    "GET /pipelines",
    "GET /pipelines/{pipeline}",
    "PUT /pipelines/{pipeline}",
    "DELETE /pipelines/{pipeline}",
    "GET /meta",
    "GET /openapi.json",
  ]
  uses_jwt = var.jwt_issuer != ""
}

resource "aws_apigatewayv2_api" "api" {
  name          = var.name
  protocol_type = "HTTP"
  dynamic "cors_configuration" {
    for_each = var.cors_origin == "" ? [] : [var.cors_origin]
    content {
      allow_origins  = [cors_configuration.value]
      allow_methods  = ["GET", "POST", "PUT", "DELETE"]
      allow_headers  = ["authorization", "content-type", "idempotency-key", "if-match", "if-none-match", "prefer"]
      expose_headers = ["etag", "location", "preference-applied", "retry-after"]
      max_age        = 600
    }
  }
}

resource "aws_apigatewayv2_stage" "api" {
  api_id      = aws_apigatewayv2_api.api.id
  name        = "$default"
  auto_deploy = true
  # requests that wait take from the concurrency that the workers have, too
  default_route_settings {
    throttling_rate_limit  = 50
    throttling_burst_limit = 100
  }
}

resource "aws_apigatewayv2_integration" "api" {
  api_id                 = aws_apigatewayv2_api.api.id
  integration_type       = "AWS_PROXY"
  integration_uri        = aws_lambda_function.function["Api"].invoke_arn
  payload_format_version = "2.0"
}

resource "aws_apigatewayv2_authorizer" "jwt" {
  count            = local.uses_jwt ? 1 : 0
  api_id           = aws_apigatewayv2_api.api.id
  name             = "jwt"
  authorizer_type  = "JWT"
  identity_sources = ["$request.header.Authorization"]
  jwt_configuration {
    issuer   = var.jwt_issuer
    audience = [var.jwt_audience]
  }
}

resource "aws_apigatewayv2_route" "route" {
  for_each           = toset(local.routes)
  api_id             = aws_apigatewayv2_api.api.id
  route_key          = each.value
  target             = "integrations/${aws_apigatewayv2_integration.api.id}"
  authorization_type = local.uses_jwt ? "JWT" : "AWS_IAM"
  authorizer_id      = local.uses_jwt ? aws_apigatewayv2_authorizer.jwt[0].id : null
  authorization_scopes = local.uses_jwt ? compact([
    startswith(each.value, "GET ") ? var.jwt_read_scope : var.jwt_submit_scope
  ]) : null
}

resource "aws_lambda_permission" "api" {
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.function["Api"].function_name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.api.execution_arn}/*"
}

# for whom to attach to: who may look, and who may do all
resource "aws_iam_policy" "api" {
  for_each = {
    reader    = "GET/*"
    submitter = "*"
  }
  name = "${var.name}-api-${each.key}"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = "execute-api:Invoke"
      Resource = "${aws_apigatewayv2_api.api.execution_arn}/$default/${each.value}"
    }]
  })
}
