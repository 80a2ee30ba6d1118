//! Whether a place lies in a table of another system, which is neither read nor written.
//!
//! What lies below a place shows in its own listing. What lies above it is looked for: below
//! `tables/<table>/` that is nothing, so a table that is named costs no request more.

use std::sync::Arc;

use futures::TryStreamExt;
use futures::future::try_join_all;
use futures::stream::StreamExt;
use object_store::{ObjectMeta, ObjectStore};
use tidemill_protocol::{ForeignTable, Key};

use super::files::{self, unlisted};
use super::locate::Location;
use crate::error::Failure;

/// Folders whose own folders are tables, results and uploads: no table is around them.
const OWN: [&str; 3] = [Key::TABLES, Key::RESULTS, Key::INBOX];

/// Keys of a folder that are looked at: a page of a listing.
const LISTED_KEYS_MAX: usize = 1000;

/// # Errors
/// A key, or a folder that ends in `/`, lies in a table of another system.
pub(super) async fn check_above(store: &Arc<dyn ObjectStore>, place: &str) -> Result<(), Failure> {
    if let Some(table) = ForeignTable::of_key(place) {
        return Err(refusal(&table));
    }
    let looks = above(place)
        .flat_map(|folder| ForeignTable::MARKS.map(|mark| look(store, format!("{folder}{mark}"))));
    try_join_all(looks).await.map(drop)
}

async fn look(store: &Arc<dyn ObjectStore>, folder: String) -> Result<(), Failure> {
    let path = files::path(folder.trim_end_matches('/'))?;
    let mut listing = store.list(Some(&path)).take(LISTED_KEYS_MAX);
    while let Some(meta) = listing.try_next().await.map_err(|e| unlisted(&folder, e))? {
        if let Some(table) = ForeignTable::of_key(meta.location.as_ref()) {
            return Err(refusal(&table));
        }
    }
    Ok(())
}

/// The folders around a place that may be a table, each with its `/` at the end.
fn above(place: &str) -> impl Iterator<Item = &str> {
    let is_own = OWN.iter().any(|own| place.starts_with(own));
    let inner = place.trim_end_matches('/');
    let folders = inner.match_indices('/').map(|(at, _)| &inner[..=at]);
    let root = (!is_own && !inner.is_empty()).then_some("");
    root.into_iter().chain(folders.filter(|folder| !OWN.contains(folder)))
}

/// The tables of other systems that a listing shows.
#[derive(Debug, Default)]
pub(super) struct Marked(Vec<ForeignTable>);

impl Marked {
    /// Takes note of a key; whether it is one that tells.
    pub(super) fn note(&mut self, key: &str) -> bool {
        let Some(table) = ForeignTable::of_key(key) else { return false };
        if !self.0.contains(&table) {
            self.0.push(table);
        }
        true
    }

    /// # Errors
    /// A folder holds a table of another system, or a pattern reaches into one.
    pub(super) fn check(&self, location: &Location, files: &[ObjectMeta]) -> Result<(), Failure> {
        let reaches = |table: &ForeignTable| match location {
            Location::Pattern { .. } => {
                files.iter().any(|f| f.location.as_ref().starts_with(&table.folder))
            }
            Location::Folder(_) | Location::Object(_) => true,
        };
        match self.0.iter().find(|table| reaches(table)) {
            Some(table) => Err(refusal(table)),
            None => Ok(()),
        }
    }
}

fn refusal(table: &ForeignTable) -> Failure {
    Failure::Refused(table.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_is_named_has_nothing_above_it_and_a_path_has_its_folders() {
        let folders = |place| above(place).collect::<Vec<_>>();
        for place in ["tables/t/", "inbox/a.csv", "results/"] {
            assert!(folders(place).is_empty(), "{place}");
        }
        assert_eq!(folders("tables/t/y=1/m=2/"), ["tables/t/", "tables/t/y=1/"]);
        assert_eq!(folders("tables/t/a.csv"), ["tables/t/"]);
        assert_eq!(folders("lake/d/a.csv"), ["", "lake/", "lake/d/"]);
        assert_eq!(folders("lake/"), [""]);
    }
}
