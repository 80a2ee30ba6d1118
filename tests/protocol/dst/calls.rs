use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::{Value, json};
use tidemill_protocol::bucket::Body;
use tidemill_protocol::calls::{
    CallOutcome, CallPlan, CallPlanner, CallRecord, CallTable, Caller, Calls, ContentName,
    KillReason, Made, Pack, PackIndex, RowsFile, ValueFormat,
};
use tidemill_protocol::record::{Plan, Publication};
use tidemill_protocol::{Clock, EngineError, PlanRequest, Planner, RunId, WorkerKind};
use tokio::sync::mpsc;

use super::clock::ManualClock;
use crate::support::dice::{Dice, rng};

/// Where the arguments lie.
pub(super) const ARGUMENTS: &str = "calls/numbers/arguments";

/// A stand-in for an interpreter: what a call takes and comes to is drawn from the seed and its number, which
/// is its argument.
pub(super) struct NumbersCaller {
    pub(super) seed: u64,
    pub(super) clock: Arc<ManualClock>,
    pub(super) kind: WorkerKind,
    /// All values are tables, which become part of one.
    pub(super) into: bool,
}

/// Plans calls, and where their values go.
pub(super) struct NumbersPlanner {
    pub(super) calls: CallPlanner,
}

#[async_trait]
impl Planner for NumbersPlanner {
    async fn plan(&self, request: &PlanRequest<'_>) -> Result<Plan, EngineError> {
        let mut plan = self.calls.plan(request).await?;
        if let Some(folder) = request.spec.into.clone() {
            let publication = Publication { folder, replaces: vec![] };
            CallPlan::publish(&mut plan, CallTable { columns: None }, publication)?;
        }
        Ok(plan)
    }
}

/// How many calls a seed has.
fn count(seed: u64) -> u64 {
    Dice(&mut rng(seed, 8)).pick(&[1, 2, 30, 200, 700])
}

/// The arguments of a seed's calls, and the job that asks for them.
pub(super) fn job(seed: u64) -> (Bytes, Value) {
    let mut pack = Pack::starting_at(0);
    (0..count(seed)).for_each(|number| pack.push(&number.to_le_bytes()));
    let calls = json!({
        "function": ContentName::of(b"numbers"),
        "arguments": ARGUMENTS,
        "python": "3.13.1",
        "retries": seed % 3,
        "concurrency": if (seed / 4).is_multiple_of(2) { 1 } else { 50 },
    });
    (pack.encode(), json!({ "calls": calls }))
}

#[async_trait]
impl Caller for NumbersCaller {
    type Ready = ();

    async fn prepare(&self, _: &RunId, _: &Calls) -> Result<(), EngineError> {
        self.clock.sleep(Duration::from_millis(20)).await;
        Ok(())
    }

    async fn call(
        &self,
        (): &(),
        _: &Calls,
        arguments: Bytes,
        _: Option<&str>,
    ) -> Result<(CallRecord, Bytes), EngineError> {
        let number = u64::from_le_bytes(arguments[..].try_into().expect("a number"));
        let pace = Dice(&mut rng(self.seed, 9)).pick(&[0, 2, 50, 400]);
        let mut rng = rng(self.seed, 100 + number);
        let mut dice = Dice(&mut rng);
        let slow = if dice.chance(2) { 40 } else { 1 };
        let took = Duration::from_millis(pace * slow);
        self.clock.sleep(took).await;
        let outcome = match dice.below(50) {
            0 if !self.into => raised(),
            1 if !self.into => killed(KillReason::Crash),
            2 if self.kind == WorkerKind::Python => killed(KillReason::Memory),
            _ => CallOutcome::Returned { format: ValueFormat::Polars },
        };
        Ok((CallRecord::new(outcome, took), arguments))
    }

    async fn call_together(
        &self,
        (): &(),
        calls: &Calls,
        arguments: Vec<Bytes>,
        made: mpsc::UnboundedSender<(usize, Made)>,
    ) -> Result<(), EngineError> {
        let at_once = calls.concurrency.expect("a number") as usize;
        let all: Vec<_> = arguments.into_iter().enumerate().collect();
        let call = async |(number, arguments)| {
            let _ = made.send((number, self.call(&(), calls, arguments, None).await?));
            Ok(())
        };
        stream::iter(all).map(call).buffer_unordered(at_once).try_collect::<()>().await
    }

    /// The numbers, after the columns: those that come first are called by their first number.
    async fn file(
        &self,
        (): &(),
        columns: Option<&str>,
        tables: Vec<Bytes>,
    ) -> Result<RowsFile, EngineError> {
        let first = || u64::from_le_bytes(tables[0][..].try_into().expect("a number")).to_string();
        let columns = columns.map_or_else(first, str::to_owned);
        let header = columns.parse::<u64>().expect("a number").to_le_bytes();
        let body = [&header[..], &tables.concat()].concat();
        let bytes = body.len() as u64;
        Ok(RowsFile { columns, rows: tables.len() as u64, body: Body::Bytes(body.into()), bytes })
    }
}

fn raised() -> CallOutcome {
    let text = String::new;
    CallOutcome::Raised { type_name: text(), message: text(), traceback: text(), unread: false }
}

fn killed(reason: KillReason) -> CallOutcome {
    CallOutcome::Killed { reason, message: String::new() }
}

/// What is wrong with the files of a table that a seed's run has written, if anything.
pub(super) fn wrong_table(seed: u64, files: &[Vec<u8>]) -> Option<String> {
    let numbers = |file: &Vec<u8>| {
        let numbers = file.chunks_exact(8).map(|n| u64::from_le_bytes(n.try_into().expect("8")));
        numbers.collect::<Vec<_>>()
    };
    let files: Vec<_> = files.iter().map(numbers).collect();
    if files.iter().any(|file| file[0] != files[0][0]) {
        return Some("files of one table have different columns".into());
    }
    let mut made: Vec<_> = files.iter().flat_map(|file| file[1..].iter().copied()).collect();
    made.sort_unstable();
    let expected: Vec<_> = (0..count(seed)).collect();
    (made != expected).then(|| format!("{} rows of {} are there", made.len(), expected.len()))
}

/// What is wrong with the parts of a seed's run, if anything: each call is in one of them.
pub(super) fn wrong(seed: u64, parts: &[Vec<u8>]) -> Option<String> {
    let mut made = vec![];
    for part in parts {
        let index = match PackIndex::decode(part, part.len() as u64) {
            Ok(index) => index,
            Err(e) => return Some(e.to_string()),
        };
        for (number, ends) in (index.first..).zip(index.offsets.windows(2)) {
            let at = |n: u64| usize::try_from(n).expect("small");
            if part[at(ends[0])..at(ends[1])] != number.to_le_bytes() {
                return Some(format!("call {number} has the result of another"));
            }
            made.push(number);
        }
        let memory = CallOutcome::Killed { reason: KillReason::Memory, message: String::new() };
        if index.records.iter().any(|r| r.outcome == memory) {
            return Some("a call had too little memory, and no more".into());
        }
    }
    made.sort_unstable();
    let expected: Vec<_> = (0..count(seed)).collect();
    (made != expected).then(|| format!("{} calls of {} are there", made.len(), expected.len()))
}
