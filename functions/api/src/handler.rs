use aws_lambda_events::encodings::Body;
use aws_lambda_events::event::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use serde_json::{Value, json};
use tidemill_aws::Deployment;
use tidemill_protocol::RunId;
use tidemill_protocol::status::status;
use tracing::error;

/// Answers `GET /runs/{id}`.
pub(crate) async fn handle(
    deployment: &Deployment,
    request: ApiGatewayV2httpRequest,
) -> ApiGatewayV2httpResponse {
    let Some(id) = request.path_parameters.get("id") else {
        return response(404, &json!({ "message": "not found" }));
    };
    let id = match RunId::parse(id) {
        Ok(id) => id,
        Err(e) => return response(400, &json!({ "message": e })),
    };
    match status(&*deployment.bucket, &id).await {
        Ok(Some(found)) => response(200, &json!(found)),
        Ok(None) => response(404, &json!({ "message": format!("there is no run {id}") })),
        Err(e) => {
            error!(error = %e, "looking up the run failed");
            response(500, &json!({ "message": "looking up the run failed" }))
        }
    }
}

fn response(status: i64, body: &Value) -> ApiGatewayV2httpResponse {
    let mut response = ApiGatewayV2httpResponse::default();
    response.status_code = status;
    response.body = Some(Body::Text(body.to_string()));
    let json = aws_lambda_events::http::HeaderValue::from_static("application/json");
    response.headers.insert("content-type", json);
    response
}
