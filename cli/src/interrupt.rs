//! Ctrl-C and SIGTERM while a run is followed: the first cancels the run, or asks, the second leaves.

use std::fmt;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// The exit status of a command that was interrupted: 128 and the number of SIGINT.
pub(crate) const EXIT_STATUS: u8 = 130;

/// The signals that ask this process to end. Once this is dropped, the next one ends it at once.
pub(crate) struct Interrupts(mpsc::Receiver<Interrupt>);

/// A signal that asks this process to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interrupt {
    /// Ctrl-C: somebody is there.
    Key,
    /// SIGTERM: most often nobody is.
    Terminate,
}

impl Interrupts {
    pub(crate) fn listen() -> std::io::Result<Self> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let (tell, told) = mpsc::channel(1);
        tokio::spawn(async move {
            loop {
                let interrupt = tokio::select! {
                    _ = interrupt.recv() => Interrupt::Key,
                    _ = terminate.recv() => Interrupt::Terminate,
                };
                if tell.send(interrupt).await.is_err() {
                    std::process::exit(EXIT_STATUS.into());
                }
            }
        });
        Ok(Self(told))
    }

    /// Waits for the next signal.
    pub(crate) async fn next(&mut self) -> Interrupt {
        match self.0.recv().await {
            Some(interrupt) => interrupt,
            None => std::future::pending().await, // the runtime is going down
        }
    }

    /// Forgets signals that came while nothing was followed; whether one of them asked the process to end.
    pub(crate) fn forget(&mut self) -> bool {
        let mut ends = false;
        while let Ok(interrupt) = self.0.try_recv() {
            ends |= interrupt == Interrupt::Terminate;
        }
        ends
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
