use chrono::Utc;
use serde::Serialize;
use sha2::{Digest, Sha256};
use tidemill_protocol::record::Timeline;
use tidemill_protocol::runs::{RunFilter, runs};
use tidemill_protocol::status::{RunState, RunStatus};
use tidemill_protocol::timeline::timeline;
use tidemill_protocol::{JobName, Key};

use crate::answers::RunReference;
use crate::api::Api;
use crate::problem::Problem;
use crate::request::{Request, Response};
use crate::submit::run_of;
use crate::waiting::{WAIT_SECONDS_MAX, Waiting, must_be_queued};

const RUNS: u64 = 50;
const RUNS_MAX: u64 = 500;

/// How long a cancellation waits for a planner to notice the job.
const NOTICED_SECONDS: u64 = 10;

pub(crate) async fn list(api: &Api, request: &Request) -> Result<Response, Problem> {
    let limit = request.limit(RUNS, RUNS_MAX)?;
    let job = request.query("job").map(JobName::new);
    let filter = RunFilter { job, states: states(request)? };
    let cursor = request.query("cursor");
    let page = runs(&api.bucket, &filter, limit, cursor).await?;
    Ok(Response::json(200, &page))
}

fn states(request: &Request) -> Result<Vec<RunState>, Problem> {
    let mut states = vec![];
    for word in request.query("state").into_iter().flat_map(|text| text.split(',')) {
        match word.trim() {
            "active" => states.extend([RunState::Planning, RunState::Running]),
            "queued" => {
                let why =
                    "runs that are queued are not listed yet: only who has started one knows it"
                        .to_owned();
                return Err(Problem::of_parameter("state", why));
            }
            "ended" => {
                states.extend([RunState::Succeeded, RunState::Failed, RunState::Cancelled]);
            }
            word => states.push(word.parse().map_err(|e| Problem::of_parameter("state", e))?),
        }
    }
    Ok(states)
}

pub(crate) async fn get(api: &Api, request: &Request) -> Result<Response, Problem> {
    let run = run_of(request)?;
    let wait = request.number("wait", 0, 0, u64::MAX)?.min(WAIT_SECONDS_MAX);
    let known = request.header("if-none-match").map(|tag| tag.trim_start_matches("W/"));
    let mut waiting = Waiting::new(api, &run, wait);
    let found = match known {
        Some(known) => waiting.until(|found| tag(found) != known).await?,
        None => waiting.until(|found| found.state.has_ended()).await?,
    };
    let tag = tag(&found);
    let response = match known {
        Some(known) if known == tag => Response::empty(304),
        _ => Response::json(200, &found),
    };
    Ok(response.with("etag", tag).with("cache-control", "no-cache"))
}

/// The ETag of an answer: of all that it says.
fn tag(status: &RunStatus) -> String {
    struct Hashing(Sha256);
    impl std::io::Write for Hashing {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.update(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut hash = Hashing(Sha256::new());
    let _ = status.serialize(&mut serde_json::Serializer::new(&mut hash)); // into memory, which takes all
    let hash: String = hash.0.finalize()[..16].iter().map(|b| format!("{b:02x}")).collect();
    format!("\"{hash}\"")
}

pub(crate) async fn tasks(api: &Api, request: &Request) -> Result<Response, Problem> {
    let run = run_of(request)?;
    let now = Utc::now();
    let found = match timeline(&api.bucket, &run, now).await? {
        Some(found) => found,
        None => {
            must_be_queued(api, &run).await?;
            Timeline { created: now, stages: vec![], spent_usd: None, errors: vec![] }
        }
    };
    Ok(Response::json(200, &found))
}

pub(crate) async fn cancel(api: &Api, request: &Request) -> Result<Response, Problem> {
    let run = run_of(request)?;
    // what is cancelled before it is there would not be noticed
    let mut waiting = Waiting::new(api, &run, NOTICED_SECONDS);
    let found = waiting.until(|found| found.state != RunState::Queued).await?;
    if let Some(outcome) = found.outcome {
        let how = match (outcome.status.as_str(), outcome.reason) {
            ("cancelled", _) | (_, None) => format!("it is {}", found.state.as_str()),
            (state, Some(reason)) => format!("it is {state}: {reason}"),
        };
        return Err(Problem::new(
            409,
            format!("run {run} has ended, and cannot be cancelled: {how}"),
        ));
    }
    if found.state == RunState::Queued {
        let why = format!("no planner has noticed run {run} yet: ask again");
        return Err(Problem::new(503, why).retry_after(5));
    }
    api.bucket.put(&Key::Cancel(&run).to_string(), vec![].into(), &[]).await?;
    Ok(Response::json(202, &RunReference { run, state: found.state }))
}
