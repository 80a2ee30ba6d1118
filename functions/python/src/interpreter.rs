use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

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

    /// That of a managed runtime, which finds modules where its own start would: in the function's folder and in
    /// those of layers (AWS Lambda, Python, "Runtime search path"). Elsewhere there are none of them.
    pub fn of_runtime(program: PathBuf, root: PathBuf) -> Self {
        let known = std::env::var_os("PYTHONPATH");
        let known = known.iter().flat_map(std::env::split_paths);
        let layers = program.file_name().map(|name| {
            let packages = Path::new("/opt/python/lib").join(name).join("site-packages");
            [packages, "/opt/python".into()]
        });
        let paths = known.chain([root.clone()]).chain(layers.into_iter().flatten());
        let path = std::env::join_paths(paths).unwrap_or_default();
        Self::new(program, root).with("PYTHONPATH", path)
    }

    /// Its path, after one that goes before it.
    pub(crate) fn path_after(&self, first: &[PathBuf]) -> OsString {
        let own = self.environment.iter().find(|(name, _)| name == "PYTHONPATH");
        let own = own.iter().flat_map(|(_, path)| std::env::split_paths(path));
        std::env::join_paths(first.iter().cloned().chain(own)).unwrap_or_default()
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
    /// From outside: another one may start.
    #[error("{} was killed by signal {signal} before it was ready", program.display())]
    Killed { program: PathBuf, signal: i32 },
    #[error("no process can be started")]
    Machine(#[from] io::Error),
}
