//! From the names in the SQL to places in the bucket.

use std::ops::ControlFlow;

use datafusion::common::TableReference;
use datafusion::execution::session_state::SessionState;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{Statement as SqlStatement, visit_relations};
use glob::{MatchOptions, Pattern};
use tidemill_protocol::{Key, is_hidden};

use crate::error::{Failure, refused};
use crate::statement::Parsed;

/// A table that the SQL names.
#[derive(Debug, Clone)]
pub(crate) struct Reference {
    pub(crate) name: TableReference,
    /// ` (line 1, column 15 of the SQL)`, if it is known.
    pub(crate) place: String,
}

/// Every table that a statement names, but for its own common table expressions.
pub(crate) fn references(
    state: &SessionState,
    sql: &str,
    parsed: &Parsed,
) -> Result<Vec<Reference>, Failure> {
    let Parsed { statement, table_functions, .. } = parsed;
    let names = state.resolve_table_references(statement)?;
    Ok(names
        .into_iter()
        .filter(|name| !table_functions.contains(&name.table().to_lowercase()))
        .map(|name| Reference { place: place(sql, statement, name.table()), name })
        .collect())
}

fn place(sql: &str, statement: &Statement, table: &str) -> String {
    let mut found = None;
    if let Statement::Statement(statement) = statement {
        found = ident_position(statement, table);
    }
    // string literals as tables carry no position
    let found = found.or_else(|| text_position(sql, table));
    found.map_or_else(String::new, |(l, c)| format!(" (line {l}, column {c} of the SQL)"))
}

fn ident_position(statement: &SqlStatement, table: &str) -> Option<(u64, u64)> {
    let mut found = None;
    let _ = visit_relations(statement, |name| {
        let last = name.0.last().and_then(|part| part.as_ident());
        match last {
            Some(ident) if ident.value.eq_ignore_ascii_case(table) && ident.span.start.line > 0 => {
                found = Some((ident.span.start.line, ident.span.start.column));
                ControlFlow::Break(())
            }
            _ => ControlFlow::Continue(()),
        }
    });
    found
}

fn text_position(sql: &str, text: &str) -> Option<(u64, u64)> {
    let before = &sql[..sql.find(text)?];
    let line = before.matches('\n').count() as u64 + 1;
    let column = before.rsplit('\n').next()?.chars().count() as u64 + 1;
    Some((line, column))
}

/// Where the files of a table are.
#[derive(Debug, Clone)]
pub(crate) enum Location {
    /// All files below; ends in `/`.
    Folder(String),
    /// One object, or a folder if there is no such object.
    Object(String),
    /// All files that match; the folder is where the listing starts.
    Pattern { folder: String, pattern: Pattern },
}

impl Location {
    /// The place that a table's name, a path in the SQL, or a `location` option means.
    ///
    /// # Errors
    /// It is no place in `bucket`.
    pub(crate) fn parse(text: &str, bucket: &str) -> Result<Self, Failure> {
        let path = match text.split_once("://") {
            None => text,
            Some(("s3", rest)) => match rest.split_once('/') {
                Some((b, path)) if b == bucket => path,
                None if rest == bucket => "",
                _ => {
                    return refused(format!(
                        "{text} is outside the bucket {bucket}: a job reads its own bucket only"
                    ));
                }
            },
            Some((scheme, _)) => {
                return refused(format!(
                    "{text} is not in the bucket: {scheme}:// is not supported"
                ));
            }
        };
        if path.starts_with(['/', '~', '\\']) || (path.len() > 2 && path.as_bytes()[1] == b':') {
            return refused(format!(
                "{text} is a local file: a job reads its bucket only; copy the file there (aws s3 cp) and name its key"
            ));
        }
        if path.split('/').any(|s| s == "..") {
            return refused(format!("{text} leaves the bucket: '..' is not allowed"));
        }
        let path = path.strip_prefix("./").unwrap_or(path);
        if path.is_empty() {
            return refused(format!(
                "{text} names no object: name a folder or a file of the bucket"
            ));
        }
        let Some(glob) = path.find(['*', '?', '[']) else {
            let folder = path.ends_with('/');
            return Ok(if folder { Self::Folder(path.into()) } else { Self::Object(path.into()) });
        };
        let pattern = Pattern::new(path)
            .map_err(|e| Failure::Refused(format!("{text} is not a valid pattern: {e}")))?;
        let folder = path[..glob].rfind('/').map_or("", |at| &path[..=at]).to_owned();
        Ok(Self::Pattern { folder, pattern })
    }

    /// The place that a table of the SQL is by its name alone.
    pub(crate) fn of_table(reference: &Reference, bucket: &str) -> Result<Self, Failure> {
        let TableReference::Bare { table } = &reference.name else {
            return refused(format!(
                "table {} not found{}: a table is named by its folder under tables/, without a schema",
                reference.name, reference.place
            ));
        };
        let is_path = table.contains(['/', '*', '\\', '.']) || table.starts_with('~');
        if is_path {
            let located = Self::parse(table, bucket);
            return located.map_err(|e| Failure::Refused(format!("{e}{}", reference.place)));
        }
        Ok(Self::Folder(format!("{}{table}/", Key::TABLES)))
    }

    /// The folder that is listed.
    pub(crate) fn folder(&self) -> &str {
        match self {
            Self::Folder(f) | Self::Object(f) | Self::Pattern { folder: f, .. } => f,
        }
    }

    /// Whether an object of the listing is a file of the table.
    pub(crate) fn holds(&self, key: &str) -> bool {
        // what a run has set aside is no part of its result
        let is_aside = |rest: &str| rest.starts_with("rejects/") || rest.contains("/rejects/");
        let is_aside = |rest: &str| key.starts_with(Key::RESULTS) && is_aside(rest);
        let visible = |rest: &str| !rest.is_empty() && !is_hidden(rest) && !is_aside(rest);
        match self {
            Self::Folder(folder) => key.strip_prefix(folder.as_str()).is_some_and(visible),
            Self::Object(object) => key == object,
            Self::Pattern { folder, pattern } => {
                let options =
                    MatchOptions { require_literal_separator: true, ..Default::default() };
                key.strip_prefix(folder.as_str()).is_some_and(visible)
                    && pattern.matches_with(key, options)
            }
        }
    }
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Folder(text) | Self::Object(text) => f.write_str(text),
            Self::Pattern { pattern, .. } => f.write_str(pattern.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_outside_the_bucket_are_refused_by_name() {
        for text in [
            "/etc/passwd",
            "file:///etc/passwd",
            "s3://other/x.csv",
            "http://h/x",
            "../x.csv",
            "a/../../b.csv",
            "~/x.csv",
            "C:\\x.csv",
            "\\\\host\\x",
        ] {
            let error = Location::parse(text, "mine").expect_err(text).to_string();
            assert!(error.contains(text), "{error}");
        }
        assert!(Location::parse("s3://mine/x.csv", "mine").is_ok());
    }

    #[test]
    fn a_pattern_holds_what_it_matches_and_no_hidden_file() {
        let location = Location::parse("a/b*/*.csv", "mine").expect("a pattern");
        assert_eq!(location.folder(), "a/");
        assert!(location.holds("a/b1/x.csv"));
        for key in ["a/b1/_x.csv", "a/c/x.csv", "a/b1/d/x.csv", "a/b1/x.json"] {
            assert!(!location.holds(key), "{key}");
        }
    }

    #[test]
    fn a_folder_holds_what_is_below_it_and_not_its_neighbours() {
        let location = Location::parse("tables/t/", "mine").expect("a folder");
        assert!(location.holds("tables/t/y=1/x.csv"));
        for key in ["tables/t/", "tables/t2/x.csv", "tables/t/_schema.json", "tables/t/.x/y.csv"] {
            assert!(!location.holds(key), "{key}");
        }
    }
}
