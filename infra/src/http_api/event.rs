use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::Utc;
use hyper::{HeaderMap, Method, Uri};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::route::Route;

/// A request on its way to a function.
pub(super) struct Event<'a> {
    pub(super) route: &'a Route,
    pub(super) method: &'a Method,
    pub(super) path: &'a str,
    pub(super) uri: &'a Uri,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a [u8],
    pub(super) parameters: BTreeMap<String, String>,
}

impl Event<'_> {
    /// As a function gets it.
    pub(super) fn to_json(&self) -> Value {
        let now = Utc::now();
        let headers = headers(self.headers);
        let query = self.uri.query().unwrap_or_default();
        let mut event = json!({
            "version": "2.0",
            "routeKey": self.route.key,
            "rawPath": self.path,
            "rawQueryString": query,
            "headers": headers,
            "requestContext": {
                "accountId": "000000000000",
                "apiId": "local",
                "authorizer": { "iam": {
                    "accountId": "000000000000",
                    "callerId": "local",
                    "userArn": "arn:aws:iam::000000000000:user/local",
                    "userId": "local",
                } },
                "domainName": "localhost",
                "domainPrefix": "localhost",
                "http": {
                    "method": self.method.as_str(),
                    "path": self.path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": "127.0.0.1",
                    "userAgent": headers.get("user-agent").map_or("", String::as_str),
                },
                "requestId": uuid::Uuid::new_v4().to_string(),
                "routeKey": self.route.key,
                "stage": "$default",
                "time": now.format("%d/%b/%Y:%H:%M:%S +0000").to_string(),
                "timeEpoch": now.timestamp_millis(),
            },
            "isBase64Encoded": false,
        });
        if !query.is_empty() {
            event["queryStringParameters"] = json!(parameters(query));
        }
        if !self.parameters.is_empty() {
            event["pathParameters"] = json!(self.parameters);
        }
        let cookies = self.headers.get_all("cookie").iter().filter_map(|v| v.to_str().ok());
        let cookies: Vec<&str> = cookies.flat_map(|v| v.split("; ")).collect();
        if !cookies.is_empty() {
            event["cookies"] = json!(cookies);
        }
        if !self.body.is_empty() {
            let text = std::str::from_utf8(self.body).ok();
            let (body, is_encoded) = match text.filter(|_| is_text(headers.get("content-type"))) {
                Some(text) => (text.to_owned(), false),
                None => (STANDARD.encode(self.body), true),
            };
            event["body"] = body.into();
            event["isBase64Encoded"] = is_encoded.into();
        }
        event
    }
}

/// By names in small letters; several values of one are joined with commas, and cookies are apart.
fn headers(headers: &HeaderMap) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in headers.iter().filter(|(name, _)| *name != "cookie") {
        join(&mut all, name.as_str().to_owned(), &String::from_utf8_lossy(value.as_bytes()));
    }
    all
}

/// Decoded; several values of one are joined with commas.
fn parameters(query: &str) -> BTreeMap<String, String> {
    let decoded = |text: &str| {
        let text = text.replace('+', " ");
        percent_decode_str(&text).decode_utf8_lossy().into_owned()
    };
    let mut all = BTreeMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        join(&mut all, decoded(name), &decoded(value));
    }
    all
}

fn join(all: &mut BTreeMap<String, String>, name: String, value: &str) {
    all.entry(name)
        .and_modify(|values| {
            values.push(',');
            values.push_str(value);
        })
        .or_insert_with(|| value.to_owned());
}

/// Whether a body is handed over as it is, and not in base64.
fn is_text(content_type: Option<&String>) -> bool {
    let Some(content_type) = content_type else { return true };
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind.starts_with("text/")
        || kind.ends_with("+json")
        || kind.ends_with("+xml")
        || ["application/json", "application/javascript", "application/xml"]
            .contains(&kind.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_one_name_are_joined_and_decoded() {
        let found = parameters("a=1&b=x+y%2Cz&a=2&c&=d");
        let expected = [("", "d"), ("a", "1,2"), ("b", "x y,z"), ("c", "")];
        assert_eq!(found, expected.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
    }

    #[test]
    fn json_and_text_are_handed_over_as_they_are() {
        for text in ["application/json", "text/plain; charset=utf-8", "application/problem+json"] {
            assert!(is_text(Some(&text.to_owned())), "{text}");
        }
        for binary in ["application/octet-stream", "application/x-www-form-urlencoded", "image/png"]
        {
            assert!(!is_text(Some(&binary.to_owned())), "{binary}");
        }
    }
}
