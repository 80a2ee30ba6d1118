//! From what DataFusion and the store say to one sentence, and to whether it is worth a retry.

use std::any::Any;
use std::error::Error as StdError;

use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::parser::ParserError;
use tidemill_protocol::{EngineError, RunId};

use crate::functions::CallFailed;
use crate::quarantine::TooManyBadLines;
use crate::quotes::CutInQuotes;
use crate::table::Unreadable;

/// An error inside the engine.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A sentence for the user; trying again gives it again.
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    DataFusion(Box<DataFusionError>),
    #[error(transparent)]
    Store(Box<object_store::Error>),
    /// The operators did; the text of the panic.
    #[error(
        "the engine failed within: {0}; this is a mistake of the engine: please report the SQL"
    )]
    Panicked(String),
    #[error("the spool file of a task could not be written: {0}")]
    Spool(#[from] std::io::Error),
}

impl From<DataFusionError> for Failure {
    fn from(e: DataFusionError) -> Self {
        Self::DataFusion(Box::new(e))
    }
}

impl From<object_store::Error> for Failure {
    fn from(e: object_store::Error) -> Self {
        Self::Store(Box::new(e))
    }
}

impl From<datafusion::arrow::error::ArrowError> for Failure {
    fn from(e: datafusion::arrow::error::ArrowError) -> Self {
        DataFusionError::from(e).into()
    }
}

impl From<datafusion::parquet::errors::ParquetError> for Failure {
    fn from(e: datafusion::parquet::errors::ParquetError) -> Self {
        DataFusionError::from(e).into()
    }
}

/// What is not supported, without the tree of the parser that follows its name.
fn without_tree(text: &str) -> String {
    const MARKS: [&str; 3] = [
        "Unsupported ast node in sqltorel: ",
        "Unsupported ast node ",
        "Unsupported JOIN operator ",
    ];
    match MARKS.iter().find_map(|mark| text.strip_prefix(mark)) {
        Some(tree) => {
            let name = tree.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
            format!("{name}, as the statement has it")
        }
        None => text.to_owned(),
    }
}

/// What a panic says.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("no reason is known")
}

pub(crate) fn refused<T>(sentence: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::Refused(sentence.into()))
}

impl Failure {
    /// A decoder panicked: over a damaged file.
    pub(crate) fn of_decoder(panic: &(dyn Any + Send)) -> Self {
        Self::Refused(format!(
            "its decoder gives up ({}): the file may be damaged",
            panic_text(panic)
        ))
    }

    /// The error of the object store that is at the bottom of it, if one is.
    pub(crate) fn store_error(&self) -> Option<&object_store::Error> {
        match self {
            Self::Store(e) => Some(e),
            Self::DataFusion(e) => find_store_error(&**e),
            Self::Refused(_) | Self::Panicked(_) | Self::Spool(_) => None,
        }
    }

    /// Whether a CSV file turned out not to be readable in parts.
    pub(crate) fn is_cut_in_quotes(&self) -> bool {
        let error: &(dyn StdError + 'static) = match self {
            Self::DataFusion(e) => &**e,
            other => other,
        };
        chain(error).any(|e| e.is::<CutInQuotes>())
    }

    /// The file of text that cannot be read, if that is at the bottom of it.
    pub(crate) fn unreadable(&self) -> Option<&Unreadable> {
        match self {
            Self::DataFusion(e) => chain(&**e).find_map(|e| e.downcast_ref()),
            _ => None,
        }
    }

    /// Why a function of Python gave nothing, if that is at the bottom of it.
    pub(crate) fn call_failed(&self) -> Option<&CallFailed> {
        match self {
            Self::DataFusion(e) => chain(&**e).find_map(|e| e.downcast_ref()),
            _ => None,
        }
    }

    /// Whether the pool of the task was too small, or may have been: what operators do for want of
    /// memory is the least tried of what they do.
    pub(crate) fn is_out_of_memory(&self) -> bool {
        match self {
            Self::Panicked(_) => true,
            // no room in the pool is of help to a function
            _ if self.call_failed().is_some() => false,
            Self::DataFusion(e) => {
                matches!(e.find_root(), DataFusionError::ResourcesExhausted(_))
            }
            _ => false,
        }
    }

    /// What the protocol is told.
    pub(crate) fn into_engine_error(self, run: &RunId) -> EngineError {
        if let Some(failed) = self.call_failed() {
            return failed.clone().into();
        }
        let run = run.clone();
        match self.store_error() {
            Some(object_store::Error::Precondition { path, .. }) => {
                return EngineError::InputChanged { run, key: path.clone() };
            }
            Some(object_store::Error::NotFound { path, .. }) => {
                return EngineError::InputMissing { run, key: path.clone() };
            }
            Some(_) => {
                let what = "reading from the bucket failed".to_owned();
                return EngineError::Transient { what, source: Box::new(self) };
            }
            None => {}
        }
        let lacks_memory = self.is_out_of_memory();
        match self {
            Self::Refused(sentence) => EngineError::Refused(sentence),
            Self::Panicked(_) => EngineError::OutOfMemory(self.to_string()),
            Self::Spool(_) => {
                let what = "writing to the temporary folder failed".to_owned();
                EngineError::Transient { what, source: Box::new(self) }
            }
            Self::DataFusion(e) if lacks_memory => EngineError::OutOfMemory(sentence(&e)),
            Self::DataFusion(e) => EngineError::Refused(sentence(&e)),
            Self::Store(e) => EngineError::Refused(e.to_string()), // answered above
        }
    }
}

/// An error and its causes.
fn chain<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |e| cause(*e))
}

fn cause<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    // these two hide themselves or their cause from `source`
    if let Some(object_store::Error::Generic { source, .. }) = error.downcast_ref() {
        return Some(&**source);
    }
    if let Some(shared) = error.downcast_ref::<std::sync::Arc<DataFusionError>>() {
        return Some(&**shared);
    }
    error.source()
}

fn find_store_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a object_store::Error> {
    let mut at = Some(error);
    while let Some(e) = at {
        let found = e
            .downcast_ref::<object_store::Error>()
            .or_else(|| e.downcast_ref::<Box<object_store::Error>>().map(|boxed| &**boxed));
        if let Some(found) = found {
            return (!is_about_content(found)).then_some(found);
        }
        if let Some(found) = e.downcast_ref::<std::sync::Arc<DataFusionError>>() {
            return find_store_error(&**found);
        }
        at = e.source();
    }
    None
}

/// Whether it is not the store that failed, but the decompression of what it gave.
fn is_about_content(error: &object_store::Error) -> bool {
    let object_store::Error::Generic { source, .. } = error else { return false };
    let mut at: Option<&(dyn StdError + 'static)> = Some(&**source);
    while let Some(e) = at {
        if let Some(e) = e.downcast_ref::<std::io::Error>() {
            use std::io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
            return matches!(e.kind(), InvalidData | InvalidInput | UnexpectedEof);
        }
        if e.is::<DataFusionError>() || is_our_own(e) {
            return true;
        }
        at = e.source();
    }
    false
}

/// Whether it says in a sentence what is wrong with a file.
fn is_our_own(error: &(dyn StdError + 'static)) -> bool {
    error.is::<CutInQuotes>() || error.is::<TooManyBadLines>() || error.is::<Unreadable>()
}

/// One sentence for a user, with the place in the SQL where there is one.
pub(crate) fn sentence(error: &DataFusionError) -> String {
    let place =
        error.diagnostic().and_then(|d| d.span).filter(|span| span.start.line > 0).map(|span| {
            format!(" (line {}, column {} of the SQL)", span.start.line, span.start.column)
        });
    let text = one_line(&plain(error));
    // a syntax error states its place itself
    let place = place.filter(|_| !text.contains("at Line:"));
    format!("{text}{}", place.unwrap_or_default())
}

/// Takes off what the layers below say of themselves, and what only their own users can follow.
fn one_line(text: &str) -> String {
    /// What a function of a statement says of its arguments follows it.
    const COERCION: &str = "user-defined coercion failed with: ";
    const NOISE: [&str; 9] = [
        "Arrow error: ",
        "Parquet error: ",
        "External error: ",
        "Error during planning: ",
        "Execution error: ",
        "Schema error: ",
        "Csv error: ",
        "Parser error: ",
        "External: ",
    ];
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    take_out(&mut line, " This issue was likely caused by", "github.com/apache/datafusion/issues.");
    for noise in NOISE {
        line = line.replace(noise, "");
    }
    if let Some(at) = line.find(COERCION).filter(|_| line.contains("() takes ")) {
        line.replace_range(..at + COERCION.len(), "");
        let end = line.find(" No function matches").unwrap_or(line.len());
        line.truncate(end);
    }
    if line.contains("Offset overflow error") {
        return "more than 2 GiB of texts or lists come together in one place, such as a group of an aggregate: \
                make its groups smaller"
            .into();
    }
    if line.contains("tidemill_unnested") && line.contains("ambiguous") {
        return "a table function has a column with the name of one that is beside it: name its columns, as in \
                words(t.text) AS w(word, place)"
            .into();
    }
    if line.contains("No function matches") {
        line = line.replace("Internal error: ", "");
        take_out(&mut line, ", errors: Function '", ").."); // each candidate says that it does not match
    }
    if let Some(at) = line.find(" Column names are case sensitive.") {
        line.truncate(at);
        line.push_str(" Names in double quotes keep their case.");
    }
    let is_unsupported = line.contains("does not support") || line.contains("not implemented");
    let subqueries = ["InSubquery", "Exists", "ScalarSubquery", "OuterReferenceColumn"];
    match subqueries.iter().find(|s| is_unsupported && line.contains(&format!("{s}("))) {
        Some(kind) => format!(
            "a subquery at its place in the statement is not supported ({kind}): write it as a join"
        ),
        None => line,
    }
}

/// Takes out what lies from one text to the end of another.
fn take_out(line: &mut String, from: &str, to: &str) {
    let Some(start) = line.find(from) else { return };
    if let Some(end) = line[start..].find(to) {
        line.replace_range(start..start + end + to.len(), "");
    }
}

/// Whether a context says where in the planner something was found.
fn is_of_the_planner(context: &str) -> bool {
    let starts = ["Optimizer rule", "Invalid (non-executable) plan after"];
    // a rule is named in one word
    let is_rule = context.chars().all(|sign| sign.is_ascii_lowercase() || sign == '_');
    is_rule || starts.iter().any(|start| context.starts_with(start))
}

fn plain(error: &DataFusionError) -> String {
    match error {
        DataFusionError::SQL(e, _) => {
            let (ParserError::ParserError(text) | ParserError::TokenizerError(text)) = &**e else {
                return "the SQL is nested too deeply".into();
            };
            format!("the SQL has a syntax error: {text}")
        }
        DataFusionError::Diagnostic(_, inner) => plain(inner),
        DataFusionError::Context(what, inner) if is_of_the_planner(what) => plain(inner),
        DataFusionError::Context(what, inner) => format!("{what}: {}", plain(inner)),
        DataFusionError::Shared(inner) => plain(inner),
        DataFusionError::Collection(all) => all.iter().map(plain).collect::<Vec<_>>().join("; "),
        DataFusionError::Plan(text) | DataFusionError::Execution(text) => text.clone(),
        DataFusionError::ObjectStore(e) => match &**e {
            object_store::Error::Generic { source, .. } if is_our_own(&**source) => {
                source.to_string()
            }
            other => other.to_string(),
        },
        DataFusionError::NotImplemented(text) => format!("not supported: {}", without_tree(text)),
        DataFusionError::ResourcesExhausted(text) => {
            format!("the memory of the function does not suffice: {text}")
        }
        other => other.strip_backtrace(),
    }
}
