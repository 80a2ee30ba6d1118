//! Looking at a run until there is something to say, or the time is over that a request may take.

use std::time::{Duration, Instant};

use tidemill_protocol::status::{RunStatus, RunWatch};
use tidemill_protocol::{Key, RunId};

use crate::api::Api;
use crate::problem::Problem;

/// The most seconds that a request waits: API Gateway ends it after 30.
pub(crate) const WAIT_SECONDS_MAX: u64 = 25;

/// The time between two looks, at first and at last, and how it grows.
const FIRST_LOOK: Duration = Duration::from_millis(4);
const LOOK_MAX: Duration = Duration::from_millis(500);
const LOOK_GROWTH: f64 = 1.2;

/// A run that somebody waits for.
pub(crate) struct Waiting<'a> {
    api: &'a Api,
    run: &'a RunId,
    watch: RunWatch,
    until: Instant,
    wait: Duration,
}

impl<'a> Waiting<'a> {
    pub(crate) fn new(api: &'a Api, run: &'a RunId, seconds: u64) -> Self {
        let until = Instant::now() + Duration::from_secs(seconds);
        Self { api, run, watch: RunWatch::new(run.clone()), until, wait: FIRST_LOOK }
    }

    /// Looks until a status is one that is waited for, or the time is over; the last status.
    pub(crate) async fn until(
        &mut self,
        is_it: impl Fn(&RunStatus) -> bool,
    ) -> Result<RunStatus, Problem> {
        loop {
            let found = self.look().await?;
            if is_it(&found) || Instant::now() >= self.until {
                return Ok(found);
            }
            let left = self.until.saturating_duration_since(Instant::now());
            tokio::time::sleep(self.wait.min(left)).await;
            self.wait = self.wait.mul_f64(LOOK_GROWTH).min(LOOK_MAX);
        }
    }

    async fn look(&mut self) -> Result<RunStatus, Problem> {
        if let Some(found) = self.watch.look(&self.api.bucket).await? {
            return Ok(found);
        }
        must_be_queued(self.api, self.run).await?;
        Ok(RunStatus::queued(self.run.clone()))
    }
}

/// A run without records must have a job that no planner has noticed yet.
pub(crate) async fn must_be_queued(api: &Api, run: &RunId) -> Result<(), Problem> {
    if let Some((job, submission)) = run.submission() {
        for extension in ["json", "sql"] {
            let key = format!("{}{job}/{submission}.{extension}", Key::SUBMITTED);
            if api.bucket_has(&key).await? {
                return Ok(());
            }
        }
    }
    let why = format!("there is no run {run}: GET /runs lists those that there are");
    Err(Problem::new(404, why))
}
