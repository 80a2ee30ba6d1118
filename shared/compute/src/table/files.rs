//! The files of a table, with what their keys tell.

use std::sync::Arc;

use futures::TryStreamExt;
use futures::future::try_join;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use tidemill_protocol::Key;
use tidemill_protocol::job::{Format, TableOptions};

use super::foreign::{self, Marked};
use super::locate::{Location, Reference};
use super::{PartitionColumn, PartitionKind, TableFile};
use crate::error::{Failure, refused};

/// How many tables are named where one is not found.
const NAMED_TABLES_MAX: usize = 12;

/// The value of a partition that Hive writes for null.
pub(crate) const HIVE_NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// The objects at a location that may be files of a table, in the order of their keys.
///
/// # Errors
/// The location lies in a table of another system, or such a table in it.
pub(crate) async fn list(
    store: &Arc<dyn ObjectStore>,
    location: &Location,
) -> Result<Vec<ObjectMeta>, Failure> {
    if let Location::Object(key) = location {
        match store.head(&path(key)?).await {
            Ok(meta) => {
                foreign::check_above(store, key).await?;
                return Ok(vec![meta]);
            }
            Err(object_store::Error::NotFound { .. }) => {
                return Box::pin(list(store, &Location::Folder(format!("{key}/")))).await;
            }
            Err(e) => return Err(e.into()),
        }
    }
    let above = foreign::check_above(store, location.folder());
    let (mut files, ()) = try_join(list_folder(store, location), above).await?;
    files.sort_by(|a, b| a.location.cmp(&b.location));
    Ok(files)
}

async fn list_folder(
    store: &Arc<dyn ObjectStore>,
    location: &Location,
) -> Result<Vec<ObjectMeta>, Failure> {
    let folder = path(location.folder().trim_end_matches('/'))?;
    let folder = (!folder.as_ref().is_empty()).then_some(&folder);
    let (mut files, mut marked) = (vec![], Marked::default());
    let mut listing = store.list(folder);
    while let Some(meta) = listing.try_next().await.map_err(|e| unlisted(location.folder(), e))? {
        let key = meta.location.as_ref();
        if !marked.note(key) && location.holds(key) && !is_marker(key) {
            files.push(meta);
        }
    }
    marked.check(location, &files)?;
    Ok(files)
}

/// Whether an object among the files of a table says something of them and is none: the folder of
/// a Hadoop client, a checksum.
fn is_marker(key: &str) -> bool {
    key.ends_with("_$folder$") || key.ends_with(".crc")
}

/// What is said where keys cannot be listed: a key that is no path would be no path at the next
/// attempt either.
pub(super) fn unlisted(folder: &str, error: object_store::Error) -> Failure {
    match error {
        object_store::Error::InvalidPath { source } => Failure::Refused(format!(
            "a key below {folder} cannot be read: {source}; rename or move the object"
        )),
        other => other.into(),
    }
}

/// The files that hold something, and whether there are others: a file without a byte has no rows.
///
/// # Errors
/// There are others only, and nobody declares the columns.
pub(crate) fn with_bytes(
    files: Vec<ObjectMeta>,
    location: &Location,
    options: &TableOptions,
) -> Result<Vec<ObjectMeta>, Failure> {
    let (files, empty): (Vec<_>, Vec<_>) = files.into_iter().partition(|f| f.size > 0);
    match empty.first() {
        Some(first) if files.is_empty() && options.columns.is_none() => refused(format!(
            "there are empty files only at {location}, such as {} (0 bytes): upload them again, or \
             declare the columns in _schema.json",
            first.location
        )),
        _ => Ok(files),
    }
}

pub(crate) fn path(key: &str) -> Result<Path, Failure> {
    Path::parse(key)
        .map_err(|e| Failure::Refused(format!("'{key}' cannot be the key of a table's file: {e}")))
}

/// The sentence for a table without files.
pub(crate) async fn not_found(
    store: &Arc<dyn ObjectStore>,
    reference: &Reference,
    location: &Location,
) -> Failure {
    let mut sentence = format!(
        "table {} not found{}: there is no data file at {location}",
        reference.name.table(),
        reference.place
    );
    let tables = Path::from(Key::TABLES);
    if let Ok(found) = store.list_with_delimiter(Some(&tables)).await {
        let names: Vec<_> = found.common_prefixes.iter().filter_map(Path::filename).collect();
        if names.is_empty() {
            sentence.push_str("; there are no tables yet");
        } else {
            let more = if names.len() > NAMED_TABLES_MAX { ", …" } else { "" };
            let named = &names[..names.len().min(NAMED_TABLES_MAX)];
            sentence.push_str(&format!("; tables there are: {}{more}", named.join(", ")));
            let wanted = reference.name.table();
            if let Some(other) = names.iter().find(|n| n.eq_ignore_ascii_case(wanted)) {
                sentence.push_str(&format!("; to read {other} write \"{other}\" in double quotes"));
            }
        }
    }
    Failure::Refused(sentence)
}

/// What a file's name says of its form: the format and whether it is gzipped.
fn form(key: &str) -> Option<(Format, bool)> {
    let lower = key.to_ascii_lowercase();
    let (stem, gzip) = lower.strip_suffix(".gz").map_or((lower.as_str(), false), |s| (s, true));
    let (_, extension) = stem.rsplit_once('.')?;
    let format = match extension {
        "parquet" | "parq" | "pq" => Format::Parquet,
        "csv" | "tsv" | "tbl" => Format::Csv,
        "json" | "ndjson" | "jsonl" => Format::Json,
        _ => return None,
    };
    Some((format, gzip))
}

/// The one format of all files.
///
/// # Errors
/// Names the files that conflict, or whose format cannot be told.
pub(crate) fn format(files: &[ObjectMeta], options: &TableOptions) -> Result<Format, Failure> {
    if let Some(format) = options.format {
        return Ok(format);
    }
    let mut first: Option<(&Path, Format)> = None;
    for file in files {
        let key = &file.location;
        let Some((format, _)) = form(key.as_ref()) else {
            return refused(format!(
                "the format of {key} cannot be told from its name: it should end in .parquet, .csv, .csv.gz, \
                 .json or .json.gz, or _schema.json beside it should say \"format\""
            ));
        };
        match first {
            Some((other, known)) if known != format => {
                return refused(format!("{other} and {key} are of one table but differ in format"));
            }
            Some(_) => {}
            None => first = Some((key, format)),
        }
    }
    Ok(first.map_or(Format::Parquet, |(_, format)| format))
}

/// Whether a file is gzipped, by its name.
pub(crate) fn is_gzip(key: &str) -> bool {
    key.to_ascii_lowercase().ends_with(".gz")
}

/// The partition columns that the keys name, and each file with its values.
///
/// # Errors
/// Names two files whose partition columns differ.
pub(crate) fn partitions(
    files: &[ObjectMeta],
    folder: &str,
) -> Result<(Vec<PartitionColumn>, Vec<TableFile>), Failure> {
    let mut names: Option<(Vec<String>, &Path)> = None;
    let mut out = Vec::with_capacity(files.len());
    for file in files {
        let pairs = hive_pairs(file.location.as_ref(), folder);
        let (keys, values): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        match &names {
            Some((known, other)) if *known != keys => {
                return refused(format!(
                    "{other} and {} are of one table but differ in their partition columns ({} and {})",
                    file.location,
                    describe(known),
                    describe(&keys)
                ));
            }
            Some(_) => {}
            None => names = Some((keys, &file.location)),
        }
        out.push(TableFile {
            key: file.location.to_string(),
            size: file.size,
            etag: file.e_tag.clone().unwrap_or_default(),
            gzip: is_gzip(file.location.as_ref()),
            values,
            lines: vec![],
        });
    }
    let names = names.map_or_else(Vec::new, |(n, _)| n);
    let columns = names.into_iter().enumerate().map(|(n, name)| PartitionColumn {
        name,
        kind: kind(out.iter().map(|f| f.values[n].as_deref())),
    });
    Ok((columns.collect(), out))
}

fn describe(names: &[String]) -> String {
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

/// The `name=value` folders between a table's folder and a file. A value may hold `=` itself.
fn hive_pairs(key: &str, folder: &str) -> Vec<(String, Option<String>)> {
    let inner = key.strip_prefix(folder).unwrap_or(key);
    let folders = inner.rsplit_once('/').map_or("", |(folders, _)| folders);
    folders
        .split('/')
        .filter_map(|segment| segment.split_once('=').filter(|(name, _)| !name.is_empty()))
        .map(|(name, value)| (decode(name), (value != HIVE_NULL).then(|| decode(value))))
        .collect()
}

/// A name or a value as Hive and Spark write it: `%` and two digits are a byte. What is not UTF-8
/// then was not written so, and stays as it is.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|_| *first == b'%');
        let byte = digits.and_then(|d| std::str::from_utf8(d).ok()).and_then(hex_byte);
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

fn hex_byte(digits: &str) -> Option<u8> {
    digits.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u8::from_str_radix(digits, 16).ok())?
}

fn kind<'a>(values: impl Iterator<Item = Option<&'a str>> + Clone) -> PartitionKind {
    let known = values.flatten();
    let all = |test: fn(&str) -> bool| known.clone().next().is_some() && known.clone().all(test);
    if all(|v| v.parse::<i64>().is_ok_and(|n| n.to_string() == v)) {
        PartitionKind::Bigint
    } else if all(|v| v.len() == 10 && v.parse::<chrono::NaiveDate>().is_ok()) {
        PartitionKind::Date
    } else {
        PartitionKind::Text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(key: &str, size: u64) -> ObjectMeta {
        ObjectMeta {
            location: Path::parse(key).expect("a path"),
            last_modified: chrono::DateTime::UNIX_EPOCH,
            size,
            e_tag: Some("\"e\"".into()),
            version: None,
        }
    }

    #[test]
    fn files_that_conflict_in_format_are_named() {
        let files = [meta("t/a.csv", 1), meta("t/b.parquet", 1)];
        let error = format(&files, &TableOptions::default()).expect_err("a conflict").to_string();
        assert!(error.contains("t/a.csv") && error.contains("t/b.parquet"), "{error}");
    }

    #[test]
    fn files_without_a_byte_are_none_and_no_others_are_no_table() {
        let location = Location::Folder("t/".into());
        let files = vec![meta("t/a.csv", 1), meta("t/b.csv", 0)];
        let options = TableOptions::default();
        let left = with_bytes(files, &location, &options).expect("files");
        assert_eq!(left.iter().map(|f| f.location.as_ref()).collect::<Vec<_>>(), ["t/a.csv"]);
        let error = with_bytes(vec![meta("t/b.csv", 0)], &location, &options).expect_err("none");
        assert!(error.to_string().contains("t/b.csv"), "{error}");
        let columns = Some(vec![]);
        let declared = TableOptions { columns, ..TableOptions::default() };
        let left = with_bytes(vec![meta("t/b.csv", 0)], &location, &declared).expect("none");
        assert!(left.is_empty());
    }

    #[test]
    fn partition_columns_get_the_narrowest_type_of_all_values() {
        let files =
            [meta("t/y=1/d=2020-01-02/s=007/a.csv", 1), meta("t/y=2/d=2020-01-03/s=1/b.csv", 1)];
        let (columns, files) = partitions(&files, "t/").expect("partitions");
        let kinds: Vec<_> = columns.iter().map(|c| (c.name.as_str(), c.kind)).collect();
        assert_eq!(
            kinds,
            [("y", PartitionKind::Bigint), ("d", PartitionKind::Date), ("s", PartitionKind::Text)]
        );
        assert_eq!(files[0].values[2].as_deref(), Some("007"));
    }

    #[test]
    fn null_and_encoded_partition_values_are_understood() {
        let files = [meta("t/c=__HIVE_DEFAULT_PARTITION__/a.csv", 1), meta("t/c=a%20b+c/b.csv", 1)];
        let (_, files) = partitions(&files, "t/").expect("partitions");
        assert_eq!(files[0].values, [None]);
        assert_eq!(files[1].values, [Some("a b+c".into())]);
    }

    #[test]
    fn values_may_hold_any_sign() {
        for (folder, value) in [
            ("x=y", "x=y"),
            ("a&b", "a&b"),
            ("a+b", "a+b"),
            ("San%20Jose", "San Jose"),
            ("a%2Fb%3Dc", "a/b=c"),
            ("%C3%A9", "é"),
            ("é", "é"),
            ("100%", "100%"),
            ("100%25", "100%"),
            ("%2", "%2"),
            ("%+1", "%+1"),
            ("%E9", "%E9"),
            ("", ""),
        ] {
            let files = [meta(&format!("t/c={folder}/a.csv"), 1)];
            let (_, files) = partitions(&files, "t/").expect("partitions");
            assert_eq!(files[0].values, [Some(value.to_owned())], "{folder}");
        }
    }

    #[test]
    fn files_with_other_partition_columns_are_named() {
        let files = [meta("t/y=1/a.csv", 1), meta("t/b.csv", 1)];
        let error = partitions(&files, "t/").expect_err("a conflict").to_string();
        assert!(error.contains("t/y=1/a.csv") && error.contains("t/b.csv"), "{error}");
    }
}
