use std::ffi::OsStr;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use chrono::Utc;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use super::FunctionCommand;
use super::environment::FunctionEnvironment;
use super::invocation::{Invocation, InvokeError, Reply};
use super::runtime_api::RuntimeApi;
use crate::template::FunctionSpec;

/// What a managed Python runtime has its interpreter run, and hands to a wrapper with it.
const MANAGED_RUNTIME: &str = "/var/runtime/bootstrap.py";

/// How long a process may take from its start to its first poll: Lambda's own limit.
const INIT_TIMEOUT: Duration = Duration::from_secs(10);

static STARTED: AtomicU32 = AtomicU32::new(0);

/// A process of a function. Dropping it kills it.
#[derive(Debug)]
pub(super) struct Process {
    /// Its log stream.
    name: Arc<str>,
    work: mpsc::Sender<Invocation>,
    polled: watch::Receiver<bool>,
    /// How the process ended, once it has.
    ended: watch::Receiver<Option<String>>,
    kill: mpsc::Sender<()>,
    /// Its end tells the process that the emulator is gone, even if that was killed.
    _stdin: Option<ChildStdin>,
    _tasks: JoinSet<()>,
}

impl Process {
    pub(super) async fn start(
        spec: &FunctionSpec,
        command: &FunctionCommand,
        environment: &FunctionEnvironment,
    ) -> std::io::Result<Self> {
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?.to_string();
        let log_stream: Arc<str> = format!("{}-{number}", spec.id.to_lowercase()).into();
        let wrapped: &[&OsStr] = match spec.is_wrapper {
            true => &[command.python.as_os_str(), OsStr::new(MANAGED_RUNTIME)],
            false => &[],
        };
        let interpreters = command.environment.iter().filter(|_| spec.is_wrapper);
        let interpreters = interpreters.map(|(name, value)| (name, value));
        let mut child = Command::new(&command.program)
            .args(&command.arguments)
            .arg(&spec.binary)
            .args(wrapped)
            .env_clear()
            .envs(interpreters)
            .envs(environment.variables(spec, &address, &log_stream))
            // a Ctrl-C is for the emulator, which ends its functions when it has ended what they do
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let mut tasks = JoinSet::new();
        forward(&mut tasks, child.stdout.take(), &log_stream, command.log);
        forward(&mut tasks, child.stderr.take(), &log_stream, command.log);
        let stdin = child.stdin.take();
        let (work, receiver) = mpsc::channel(1);
        let api = RuntimeApi::new(format!("arn:aws:lambda:::function:{}", spec.id), receiver);
        let polled = api.polled.subscribe();
        tasks.spawn(api.serve(listener));
        let (ended_sender, ended) = watch::channel(None);
        let (kill, kills) = mpsc::channel(1);
        tasks.spawn(watch_child(child, kills, ended_sender));
        tracing::debug!(process = %log_stream, "function started");
        Ok(Self { name: log_stream, work, polled, ended, kill, _stdin: stdin, _tasks: tasks })
    }

    pub(super) fn is_alive(&self) -> bool {
        self.ended.borrow().is_none()
    }

    /// Has the process handle one event.
    pub(super) async fn invoke(
        &mut self,
        payload: Bytes,
        timeout: Duration,
    ) -> Result<Bytes, InvokeError> {
        let (reply, replied) = oneshot::channel();
        let deadline = Utc::now() + timeout;
        let id = uuid::Uuid::new_v4().to_string();
        let invocation = Invocation { id, payload, deadline: deadline.timestamp_millis(), reply };
        if self.work.send(invocation).await.is_err() {
            return Err(InvokeError::Crashed(self.end().await));
        }
        tokio::select! {
            biased;
            Ok(reply) = replied => match reply {
                Reply::Response(bytes) => Ok(bytes),
                Reply::Error(json) => Err(InvokeError::Failed(String::from_utf8_lossy(&json).into_owned())),
            },
            how = ended(self.ended.clone()) => Err(InvokeError::Crashed(how)),
            () = tokio::time::sleep(timeout) => {
                let _ = self.kill.send(()).await;
                Err(InvokeError::Timeout(timeout))
            }
        }
    }

    /// Waits for the first poll of a new process.
    pub(super) async fn wait_until_polled(&mut self) -> Result<(), InvokeError> {
        let mut polled = self.polled.clone();
        tokio::select! {
            biased;
            true = async { polled.wait_for(|polled| *polled).await.is_ok() } => Ok(()),
            how = ended(self.ended.clone()) => Err(InvokeError::Crashed(how)),
            () = tokio::time::sleep(INIT_TIMEOUT) => {
                let _ = self.kill.send(()).await;
                Err(InvokeError::Init(INIT_TIMEOUT))
            }
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whoever sends to it kills the process.
    pub(super) fn killer(&self) -> mpsc::Sender<()> {
        self.kill.clone()
    }

    /// Kills it; how it ended.
    pub(super) async fn kill(&self) -> String {
        let _ = self.kill.send(()).await; // it may have ended by itself
        self.end().await
    }

    async fn end(&self) -> String {
        ended(self.ended.clone()).await
    }
}

async fn ended(mut ended: watch::Receiver<Option<String>>) -> String {
    match ended.wait_for(Option::is_some).await {
        Ok(how) => how.clone().unwrap_or_default(),
        Err(_) => "killed".into(),
    }
}

async fn watch_child(
    mut child: Child,
    mut kills: mpsc::Receiver<()>,
    ended: watch::Sender<Option<String>>,
) {
    let status = tokio::select! {
        status = child.wait() => status,
        _ = kills.recv() => {
            let _ = child.start_kill();
            child.wait().await
        }
    };
    ended.send_replace(Some(status.map_or_else(|e| e.to_string(), |s| s.to_string())));
}

/// Passes on what a process writes, with its name before each line.
fn forward(
    tasks: &mut JoinSet<()>,
    output: Option<impl AsyncRead + Unpin + Send + 'static>,
    name: &Arc<str>,
    log: fn(&str),
) {
    let Some(output) = output else { return };
    let name = name.clone();
    tasks.spawn(async move {
        let mut lines = BufReader::new(output).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            log(&format!("[{name}] {line}"));
        }
    });
}
