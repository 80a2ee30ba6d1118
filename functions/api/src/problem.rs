use schemars::JsonSchema;
use serde::Serialize;
use tidemill_protocol::bucket::BucketError;
use tidemill_protocol::context::full_text;
use tidemill_protocol::job::Refusal;
use tracing::error;

use crate::request::Response;

/// Why a request is not answered otherwise (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Problem {
    /// The kind of the problem: `about:blank` is that of its status.
    #[serde(rename = "type")]
    kind: &'static str,
    /// What the status means.
    title: &'static str,
    pub(crate) status: u16,
    /// What is wrong, on what, and what to do.
    pub(crate) detail: String,
    /// What is wrong with which member of the request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    #[serde(skip)]
    retry_after: Option<u32>,
}

/// What S3 says of requests that it never takes ("Error responses", list of error codes).
const REFUSALS: [&str; 8] = [
    "EntityTooSmall",
    "InvalidArgument",
    "InvalidPart",
    "InvalidRequest",
    "InvalidURI",
    "KeyTooLongError",
    "KeyTooLong",
    "MalformedXML",
];

/// What is wrong with a member of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
struct FieldError {
    /// The member of the body, as a JSON pointer (RFC 6901).
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<String>,
    /// The parameter of the query or the header.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<String>,
    detail: String,
}

impl Problem {
    pub(crate) fn new(status: u16, detail: impl Into<String>) -> Self {
        Self {
            kind: "about:blank",
            title: title(status),
            status,
            detail: detail.into(),
            errors: vec![],
            retry_after: None,
        }
    }

    /// A parameter or a header that cannot be.
    pub(crate) fn of_parameter(name: &str, detail: String) -> Self {
        let parameter = Some(name.to_owned());
        let errors = vec![FieldError { pointer: None, parameter, detail: detail.clone() }];
        Self { errors, ..Self::new(400, detail) }
    }

    /// A member of the body that cannot be.
    pub(crate) fn of_member(pointer: &str, detail: impl Into<String>) -> Self {
        let (pointer, sentence) = (Some(pointer.to_owned()), detail.into());
        Refusal { sentence, pointer }.into()
    }

    pub(crate) fn with_status(self, status: u16) -> Self {
        Self { status, title: title(status), ..self }
    }

    /// The same request may succeed after so many seconds.
    pub(crate) fn retry_after(self, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }
}

/// RFC 9110.
fn title(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Content",
        503 => "Service Unavailable",
        _ => "Internal Server Error",
    }
}

impl From<Refusal> for Problem {
    fn from(Refusal { sentence, pointer }: Refusal) -> Self {
        let errors = pointer.map(|pointer| FieldError {
            pointer: Some(pointer),
            parameter: None,
            detail: sentence.clone(),
        });
        Self { errors: errors.into_iter().collect(), ..Self::new(422, sentence) }
    }
}

impl From<BucketError> for Problem {
    fn from(e: BucketError) -> Self {
        let text = full_text(&e);
        match e {
            BucketError::NotFound { .. } => Self::new(404, text),
            BucketError::Changed { .. } => Self::new(412, text),
            BucketError::Io { action, key, .. } if text.contains("AccessDenied") => {
                Self::new(403, format!("{action} {key} is not allowed with these credentials"))
            }
            BucketError::Io { action, key, .. }
                if REFUSALS.iter().any(|code| text.contains(code)) =>
            {
                Self::new(400, format!("{action} {key} is refused by the bucket: {text}"))
            }
            BucketError::Io { action, key, .. } => {
                error!(error = %text, "a request to the bucket failed");
                Self::new(503, format!("{action} {key} failed; the log says why")).retry_after(1)
            }
        }
    }
}

impl From<Problem> for Response {
    fn from(problem: Problem) -> Self {
        let body = serde_json::to_string(&problem).unwrap_or_default();
        let response = Self::of_text(problem.status, "application/problem+json", body);
        match problem.retry_after {
            Some(seconds) => response.with("retry-after", seconds.to_string()),
            None => response,
        }
    }
}
