use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::sync::mpsc;

use super::parts::{Parts, Writing};
use super::table::{Rows, RowsFile};
use super::{
    CallOutcome, CallPlan, CallRecord, Calls, KillReason, Pack, PackIndex, of_bucket, read_index,
};
use crate::bucket::Bucket;
use crate::clock::Clock;
use crate::engine::{Engine, EngineError, TaskOutput, TaskRequest};
use crate::ids::RunId;
use crate::record::{PinnedObject, ResultFile, Usage};

/// What calls have come to is written down after such a time, and then after twice as long, and so on: who
/// waits sees it soon, and a task of many seconds costs few requests more.
const FIRST_WRITE_AFTER: Duration = Duration::from_millis(100);
const NEXT_WRITE_AFTER_MAX: Duration = Duration::from_secs(5);

/// So many bytes are written down at once.
const PART_BYTES_MAX: usize = 16 << 20;

/// What is left of an execution's time for writing down what its calls have come to.
const WRITE_RESERVE: Duration = Duration::from_secs(3);

/// Indices of arguments that a worker remembers.
const REMEMBERED_INDICES_MAX: usize = 8;

/// What makes calls: an interpreter, supervised.
#[async_trait]
pub trait Caller: Send + Sync {
    /// What calls need beside their arguments.
    type Ready: Send + Sync;

    /// Gets what the calls of a run need.
    ///
    /// # Errors
    /// It is not there, or nothing here can make these calls.
    async fn prepare(&self, run: &RunId, calls: &Calls) -> Result<Self::Ready, EngineError>;

    /// Makes one call, with the limits that it asks for: what it came to, and its pickled value or exception.
    /// `input` is the key of an object that it reads. When this is dropped, the call ends.
    ///
    /// # Errors
    /// Nothing can be called.
    async fn call(
        &self,
        ready: &Self::Ready,
        calls: &Calls,
        arguments: Bytes,
        input: Option<&str>,
    ) -> Result<Made, EngineError>;

    /// Makes calls of an `async def` function, as many at once as they ask for, and passes on what each comes
    /// to with the number of its arguments.
    ///
    /// # Errors
    /// Nothing can be called.
    async fn call_together(
        &self,
        ready: &Self::Ready,
        calls: &Calls,
        arguments: Vec<Bytes>,
        made: mpsc::UnboundedSender<(usize, Made)>,
    ) -> Result<(), EngineError>;

    /// Makes one file of tables that calls have returned, which are streams of Arrow IPC. They are fitted to
    /// columns, if there are any.
    ///
    /// # Errors
    /// They do not fit, or nothing here can write such a file.
    async fn file(
        &self,
        ready: &Self::Ready,
        columns: Option<&str>,
        tables: Vec<Bytes>,
    ) -> Result<RowsFile, EngineError>;
}

/// What a call is given.
#[derive(Debug, Clone)]
struct Given {
    arguments: Bytes,
    /// The key of an object that it reads.
    input: Option<String>,
}

/// What a call came to, and its pickled value or exception.
pub type Made = (CallRecord, Bytes);

/// Makes the calls of tasks, one at a time.
pub struct CallEngine<C> {
    pub(super) bucket: Arc<dyn Bucket>,
    clock: Arc<dyn Clock>,
    pub(super) caller: C,
    turn: tokio::sync::Mutex<()>,
    /// By the versions of their objects, the last first.
    indices: std::sync::Mutex<VecDeque<(PinnedObject, Arc<PackIndex>)>>,
}

impl<C: Caller> CallEngine<C> {
    /// One that remembers nothing yet.
    pub fn new(bucket: Arc<dyn Bucket>, clock: Arc<dyn Clock>, caller: C) -> Self {
        let (turn, indices) = (tokio::sync::Mutex::default(), std::sync::Mutex::default());
        Self { bucket, clock, caller, turn, indices }
    }

    /// What some calls are given, one after another.
    async fn given(
        &self,
        run: &RunId,
        pack: &PinnedObject,
        calls: std::ops::Range<u64>,
    ) -> Result<Vec<Given>, EngineError> {
        let index = self.index(run, pack).await?;
        let at = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let offsets = index.offsets.get(at(calls.start)..=at(calls.end)).unwrap_or(&[]);
        let (Some(first), Some(last)) = (offsets.first(), offsets.last()) else {
            return Err(EngineError::Refused(format!("{} has no calls {calls:?}", pack.key)));
        };
        let bytes = self.bucket.get_range(&pack.key, &pack.etag, *first..*last).await;
        let bytes = bytes.map_err(|e| of_bucket(run, e))?;
        let slice = |ends: &[u64]| bytes.slice(at(ends[0] - first)..at(ends[1] - first));
        let inputs =
            index.inputs.iter().skip(at(calls.start)).cloned().chain(std::iter::repeat(None));
        let given = offsets.windows(2).map(slice).zip(inputs);
        Ok(given.map(|(arguments, input)| Given { arguments, input }).collect())
    }

    async fn index(&self, run: &RunId, pack: &PinnedObject) -> Result<Arc<PackIndex>, EngineError> {
        let indices = || self.indices.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, found)) = indices().iter().find(|(of, _)| of == pack) {
            return Ok(found.clone());
        }
        let (found, index) = read_index(&*self.bucket, run, &pack.key).await?;
        if found != *pack {
            return Err(EngineError::InputChanged { run: run.clone(), key: pack.key.clone() });
        }
        let index = Arc::new(index);
        let mut indices = indices();
        indices.push_front((found, index.clone()));
        indices.truncate(REMEMBERED_INDICES_MAX);
        Ok(index)
    }
}

#[async_trait]
impl<C: Caller> Engine for CallEngine<C> {
    async fn execute(&self, request: &TaskRequest<'_>) -> Result<TaskOutput, EngineError> {
        let plan = CallPlan::of(request.plan)?;
        let mut time_up = self.clock.sleep(request.time_left.saturating_sub(WRITE_RESERVE));
        let ready = self.caller.prepare(&request.plan.run, &plan.calls).await?;
        let mut task = Task { engine: self, request, plan: &plan, ready: &ready, is_first: true };
        loop {
            match task.make(&mut time_up).await {
                Ok(output) => return Ok(output),
                Err(Stopped::Overtaken) => task.is_first = false,
                Err(Stopped::By(e)) => return Err(e),
            }
        }
    }
}

/// The calls of one task.
struct Task<'a, C: Caller> {
    engine: &'a CallEngine<C>,
    request: &'a TaskRequest<'a>,
    plan: &'a CallPlan,
    ready: &'a C::Ready,
    /// All of the execution's time is for it.
    is_first: bool,
}

/// Why an execution ends before its last call.
enum Stopped {
    /// Another attempt has made the same calls, and perhaps more.
    Overtaken,
    By(EngineError),
}

impl From<EngineError> for Stopped {
    fn from(error: EngineError) -> Self {
        Self::By(error)
    }
}

impl<C: Caller> Task<'_, C> {
    /// Makes the calls that are in no part yet.
    async fn make(&self, time_up: &mut BoxFuture<'static, ()>) -> Result<TaskOutput, Stopped> {
        let Self { engine, request, plan, ready, .. } = *self;
        let run = &request.plan.run;
        let started = engine.clock.now();
        let calls = plan.calls_of(request.task);
        let parts = Parts::find(&*engine.bucket, request, calls.start).await;
        let parts = parts.map_err(|e| of_bucket(run, e))?;
        let mut usage =
            Usage { large_tasks: u64::from(request.kind.larger().is_none()), ..Usage::default() };
        let left = parts.end()..calls.end;
        let has_called = !left.is_empty();
        let mut book = Book::new(self, parts);
        if !left.is_empty() {
            let given = engine.given(run, &plan.arguments, left).await?;
            usage.requests += 1;
            usage.read_bytes += given.iter().map(|g| g.arguments.len() as u64).sum::<u64>();
            let made = match plan.calls.concurrency {
                Some(2..) => self.together(given, &mut book, time_up).await?,
                _ => self.one_by_one(given, &mut book, time_up).await?,
            };
            usage.peak_memory_bytes = book.peak_memory_bytes;
            if let Err(stopped) = made {
                book.close().await?;
                return Err(stopped.into());
            }
        }
        let files = book.close().await?;
        let made: u64 = files.iter().map(|f| f.rows).sum();
        if made != calls.end - calls.start {
            let what = format!("{made} of the calls {calls:?} have come to something");
            return Err(EngineError::Transient { what: what.clone(), source: what.into() }.into());
        }
        let files_of_table = match &plan.table {
            Some(table) => {
                let rows = Rows { engine, request, plan, table, ready };
                Some(tokio::select! {
                    biased;
                    written = rows.files(&files) => written?,
                    // the next execution has more time: it need not make the calls
                    () = &mut *time_up, if has_called => return Err(unfinished().into()),
                })
            }
            None => None,
        };
        let took = (engine.clock.now() - started).num_milliseconds();
        usage.milliseconds = u64::try_from(took).unwrap_or(0);
        Ok(match files_of_table {
            Some(files) => TaskOutput::files(files, usage),
            None => TaskOutput::created(files, usage),
        })
    }

    async fn one_by_one(
        &self,
        given: Vec<Given>,
        book: &mut Book<'_>,
        time_up: &mut BoxFuture<'static, ()>,
    ) -> Result<Result<(), EngineError>, Stopped> {
        for (number, given) in given.into_iter().enumerate() {
            match self.one(number == 0, given, book, time_up).await? {
                Ok(made) => book.add(made).await?,
                Err(stopped) => return Ok(Err(stopped)),
            }
        }
        Ok(Ok(()))
    }

    /// Makes all calls beside each other. They end in any order, and are written down in theirs.
    async fn together(
        &self,
        given: Vec<Given>,
        book: &mut Book<'_>,
        time_up: &mut BoxFuture<'static, ()>,
    ) -> Result<Result<(), EngineError>, Stopped> {
        if given.iter().any(|given| given.input.is_some()) {
            let why = "calls that run beside each other cannot read files of a result";
            return Ok(Err(EngineError::Refused(why.into())));
        }
        let arguments = given.into_iter().map(|given| given.arguments).collect();
        let waits = self.engine.turn.try_lock().is_err();
        let (sender, mut made) = mpsc::unbounded_channel();
        let mut all = std::pin::pin!(self.all(arguments, sender));
        let mut early: BTreeMap<usize, Made> = BTreeMap::new();
        let mut next = 0;
        loop {
            tokio::select! {
                biased;
                Some((number, made)) = made.recv() => {
                    early.insert(number, made);
                    while let Some(made) = early.remove(&next) {
                        book.add(made).await?;
                        next += 1;
                    }
                }
                done = &mut all => {
                    while let Ok((number, made)) = made.try_recv() {
                        early.insert(number, made);
                    }
                    while let Some(made) = early.remove(&next) {
                        book.add(made).await?;
                        next += 1;
                    }
                    return Ok(done);
                }
                done = book.work() => done?,
                () = &mut *time_up => {
                    if next == 0 && self.is_first && !waits {
                        book.add(self.cut()).await?;
                    }
                    return Ok(Err(unfinished()));
                }
            }
        }
    }

    /// Makes all calls, those that raise as often as they may.
    async fn all(
        &self,
        arguments: Vec<Bytes>,
        made: mpsc::UnboundedSender<(usize, Made)>,
    ) -> Result<(), EngineError> {
        let _turn = self.engine.turn.lock().await;
        let calls = &self.plan.calls;
        let mut left: Vec<usize> = (0..arguments.len()).collect();
        let mut attempts = 0;
        while !left.is_empty() {
            attempts += 1;
            let (sender, mut answers) = mpsc::unbounded_channel();
            let asked = left.iter().map(|number| arguments[*number].clone()).collect();
            let calling = self.engine.caller.call_together(self.ready, calls, asked, sender);
            let listening = async {
                let mut again = vec![];
                while let Some((item, (mut record, bytes))) = answers.recv().await {
                    let number = left[item];
                    if matches!(record.outcome, CallOutcome::Raised { .. })
                        && attempts <= calls.retries
                    {
                        again.push(number);
                        continue;
                    }
                    record.attempts = attempts;
                    let _ = made.send((number, self.here((record, bytes))?));
                }
                Ok(again)
            };
            let ((), again) = futures::try_join!(calling, listening)?;
            left = again;
            left.sort_unstable();
        }
        Ok(())
    }

    /// Makes one call, and meanwhile writes down what others came to.
    async fn one(
        &self,
        is_first: bool,
        given: Given,
        book: &mut Book<'_>,
        time_up: &mut BoxFuture<'static, ()>,
    ) -> Result<Result<Made, EngineError>, Stopped> {
        let waits = self.engine.turn.try_lock().is_err();
        let mut call = std::pin::pin!(self.call(given));
        loop {
            tokio::select! {
                biased;
                made = &mut call => return Ok(made),
                done = book.work() => done?,
                () = &mut *time_up => {
                    // what had all the time that there is gets no more
                    let is_final = is_first && self.is_first && !waits;
                    return Ok(if is_final { Ok(self.cut()) } else { Err(unfinished()) });
                }
            }
        }
    }

    /// What one call comes to, after as many attempts as it may have.
    async fn call(&self, given: Given) -> Result<Made, EngineError> {
        let _turn = self.engine.turn.lock().await;
        let calls = &self.plan.calls;
        let mut attempts = 0;
        loop {
            attempts += 1;
            let Given { arguments, input } = given.clone();
            let made =
                self.engine.caller.call(self.ready, calls, arguments, input.as_deref()).await?;
            let (mut record, bytes) = made;
            record.attempts = attempts;
            if matches!(record.outcome, CallOutcome::Raised { .. }) && attempts <= calls.retries {
                continue;
            }
            return self.here((record, bytes));
        }
    }

    /// What a call came to, unless there is a worker with more of the memory that it lacked.
    fn here(&self, made: Made) -> Result<Made, EngineError> {
        match made.0.outcome {
            CallOutcome::Killed { reason: KillReason::Memory, message }
                if self.request.kind.larger().is_some() =>
            {
                Err(EngineError::OutOfMemory(message))
            }
            _ => Ok(made),
        }
    }

    /// What a call comes to that takes more time than there is.
    fn cut(&self) -> Made {
        let time = self.request.time_left;
        let message =
            format!("the call took longer than the {} seconds that a function has", time.as_secs());
        let outcome = CallOutcome::Killed { reason: KillReason::Timeout, message };
        (CallRecord::new(outcome, time), Bytes::new())
    }
}

fn unfinished() -> EngineError {
    EngineError::Unfinished("the function's time is up, and calls are left".into())
}

/// What calls have come to, on its way into parts.
struct Book<'a> {
    clock: &'a dyn Clock,
    run: &'a RunId,
    parts: Parts<'a>,
    /// What is in no part.
    pack: Pack,
    writing: Option<Writing<'a>>,
    /// When the pack is to be written.
    due: Option<BoxFuture<'static, ()>>,
    after: Duration,
    /// Of the calls that came by.
    peak_memory_bytes: u64,
}

impl<'a> Book<'a> {
    fn new<C: Caller>(task: &Task<'a, C>, parts: Parts<'a>) -> Self {
        Self {
            clock: &*task.engine.clock,
            run: &task.request.plan.run,
            pack: Pack::starting_at(parts.end()),
            parts,
            writing: None,
            due: None,
            after: FIRST_WRITE_AFTER,
            peak_memory_bytes: 0,
        }
    }

    /// Writes what is due; never ready, if there is nothing to do.
    async fn work(&mut self) -> Result<(), Stopped> {
        if let Some(writing) = &mut self.writing {
            let written = writing.await;
            self.writing = None;
            let file = written.map_err(|e| of_bucket(self.run, e))?;
            self.parts.files.push(file.ok_or(Stopped::Overtaken)?);
            return Ok(());
        }
        match &mut self.due {
            Some(due) => due.await,
            None => std::future::pending().await,
        }
        self.after = (2 * self.after).min(NEXT_WRITE_AFTER_MAX);
        self.write();
        Ok(())
    }

    /// Begins to write the pack.
    fn write(&mut self) {
        self.due = None;
        self.writing = Some(self.parts.create(self.pack.take()));
    }

    async fn add(&mut self, (record, bytes): Made) -> Result<(), Stopped> {
        self.peak_memory_bytes = self.peak_memory_bytes.max(record.peak_memory_bytes);
        self.pack.push_made(record, &bytes);
        if self.due.is_none() {
            self.due = Some(self.clock.sleep(self.after));
        }
        if self.pack.data_bytes() > PART_BYTES_MAX {
            self.settle().await?;
            self.write();
        }
        Ok(())
    }

    /// Waits for the part that is being written.
    async fn settle(&mut self) -> Result<(), Stopped> {
        while self.writing.is_some() {
            self.work().await?;
        }
        Ok(())
    }

    /// Writes what is left; all parts of the task.
    async fn close(mut self) -> Result<Vec<ResultFile>, Stopped> {
        self.settle().await?;
        if !self.pack.index.is_empty() {
            self.write();
            self.settle().await?;
        }
        Ok(self.parts.files)
    }
}
