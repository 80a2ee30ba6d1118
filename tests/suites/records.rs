//! Reads sqllogictest files: as much of them as is needed to run their statements.

use std::path::{Path, PathBuf};

/// A part of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Record {
    Statement(String),
    Query(String),
    /// Whatever must fail.
    Failing(String),
}

/// The records of a file and of those that it includes.
pub(super) fn read(path: &Path) -> Vec<Record> {
    let bytes = std::fs::read(path).expect("a readable file");
    let text = String::from_utf8_lossy(&bytes).replace("\r\n", "\n");
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut records = vec![];
    for record in parse(&text) {
        match record {
            Parsed::Record(record) => records.push(record),
            Parsed::Include(pattern) => {
                included(folder, &pattern).iter().for_each(|file| records.extend(read(file)));
            }
        }
    }
    records
}

enum Parsed {
    Record(Record),
    Include(String),
}

fn included(folder: &Path, pattern: &str) -> Vec<PathBuf> {
    let path = folder.join(pattern);
    let Some((before, after)) = path.to_str().and_then(|p| p.split_once('*')) else {
        return Some(path).filter(|p| p.is_file()).into_iter().collect();
    };
    let (folder, start) = before.rsplit_once('/').unwrap_or((".", before));
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .map(|entries| entries.flatten().map(|e| e.path()).collect())
        .unwrap_or_default();
    files.retain(|f| {
        let name = f.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        name.starts_with(start) && name.ends_with(after)
    });
    files.sort();
    files
}

/// The engines that a condition of a record may name and mean this one.
const NAMES: [&str; 2] = ["datafusion", "DataFusion"];

fn parse(text: &str) -> Vec<Parsed> {
    let lines = expand(&text.lines().map(str::to_owned).collect::<Vec<_>>());
    let mut lines = lines.iter().map(String::as_str).peekable();
    let mut out = vec![];
    let mut skip = false;
    while let Some(line) = lines.next() {
        let words: Vec<_> = line.split_whitespace().collect();
        let record = match words[..] {
            ["halt", ..] => return out,
            ["include", pattern, ..] => {
                out.push(Parsed::Include(pattern.to_owned()));
                continue;
            }
            ["skipif", name, ..] => {
                skip |= NAMES.contains(&name);
                continue;
            }
            ["onlyif", name, ..] => {
                skip |= !NAMES.contains(&name);
                continue;
            }
            ["statement" | "query", "error", ..] => Record::Failing,
            ["statement", ..] => Record::Statement,
            ["query", ..] => Record::Query,
            _ => continue,
        };
        let mut sql = vec![];
        while let Some(line) = lines.next_if(|l| !l.trim().is_empty() && *l != "----") {
            sql.push(line);
        }
        // the result is not needed
        while lines.next_if(|l| !l.trim().is_empty()).is_some() {}
        if !std::mem::take(&mut skip) {
            out.push(Parsed::Record(record(sql.join("\n"))));
        }
    }
    out
}

/// Writes loops out.
fn expand(lines: &[String]) -> Vec<String> {
    let mut out = vec![];
    let mut at = 0;
    while at < lines.len() {
        let words: Vec<_> = lines[at].split_whitespace().collect();
        let (name, values) = match words[..] {
            ["loop" | "concurrentloop", name, from, to] => {
                match (from.parse(), to.parse::<u32>()) {
                    (Ok(from), Ok(to)) => (name, (from..to).map(|n: u32| n.to_string()).collect()),
                    _ => (name, vec![]),
                }
            }
            ["foreach" | "concurrentforeach", name, ref values @ ..] => {
                (name, values.iter().map(|v| (*v).to_owned()).collect::<Vec<_>>())
            }
            _ => {
                out.push(lines[at].clone());
                at += 1;
                continue;
            }
        };
        let end = end_of_loop(&lines[at..]).map_or(lines.len(), |n| at + n);
        for value in values.iter().take(5) {
            let hole = format!("${{{name}}}");
            let body: Vec<_> = lines[at + 1..end].iter().map(|l| l.replace(&hole, value)).collect();
            out.extend(expand(&body));
            out.push(String::new());
        }
        at = end + 1;
    }
    out
}

fn end_of_loop(lines: &[String]) -> Option<usize> {
    let mut depth = 0;
    lines.iter().position(|line| {
        match line.split_whitespace().next() {
            Some("loop" | "foreach" | "concurrentloop" | "concurrentforeach") => depth += 1,
            Some("endloop") => depth -= 1,
            _ => {}
        }
        depth == 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(text: &str) -> Vec<Record> {
        let record = |parsed| match parsed {
            Parsed::Record(record) => record,
            Parsed::Include(path) => panic!("{path}"),
        };
        parse(text).into_iter().map(record).collect()
    }

    #[test]
    fn statements_and_queries_are_told_apart_and_results_left_out() {
        let text = "# note\nstatement ok\nCREATE TABLE t\n  (a int)\n\nquery I rowsort\nSELECT a\n\
                    FROM t\n----\n1\n2\n\nstatement error no such\nSELECT b\n\nhalt\n\nquery I\nSELECT 1\n";
        assert_eq!(
            records(text),
            [
                Record::Statement("CREATE TABLE t\n  (a int)".into()),
                Record::Query("SELECT a\nFROM t".into()),
                Record::Failing("SELECT b".into()),
            ]
        );
    }

    #[test]
    fn records_for_other_engines_are_left_out() {
        let text = "onlyif mysql\nquery I\nSELECT 1\n\nskipif mysql\nquery I\nSELECT 2\n";
        assert_eq!(records(text), [Record::Query("SELECT 2".into())]);
    }

    #[test]
    fn loops_are_written_out() {
        let text =
            "foreach t a b\n\nloop n 0 2\n\nquery I\nSELECT ${n} FROM ${t}\n\nendloop\n\nendloop\n";
        let sql = ["SELECT 0 FROM a", "SELECT 1 FROM a", "SELECT 0 FROM b", "SELECT 1 FROM b"];
        assert_eq!(records(text), sql.map(|s| Record::Query(s.into())));
    }
}
