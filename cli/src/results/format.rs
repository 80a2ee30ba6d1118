//! The form of a result's rows.

use std::path::Path;

use anyhow::{Context, bail};
use clap::ValueEnum;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people.
    Table,
    /// With a header. NULL is an empty field and an empty text is "" (in a result of one column NULL
    /// is "", too, since many readers skip an empty line); lists, maps and structs are JSON.
    Csv,
    /// One object a line. NULL is null; NaN and infinities, binary (in hexadecimal), times and
    /// the keys of maps are text.
    Json,
    Parquet,
}

impl Format {
    /// What a file's extension says.
    pub(super) fn of_file(path: &Path) -> anyhow::Result<Self> {
        const KNOWN: &str = ".csv, .json, .jsonl, .ndjson or .parquet";
        let extension = path.extension().with_context(|| {
            format!(
                "{} has no extension that says its format: end it in {KNOWN}, or give --format",
                path.display()
            )
        })?;
        match extension.to_string_lossy().to_ascii_lowercase().as_str() {
            "csv" => Ok(Self::Csv),
            "json" | "jsonl" | "ndjson" => Ok(Self::Json),
            "parquet" => Ok(Self::Parquet),
            other => bail!(
                "the extension .{other} of {} says no known format: end it in {KNOWN}, or give --format",
                path.display()
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_files_extension_says_its_format_or_a_sentence_says_that_it_does_not() {
        let of = |name: &str| Format::of_file(Path::new(name));
        for (name, format) in [
            ("a.csv", Format::Csv),
            ("a.b/c.NDJSON", Format::Json),
            ("a.jsonl", Format::Json),
            ("a.json", Format::Json),
            ("a.Parquet", Format::Parquet),
        ] {
            assert_eq!(of(name).expect(name), format);
        }
        for (name, part) in [("big", "no extension"), ("a.csv.gz", ".gz"), (".csv", "no extension")]
        {
            let refused = of(name).expect_err(name).to_string();
            assert!(refused.contains(part) && refused.contains("--format"), "{refused}");
        }
    }
}
