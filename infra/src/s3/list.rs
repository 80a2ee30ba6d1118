//! Lists keys in the order of their bytes, as S3 does.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::names::{self, Entry};

/// What to list.
#[derive(Debug, Default)]
pub(crate) struct Selection<'a> {
    pub(crate) prefix: &'a str,
    pub(crate) delimiter: Option<&'a str>,
    /// Only what comes after this key or common prefix.
    pub(crate) after: Option<&'a str>,
    pub(crate) max: usize,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Key(String),
    CommonPrefix(String),
}

impl Item {
    pub(crate) fn name(&self) -> &str {
        let (Self::Key(name) | Self::CommonPrefix(name)) = self;
        name
    }
}

/// One page, and whether more follow.
pub(crate) fn list(root: &Path, selection: &Selection<'_>) -> io::Result<(Vec<Item>, bool)> {
    let folder_prefix = selection.prefix.rfind('/').map_or("", |at| &selection.prefix[..=at]);
    let folders = names::find_folders(root, selection.prefix);
    let mut walk = Walk { selection, items: vec![], truncated: false };
    if selection.max > 0 {
        walk.folder(&folders, folder_prefix)?;
    }
    Ok((walk.items, walk.truncated))
}

struct Walk<'a> {
    selection: &'a Selection<'a>,
    items: Vec<Item>,
    truncated: bool,
}

impl Walk<'_> {
    /// A folder, which may have several places on disk.
    fn folder(&mut self, paths: &[PathBuf], prefix: &str) -> io::Result<()> {
        for (name, children) in entries(paths, prefix)? {
            if self.truncated {
                return Ok(());
            }
            match &children[..] {
                [] => self.key(name),
                _ if !self.may_hold(&name) => {}
                children => self.folder(children, &name)?,
            }
        }
        Ok(())
    }

    /// Whether a folder may hold keys of the page; `name` ends in `/`.
    fn may_hold(&self, name: &str) -> bool {
        let Selection { prefix, after, .. } = self.selection;
        let on_the_way = name.starts_with(prefix) || prefix.starts_with(name);
        // all of its keys start with its name
        let passed = after.is_some_and(|after| name < after && !after.starts_with(name));
        let in_last_prefix = matches!(self.items.last(), Some(Item::CommonPrefix(last)) if name.starts_with(last.as_str()));
        on_the_way && !passed && !in_last_prefix
    }

    fn key(&mut self, key: String) {
        let Selection { prefix, delimiter, after, max } = *self.selection;
        let Some(rest) = key.strip_prefix(prefix) else { return };
        let item = match delimiter.and_then(|d| Some(rest.find(d)? + d.len())) {
            Some(end) => Item::CommonPrefix(format!("{prefix}{}", &rest[..end])),
            None => Item::Key(key),
        };
        let seen = after.is_some_and(|after| match &item {
            Item::Key(key) => key.as_str() <= after,
            // a marker inside a common prefix has passed it only if it is that prefix
            Item::CommonPrefix(common) => common.as_str() <= after && !is_inside(after, common),
        });
        if seen || self.items.last() == Some(&item) {
            return;
        }
        if self.items.len() == max {
            self.truncated = true;
        } else {
            self.items.push(item);
        }
    }
}

fn is_inside(after: &str, common: &str) -> bool {
    after.starts_with(common) && after.len() > common.len()
}

/// Entries by the keys below them: names of files without a path, names of folders with theirs and a
/// `/` at the end.
type Entries = BTreeMap<String, Vec<PathBuf>>;

/// The entries of a folder in the order of the keys below them.
fn entries(paths: &[PathBuf], prefix: &str) -> io::Result<Entries> {
    let mut found = Entries::new();
    for path in paths {
        collect(path, prefix, &mut found)?;
    }
    Ok(found)
}

fn collect(path: &Path, prefix: &str, found: &mut Entries) -> io::Result<()> {
    let folder = match fs::read_dir(path) {
        Ok(folder) => folder,
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(());
        }
        Err(e) => return Err(e),
    };
    for child in folder {
        let child = child?;
        let name = child.file_name();
        let Some(name) = name.to_str() else { continue };
        match names::entry(name, child.file_type()?.is_dir()) {
            Entry::File(name) => drop(found.entry(format!("{prefix}{name}")).or_default()),
            Entry::Folder(name) => {
                found.entry(format!("{prefix}{name}/")).or_default().push(child.path());
            }
            // a long name goes on in this folder
            Entry::Continued(name) => {
                collect(&child.path(), &format!("{prefix}{name}"), found)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(keys: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a folder");
        for key in keys {
            fs::write(names::place(dir.path(), key).expect("a place"), "").expect("write");
        }
        dir
    }

    fn names_of(dir: &Path, selection: &Selection<'_>) -> Vec<String> {
        let (items, _) = list(dir, selection).expect("a list");
        items.iter().map(|i| i.name().to_owned()).collect()
    }

    #[test]
    fn keys_come_in_the_order_of_their_bytes() {
        let mut keys = vec!["a/b", "a", "a-b", "a.b", "a0", "b", "A", "a/b/c", "é", "a//", "a/"];
        let dir = bucket(&keys);
        keys.sort_unstable();
        assert_eq!(names_of(dir.path(), &Selection { max: 99, ..Selection::default() }), keys);
    }

    #[test]
    fn pages_of_any_size_give_the_same_list() {
        let long = "x".repeat(400);
        let keys = ["a/1", "a/2", "a/b/3", "b", "c/1", "c/2", "d", &long];
        let dir = bucket(&keys);
        for delimiter in [None, Some("/"), Some("2")] {
            let all =
                names_of(dir.path(), &Selection { delimiter, max: 99, ..Selection::default() });
            for max in 1..4 {
                let mut paged: Vec<String> = vec![];
                loop {
                    let after = paged.last().cloned();
                    let after = after.as_deref();
                    let selection = Selection { delimiter, max, after, ..Selection::default() };
                    let (items, truncated) = list(dir.path(), &selection).expect("a page");
                    assert!(items.len() <= max);
                    paged.extend(items.iter().map(|i| i.name().to_owned()));
                    if !truncated {
                        break;
                    }
                }
                assert_eq!(paged, all, "delimiter {delimiter:?}, pages of {max}");
            }
        }
    }

    #[test]
    fn a_folder_by_hand_and_ours_of_one_name_are_one() {
        let dir = bucket(&["t/city=San%20Jose/b", "t/city=San Jose/x"]);
        let by_hand = dir.path().join("t/city=San%20Jose");
        fs::create_dir_all(&by_hand).expect("a folder");
        for name in ["a", "c"] {
            fs::write(by_hand.join(name), "").expect("write");
        }
        let folder = "t/city=San%20Jose/";
        let names = ["a", "b", "c"].map(|name| format!("{folder}{name}"));
        for prefix in [folder, "t/city=San%20J"] {
            let selection = Selection { prefix, max: 9, ..Selection::default() };
            assert_eq!(names_of(dir.path(), &selection), names, "{prefix}");
        }
        let selection =
            Selection { prefix: "t/", delimiter: Some("/"), max: 9, ..Selection::default() };
        assert_eq!(names_of(dir.path(), &selection), ["t/city=San Jose/", folder]);
    }

    #[test]
    fn a_prefix_need_not_end_at_a_folder() {
        let dir = bucket(&["ab/1", "abc", "a", "b"]);
        let selection =
            Selection { prefix: "ab", delimiter: Some("/"), max: 9, ..Selection::default() };
        assert_eq!(names_of(dir.path(), &selection), ["ab/", "abc"]);
        let selection = Selection { prefix: "zz/", max: 9, ..Selection::default() };
        assert!(names_of(dir.path(), &selection).is_empty());
    }
}
