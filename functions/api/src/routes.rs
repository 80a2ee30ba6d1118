//! Which requests there are: the one table that dispatch, the API's description, and the deployment are held to.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

/// A kind of request.
#[derive(Debug, PartialEq, Eq)]
pub struct Route {
    pub method: &'static str,
    /// `{name}` stands for a segment.
    pub path: &'static str,
    pub operation: Operation,
    pub summary: &'static str,
    /// Parameters of its query, and what they are.
    pub query: &'static [(&'static str, &'static str)],
    /// Headers that it heeds, and what they are.
    pub headers: &'static [(&'static str, &'static str)],
}

impl Route {
    /// As API Gateway has it: `GET /runs/{run}`.
    pub fn key(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Whether it changes nothing: those who may only read may ask for it.
    pub fn reads(&self) -> bool {
        self.method == "GET"
    }
}

/// What a route does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the summaries of the routes say it")]
pub enum Operation {
    Meta,
    OpenApi,
    Submit,
    ListRuns,
    GetRun,
    GetTasks,
    GetResults,
    Cancel,
    Retry,
    Explain,
    BeginUpload,
    CompleteUpload,
    ListTables,
    GetTable,
    ListPipelines,
    GetPipeline,
    PutPipeline,
    DeletePipeline,
}

const CURSOR: (&str, &str) = ("cursor", "The `next` of the page before.");
const IDEMPOTENCY_KEY: (&str, &str) = (
    "Idempotency-Key",
    "Any text of at most 255 characters. A second request with the same one starts nothing, and is answered with the run of the first, for a week.",
);
const PREFER: (&str, &str) = (
    "Prefer",
    "`wait=20`: answer when the run has ended, or after so many seconds (at most 25), and with its first rows if it succeeded.",
);
const IF_MATCH: (&str, &str) = ("If-Match", "The ETag of the version that is to be replaced.");
const IF_NONE_MATCH_ANY: (&str, &str) = ("If-None-Match", "`*`: only if there is none yet.");

/// All requests.
pub const ROUTES: &[Route] = &[
    Route {
        method: "POST",
        path: "/runs",
        operation: Operation::Submit,
        summary: "Start a run of a statement, of a job, of a pipeline on a file, or of a run that did not succeed",
        query: &[],
        headers: &[PREFER, IDEMPOTENCY_KEY],
    },
    Route {
        method: "GET",
        path: "/runs",
        operation: Operation::ListRuns,
        summary: "List runs, the newest first",
        query: &[
            ("job", "Only runs of this job."),
            (
                "state",
                "Only runs in this state, or in one of several with commas; `active` and `ended` stand for those.",
            ),
            ("limit", "At most so many, 50 if nothing is said, and no more than 500."),
            CURSOR,
        ],
        headers: &[],
    },
    Route {
        method: "GET",
        path: "/runs/{run}",
        operation: Operation::GetRun,
        summary: "Say what a run is doing, or how it ended",
        query: &[(
            "wait",
            "Seconds to wait, at most 25: for news, if `If-None-Match` has the ETag of the last answer, else for the end of the run.",
        )],
        headers: &[(
            "If-None-Match",
            "The ETag of the last answer: with `wait`, 304 says that there are no news yet.",
        )],
    },
    Route {
        method: "GET",
        path: "/runs/{run}/tasks",
        operation: Operation::GetTasks,
        summary: "Say when the tasks of a run ran, what it has taken, and what attempts failed of",
        query: &[],
        headers: &[],
    },
    Route {
        method: "GET",
        path: "/runs/{run}/results",
        operation: Operation::GetResults,
        summary: "Give the first rows of a run that succeeded, and links to all its files that are good for 15 minutes",
        query: &[
            ("limit", "At most so many files, 1,000 if nothing is said, and no more."),
            CURSOR,
        ],
        headers: &[],
    },
    Route {
        method: "POST",
        path: "/runs/{run}/cancel",
        operation: Operation::Cancel,
        summary: "End a run",
        query: &[],
        headers: &[],
    },
    Route {
        method: "POST",
        path: "/runs/{run}/retry",
        operation: Operation::Retry,
        summary: "Run the job of a run again that did not succeed; what that had done is taken over",
        query: &[],
        headers: &[PREFER, IDEMPOTENCY_KEY],
    },
    Route {
        method: "POST",
        path: "/explain",
        operation: Operation::Explain,
        summary: "Say what a job would do and take: a run whose rows are the plan",
        query: &[],
        headers: &[PREFER, IDEMPOTENCY_KEY],
    },
    Route {
        method: "POST",
        path: "/uploads",
        operation: Operation::BeginUpload,
        summary: "Give a request that uploads a file to `inbox/` or `tables/`, or several for a large one, good for 15 minutes",
        query: &[],
        headers: &[],
    },
    Route {
        method: "POST",
        path: "/uploads/complete",
        operation: Operation::CompleteUpload,
        summary: "Make a file of the parts that were uploaded",
        query: &[],
        headers: &[],
    },
    Route {
        method: "GET",
        path: "/tables",
        operation: Operation::ListTables,
        summary: "List tables",
        query: &[("limit", "At most so many, 100 if nothing is said, and no more."), CURSOR],
        headers: &[],
    },
    Route {
        method: "GET",
        path: "/tables/{table}",
        operation: Operation::GetTable,
        summary: "Say what columns of a table are declared, and which files it has",
        query: &[
            ("limit", "At most so many files, 100 if nothing is said, and no more than 1,000."),
            CURSOR,
        ],
        headers: &[],
    },
    Route {
        method: "GET",
        path: "/pipelines",
        operation: Operation::ListPipelines,
        summary: "List pipelines",
        query: &[],
        headers: &[],
    },
    Route {
        method: "GET",
        path: "/pipelines/{pipeline}",
        operation: Operation::GetPipeline,
        summary: "Give a pipeline, with its ETag",
        query: &[],
        headers: &[],
    },
    Route {
        method: "PUT",
        path: "/pipelines/{pipeline}",
        operation: Operation::PutPipeline,
        summary: "Create or replace a pipeline",
        query: &[],
        headers: &[IF_MATCH, IF_NONE_MATCH_ANY],
    },
    Route {
        method: "DELETE",
        path: "/pipelines/{pipeline}",
        operation: Operation::DeletePipeline,
        summary: "Delete a pipeline; runs that it has started go on",
        query: &[],
        headers: &[],
    },
    Route {
        method: "GET",
        path: "/meta",
        operation: Operation::Meta,
        summary: "Say which bucket and which version this is",
        query: &[],
        headers: &[],
    },
    Route {
        method: "GET",
        path: "/openapi.json",
        operation: Operation::OpenApi,
        summary: "Give this description",
        query: &[],
        headers: &[],
    },
];

/// The route of a key as API Gateway gives it.
pub(crate) fn of_key(key: &str) -> Option<&'static Route> {
    ROUTES.iter().find(|route| route.key() == key)
}

/// The route of a request, and the parameters of its path; nothing, if there is none.
pub fn find(method: &str, path: &str) -> Option<(&'static Route, BTreeMap<String, String>)> {
    let fitting = |route: &'static Route| Some((route, parameters(route.path, path)?));
    let methods = ROUTES.iter().filter(|route| route.method == method);
    // a path without parameters goes before one that has some
    methods.filter_map(fitting).min_by_key(|(_, parameters)| parameters.len())
}

fn parameters(pattern: &str, path: &str) -> Option<BTreeMap<String, String>> {
    let (pattern, path): (Vec<_>, Vec<_>) =
        (pattern.split('/').collect(), path.split('/').collect());
    if pattern.len() != path.len() {
        return None;
    }
    let mut found = BTreeMap::new();
    for (pattern, text) in pattern.into_iter().zip(path) {
        match pattern.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            Some(name) if !text.is_empty() => {
                let text = percent_decode_str(text).decode_utf8().ok()?.into_owned();
                found.insert(name.to_owned(), text);
            }
            None if pattern == text => {}
            _ => return None,
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_fits_one_route() {
        let of = |method, path| find(method, path).map(|(route, _)| route.operation);
        assert_eq!(of("GET", "/runs/a-b"), Some(Operation::GetRun));
        assert_eq!(of("POST", "/uploads/complete"), Some(Operation::CompleteUpload));
        assert_eq!(find("GET", "/tables/a%20b").expect("a route").1["table"], "a b");
        for (method, path) in
            [("GET", "/"), ("GET", "/runs/"), ("PUT", "/runs"), ("GET", "/runs/a/b")]
        {
            assert_eq!(of(method, path), None, "{method} {path}");
        }
    }

    #[test]
    fn operations_and_keys_are_told_apart() {
        let mut keys: Vec<_> = ROUTES.iter().map(Route::key).collect();
        keys.sort();
        keys.dedup();
        let operations: std::collections::HashSet<_> = ROUTES.iter().map(|r| r.operation).collect();
        assert_eq!((keys.len(), operations.len()), (ROUTES.len(), ROUTES.len()));
        assert!(ROUTES.iter().all(|route| of_key(&route.key()) == Some(route)));
    }
}
