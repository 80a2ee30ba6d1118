use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use hyper::Method;
use percent_encoding::percent_decode_str;

use crate::lambda::Function;

/// A route to a function.
#[derive(Debug)]
pub(crate) struct Route {
    /// `GET /runs/{run}`, `ANY /{proxy+}`, `$default`.
    pub(crate) key: String,
    pub(crate) function: Arc<Function>,
}

/// The route that takes a request.
pub(super) fn find<'a>(
    routes: &'a [Route],
    method: &Method,
    path: &str,
) -> Option<(&'a Route, BTreeMap<String, String>)> {
    let fitting = routes.iter().filter_map(|r| Some((r, fit(&r.key, method.as_str(), path)?)));
    let (route, fit) = fitting.max_by_key(|(_, fit)| fit.rank)?;
    Some((route, fit.parameters))
}

/// How a request fits a route.
#[derive(Debug, PartialEq, Eq)]
struct Fit {
    parameters: BTreeMap<String, String>,
    /// The most specific takes the request ("Create routes for HTTP APIs", route selection).
    rank: (Place, bool, Reverse<usize>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Default,
    Greedy,
    Full,
}

fn fit(key: &str, method: &str, path: &str) -> Option<Fit> {
    if key == "$default" {
        let rank = (Place::Default, false, Reverse(0));
        return Some(Fit { parameters: BTreeMap::new(), rank });
    }
    let (of, pattern) = key.split_once(' ')?;
    if of != "ANY" && of != method {
        return None;
    }
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let mut parameters = BTreeMap::new();
    let mut place = Place::Full;
    let (mut pattern, mut rest) = (pattern.split('/').skip(1), path.strip_prefix('/')?.split('/'));
    loop {
        match (pattern.next(), rest.next()) {
            (None, None) => break,
            (Some(part), Some(text)) => {
                let name = part.strip_prefix('{').and_then(|name| name.strip_suffix('}'));
                match name.map(|name| (name, name.strip_suffix('+'))) {
                    Some((_, Some(name))) => {
                        let all: Vec<_> = std::iter::once(text).chain(rest.by_ref()).collect();
                        parameters.insert(name.to_owned(), decoded(&all.join("/")));
                        place = Place::Greedy;
                    }
                    Some((name, None)) if !text.is_empty() => {
                        parameters.insert(name.to_owned(), decoded(text));
                    }
                    None if part == text => {}
                    _ => return None,
                }
            }
            _ => return None,
        }
    }
    let rank = (place, of != "ANY", Reverse(parameters.len()));
    Some(Fit { parameters, rank })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_fits_its_pattern_and_no_other() {
        let found = fit("GET /runs/{run}", "GET", "/runs/a%20b").expect("fits");
        assert_eq!(found.parameters["run"], "a b");
        for path in ["/runs", "/runs/", "/runs/a/b", "/other/a", ""] {
            assert_eq!(fit("GET /runs/{run}", "GET", path), None, "{path}");
        }
        assert_eq!(fit("GET /runs", "POST", "/runs"), None);
        let greedy = fit("ANY /{proxy+}", "GET", "/a/b%2Fc").expect("fits");
        assert_eq!(greedy.parameters["proxy"], "a/b/c");
    }

    #[test]
    fn the_most_specific_route_takes_a_request() {
        let rank = |key| fit(key, "GET", "/runs/x").expect(key).rank;
        let keys =
            ["$default", "ANY /{proxy+}", "GET /{proxy+}", "ANY /runs/{run}", "GET /{a}/{b}"];
        let last = ["GET /runs/{run}", "GET /runs/x"];
        let ranks: Vec<_> = keys.into_iter().chain(last).map(rank).collect();
        assert!(ranks.is_sorted(), "{ranks:?}");
    }
}
