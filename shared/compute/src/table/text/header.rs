//! The columns of a file by the names in its first line.

use csv_core::ReadFieldResult;
use datafusion::arrow::datatypes::Schema;
use tidemill_protocol::job::CsvOptions;

use super::records::parser;

/// The most bytes of a header.
pub(crate) const HEADER_BYTES_MAX: u64 = 64 * 1024;

/// The mark that a file of UTF-8 text may start with.
pub(super) const MARK: &[u8] = b"\xef\xbb\xbf";

/// The first record of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) names: Vec<String>,
    /// Bytes that it takes, with its line end but for the second half of one.
    pub(crate) bytes: usize,
}

impl Header {
    /// `None` if there is no end of a record in these bytes; at the end of a file, they are one.
    pub(crate) fn parse(csv: &CsvOptions, bytes: &[u8], is_all: bool) -> Option<Self> {
        let mark = if bytes.starts_with(MARK) { MARK.len() } else { 0 };
        let mut parser = parser(csv);
        let mut field = vec![0; 1024];
        let (mut at, mut written, mut names) = (mark, 0, vec![]);
        loop {
            let rest = &bytes[at..];
            if rest.is_empty() && !is_all {
                return None;
            }
            let (result, read, wrote) = parser.read_field(rest, &mut field[written..]);
            at += read;
            written += wrote;
            match result {
                ReadFieldResult::InputEmpty => {}
                ReadFieldResult::OutputFull => field.resize(2 * field.len(), 0),
                ReadFieldResult::End => return None,
                ReadFieldResult::Field { record_end } => {
                    names.push(String::from_utf8_lossy(&field[..written]).into_owned());
                    written = 0;
                    if record_end {
                        return Some(Self { names, bytes: at });
                    }
                }
            }
        }
    }

    /// Whether the file goes on with the second half of a line end.
    pub(super) fn ends_in_return(&self, bytes: &[u8]) -> bool {
        bytes.get(self.bytes.wrapping_sub(1)) == Some(&b'\r')
    }
}

/// For each column of a table, the place of its field in a file; a file may lack some.
///
/// # Errors
/// The file has none of them, or one twice.
pub(crate) fn places(schema: &Schema, names: &[String]) -> Result<Vec<Option<usize>>, String> {
    let mut places = vec![];
    for field in schema.fields() {
        places.push(place(names, field.name())?);
    }
    if places.iter().any(Option::is_some) || schema.fields().is_empty() {
        return Ok(places);
    }
    let columns: Vec<_> = schema.fields().iter().map(|f| f.name().as_str()).collect();
    Err(format!(
        "its first line, {}, names none of the columns {}: name them as the file does, or say \
         \"csv\": {{\"header\": false}} if the line is a row",
        shortened(names),
        columns.join(", ")
    ))
}

/// A column's name; or one that differs from it by case and spaces only.
fn place(names: &[String], column: &str) -> Result<Option<usize>, String> {
    let find = |is: &dyn Fn(&str) -> bool| {
        let mut found = names.iter().enumerate().filter(|(_, n)| is(n)).map(|(place, _)| place);
        (found.next(), found.next())
    };
    let same = |name: &str| name == column;
    let like = |name: &str| name.trim().eq_ignore_ascii_case(column.trim());
    let found = match find(&same) {
        (None, _) => find(&like),
        found => found,
    };
    match found {
        (found, None) => Ok(found),
        _ => Err(format!("column {column} appears twice in its first line: rename one")),
    }
}

pub(super) fn shortened(names: &[String]) -> String {
    const SHOWN_COLUMNS_MAX: usize = 20;
    let shown: Vec<_> = names.iter().take(SHOWN_COLUMNS_MAX).map(String::as_str).collect();
    let more = if names.len() > SHOWN_COLUMNS_MAX { ",…" } else { "" };
    format!("{}{more}", shown.join(","))
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::datatypes::{DataType, Field};

    use super::*;

    fn header(text: &str, is_all: bool) -> Option<(Vec<String>, usize)> {
        let header = Header::parse(&CsvOptions::default(), text.as_bytes(), is_all);
        header.map(|h| (h.names, h.bytes))
    }

    #[test]
    fn a_header_ends_with_its_line_or_its_file() {
        let names = vec!["a".to_owned(), "b\nc".to_owned()];
        assert_eq!(header("a,\"b\nc\"\n1,2\n", false), Some((names.clone(), 8)));
        assert_eq!(header("\u{feff}a,\"b\nc\"", true), Some((names, 10)));
        assert_eq!(header("a,\"b\nc", false), None);
        assert_eq!(header("", true), None);
        let long = "x".repeat(5000);
        assert_eq!(header(&format!("{long}\n"), false), Some((vec![long], 5001)));
    }

    #[test]
    fn columns_are_found_by_their_names() {
        let columns = ["n", "zip"].map(|n| Field::new(n, DataType::Utf8, true));
        let schema = Schema::new(columns.to_vec());
        let found = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|n| (*n).to_owned()).collect();
            places(&schema, &names)
        };
        assert_eq!(found(&["zip", "n"]), Ok(vec![Some(1), Some(0)]));
        assert_eq!(found(&["x", " ZIP"]), Ok(vec![None, Some(1)]));
        assert_eq!(found(&["ZIP", "zip", "n"]), Ok(vec![Some(2), Some(1)]));
        assert!(found(&["Zip", "ZIP", "n"]).is_err_and(|e| e.contains("twice")));
        assert!(found(&["a", "b"]).is_err_and(|e| e.contains("a,b") && e.contains("n, zip")));
        assert!(found(&["n", "n"]).is_err_and(|e| e.contains("twice")));
    }
}
