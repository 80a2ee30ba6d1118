//! The files of a table, with what their keys tell.

use std::sync::Arc;

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use tidemill_protocol::Key;
use tidemill_protocol::job::{Format, TableOptions};

use super::locate::{Location, Reference};
use super::{PartitionColumn, PartitionKind, TableFile};
use crate::error::{Failure, refused};

/// How many tables are named where one is not found.
const NAMED_TABLES: usize = 12;

/// The value of a partition that Hive writes for null.
pub(crate) const HIVE_NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// The files at a location, in the order of their keys.
pub(crate) async fn list(
    store: &Arc<dyn ObjectStore>,
    location: &Location,
) -> Result<Vec<ObjectMeta>, Failure> {
    if let Location::Object(key) = location {
        match store.head(&path(key)?).await {
            Ok(meta) => return Ok(vec![meta]),
            Err(object_store::Error::NotFound { .. }) => {
                return Box::pin(list(store, &Location::Folder(format!("{key}/")))).await;
            }
            Err(e) => return Err(e.into()),
        }
    }
    let folder = path(location.folder().trim_end_matches('/'))?;
    let folder = (!folder.as_ref().is_empty()).then_some(&folder);
    let mut files: Vec<_> = store
        .list(folder)
        .try_filter(|meta| std::future::ready(location.holds(meta.location.as_ref())))
        .try_collect()
        .await?;
    files.sort_by(|a, b| a.location.cmp(&b.location));
    Ok(files)
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
            let more = if names.len() > NAMED_TABLES { ", …" } else { "" };
            let named = &names[..names.len().min(NAMED_TABLES)];
            sentence.push_str(&format!("; tables there are: {}{more}", named.join(", ")));
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
/// Names the files that conflict, that are empty, or whose format cannot be told.
pub(crate) fn format(files: &[ObjectMeta], options: &TableOptions) -> Result<Format, Failure> {
    if let Some(empty) = files.iter().find(|f| f.size == 0) {
        return refused(format!(
            "{} is empty (0 bytes): delete it or upload it again",
            empty.location
        ));
    }
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

/// The `name=value` folders between a table's folder and a file.
fn hive_pairs(key: &str, folder: &str) -> Vec<(String, Option<String>)> {
    let inner = key.strip_prefix(folder).unwrap_or(key);
    let folders = inner.rsplit_once('/').map_or("", |(folders, _)| folders);
    let decode = |s: &str| percent_decode(s);
    folders
        .split('/')
        .filter_map(|segment| segment.split_once('='))
        .map(|(name, value)| (decode(name), (value != HIVE_NULL).then(|| decode(value))))
        .collect()
}

fn percent_decode(text: &str) -> String {
    let decoded = url::form_urlencoded::parse(text.replace('+', "%2B").as_bytes())
        .next()
        .map(|(k, _)| k.into_owned());
    decoded.unwrap_or_default()
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
    fn an_empty_file_is_named() {
        let files = [meta("t/a.csv", 1), meta("t/b.csv", 0)];
        let error = format(&files, &TableOptions::default()).expect_err("empty").to_string();
        assert!(error.contains("t/b.csv") && error.contains("empty"), "{error}");
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
    fn files_with_other_partition_columns_are_named() {
        let files = [meta("t/y=1/a.csv", 1), meta("t/b.csv", 1)];
        let error = partitions(&files, "t/").expect_err("a conflict").to_string();
        assert!(error.contains("t/y=1/a.csv") && error.contains("t/b.csv"), "{error}");
    }
}
