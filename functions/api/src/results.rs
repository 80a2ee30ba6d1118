use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::stream::{self, StreamExt, TryStreamExt};
use tidemill_protocol::record::{Outcome, Preview, ResultFile, Status};
use tidemill_protocol::{Key, RunId, context};

use crate::answers::{FileLink, Results};
use crate::api::Api;
use crate::problem::Problem;
use crate::request::{Request, Response};
use crate::submit::run_of;
use crate::waiting::must_be_queued;

/// How long a link is good for: not so long that its signer's credentials end before.
pub(crate) const LINK_VALID: Duration = Duration::from_secs(15 * 60);

/// Files of an answer: with a link each they are about 2 MB.
pub(crate) const FILES_MAX: usize = 1000;

/// Links that are signed at once.
const PARALLEL_LINKS: usize = 32;

pub(crate) async fn get(api: &Api, request: &Request) -> Result<Response, Problem> {
    let run = run_of(request)?;
    let most = request.limit(FILES_MAX as u64, FILES_MAX as u64)?;
    let from = request.number("cursor", 0, 0, u64::from(u32::MAX))?;
    let outcome = outcome(api, &run).await?;
    let from = usize::try_from(from).unwrap_or(usize::MAX);
    Ok(Response::json(200, &of(api, &outcome, most, from).await?))
}

/// How a run ended that has a result.
async fn outcome(api: &Api, run: &RunId) -> Result<Outcome, Problem> {
    let found: Option<Outcome> = context::find(&api.bucket, &Key::Outcome(run).to_string()).await?;
    let Some(outcome) = found else {
        let asked = api.bucket_has(&Key::Run(run).to_string()).await?;
        if !asked {
            must_be_queued(api, run).await?;
        }
        let why = format!("run {run} has not ended: it has no result yet");
        return Err(Problem::new(409, why).retry_after(1));
    };
    match outcome.status {
        Status::Succeeded => Ok(outcome),
        Status::Failed | Status::Cancelled => {
            let (state, reason) = (outcome.status.as_str(), outcome.reason.unwrap_or_default());
            Err(Problem::new(409, format!("run {run} is {state} and has no result: {reason}")))
        }
    }
}

/// The result of a run that succeeded, with some of its files.
pub(crate) async fn of(
    api: &Api,
    outcome: &Outcome,
    most: usize,
    from: usize,
) -> Result<Results, Problem> {
    let preview = match outcome.into {
        Some(_) => None,
        None => {
            let key = Key::Preview(&outcome.job, &outcome.run).to_string();
            context::find::<Preview>(&api.bucket, &key).await?
        }
    };
    let (columns, rows) = preview.map(|p| (p.columns, p.rows)).unwrap_or_default();
    let files = outcome.files.iter().skip(from).take(most);
    let expires = Utc::now() + LINK_VALID;
    let is_own = outcome.into.is_none();
    let links: Vec<_> = files.map(|file| link(api, file, is_own, expires)).collect();
    let files: Vec<FileLink> = stream::iter(links).buffered(PARALLEL_LINKS).try_collect().await?;
    let next = from + files.len();
    Ok(Results {
        rows: outcome.rows,
        bytes: outcome.bytes,
        into: outcome.into.clone(),
        columns,
        preview: rows,
        next: (next < outcome.files.len() && !files.is_empty()).then(|| next.to_string()),
        files,
    })
}

async fn link(
    api: &Api,
    file: &ResultFile,
    is_own: bool,
    expires: DateTime<Utc>,
) -> Result<FileLink, Problem> {
    let ResultFile { key, rows, bytes, .. } = file;
    let url = match is_own {
        true => {
            let name = key.rsplit('/').next().unwrap_or(key);
            Some(api.bucket.read_link(key, name, LINK_VALID).await?.url)
        }
        false => None,
    };
    let expires = url.is_some().then_some(expires);
    Ok(FileLink { key: key.clone(), rows: *rows, bytes: *bytes, url, expires })
}
