//! From keys to file names and back.
//!
//! A key's segments are folders and its last segment is a file, under their own names wherever
//! that works, so that the bucket is a plain folder to look into. What a file system cannot hold
//! is escaped with `%`:
//!
//! | in the key | on disk |
//! |---|---|
//! | `%`, `\`, control characters | `%25`, `%5C`, … |
//! | an empty segment, `.`, `..` | `%`, `%2E`, `%2E%2E` |
//! | a segment beyond 180 bytes | folders of 180 bytes that end in `%+`, then the rest |
//! | `a` where there is a folder `a`, or the other way round | `a%!` for the later of the two |

use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;

/// Longest piece of a name, so that suffixes still fit into 255 bytes.
const MAX_PIECE: usize = 180;

/// Marks a piece that the next one continues.
const CONTINUED: &str = "%+";

/// Marks the later of a file and a folder of one name.
const BESIDE: &str = "%!";

/// The empty segment.
const EMPTY: &str = "%";

/// The pieces of a key: all but the last are folders.
fn pieces(key: &str) -> Vec<String> {
    let mut pieces = vec![];
    for segment in key.split('/') {
        let mut rest = encode(segment);
        while rest.len() > MAX_PIECE {
            let at = cut(&rest);
            let tail = rest.split_off(at);
            pieces.push(format!("{rest}{CONTINUED}"));
            rest = tail;
        }
        pieces.push(rest);
    }
    pieces
}

/// Where a long name is cut: at a character, and not within an escape.
fn cut(name: &str) -> usize {
    let bytes = name.as_bytes();
    let mut at = MAX_PIECE;
    while !name.is_char_boundary(at) || bytes[at - 1] == b'%' || bytes[at - 2] == b'%' {
        at -= 1;
    }
    at
}

fn encode(segment: &str) -> String {
    match segment {
        "" => return EMPTY.into(),
        "." => return "%2E".into(),
        ".." => return "%2E%2E".into(),
        _ => {}
    }
    let mut out = String::with_capacity(segment.len());
    for c in segment.chars() {
        if c.is_ascii_control() || matches!(c, '%' | '\\') {
            out.push_str(&format!("%{:02X}", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    out
}

/// A directory entry: the part of a key that it stands for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Entry {
    File(String),
    /// A folder; its name without `/`.
    Folder(String),
    /// A folder whose entries continue the name.
    Continued(String),
}

/// Reads an entry's name; `None` if it is not one that we write.
pub(super) fn entry(name: &str, is_folder: bool) -> Option<Entry> {
    if let Some(piece) = name.strip_suffix(CONTINUED) {
        return is_folder.then(|| decode(piece).map(Entry::Continued))?;
    }
    let name = name.strip_suffix(BESIDE).unwrap_or(name);
    let text = if name == EMPTY { String::new() } else { decode(name)? };
    Some(if is_folder { Entry::Folder(text) } else { Entry::File(text) })
}

fn decode(name: &str) -> Option<String> {
    Some(percent_decode_str(name).decode_utf8().ok()?.into_owned())
}

/// The file of a key, if there is one.
pub(super) fn find(root: &Path, key: &str) -> Option<PathBuf> {
    let pieces = pieces(key);
    let (last, folders) = pieces.split_last()?;
    let at = folder_of_all(root, folders);
    let plain = at.join(last);
    if plain.is_file() {
        return Some(plain);
    }
    let beside = at.join(format!("{last}{BESIDE}"));
    beside.is_file().then_some(beside)
}

/// The folder that folders within each other are.
fn folder_of_all(root: &Path, folders: &[String]) -> PathBuf {
    let plain = root.join(folders.join("/"));
    if plain.is_dir() {
        return plain; // then none of them has a name beside a file's
    }
    folders.iter().fold(root.to_owned(), |at, folder| folder_of(&at, folder))
}

/// The folder that holds the keys which start with `prefix` up to its last `/`.
pub(super) fn find_folder(root: &Path, prefix: &str) -> PathBuf {
    match prefix.rsplit_once('/') {
        Some((folders, _)) => folder_of_all(root, &pieces(folders)),
        None => root.to_owned(),
    }
}

fn folder_of(parent: &Path, name: &str) -> PathBuf {
    let beside = parent.join(format!("{name}{BESIDE}"));
    if beside.is_dir() { beside } else { parent.join(name) }
}

/// The file that a key is to be written to; its folders are created.
pub(super) fn place(root: &Path, key: &str) -> std::io::Result<PathBuf> {
    if let Some(found) = find(root, key) {
        return Ok(found);
    }
    let pieces = pieces(key);
    let Some((last, folders)) = pieces.split_last() else {
        return Err(std::io::ErrorKind::InvalidInput.into());
    };
    let mut at = folder_of_all(root, folders);
    if !at.is_dir() {
        at = root.to_owned();
        for folder in folders {
            let mut next = folder_of(&at, folder);
            if next.is_file() {
                next = at.join(format!("{folder}{BESIDE}"));
            }
            at = next;
        }
        std::fs::create_dir_all(&at)?;
    }
    let plain = at.join(last);
    Ok(if plain.is_dir() { at.join(format!("{last}{BESIDE}")) } else { plain })
}

/// Removes the empty folders above a removed file, up to `root`.
pub(super) fn prune(root: &Path, file: &Path) {
    let mut at = file.parent();
    while let Some(folder) = at.filter(|f| *f != root && f.starts_with(root)) {
        if std::fs::remove_dir(folder).is_err() {
            return; // not empty
        }
        at = folder.parent();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ODD: [&str; 22] = [
        "a",
        "a/b",
        "a/b/c",
        "dir/",
        "dir//",
        "/lead",
        "//",
        "a%2Fb",
        "a%",
        "..",
        "../x",
        "a/./b",
        ".",
        "x\\y",
        "new\nline",
        "sp ace+",
        "ünï/cödé",
        "a%!",
        "a%+",
        "%",
        "%25",
        "é",
    ];

    fn write(root: &Path, key: &str) {
        let path = place(root, key).expect("a place");
        std::fs::write(path, key).expect("write");
    }

    #[test]
    fn odd_keys_live_side_by_side() {
        let mut keys: Vec<String> = ODD.iter().map(|k| (*k).to_owned()).collect();
        keys.push("l".repeat(1024));
        keys.push(format!("{}/{}", "m".repeat(300), "é".repeat(200)));
        keys.push("%".repeat(500));
        for reverse in [false, true] {
            let dir = tempfile::tempdir().expect("a folder");
            if reverse {
                keys.reverse();
            }
            keys.iter().for_each(|k| write(dir.path(), k));
            for key in &keys {
                let path = find(dir.path(), key).expect("found");
                assert!(path.starts_with(dir.path()));
                assert_eq!(&std::fs::read_to_string(path).expect("read"), key);
            }
            for key in &keys {
                let path = find(dir.path(), key).expect("found");
                std::fs::remove_file(&path).expect("remove");
                prune(dir.path(), &path);
            }
            assert_eq!(std::fs::read_dir(dir.path()).expect("list").count(), 0);
        }
    }

    #[test]
    fn a_file_that_takes_a_folders_name_and_back_is_still_found() {
        let dir = tempfile::tempdir().expect("a folder");
        write(dir.path(), "a");
        write(dir.path(), "a/b");
        std::fs::remove_file(find(dir.path(), "a").expect("a")).expect("remove");
        write(dir.path(), "a/c");
        write(dir.path(), "a");
        for key in ["a", "a/b", "a/c"] {
            assert_eq!(std::fs::read_to_string(find(dir.path(), key).expect(key)).expect(key), key);
        }
    }

    #[test]
    fn plain_keys_are_plain_files() {
        let dir = tempfile::tempdir().expect("a folder");
        write(dir.path(), "tables/t/2013-01.csv.gz");
        assert!(dir.path().join("tables/t/2013-01.csv.gz").is_file());
    }
}
