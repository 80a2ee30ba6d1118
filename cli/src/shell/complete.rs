//! What the prompt knows: where a statement ends, and the words that may come next.

use std::collections::BTreeMap;

use rustyline::Context;
use rustyline::completion::Completer;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use tidemill_aws::S3Bucket;
use tidemill_protocol::Key;
use tidemill_protocol::bucket::BucketError;
use tidemill_protocol::job::is_blank;

use super::commands;
use super::session::Session;
use super::split::split;

const KEYWORDS: [&str; 60] = [
    "ALL",
    "AND",
    "AS",
    "ASC",
    "BETWEEN",
    "BY",
    "CASE",
    "CAST",
    "COPY",
    "COUNT",
    "CREATE",
    "CROSS",
    "DATE",
    "DESC",
    "DESCRIBE",
    "DISTINCT",
    "ELSE",
    "END",
    "EXCEPT",
    "EXISTS",
    "EXPLAIN",
    "FALSE",
    "FILTER",
    "FIRST",
    "FROM",
    "FULL",
    "GROUP",
    "HAVING",
    "IN",
    "INNER",
    "INSERT",
    "INTERSECT",
    "INTERVAL",
    "INTO",
    "IS",
    "JOIN",
    "LAST",
    "LEFT",
    "LIKE",
    "LIMIT",
    "NOT",
    "NULL",
    "NULLS",
    "OFFSET",
    "ON",
    "OR",
    "ORDER",
    "OVER",
    "PARTITION",
    "RIGHT",
    "SELECT",
    "SHOW",
    "TABLES",
    "THEN",
    "TIMESTAMP",
    "TRUE",
    "UNION",
    "USING",
    "WHEN",
    "WHERE",
];

/// Keywords of two words, and others.
const MORE_KEYWORDS: [&str; 5] = ["VALUES", "WITH", "GROUP BY", "ORDER BY", "TO"];

/// Of so many tables the columns are looked up, which is a run that looks into each.
const LEARNED_TABLES_MAX: usize = 50;

/// The names of the bucket's tables, by their folders.
async fn table_names(bucket: &S3Bucket) -> Result<Vec<String>, BucketError> {
    let (mut names, mut token) = (vec![], None);
    loop {
        let (folders, next) = bucket.folders(Key::TABLES, token.as_deref(), 1000).await?;
        let name = |folder: String| {
            folder.trim_start_matches(Key::TABLES).trim_end_matches('/').to_owned()
        };
        names.extend(folders.into_iter().map(name).filter(|name| !name.starts_with(['_', '.'])));
        token = next;
        if token.is_none() {
            return Ok(names);
        }
    }
}

/// A name as a statement has it: between quotes where it would not be the same without.
fn as_written(name: &str) -> String {
    let is_plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if is_plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

#[derive(Default)]
pub(super) struct Helper {
    /// Their columns, by their names.
    tables: BTreeMap<String, Vec<String>>,
}

impl Helper {
    /// Looks up which tables and columns there are.
    pub(super) async fn learn(&mut self, session: &mut Session) {
        let Ok(found) = table_names(&session.client.bucket).await else { return };
        self.tables = found.into_iter().map(|table| (table, vec![])).collect();
        if self.tables.is_empty() || self.tables.len() > LEARNED_TABLES_MAX {
            return;
        }
        let sql = "SELECT table_name, column_name FROM information_schema.columns \
                   ORDER BY table_name, ordinal_position";
        // without columns there are still tables
        for row in session.texts(sql).await.unwrap_or_default() {
            if let [table, column] = row.as_slice()
                && let Some(columns) = self.tables.get_mut(table)
            {
                columns.push(column.clone());
            }
        }
    }

    /// The words that begin so, and go on from what is before them.
    fn words(&self, before: &str, begun: &str) -> Vec<String> {
        if begun.starts_with('.') && before.trim().is_empty() {
            let names = commands::NAMES.iter().filter(|name| name.starts_with(begun));
            return names.map(|name| (*name).to_owned()).collect();
        }
        let last = before.split_whitespace().next_back().unwrap_or_default().to_lowercase();
        let begins = |word: &&String| {
            word.get(..begun.len()).is_some_and(|start| start.eq_ignore_ascii_case(begun))
        };
        let written = |name: &String| as_written(name);
        let tables = || self.tables.keys().filter(begins).map(written);
        if ["from", "join", "into", "describe", ".schema"].contains(&last.as_str())
            || last.ends_with(',') && is_from(before)
        {
            return tables().collect();
        }
        let mut words: Vec<String> =
            self.tables.values().flatten().filter(begins).map(written).collect();
        words.extend(tables());
        words.sort();
        words.dedup();
        if !begun.is_empty() {
            let keywords = KEYWORDS.iter().chain(&MORE_KEYWORDS).map(|word| (*word).to_owned());
            words.extend(keywords.filter(|word| begins(&word)).map(|word| {
                match begun.chars().all(|c| c.is_lowercase()) {
                    true => word.to_lowercase(),
                    false => word,
                }
            }));
        }
        words
    }
}

/// Whether the last clause of a text is that of its tables.
fn is_from(text: &str) -> bool {
    let text = text.to_lowercase();
    let last = |word: &str| text.rfind(word);
    last("from")
        > ["where", "select", "group", "order", " on "].iter().filter_map(|w| last(w)).max()
}

/// Where the word begins that ends at a place.
fn begin_of_word(line: &str, at: usize) -> usize {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    let word = line[..at].char_indices().rev().take_while(|(_, c)| is_part(*c)).last();
    let begin = word.map_or(at, |(byte, _)| byte);
    // of `table.column` the column
    match line[begin..at].rfind('.') {
        Some(dot) if dot > 0 => begin + dot + 1,
        _ => begin,
    }
}

impl Completer for Helper {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        at: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let begin = begin_of_word(line, at);
        Ok((begin, self.words(&line[..begin], &line[begin..at])))
    }
}

impl Validator for Helper {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let text = context.input();
        let (statements, rest) = split(text);
        let is_whole = text.trim_start().starts_with('.')
            || is_blank(text)
            || (rest.is_empty() && !statements.is_empty());
        Ok(if is_whole { ValidationResult::Valid(None) } else { ValidationResult::Incomplete })
    }
}

impl Hinter for Helper {
    type Hint = String;
}

impl Highlighter for Helper {}

impl rustyline::Helper for Helper {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_fit_what_is_before_them() {
        let flights = ("flights".to_owned(), vec!["origin".to_owned(), "dest".to_owned()]);
        let helper = Helper { tables: [flights, ("planes".to_owned(), vec![])].into() };
        let of = |line: &str| {
            let begin = begin_of_word(line, line.len());
            helper.words(&line[..begin], &line[begin..])
        };
        assert_eq!(of("SELECT * FROM "), ["flights", "planes"]);
        assert_eq!(of("SELECT * FROM flights, p"), ["planes"]);
        assert_eq!(
            of("SELECT flights.o"),
            ["origin"]
                .map(str::to_owned)
                .into_iter()
                .chain(["offset", "on", "or", "order", "over", "order by"].map(str::to_owned))
                .collect::<Vec<_>>()
        );
        assert_eq!(of("SEL"), ["SELECT"]);
        assert_eq!(
            [as_written("a_1"), as_written("Cap"), as_written("a b")],
            ["a_1", "\"Cap\"", "\"a b\""]
        );
        assert_eq!(of(".sch"), [".schema"]);
        assert_eq!(of(".schema fl"), ["flights"]);
    }
}
