use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

/// What is never passed on to a child: credentials, and what belongs to the function around it.
const PRIVATE: [&str; 3] = ["AWS_", "_X_AMZN_", "TIDEMILL_"];

/// How CPython is started.
#[derive(Debug, Clone)]
pub struct Interpreter {
    /// The program, 3.10 or later: `python3`, `/var/lang/bin/python3.13`, that of a virtual environment.
    pub program: PathBuf,
    /// All variables that it sees.
    pub environment: Vec<(OsString, OsString)>,
    /// The folder that it starts in.
    pub folder: PathBuf,
}

impl Interpreter {
    /// With the variables of this process, but for its credentials.
    pub fn new(program: PathBuf, folder: PathBuf) -> Self {
        let is_private = |name: &OsString| {
            let name = name.to_string_lossy();
            PRIVATE.iter().any(|prefix| name.starts_with(prefix))
        };
        let environment = std::env::vars_os().filter(|(name, _)| !is_private(name)).collect();
        Self { program, environment, folder }
    }

    /// The same with another variable, which takes the place of one of that name.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.retain(|(known, _)| known.to_str() != Some(name));
        self.environment.push((name.into(), value.into()));
        self
    }
}

/// Why there is no child.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("{} cannot be started: is it there, and a program?", program.display())]
    Program {
        program: PathBuf,
        #[source]
        source: io::Error,
    },
    /// With the end of what it printed.
    #[error("{} ended before it was ready: {said}", program.display())]
    NotReady { program: PathBuf, said: String },
    #[error("no process can be started")]
    Machine(#[from] io::Error),
}
