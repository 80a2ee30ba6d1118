use std::path::PathBuf;
use std::process::ExitCode;

use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Editor};

use super::commands::{self, Next};
use super::complete::Helper;
use super::session::{Session, is_interrupted};
use super::split::split;
use crate::terminal::say;

const PROMPT: &str = "tidemill> ";

/// Lines that the history keeps.
const HISTORY_LINES: usize = 10_000;

/// The variables of folders that programs keep their state in (XDG Base Directory Specification).
const STATE_HOME: &str = "XDG_STATE_HOME";
const HOME: &str = "HOME";

/// Where statements and commands are typed.
pub(super) struct Prompt(Editor<Helper, FileHistory>);

impl Prompt {
    /// Its handler of SIGINT takes the place of others: those that come later are called, too.
    pub(super) fn new() -> anyhow::Result<Self> {
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .max_history_size(HISTORY_LINES)?
            .auto_add_history(true)
            .build();
        Ok(Self(Editor::with_config(config)?))
    }
}

/// Reads statements and commands until there are no more.
pub(super) async fn run(session: &mut Session, prompt: Prompt) -> anyhow::Result<ExitCode> {
    let Prompt(mut editor) = prompt;
    let mut helper = Helper::default();
    helper.learn(session).await;
    editor.set_helper(Some(helper));
    let history = history();
    if let Some(file) = &history {
        let _ = editor.load_history(file); // there is none the first time
    }
    greet(session);
    loop {
        let line = tokio::task::block_in_place(|| editor.readline(PROMPT));
        let text = match line {
            Ok(text) => text,
            // Ctrl-C clears the line
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => break,
            Err(e) => return Err(e.into()),
        };
        let done = match text.trim_start().starts_with('.') {
            true => commands::execute(session, text.trim()).await,
            false => execute(session, &text).await.map(|()| Next::Prompt),
        };
        match done {
            Ok(Next::Prompt) => {}
            Ok(Next::Leave) => break,
            Err(e) if is_interrupted(&e) => say(&format!("{e}")),
            Err(e) => say(&format!("error: {e:#}")),
        }
        if may_change_tables(&text)
            && let Some(helper) = editor.helper_mut()
        {
            helper.learn(session).await;
        }
    }
    if let Some(file) = &history {
        if let Some(folder) = file.parent() {
            let _ = std::fs::create_dir_all(folder);
        }
        if let Err(e) = editor.save_history(file) {
            say(&format!("the history cannot be kept in {}: {e}", file.display()));
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn execute(session: &mut Session, text: &str) -> anyhow::Result<()> {
    let (mut statements, rest) = split(text);
    statements.extend((!rest.is_empty()).then_some(rest));
    for statement in statements {
        if session.run(&statement).await? != ExitCode::SUCCESS {
            break; // what follows may build on it
        }
    }
    Ok(())
}

fn greet(session: &Session) {
    let version = env!("CARGO_PKG_VERSION");
    let place = match session.is_private() {
        true => "files of this folder: SELECT * FROM 'x.csv'".to_owned(),
        false => match &session.client.endpoint {
            Some(endpoint) => format!("bucket {} at {endpoint}", session.client.bucket.name()),
            None => format!("bucket {}", session.client.bucket.name()),
        },
    };
    println!("tidemill {version}: {place}");
    println!("A statement ends with a semicolon. .help says more, .exit or Ctrl-D leaves.");
}

/// Whether a statement of a text writes into a table.
fn may_change_tables(text: &str) -> bool {
    let (statements, rest) = split(text);
    let first = |text: &String| text.split_whitespace().next().unwrap_or_default().to_lowercase();
    let words: Vec<String> = statements.iter().chain([&rest]).map(first).collect();
    words.iter().any(|word| ["insert", "copy", "create"].contains(&word.as_str()))
}

fn history() -> Option<PathBuf> {
    let variable =
        |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let state = variable(STATE_HOME).or_else(|| Some(variable(HOME)?.join(".local/state")))?;
    Some(state.join("tidemill/history"))
}
