//! Requests that pages of other sites make a browser send: whoever visits one must not run its jobs.
//!
//! A browser names the page's origin with all that may change something, and asks before it sends what no form could.
//! A page that has its own name resolve to this machine is an origin of that name, too.

use hyper::header::{HOST, ORIGIN};
use hyper::{HeaderMap, Method, Uri};

/// What browsers say of each request, and programs do not (Fetch Metadata).
const FETCH_MODE: &str = "sec-fetch-mode";

/// What is the emulator's own and no bucket's; there, also reading is for this machine's names only.
const OWN_PATHS: &str = "/_";

/// Why a request is not answered.
pub(crate) fn refusal(method: &Method, uri: &Uri, headers: &HeaderMap) -> Option<&'static str> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text(HOST).unwrap_or_default();
    let is_of_browser = headers.contains_key(FETCH_MODE);
    if (is_of_browser || uri.path().starts_with(OWN_PATHS)) && !is_this_machine(host) {
        return Some(
            "the emulator answers browsers, and on its own paths, at 127.0.0.1 and localhost only",
        );
    }
    let is_safe = [Method::GET, Method::HEAD, Method::OPTIONS].contains(method);
    let origin = headers.get(ORIGIN)?;
    let is_own = origin.to_str().ok().and_then(|origin| origin.strip_prefix("http://"));
    let is_own = is_own.is_some_and(is_this_machine);
    (!is_safe && !is_own).then_some("the emulator takes nothing from pages of other sites")
}

/// Whether a host, with its port, is this machine by a name that nobody else can have.
fn is_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    ["127.0.0.1", "::1", "localhost"].contains(&name) || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_refused(method: &Method, path: &str, headers: &[(&'static str, &str)]) -> bool {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value")));
        let uri = path.parse().expect("a URI");
        refusal(method, &uri, &headers.collect()).is_some()
    }

    #[test]
    fn pages_of_other_sites_change_nothing_and_read_nothing_of_our_own() {
        let own = ("host", "127.0.0.1:4566");
        assert!(!is_refused(&Method::POST, "/_api/runs", &[own]));
        assert!(!is_refused(
            &Method::POST,
            "/_api/runs",
            &[own, ("origin", "http://localhost:5173")]
        ));
        assert!(!is_refused(&Method::PUT, "/tidemill/a", &[("host", "tidemill.s3.example:4566")]));
        assert!(is_refused(
            &Method::POST,
            "/_api/runs",
            &[own, ("origin", "https://evil.example")]
        ));
        assert!(is_refused(&Method::POST, "/tidemill", &[own, ("origin", "null")]));
        assert!(is_refused(&Method::GET, "/_api/runs", &[("host", "evil.example:4566")]));
        assert!(is_refused(&Method::GET, "/_console", &[("host", "evil.example:4566")]));
        let rebound = [("host", "evil.example:4566"), ("sec-fetch-mode", "cors")];
        assert!(is_refused(&Method::GET, "/tidemill/a", &rebound));
    }
}
