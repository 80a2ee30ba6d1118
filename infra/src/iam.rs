//! What functions may do, by the policies of their roles in the template: a request that AWS would
//! refuse is refused here.
//!
//! An explicit deny, else an allow, else no (IAM User Guide, "Policy evaluation logic"). A process of a
//! function is known by its session token; whoever has another one is a user, and may do all.

use std::collections::HashMap;
use std::sync::Arc;

use glob::Pattern;
use hyper::{HeaderMap, Method, Uri};
use percent_encoding::percent_decode_str;

/// The header that names a process.
pub(crate) const TOKEN: &str = "x-amz-security-token";

/// A statement of a policy. `*` stands for any text.
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    pub(crate) allows: bool,
    pub(crate) actions: Vec<Pattern>,
    pub(crate) resources: Vec<Pattern>,
}

/// What is asked for, and of what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Access {
    pub(crate) action: &'static str,
    /// An ARN.
    pub(crate) resource: String,
}

/// The statements of each function's role, by the name of its processes.
#[derive(Debug, Default)]
pub(crate) struct Roles(HashMap<String, Vec<Statement>>);

/// Whoever makes a request.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    roles: Arc<Roles>,
    /// The name of its processes, if it is a function.
    function: Option<String>,
}

impl Roles {
    pub(crate) fn insert(&mut self, function: &str, statements: Vec<Statement>) {
        self.0.insert(function.to_lowercase(), statements);
    }

    /// Who has made a request with these headers.
    pub(crate) fn caller(self: &Arc<Self>, headers: &HeaderMap) -> Caller {
        let token = headers.get(TOKEN).and_then(|t| t.to_str().ok()).unwrap_or_default();
        let name = token.rsplit_once('-').map(|(name, _)| name);
        let function = name.filter(|n| self.0.contains_key(*n)).map(str::to_owned);
        Caller { roles: self.clone(), function }
    }
}

impl Caller {
    pub(crate) fn is_user(&self) -> bool {
        self.function.is_none()
    }

    /// # Errors
    /// The sentence of a refusal.
    pub(crate) fn check(&self, access: &Access) -> Result<(), String> {
        let Some(function) = &self.function else { return Ok(()) };
        let statements = self.roles.0.get(function).map_or(&[][..], |s| s);
        let Access { action, resource } = access;
        let applies = |s: &&Statement| {
            s.actions.iter().any(|a| a.matches(action))
                && s.resources.iter().any(|r| r.matches(resource))
        };
        let mut found = statements.iter().filter(applies).map(|s| s.allows).peekable();
        if found.peek().is_some() && found.all(|allows| allows) {
            return Ok(());
        }
        let why =
            format!("function {function} is not authorized to perform {action} on {resource}");
        tracing::error!("{why}: the template's policies do not allow it");
        Err(why)
    }
}

/// The ARN of a key.
pub(crate) fn key_arn(bucket: &str, key: &str) -> String {
    format!("arn:aws:s3:::{bucket}/{key}")
}

/// What a request to S3 needs (Amazon S3 User Guide, "Required permissions for Amazon S3 API
/// operations"). A deletion of many keys needs each, which its body tells.
pub(crate) fn s3_accesses(method: &Method, uri: &Uri, headers: &HeaderMap) -> Vec<Access> {
    let path = percent_decode_str(uri.path().trim_start_matches('/')).decode_utf8_lossy();
    let (bucket, key) = path.split_once('/').unwrap_or((&path, ""));
    let query = uri.query().unwrap_or_default();
    let has = |name: &str| query.split('&').any(|p| p.split('=').next() == Some(name));
    let one = |action| vec![Access { action, resource: key_arn(bucket, key) }];
    if key.is_empty() {
        return match *method {
            Method::POST if has("delete") => vec![],
            Method::GET | Method::HEAD => {
                vec![Access { action: "s3:ListBucket", resource: format!("arn:aws:s3:::{bucket}") }]
            }
            _ => one("s3:CreateBucket"),
        };
    }
    match *method {
        Method::GET if has("tagging") => one("s3:GetObjectTagging"),
        Method::PUT if has("tagging") => one("s3:PutObjectTagging"),
        Method::DELETE if has("tagging") => one("s3:DeleteObjectTagging"),
        Method::GET if has("uploadId") => one("s3:ListMultipartUploadParts"),
        Method::GET | Method::HEAD => one("s3:GetObject"),
        Method::DELETE if has("uploadId") => one("s3:AbortMultipartUpload"),
        Method::DELETE => one("s3:DeleteObject"),
        _ => {
            let mut needs = one("s3:PutObject");
            let source = headers.get("x-amz-copy-source").and_then(|s| s.to_str().ok());
            if let Some(source) = source {
                let source = source.trim_start_matches('/').split('?').next().unwrap_or_default();
                let source = percent_decode_str(source).decode_utf8_lossy();
                let resource = format!("arn:aws:s3:::{source}");
                needs.push(Access { action: "s3:GetObject", resource });
            }
            if headers.contains_key("x-amz-tagging") {
                needs.extend(one("s3:PutObjectTagging"));
            }
            needs
        }
    }
}

/// What a request to SQS needs, of a queue of this ARN.
pub(crate) fn sqs_access(action: &str, arn: String) -> Access {
    let action = match action.trim_end_matches("Batch") {
        "SendMessage" => "sqs:SendMessage",
        "ReceiveMessage" => "sqs:ReceiveMessage",
        "DeleteMessage" => "sqs:DeleteMessage",
        "ChangeMessageVisibility" => "sqs:ChangeMessageVisibility",
        "GetQueueAttributes" => "sqs:GetQueueAttributes",
        "GetQueueUrl" => "sqs:GetQueueUrl",
        _ => "sqs:other",
    };
    Access { action, resource: arn }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(method: &Method, uri: &str) -> Vec<(&'static str, String)> {
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-copy-source", "b/work/a%20b".parse().expect("a header"));
        let uri = uri.parse().expect("a URI");
        s3_accesses(method, &uri, &headers).into_iter().map(|a| (a.action, a.resource)).collect()
    }

    #[test]
    fn requests_need_what_they_need_on_s3() {
        let of = |action, resource: &str| (action, format!("arn:aws:s3:::{resource}"));
        assert_eq!(needs(&Method::GET, "/b?list-type=2&prefix=x"), [of("s3:ListBucket", "b")]);
        assert_eq!(needs(&Method::HEAD, "/b/a%20b"), [of("s3:GetObject", "b/a b")]);
        assert_eq!(
            needs(&Method::PUT, "/b/t"),
            [of("s3:PutObject", "b/t"), of("s3:GetObject", "b/work/a b")]
        );
        assert_eq!(needs(&Method::DELETE, "/b/t"), [of("s3:DeleteObject", "b/t")]);
        let abort = of("s3:AbortMultipartUpload", "b/t");
        assert_eq!(needs(&Method::DELETE, "/b/t?uploadId=7"), [abort]);
        assert_eq!(needs(&Method::POST, "/b?delete"), []);
        let tags = [of("s3:DeleteObjectTagging", "b/t")];
        assert_eq!(needs(&Method::DELETE, "/b/t?tagging"), tags);
    }

    #[test]
    fn a_deny_is_stronger_than_an_allow_and_nothing_is_a_no() {
        let pattern = |text: &str| vec![Pattern::new(text).expect("a pattern")];
        let statement = |allows, actions, resources| Statement {
            allows,
            actions: pattern(actions),
            resources: pattern(resources),
        };
        let mut roles = Roles::default();
        let all = statement(true, "s3:*", "arn:aws:s3:::b/*");
        let but = statement(false, "s3:PutObject", "arn:aws:s3:::b/jobs/*");
        roles.insert("Worker", vec![all, but]);
        let roles = Arc::new(roles);
        let may = |token: &str, action, key| {
            let headers = [(TOKEN.parse().expect("a name"), token.parse().expect("a token"))];
            let caller = roles.caller(&headers.into_iter().collect());
            caller.check(&Access { action, resource: key_arn("b", key) }).is_ok()
        };
        assert!(may("worker-3", "s3:PutObject", "work/x"));
        assert!(!may("worker-3", "s3:PutObject", "jobs/x"));
        assert!(!may("worker-3", "sqs:SendMessage", "work/x"));
        assert!(may("somebody", "s3:PutObject", "jobs/x"));
    }
}
