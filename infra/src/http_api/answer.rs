use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue, SET_COOKIE};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// An answer of the gateway's own.
pub(super) fn message(status: StatusCode) -> Response<s3s::Body> {
    let text = match status {
        StatusCode::PAYLOAD_TOO_LARGE => "Request Entity Too Large",
        other => other.canonical_reason().unwrap_or_default(),
    };
    response(status, json!({ "message": text }).to_string().into())
}

/// What a function's answer comes to: without a status it is the body of a success.
pub(super) fn of_function(said: &[u8]) -> Response<s3s::Body> {
    let Ok(answer) = serde_json::from_slice::<Value>(said) else {
        return message(StatusCode::INTERNAL_SERVER_ERROR);
    };
    let Some(status) = answer.get("statusCode") else {
        return response(StatusCode::OK, said.to_vec().into());
    };
    let status = status.as_u64().and_then(|s| u16::try_from(s).ok());
    let Some(status) = status.and_then(|s| StatusCode::from_u16(s).ok()) else {
        return message(StatusCode::INTERNAL_SERVER_ERROR);
    };
    let text = answer["body"].as_str().unwrap_or_default();
    let body = match answer["isBase64Encoded"].as_bool() {
        Some(true) => STANDARD.decode(text).ok().map(Bytes::from),
        _ => Some(Bytes::from(text.to_owned())),
    };
    let Some(body) = body else { return message(StatusCode::INTERNAL_SERVER_ERROR) };
    let mut out = response(status, body);
    for (name, value) in answer["headers"].as_object().into_iter().flatten() {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Some(Ok(value))) = (name, value.as_str().map(str::parse)) {
            out.headers_mut().insert(name, value);
        }
    }
    for cookie in answer["cookies"].as_array().into_iter().flatten() {
        if let Some(Ok(cookie)) = cookie.as_str().map(str::parse) {
            out.headers_mut().append(SET_COOKIE, cookie);
        }
    }
    out
}

fn response(status: StatusCode, body: Bytes) -> Response<s3s::Body> {
    let has_body = !body.is_empty();
    let mut out = Response::new(s3s::Body::from(body));
    *out.status_mut() = status;
    if has_body {
        out.headers_mut().insert(CONTENT_TYPE, JSON);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_status_is_the_body_of_a_success_and_what_is_no_json_is_an_error() {
        assert_eq!(of_function(br#"{"a": 1}"#).status(), StatusCode::OK);
        assert_eq!(of_function(br#"{"statusCode": 204}"#).status(), StatusCode::NO_CONTENT);
        for wrong in ["x", r#"{"statusCode": "many"}"#, r#"{"statusCode": 20}"#] {
            let status = of_function(wrong.as_bytes()).status();
            assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR, "{wrong}");
        }
    }
}
