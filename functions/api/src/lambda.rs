//! Requests and answers as API Gateway has them: payload format 2.0.

use aws_lambda_events::encodings::Body;
use aws_lambda_events::event::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use aws_lambda_events::http::{HeaderName, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::api::Api;
use crate::problem::Problem;
use crate::request::{Request, Response};
use crate::routes;

pub(crate) async fn handle(api: &Api, event: ApiGatewayV2httpRequest) -> ApiGatewayV2httpResponse {
    let response = match request(event) {
        Ok(request) => api.answer(&request).await,
        Err(problem) => problem.into(),
    };
    to_gateway(response)
}

fn request(event: ApiGatewayV2httpRequest) -> Result<Request, Problem> {
    let key = event.route_key.as_deref().unwrap_or_default();
    let route = routes::of_key(key)
        .ok_or_else(|| Problem::new(404, format!("this version of the function knows no {key}")))?;
    let body = event.body.unwrap_or_default();
    let body = match event.is_base64_encoded {
        true => STANDARD
            .decode(body)
            .map_err(|e| Problem::new(400, format!("the body is no base64: {e}")))?,
        false => body.into_bytes(),
    };
    let header = |(name, value): (&HeaderName, &HeaderValue)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    };
    Ok(Request {
        route,
        parameters: event.path_parameters.into_iter().collect(),
        // the parsed form cannot tell a comma from a second value
        query: Request::parse_query(event.raw_query_string.as_deref().unwrap_or_default()),
        headers: event.headers.iter().filter_map(header).collect(),
        body,
    })
}

fn to_gateway(response: Response) -> ApiGatewayV2httpResponse {
    let mut out = ApiGatewayV2httpResponse::default();
    out.status_code = i64::from(response.status);
    for (name, value) in response.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            out.headers.insert(HeaderName::from_static(name), value);
        }
    }
    out.body = Some(Body::Text(response.body));
    out
}
