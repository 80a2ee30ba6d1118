use hyper::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderName, ORIGIN, VARY,
};
use hyper::{HeaderMap, Method, Response, StatusCode};

/// What pages of other origins may ask: the template's `CorsConfiguration`. The gateway answers preflight requests
/// itself, and a function's own headers of this kind do not count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Cors {
    pub(crate) origins: Vec<String>,
    pub(crate) methods: Vec<String>,
    pub(crate) headers: Vec<String>,
    pub(crate) exposed: Vec<String>,
    pub(crate) credentials: bool,
    pub(crate) max_age: Option<u64>,
}

pub(super) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::OPTIONS
        && headers.contains_key(ORIGIN)
        && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

impl Cors {
    pub(super) fn preflight(&self, headers: &HeaderMap) -> Response<s3s::Body> {
        let mut response = Response::new(s3s::Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let out = response.headers_mut();
        if self.allow(headers, out) {
            set(out, ACCESS_CONTROL_ALLOW_METHODS, &self.methods.join(","));
            set(out, ACCESS_CONTROL_ALLOW_HEADERS, &self.headers.join(","));
            if let Some(seconds) = self.max_age {
                set(out, ACCESS_CONTROL_MAX_AGE, &seconds.to_string());
            }
        }
        response
    }

    /// Marks an answer as one that an origin may see.
    pub(super) fn mark(&self, headers: &HeaderMap, out: &mut HeaderMap) {
        if self.allow(headers, out) {
            set(out, ACCESS_CONTROL_EXPOSE_HEADERS, &self.exposed.join(","));
        }
    }

    fn allow(&self, headers: &HeaderMap, out: &mut HeaderMap) -> bool {
        out.remove(ACCESS_CONTROL_ALLOW_ORIGIN);
        let Some(origin) = headers.get(ORIGIN).and_then(|o| o.to_str().ok()) else { return false };
        let is_any = self.origins.iter().any(|allowed| allowed == "*");
        if !is_any && !self.origins.iter().any(|allowed| allowed == origin) {
            return false;
        }
        set(out, ACCESS_CONTROL_ALLOW_ORIGIN, if is_any { "*" } else { origin });
        if self.credentials {
            set(out, ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
        }
        set(out, VARY, "origin");
        true
    }
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if !value.is_empty()
        && let Ok(value) = value.parse()
    {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_known_origin_is_answered() {
        let cors = Cors {
            origins: vec!["https://a.example".into()],
            methods: vec!["GET".into(), "POST".into()],
            max_age: Some(600),
            ..Cors::default()
        };
        let of = |origin: &str| {
            let headers = [(ORIGIN, origin.parse().expect("a header"))].into_iter().collect();
            let response = cors.preflight(&headers);
            let header = |name| response.headers().get(name).and_then(|v| v.to_str().ok());
            (response.status().as_u16(), header(ACCESS_CONTROL_ALLOW_METHODS).map(str::to_owned))
        };
        assert_eq!(of("https://a.example"), (204, Some("GET,POST".into())));
        assert_eq!(of("https://b.example"), (204, None));
    }
}
