//! Ctrl-C and SIGTERM while a run is followed: the first cancels the run, the second leaves.

use std::fmt;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// The exit status of a command that was interrupted: 128 and the number of SIGINT.
pub(crate) const EXIT_STATUS: u8 = 130;

/// The signals that ask this process to end. Once this is dropped, the next one ends it at once.
pub(crate) struct Interrupts(mpsc::Receiver<()>);

impl Interrupts {
    pub(crate) fn listen() -> std::io::Result<Self> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let (tell, told) = mpsc::channel(1);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                if tell.send(()).await.is_err() {
                    std::process::exit(EXIT_STATUS.into());
                }
            }
        });
        Ok(Self(told))
    }

    /// Waits for the next signal.
    pub(crate) async fn next(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending::<()>().await; // the runtime is going down
        }
    }
}

/// Why a command ended that was interrupted: a sentence, and no error of anybody's.
#[derive(Debug)]
pub(crate) struct Interrupted(pub(crate) String);

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Interrupted {}
