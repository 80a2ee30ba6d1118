use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use bytes::Bytes;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::net::UnixStream;
use tokio::net::unix::pipe;
use tokio::process::{Child as Process, Command};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

use crate::answer::{Answer, Died, Outcome, Raised, Reason};
use crate::frame::{self, AnswerHead, AnswerKind, CallHead, RaisedHead, ReadyHead};
use crate::interpreter::{Interpreter, StartError};
use crate::memory::resident_bytes;
use crate::output::Output;

const RUNNER: &str = include_str!("runner.py");

/// Starts the runner, which comes as an argument, beside `__main__`: that belongs to the calls.
const BOOTSTRAP: &str = "import sys; scope = {'__name__': 'tidemill_runner'}; \
    exec(compile(sys.argv.pop(), '<tidemill>', 'exec'), scope); scope['main']()";

/// How often memory is looked at: what allocates a gigabyte a second is stopped 100 MB later.
const MEMORY_INTERVAL: Duration = Duration::from_millis(100);

/// What a process that has ended may still have in its socket comes within it; so does the end of a process
/// that has closed its socket.
const LAST_WORDS: Duration = Duration::from_millis(500);

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
    /// The pickled pair of positional and keyword arguments.
    pub arguments: Bytes,
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
    /// The functions that it has, the oldest first.
    functions: VecDeque<String>,
}

impl Child {
    /// Starts one, and waits until it is ready.
    ///
    /// # Errors
    /// There is no such program, it is no Python, or the machine has no room for it.
    pub async fn start(interpreter: &Interpreter) -> Result<Self, StartError> {
        let (ours, theirs) = StdUnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let ((out, stdout), (err, stderr)) = (pipe::pipe()?, pipe::pipe()?);
        let mut command = Command::new(&interpreter.program);
        command
            .args(["-u", "-c", BOOTSTRAP, RUNNER])
            .env_clear()
            .envs(interpreter.environment.iter().map(|(name, value)| (name, value)))
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
            functions: VecDeque::new(),
        };
        match frame::receive::<ReadyHead>(&mut child.connection).await {
            Ok((head, _)) => child.version = head.ready,
            Err(_) => {
                let _ = timeout(LAST_WORDS, child.process.wait()).await;
                return Err(StartError::NotReady {
                    program: interpreter.program.clone(),
                    said: child.stderr.take().text().trim().to_owned(),
                });
            }
        }
        Ok(child)
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
        self.calls += 1;
        let number = self.calls;
        let is_known = self.functions.contains(&call.function_name);
        let since = Instant::now();
        let mut peak_bytes = 0;
        let answered = self.exchange(number, call, is_known, limits, &mut peak_bytes).await;
        match answered {
            Ok((outcome, loaded)) => {
                if loaded && !is_known {
                    self.remember(call);
                }
                let (stdout, stderr) = (self.stdout.take(), self.stderr.take());
                Ok(Answer { outcome, stdout, stderr, took: since.elapsed(), peak_bytes })
            }
            Err(reason) => {
                self.end();
                let _ = self.process.wait().await;
                let (stdout, stderr) = (self.stdout.take(), self.stderr.take());
                Err(Died { reason, stdout, stderr, took: since.elapsed(), peak_bytes })
            }
        }
    }

    /// The call and its answer, while somebody reads what is printed and looks at clock and memory.
    async fn exchange(
        &mut self,
        number: u64,
        call: &Call,
        is_known: bool,
        limits: Limits,
        peak_bytes: &mut u64,
    ) -> Result<(Outcome, bool), Reason> {
        let Self { process, connection, stdout, stderr, .. } = self;
        let id = process.id().unwrap_or(0);
        let end = limits.time.map(|time| Instant::now() + time);
        let mut looks = interval(MEMORY_INTERVAL);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut answer = std::pin::pin!(ask(connection, number, call, is_known));
        loop {
            tokio::select! {
                biased;
                answered = &mut answer => {
                    return match answered {
                        Ok(outcome) => Ok(outcome),
                        Err(e) => Err(match timeout(LAST_WORDS, process.wait()).await {
                            Ok(Ok(status)) => Reason::Ended(status),
                            _ => Reason::Disconnected(e.to_string()),
                        }),
                    };
                }
                () = stdout.read(), if stdout.is_open() => {}
                () = stderr.read(), if stderr.is_open() => {}
                // a fork may hold the socket open
                ended = process.wait() => {
                    return match timeout(LAST_WORDS, answer).await {
                        Ok(Ok(outcome)) => Ok(outcome),
                        _ => Err(reason_of_end(ended)),
                    };
                }
                () = at(end) => {
                    return Err(Reason::TimedOut(limits.time.unwrap_or_default()));
                }
                _ = looks.tick() => {
                    let peak = resident_bytes(id).max(*peak_bytes);
                    *peak_bytes = peak;
                    if let Some(limit_bytes) = limits.memory_bytes.filter(|max| peak > *max) {
                        return Err(Reason::OutOfMemory { peak_bytes: peak, limit_bytes });
                    }
                }
            }
        }
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

async fn at(end: Option<Instant>) {
    match end {
        Some(end) => sleep_until(end).await,
        None => std::future::pending().await,
    }
}

async fn ask(
    connection: &mut UnixStream,
    number: u64,
    call: &Call,
    is_known: bool,
) -> io::Result<(Outcome, bool)> {
    let function: &[u8] = if is_known { &[] } else { &call.function };
    let (initializer, initializer_bytes) = match &call.initializer {
        Some((name, bytes)) => (name.as_str(), &bytes[..]),
        None => ("", &[][..]),
    };
    let sizes = [function.len(), initializer_bytes.len(), call.arguments.len()];
    let head = CallHead { call: number, function: &call.function_name, initializer, sizes };
    frame::send(connection, &head, &[function, initializer_bytes, &call.arguments]).await?;
    let (head, mut body) = frame::receive::<AnswerHead>(connection).await?;
    if head.call != number {
        return Err(io::Error::other("the answer is to another call"));
    }
    let outcome = match head.kind {
        AnswerKind::Returned => Outcome::Returned(body.pop().unwrap_or_default()),
        AnswerKind::Raised(head) => Outcome::Raised(raised(head, body.pop())),
        AnswerKind::NotReady(head) => Outcome::NotReady(raised(head, body.pop())),
    };
    Ok((outcome, head.loaded))
}

fn raised(head: RaisedHead, pickled: Option<Bytes>) -> Raised {
    let RaisedHead { type_name, message, traceback, unread } = head;
    Raised { type_name, message, traceback, pickled, unread }
}
