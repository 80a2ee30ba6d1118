//! New runs: a job file is dropped, as anybody may who writes to the bucket.

use chrono::Utc;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use tidemill_protocol::bucket::{Body, Bucket, Created, NewObject};
use tidemill_protocol::job::{self, JOB_BYTES_MAX, JobFile, JobSpec, Refusal};
use tidemill_protocol::record::Status;
use tidemill_protocol::status::{RunState, RunStatus};
use tidemill_protocol::{AttemptId, JobName, Key, RunId, Submission, context};

use crate::answers::StartedRun;
use crate::api::{self, Api};
use crate::problem::Problem;
use crate::request::{Request, Response};
use crate::results;
use crate::waiting::{WAIT_SECONDS_MAX, Waiting};

/// The longest name of a job, in characters.
const NAME_CHARACTERS_MAX: usize = 100;

/// The longest `Idempotency-Key`, in characters.
const IDEMPOTENCY_KEY_CHARACTERS_MAX: usize = 255;

/// Seconds after which a run is worth another look.
const RETRY_AFTER: &str = "1";

/// What sentences call the body.
const REQUEST: &str = "the request";

/// A job file that is to be dropped.
struct NewJob {
    name: String,
    extension: &'static str,
    text: String,
}

/// What an `Idempotency-Key` was used for.
#[derive(Serialize, Deserialize)]
struct Used {
    run: RunId,
    /// Of the job file.
    key: String,
    /// Of what was asked for.
    sha256: String,
}

pub(crate) async fn submit(api: &Api, request: &Request) -> Result<Response, Problem> {
    let (name, file) = read(request)?;
    let job = match file {
        Read::Statement(sql) => {
            let name = name.unwrap_or_else(|| "query".into());
            NewJob { name, extension: "sql", text: sql }
        }
        Read::Json(file, text) => {
            let default = match &file {
                JobFile::Job(_) => "query".into(),
                JobFile::Backfill { pipeline, .. } => slug(pipeline),
                JobFile::Retry { .. } => "retry".into(),
            };
            NewJob { name: name.unwrap_or(default), extension: "json", text }
        }
    };
    start(api, request, &job, "runs/").await
}

pub(crate) async fn explain(api: &Api, request: &Request) -> Result<Response, Problem> {
    let (name, file) = read(request)?;
    let spec = match file {
        Read::Statement(sql) => JobSpec::of_statement(sql),
        Read::Json(JobFile::Job(spec), _) => spec,
        Read::Json(JobFile::Backfill { .. } | JobFile::Retry { .. }, _) => {
            return Err(Problem::new(
                422,
                "the request has no sql, so there is nothing to explain",
            ));
        }
    };
    let Some(spec) = spec.explained() else {
        return Err(Problem::of_member("/calls", "calls are not explained, only sql is"));
    };
    let text = serde_json::to_string(&spec)
        .map_err(|e| Problem::new(422, format!("the job cannot be written: {e}")))?;
    let name = name.unwrap_or_else(|| "explain".into());
    start(api, request, &NewJob { name, extension: "json", text }, "runs/").await
}

pub(crate) async fn retry(api: &Api, request: &Request) -> Result<Response, Problem> {
    let run = run_of(request)?;
    let mut waiting = Waiting::new(api, &run, 0);
    let found = waiting.until(|_| true).await?;
    match found.outcome.map(|outcome| outcome.status) {
        Some(Status::Failed | Status::Cancelled) => {}
        Some(Status::Succeeded) => {
            return Err(Problem::new(
                409,
                format!("run {run} succeeded: there is nothing to retry"),
            ));
        }
        None => {
            let why = format!("run {run} has not ended: cancel it, or wait for its end");
            return Err(Problem::new(409, why));
        }
    }
    let Some(job) = found.request.filter(|request| request.spec.is_some()) else {
        return Err(Problem::new(
            409,
            format!("the job of run {run} was refused: send one that is mended"),
        ));
    };
    let name = format!("retry-{}", slug(job.job.as_str()));
    let text = serde_json::json!({ "retry": run }).to_string();
    start(api, request, &NewJob { name, extension: "json", text }, "../").await
}

/// The run that a path names.
pub(crate) fn run_of(request: &Request) -> Result<RunId, Problem> {
    RunId::parse(request.parameter("run")).map_err(|e| Problem::of_parameter("run", e))
}

/// What a body asks for.
enum Read {
    Statement(String),
    /// With its text, as a file has it.
    Json(JobFile, String),
}

/// The body of a request, and the name that it gives the job.
fn read(request: &Request) -> Result<(Option<String>, Read), Problem> {
    if request.body.len() as u64 > JOB_BYTES_MAX {
        let why = format!("the body has {} bytes: it may have {JOB_BYTES_MAX}", request.body.len());
        return Err(Problem::new(413, why));
    }
    let text = api::text(request)?.trim_start_matches('\u{feff}');
    let content_type = request.header("content-type").unwrap_or("application/json");
    let content_type = content_type.split(';').next().unwrap_or_default().trim();
    match content_type.to_ascii_lowercase().as_str() {
        "application/sql" | "text/plain" => {
            if job::is_blank(text) {
                return Err(Problem::new(
                    422,
                    "the body is empty: a statement such as SELECT 1 is needed",
                ));
            }
            Ok((None, Read::Statement(text.to_owned())))
        }
        "application/json" => read_json(text),
        // what `curl --data` says of any body, and what pages of other sites may send unasked
        "application/x-www-form-urlencoded" if request.header("origin").is_none() => {
            read_json(text)
        }
        other => {
            let why =
                format!("the body is {other}: it must be application/json, or application/sql");
            Err(Problem::new(415, why))
        }
    }
}

fn read_json(text: &str) -> Result<(Option<String>, Read), Problem> {
    let syntax = |e: serde_json::Error| {
        let status = if e.is_data() { 422 } else { 400 };
        Problem::new(status, format!("the body is no JSON object: {e}"))
    };
    let Members(mut members) = serde_json::from_str(text).map_err(syntax)?;
    let name = match members.remove("job") {
        None => None,
        Some(Value::String(name)) => Some(checked_name(name)?),
        Some(_) => {
            return Err(Problem::of_member("/job", "job is the name of the run's job: a text"));
        }
    };
    let text = match name {
        None => text.to_owned(),
        Some(_) => Value::Object(members).to_string(),
    };
    let file = job::parse_json(REQUEST, &text).map_err(|refusal| match name {
        None => refusal,
        // the place is one in a text that nobody has sent
        Some(_) => Refusal { sentence: without_place(refusal.sentence), ..refusal },
    })?;
    if let JobFile::Job(spec) = &file
        && matches!(&spec.work, job::Work::Statement(sql) if job::is_blank(sql))
    {
        return Err(Problem::of_member(
            "/sql",
            "sql is empty: a statement such as SELECT 1 is needed",
        ));
    }
    Ok((name, Read::Json(file, text)))
}

/// The members of an object, each once.
struct Members(Map<String, Value>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Members;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Members, A::Error> {
                let mut members = Map::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if members.contains_key(&name) {
                        let why = format_args!("the member {name} is there twice");
                        return Err(serde::de::Error::custom(why));
                    }
                    members.insert(name, value);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

/// A sentence of serde's without the line and the column that it ends with.
fn without_place(mut sentence: String) -> String {
    if let Some(at) = sentence.rfind(" at line ") {
        sentence.truncate(at);
    }
    sentence
}

/// A name that is the same in the run's id and in the job's key.
fn checked_name(name: String) -> Result<String, Problem> {
    let is_usable = (1..=NAME_CHARACTERS_MAX).contains(&name.len()) && slug(&name) == name;
    if is_usable {
        return Ok(name);
    }
    let why = format!(
        "job is '{name}': a name has letters, digits, - and _, at most {NAME_CHARACTERS_MAX} of them, and no _ first"
    );
    Err(Problem::of_member("/job", why))
}

/// A name as ids have it.
fn slug(name: &str) -> String {
    let mut slug = JobName::new(name).as_str().replace(['/', '.'], "-");
    slug.truncate(NAME_CHARACTERS_MAX);
    slug
}

/// Drops a job, and waits for its run if that is asked for. `location` leads to the runs.
async fn start(
    api: &Api,
    request: &Request,
    job: &NewJob,
    location: &str,
) -> Result<Response, Problem> {
    let run = drop_job(api, request, job).await?;
    let wait = waited_seconds(request);
    let status = match wait {
        None => RunStatus::queued(run.clone()),
        Some(seconds) => {
            Waiting::new(api, &run, seconds).until(|found| found.state.has_ended()).await?
        }
    };
    let has_ended = status.state.has_ended();
    let results = match &status.outcome {
        Some(outcome) if status.state == RunState::Succeeded => {
            Some(results::of(api, outcome, results::FILES_MAX, 0).await?)
        }
        _ => None,
    };
    let code = if has_ended { 200 } else { 201 };
    let mut response = Response::json(code, &StartedRun { status, results });
    response = response.with("location", format!("{location}{run}"));
    if let Some(seconds) = wait {
        response = response.with("preference-applied", format!("wait={seconds}"));
    }
    Ok(if has_ended { response } else { response.with("retry-after", RETRY_AFTER) })
}

/// Seconds that `Prefer: wait` asks for (RFC 7240, 4.3).
fn waited_seconds(request: &Request) -> Option<u64> {
    let preferences = request.header("prefer")?.split([',', ';']);
    let wait = preferences
        .filter_map(|p| p.trim().split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("wait"));
    let seconds: u64 = wait?.1.trim().trim_matches('"').parse().ok()?;
    Some(seconds.min(WAIT_SECONDS_MAX)).filter(|seconds| *seconds > 0)
}

/// Drops a job once, however often it is asked for with the same `Idempotency-Key`; its run.
async fn drop_job(api: &Api, request: &Request, job: &NewJob) -> Result<RunId, Problem> {
    let name = JobName::new(&job.name);
    let (_, number) = uuid::Uuid::new_v4().as_u64_pair();
    let submission = Submission::new(Utc::now(), number);
    let attempt = AttemptId(uuid::Uuid::new_v4().simple().to_string());
    let mut new = Used {
        run: RunId::of_submission(&name, &submission),
        key: Key::submission(&name, &submission, job.extension),
        sha256: sha256(&[request.route.path, &job.name, &job.text]),
    };
    if let Some(key) = request.header("idempotency-key") {
        new = once(api, key, new, &attempt).await?;
    }
    let body = Body::Bytes(job.text.clone().into());
    api.bucket.create(NewObject::new(&new.key, body, &attempt)).await?;
    Ok(new.run)
}

/// What a key is used for: this, or what it was used for before.
async fn once(api: &Api, key: &str, new: Used, attempt: &AttemptId) -> Result<Used, Problem> {
    if key.is_empty() || key.len() > IDEMPOTENCY_KEY_CHARACTERS_MAX {
        let why = format!(
            "the key has {} characters: it must have 1 to {IDEMPOTENCY_KEY_CHARACTERS_MAX}",
            key.len()
        );
        return Err(Problem::of_parameter("Idempotency-Key", why));
    }
    let marker = Key::used(&sha256(&[key]));
    if context::create(&api.bucket, &marker, &new, attempt).await? == Created::Now {
        return Ok(new);
    }
    let Some(before) = context::find::<Used>(&api.bucket, &marker).await? else {
        return Err(
            Problem::new(503, "the use of this Idempotency-Key has just ended").retry_after(1)
        );
    };
    if before.sha256 == new.sha256 {
        return Ok(before);
    }
    let why = format!(
        "this Idempotency-Key was used for another request, which started run {}",
        before.run
    );
    Err(Problem::of_parameter("Idempotency-Key", why).with_status(422))
}

fn sha256(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
