//! Tables of other systems, told by the keys that only they have.
//!
//! The files in such a folder hold rows that were deleted or replaced as well; which ones count is
//! in a log that only its own engines follow. Whoever reads the files reads too much, and whoever
//! writes or removes some of them breaks the table.

use std::fmt;

/// What a table of another system is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OtherSystem {
    /// `_delta_log/` lies in its folder.
    DeltaLake,
    /// `.hoodie/` does.
    Hudi,
    /// `metadata/` does, with files that no other system writes.
    Iceberg,
}

impl fmt::Display for OtherSystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DeltaLake => "a Delta Lake table",
            Self::Hudi => "an Apache Hudi table",
            Self::Iceberg => "an Apache Iceberg table",
        })
    }
}

/// A table of another system, as a key of it tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignTable {
    pub system: OtherSystem,
    /// Ends in `/`; empty for the whole bucket.
    pub folder: String,
    /// The folder in it that tells; ends in `/`.
    pub mark: &'static str,
}

impl ForeignTable {
    /// The folders that tell, inside a table's own.
    pub const MARKS: [&'static str; 3] = ["_delta_log/", ".hoodie/", "metadata/"];

    /// The table that a key belongs to, if the key is one that only such a table has; the outermost
    /// of several.
    pub fn of_key(key: &str) -> Option<Self> {
        let mut start = 0;
        for segment in key.split('/') {
            let rest = key.get(start + segment.len() + 1..).unwrap_or_default();
            let found = match segment {
                "_delta_log" => Some((OtherSystem::DeltaLake, Self::MARKS[0])),
                ".hoodie" => Some((OtherSystem::Hudi, Self::MARKS[1])),
                "metadata" if is_of_iceberg(rest) => Some((OtherSystem::Iceberg, Self::MARKS[2])),
                _ => None,
            };
            if let Some((system, mark)) = found {
                return Some(Self { system, folder: key[..start].to_owned(), mark });
            }
            start += segment.len() + 1;
        }
        None
    }
}

impl fmt::Display for ForeignTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { system, folder, mark } = self;
        let place = if folder.is_empty() { "the bucket" } else { folder };
        write!(
            f,
            "{place} is {system} ({folder}{mark} tells which of its files and rows count), and only \
             plain files are read and written here: export it as plain Parquet with an engine of its \
             own, and name that folder"
        )
    }
}

/// Whether a name in `metadata/` is one of Iceberg's: table metadata, snapshots, manifests.
fn is_of_iceberg(name: &str) -> bool {
    if name == "version-hint.text" || name.ends_with(".metadata.json") {
        return true;
    }
    if name.contains('/') {
        return false;
    }
    let is_manifest = |stem: &str| {
        stem.rsplit_once("-m").is_some_and(|(_, n)| !n.is_empty() && n.parse::<u32>().is_ok())
    };
    name.ends_with(".metadata.json.gz")
        || name.strip_suffix(".avro").is_some_and(|s| s.starts_with("snap-") || is_manifest(s))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_of_other_systems_tell_their_table() {
        use OtherSystem::{DeltaLake, Hudi, Iceberg};
        for (key, system, folder) in [
            ("tables/d/_delta_log/00000000000000000000.json", DeltaLake, "tables/d/"),
            ("tables/d/_delta_log", DeltaLake, "tables/d/"), // the placeholder of a folder
            ("_delta_log/_last_checkpoint", DeltaLake, ""),
            ("a/b/.hoodie/hoodie.properties", Hudi, "a/b/"),
            ("a/.hoodie/metadata/v1.metadata.json", Hudi, "a/"),
            ("i/metadata/00000-1b.metadata.json", Iceberg, "i/"),
            ("i/metadata/v3.gz.metadata.json", Iceberg, "i/"),
            ("i/metadata/version-hint.text", Iceberg, "i/"),
            ("i/metadata/snap-12-1-aa.avro", Iceberg, "i/"),
            ("i/metadata/aa-bb-m0.avro", Iceberg, "i/"),
        ] {
            let found = ForeignTable::of_key(key).expect(key);
            assert_eq!((found.system, found.folder.as_str()), (system, folder), "{key}");
        }
    }

    #[test]
    fn keys_that_only_look_like_them_tell_nothing() {
        for key in [
            "tables/t/a.parquet",
            "tables/t/my_delta_log/a.json",
            "tables/t/metadata/a.json",
            "tables/t/metadata/x-m.avro",
            "tables/t/metadata/users.avro",
            "tables/metadata.json",
            "metadata",
            "",
        ] {
            assert_eq!(ForeignTable::of_key(key), None, "{key}");
        }
    }
}
