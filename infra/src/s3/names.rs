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
//!
//! A name that none of this gives is a file or a folder that somebody put there by hand, such as
//! `city=San%20Jose` from a table of Spark: it is what the key says, letter by letter.

use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;

/// Longest piece of a name, so that suffixes still fit into 255 bytes.
const PIECE_BYTES_MAX: usize = 180;

/// Longest name of most file systems.
const NAME_BYTES_MAX: usize = 255;

/// Marks a piece that the next one continues.
const CONTINUED: &str = "%+";

/// Marks the later of a file and a folder of one name.
const BESIDE: &str = "%!";

/// The empty segment.
const EMPTY: &str = "%";

/// The pieces of a key: all but the last are folders.
fn pieces(key: &str) -> Vec<String> {
    key.split('/').flat_map(pieces_of_segment).collect()
}

fn pieces_of_segment(segment: &str) -> Vec<String> {
    let mut pieces = vec![];
    let mut rest = encode(segment);
    while rest.len() > PIECE_BYTES_MAX {
        let at = cut(&rest);
        let tail = rest.split_off(at);
        pieces.push(format!("{rest}{CONTINUED}"));
        rest = tail;
    }
    pieces.push(rest);
    pieces
}

/// Where a long name is cut: at a character, and not within an escape.
fn cut(name: &str) -> usize {
    let bytes = name.as_bytes();
    let mut at = PIECE_BYTES_MAX;
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

/// Reads an entry's name.
pub(super) fn entry(name: &str, is_folder: bool) -> Entry {
    if let Some(piece) = name.strip_suffix(CONTINUED).filter(|_| is_folder)
        && let Some(text) = decode_piece(piece)
    {
        return Entry::Continued(text);
    }
    let own = decode(name.strip_suffix(BESIDE).unwrap_or(name));
    let text = own.unwrap_or_else(|| name.to_owned());
    if is_folder { Entry::Folder(text) } else { Entry::File(text) }
}

/// What was encoded to a name; `None` if nothing was.
fn decode(name: &str) -> Option<String> {
    if name == EMPTY {
        return Some(String::new());
    }
    decode_piece(name).filter(|text| encode(text) == name)
}

/// The same of a part of a name, which may be a dot by itself.
fn decode_piece(piece: &str) -> Option<String> {
    let text = percent_decode_str(piece).decode_utf8().ok()?.into_owned();
    (encode(&text) == piece || text.bytes().all(|b| b == b'.')).then_some(text)
}

/// The name that a segment of a key has if somebody put it there by hand, where it is another.
fn by_hand(segment: &str) -> Option<&str> {
    let is_name = !matches!(segment, "" | "." | "..") && segment.len() <= NAME_BYTES_MAX;
    let is_ours = encode(segment) == segment && segment.len() <= PIECE_BYTES_MAX;
    let reads_so = || match entry(segment, true) {
        Entry::Folder(text) => text == segment,
        Entry::File(_) | Entry::Continued(_) => false,
    };
    (is_name && !is_ours && reads_so()).then_some(segment)
}

/// The file of a key, if there is one.
pub(super) fn find(root: &Path, key: &str) -> Option<PathBuf> {
    find_ours(root, key).or_else(|| {
        let (folders, last) = key.rsplit_once('/').map_or((None, key), |(f, l)| (Some(f), l));
        key.split('/').any(|s| by_hand(s).is_some()).then_some(())?;
        let folders = folders.map_or_else(|| vec![root.to_owned()], |f| all_folders(root, f));
        let names = |at: &PathBuf| find_ours(at, last).or_else(|| Some(at.join(by_hand(last)?)));
        folders.iter().filter_map(names).find(|file| file.is_file())
    })
}

/// The folders that hold the keys below a folder: ours, and what lies there by hand.
fn all_folders(root: &Path, folder: &str) -> Vec<PathBuf> {
    let mut found = vec![root.to_owned()];
    for segment in folder.split('/') {
        let ours = pieces_of_segment(segment);
        let inner = |at: &PathBuf| {
            let names = [Some(folder_of_all(at, &ours)), by_hand(segment).map(|n| at.join(n))];
            names.into_iter().flatten().filter(|f| f.is_dir()).collect::<Vec<_>>()
        };
        found = found.iter().flat_map(inner).collect();
    }
    found
}

fn find_ours(root: &Path, key: &str) -> Option<PathBuf> {
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

/// The folders that hold the keys which start with `prefix` up to its last `/`.
pub(super) fn find_folders(root: &Path, prefix: &str) -> Vec<PathBuf> {
    match prefix.rsplit_once('/') {
        Some((folders, _)) => all_folders(root, folders),
        None => vec![root.to_owned()],
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
    fn what_lies_there_by_hand_is_found_under_its_own_name() {
        let dir = tempfile::tempdir().expect("a folder");
        let long = "l".repeat(220);
        for name in ["city=San%20Jose/a", "100%/a", "a\\b", "x%2Fy", "%FF/%zz", &long] {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(&path, name).expect("write");
            assert_eq!(find(dir.path(), name), Some(path.clone()), "{name}");
            assert_eq!(place(dir.path(), name).expect("a place"), path, "{name}");
            let last = name.rsplit('/').next().expect("a name");
            assert_eq!(entry(last, false), Entry::File(last.into()));
        }
        // and the keys of which these names would be the encoding are others
        write(dir.path(), "city=San Jose/a");
        write(dir.path(), "city=San%20Jose/b");
        for key in ["city=San Jose/a", "city=San%20Jose/a", "city=San%20Jose/b"] {
            let path = find(dir.path(), key).expect(key);
            assert_eq!(std::fs::read_to_string(path).expect(key), key);
        }
    }

    #[test]
    fn plain_keys_are_plain_files() {
        let dir = tempfile::tempdir().expect("a folder");
        write(dir.path(), "tables/t/2013-01.csv.gz");
        assert!(dir.path().join("tables/t/2013-01.csv.gz").is_file());
    }
}
