use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use bytes::Bytes;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::net::UnixStream;
use tokio::net::unix::pipe;
use tokio::process::{Child as Process, Command};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use crate::answer::{Answer, Died, Outcome, Raised, Reason};
use crate::frame::{self, AnswerHead, AnswerKind, Batch, CallHead, RaisedHead, ReadyHead};
use crate::interpreter::{Interpreter, StartError};
use crate::memory::resident_bytes;
use crate::output::Output;

/// What the child imports, by name.
const MODULES: [(&str, &str); 10] = [
    ("tidemill_runner", include_str!("tidemill_runner.py")),
    ("tidemill_values", include_str!("tidemill_values.py")),
    ("tidemill_batches", include_str!("tidemill_batches.py")),
    ("tidemill_called", include_str!("tidemill_called.py")),
    ("tidemill_arguments", include_str!("tidemill_arguments.py")),
    ("tidemill_columns", include_str!("tidemill_columns.py")),
    ("tidemill_tables", include_str!("tidemill_tables.py")),
    ("tidemill_fitting", include_str!("tidemill_fitting.py")),
    ("tidemill_types", include_str!("tidemill_types.py")),
    ("tidemill_said", include_str!("tidemill_said.py")),
];

/// Starts the runner beside `__main__`, which belongs to the calls. Names of modules and their texts are arguments
/// by turns; each is compiled when it is first imported.
const BOOTSTRAP: &str = "\
import sys
class Modules:
    def __init__(self, arguments):
        self.texts = dict(zip(arguments[::2], arguments[1::2]))
    def find_spec(self, name, path=None, target=None):
        if name in self.texts:
            from importlib.machinery import ModuleSpec
            return ModuleSpec(name, self)
    def create_module(self, spec):
        return None
    def exec_module(self, module):
        exec(compile(self.texts[module.__name__], '<tidemill>', 'exec'), module.__dict__)
sys.meta_path.insert(0, Modules(sys.argv[1:]))
del sys.argv[1:], Modules
import tidemill_runner
tidemill_runner.main()
";

/// How often memory is looked at: what allocates a gigabyte a second is stopped 100 MB later.
const MEMORY_INTERVAL: Duration = Duration::from_millis(100);

/// What a process that has ended may still have in its socket comes within it; so does the end of a process
/// that has closed its socket.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// How much longer calls that are made together may take than the loop that ends them says.
const TOGETHER_GRACE: Duration = Duration::from_secs(2);

/// As many as the runner keeps.
const FUNCTIONS_MAX: usize = 16;

/// One call of a function.
#[derive(Debug, Clone)]
pub struct Call {
    /// What the function's bytes are called, by their content: they are sent once to a child.
    pub function_name: String,
    /// The pickled function.
    pub function: Bytes,
    /// What a child runs once, before its first call that asks for it, and what that is called: the pickled
    /// pair of a callable and its positional arguments.
    pub initializer: Option<(String, Bytes)>,
    /// Where the interpreter finds modules before its own path. A child that has been started with another
    /// path is of no use.
    pub path: Vec<PathBuf>,
    /// The pickled pair of positional and keyword arguments.
    pub arguments: Bytes,
    /// A file that the arguments name.
    pub input: Option<PathBuf>,
}

/// What a call may take.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    pub time: Option<Duration>,
    /// Of the child and its children.
    pub memory_bytes: Option<u64>,
}

/// A process of CPython that waits for calls. It and its process group end when this is dropped.
#[derive(Debug)]
pub struct Child {
    process: Process,
    /// The processes that it starts belong to it, unless they leave it.
    group: Option<Pid>,
    connection: UnixStream,
    stdout: Output,
    stderr: Output,
    /// Of Python, with its patch level.
    version: String,
    calls: u64,
    /// At its memory: between calls, too, as many short ones are made between two looks.
    next_look: Instant,
    path: Vec<PathBuf>,
    /// The functions that it has, the oldest first.
    functions: VecDeque<String>,
}

impl Child {
    /// Starts one, and waits until it is ready.
    ///
    /// # Errors
    /// There is no such program, it is no Python, or the machine has no room for it.
    pub async fn start(interpreter: &Interpreter) -> Result<Self, StartError> {
        Self::start_with(interpreter, &[]).await
    }

    /// The same, for calls that have a path.
    ///
    /// # Errors
    /// As [`Child::start`] has them.
    pub async fn start_with(
        interpreter: &Interpreter,
        path: &[PathBuf],
    ) -> Result<Self, StartError> {
        let (ours, theirs) = StdUnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let ((out, stdout), (err, stderr)) = (pipe::pipe()?, pipe::pipe()?);
        let mut command = Command::new(&interpreter.program);
        command
            .args(["-u", "-c", BOOTSTRAP])
            .args(MODULES.iter().flat_map(|&(name, text)| [name, text]))
            .env_clear()
            .envs(interpreter.environment.iter().map(|(name, value)| (name, value)))
            .env("PYTHONPATH", interpreter.path_after(path))
            .current_dir(&interpreter.folder)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::from(out.into_blocking_fd()?))
            .stderr(Stdio::from(err.into_blocking_fd()?))
            .process_group(0)
            .kill_on_drop(true);
        let process = command.spawn().map_err(|source| StartError::Program {
            program: interpreter.program.clone(),
            source,
        })?;
        drop(command); // and with it the child's ends
        let group = process.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let mut child = Self {
            process,
            group,
            connection: UnixStream::from_std(ours)?,
            stdout: Output::new(stdout),
            stderr: Output::new(stderr),
            version: String::new(),
            calls: 0,
            next_look: Instant::now() + MEMORY_INTERVAL,
            path: path.to_vec(),
            functions: VecDeque::new(),
        };
        match frame::receive::<ReadyHead>(&mut child.connection).await {
            Ok((head, _)) => child.version = head.ready,
            Err(_) => {
                let ended = timeout(LAST_WORDS, child.process.wait()).await;
                let program = interpreter.program.clone();
                if let Ok(Ok(status)) = &ended
                    && let Some(signal) = status.signal()
                {
                    return Err(StartError::Killed { program, signal });
                }
                let said = child.stderr.take().text().trim().to_owned();
                return Err(StartError::NotReady { program, said });
            }
        }
        Ok(child)
    }

    /// Whether it has not ended.
    pub(crate) fn is_alive(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }

    /// The path of the calls that it is for.
    pub(crate) fn path(&self) -> &[PathBuf] {
        &self.path
    }

    /// The version of its Python: `3.13.1`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Makes a call, and waits for its answer. When this is dropped before, the child is of no more use: it
    /// works on.
    ///
    /// # Errors
    /// The child is gone; it has been ended if it was not.
    pub async fn call(&mut self, call: &Call, limits: Limits) -> Result<Answer, Died> {
        let arguments = std::slice::from_ref(&call.arguments);
        let mut answer = None;
        self.ask(call, arguments, None, None, limits, |_, made| answer = Some(made)).await?;
        match answer {
            Some(answer) => Ok(answer),
            None => Err(self.died_unanswered().await),
        }
    }

    async fn died_unanswered(&mut self) -> Died {
        self.died(Reason::Disconnected("no answer".into()), Instant::now(), 0).await
    }

    /// Makes calls of an `async def` function, so many at once, and passes each answer on with the number of its
    /// arguments, in the order in which they come. What they print goes to whichever is answered next.
    ///
    /// # Errors
    /// The child is gone, and with it the answers that have not come.
    pub async fn call_together(
        &mut self,
        call: &Call,
        arguments: &[Bytes],
        at_once: u32,
        limits: Limits,
        made: impl FnMut(usize, Answer),
    ) -> Result<(), Died> {
        self.ask(call, arguments, Some(at_once), None, limits, made).await
    }

    /// Makes a call over a batch of rows; its arguments are the types that are to come back, and the rows.
    pub(crate) async fn call_batch(
        &mut self,
        call: &Call,
        batch: &Batch,
        arguments: &[Bytes; 2],
        limits: Limits,
    ) -> Result<Answer, Died> {
        let mut answer = None;
        let take = |_, made| answer = Some(made);
        self.ask(call, arguments, None, Some(batch), limits, take).await?;
        match answer {
            Some(answer) => Ok(answer),
            None => Err(self.died_unanswered().await),
        }
    }

    async fn ask(
        &mut self,
        call: &Call,
        arguments: &[Bytes],
        at_once: Option<u32>,
        batch: Option<&Batch>,
        limits: Limits,
        mut made: impl FnMut(usize, Answer),
    ) -> Result<(), Died> {
        self.calls += 1;
        let is_known = self.functions.contains(&call.function_name);
        let since = Instant::now();
        let number = self.calls;
        let question = Question { number, call, arguments, is_known, at_once, batch, limits };
        let mut peak_bytes = 0;
        match self.exchange(&question, &mut peak_bytes, &mut made).await {
            Ok(is_loaded) => {
                if is_loaded && !is_known {
                    self.remember(call);
                }
                Ok(())
            }
            Err(reason) => Err(self.died(reason, since, peak_bytes).await),
        }
    }

    /// Ends the child, if it has not ended.
    async fn died(&mut self, reason: Reason, since: Instant, peak_bytes: u64) -> Died {
        self.end();
        let _ = self.process.wait().await;
        let (stdout, stderr) = (self.stdout.take(), self.stderr.take());
        let is_first = self.calls == 1;
        Died { reason, stdout, stderr, took: since.elapsed(), peak_bytes, is_first }
    }

    /// The question and its answers, while somebody reads what is printed and looks at clock and memory.
    /// Whether the child has the function now.
    async fn exchange(
        &mut self,
        question: &Question<'_>,
        peak_bytes: &mut u64,
        made: &mut impl FnMut(usize, Answer),
    ) -> Result<bool, Reason> {
        let Self { process, connection, stdout, stderr, next_look, .. } = self;
        let id = process.id().unwrap_or(0);
        let mut patience = Patience::of(question);
        let (answers, mut answered) = mpsc::unbounded_channel();
        let mut talk = std::pin::pin!(talk(connection, question, answers));
        let mut is_loaded = false;
        let mut left = question.answers();
        let mut take =
            |(item, answer): (usize, Spoken), stdout: &mut Output, stderr: &mut Output, peak| {
                is_loaded |= answer.is_loaded;
                let (stdout, stderr) = (stdout.take(), stderr.take());
                let Spoken { outcome, took, .. } = answer;
                made(item, Answer { outcome, stdout, stderr, took, peak_bytes: peak });
            };
        let ended = loop {
            tokio::select! {
                biased;
                Some(answer) = answered.recv() => {
                    left -= 1;
                    patience.renew();
                    take(answer, stdout, stderr, *peak_bytes);
                    if left == 0 {
                        break Ok(());
                    }
                }
                talked = &mut talk => {
                    if let Err(e) = talked {
                        break Err(match timeout(LAST_WORDS, process.wait()).await {
                            Ok(Ok(status)) => Reason::Ended(status),
                            _ => Reason::Disconnected(e.to_string()),
                        });
                    }
                    while let Ok(answer) = answered.try_recv() {
                        take(answer, stdout, stderr, *peak_bytes);
                    }
                    break Ok(());
                }
                () = stdout.read(), if stdout.is_open() => {}
                () = stderr.read(), if stderr.is_open() => {}
                // a fork may hold the socket open
                ended = process.wait() => {
                    let _ = timeout(LAST_WORDS, &mut talk).await;
                    while let Ok(answer) = answered.try_recv() {
                        left -= 1;
                        take(answer, stdout, stderr, *peak_bytes);
                    }
                    break if left == 0 { Ok(()) } else { Err(reason_of_end(ended)) };
                }
                () = patience.ended() => {
                    break Err(Reason::TimedOut(question.limits.time.unwrap_or_default()));
                }
                () = sleep_until(*next_look) => {
                    *next_look = Instant::now() + MEMORY_INTERVAL;
                    let peak = resident_bytes(id).max(*peak_bytes);
                    *peak_bytes = peak;
                    if let Some(limit_bytes) = question.limits.memory_bytes.filter(|max| peak > *max) {
                        break Err(Reason::OutOfMemory { peak_bytes: peak, limit_bytes });
                    }
                }
            }
        };
        ended.map(|()| is_loaded)
    }

    /// The runner forgets the oldest function, too.
    fn remember(&mut self, call: &Call) {
        if self.functions.len() == FUNCTIONS_MAX {
            self.functions.pop_front();
        }
        self.functions.push_back(call.function_name.clone());
    }

    /// Ends it and what it has started, at once.
    fn end(&self) {
        if let Some(group) = self.group {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.end();
    }
}

fn reason_of_end(ended: io::Result<ExitStatus>) -> Reason {
    match ended {
        Ok(status) => Reason::Ended(status),
        Err(e) => Reason::Disconnected(e.to_string()),
    }
}

/// One call, or several that are made together.
struct Question<'a> {
    number: u64,
    call: &'a Call,
    arguments: &'a [Bytes],
    is_known: bool,
    at_once: Option<u32>,
    batch: Option<&'a Batch>,
    limits: Limits,
}

impl Question<'_> {
    fn answers(&self) -> usize {
        if self.batch.is_some() { 1 } else { self.arguments.len() }
    }
}

/// An answer, as it came.
struct Spoken {
    outcome: Outcome,
    took: Duration,
    is_loaded: bool,
}

/// How long no answer may come.
struct Patience {
    time: Option<Duration>,
    end: Option<Instant>,
}

impl Patience {
    fn of(question: &Question<'_>) -> Self {
        // calls that are made together are ended by their loop, unless that hangs
        let more = if question.at_once.is_some() { TOGETHER_GRACE } else { Duration::ZERO };
        let time = question.limits.time.map(|time| time + more);
        Self { time, end: time.map(|time| Instant::now() + time) }
    }

    fn renew(&mut self) {
        self.end = self.time.map(|time| Instant::now() + time);
    }

    async fn ended(&self) {
        match self.end {
            Some(end) => sleep_until(end).await,
            None => std::future::pending().await,
        }
    }
}

async fn talk(
    connection: &mut UnixStream,
    question: &Question<'_>,
    answers: mpsc::UnboundedSender<(usize, Spoken)>,
) -> io::Result<()> {
    let Question { number, call, arguments, is_known, at_once, batch, limits } = *question;
    let function: &[u8] = if is_known { &[] } else { &call.function };
    let (initializer, initializer_bytes) = match &call.initializer {
        Some((name, bytes)) => (name.as_str(), &bytes[..]),
        None => ("", &[][..]),
    };
    let mut body = vec![function, initializer_bytes];
    body.extend(arguments.iter().map(|a| &a[..]));
    let head = CallHead {
        call: number,
        function: &call.function_name,
        initializer,
        input: call.input.as_deref(),
        at_once,
        batch,
        timeout: limits.time.map(|time| time.as_secs_f64()),
        sizes: body.iter().map(|part| part.len()).collect(),
    };
    let since = Instant::now();
    frame::send(connection, &head, &body).await?;
    let mut is_answered = vec![false; question.answers()];
    for _ in 0..question.answers() {
        let (head, mut body) = frame::receive::<AnswerHead>(connection).await?;
        let is_new = is_answered.get_mut(head.item).is_some_and(|is| !std::mem::replace(is, true));
        if head.call != number || !is_new {
            return Err(io::Error::other("the answer is to another call"));
        }
        let outcome = match head.kind {
            AnswerKind::Returned { format } => {
                Outcome::Returned(format, body.pop().unwrap_or_default())
            }
            AnswerKind::Raised(head) => Outcome::Raised(raised(head, body.pop())),
            AnswerKind::NotReady(head) => Outcome::NotReady(raised(head, body.pop())),
            AnswerKind::Late => Outcome::Late(limits.time.unwrap_or_default()),
        };
        let took = head.seconds.and_then(|s| Duration::try_from_secs_f64(s).ok());
        let took = took.unwrap_or_else(|| since.elapsed());
        let spoken = Spoken { outcome, took, is_loaded: head.loaded };
        let _ = answers.send((head.item, spoken)); // whoever asked is there as long as this is
    }
    Ok(())
}

fn raised(head: RaisedHead, pickled: Option<Bytes>) -> Raised {
    let RaisedHead { type_name, message, traceback, unread, missing, row, wrong } = head;
    Raised { type_name, message, traceback, pickled, unread, missing, row, wrong }
}
