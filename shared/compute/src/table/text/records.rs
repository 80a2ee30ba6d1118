//! Records of CSV, as texts, and which of their fields that may mean null are in quotes.
//!
//! The parser under DataFusion's reader finds the fields; it does not tell `""` from nothing. So
//! records with a quote and such a field are looked at a second time, as bytes.

use std::collections::HashSet;

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use tidemill_protocol::job::CsvOptions;

/// Bytes of a field, at a guess.
const FIELD_BYTES: usize = 8;

/// The most bytes of a record.
const RECORD_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Takes bytes and keeps the records in them.
pub(super) struct Records {
    parser: Reader,
    dialect: Dialect,
    /// Of each record.
    fields: usize,
    data: Vec<u8>,
    data_len: usize,
    /// Where each field ends in its record; the first is no field's.
    ends: Vec<usize>,
    ends_len: usize,
    /// Where the record that is being read starts, in `data`.
    record: usize,
    /// How many of its fields have ended.
    current: usize,
    rows: usize,
    /// What has come of it in pieces before this one.
    begun: Vec<u8>,
    /// Row and field of what is in quotes and would mean null without them.
    quoted: HashSet<(usize, usize)>,
    /// What came last was the first half of a line end.
    after_return: bool,
}

/// How fields are told apart.
#[derive(Debug, Clone)]
struct Dialect {
    delimiter: u8,
    quote: u8,
    escape: Option<u8>,
    comment: Option<u8>,
    null: Option<Vec<u8>>,
}

pub(super) fn parser(csv: &CsvOptions) -> Reader {
    ReaderBuilder::new()
        .delimiter(csv.delimiter as u8)
        .quote(csv.quote as u8)
        .escape(csv.escape.map(|c| c as u8))
        .comment(csv.comment.map(|c| c as u8))
        .build()
}

impl Records {
    /// `after_return`: what comes starts after half of a line end.
    pub(super) fn new(csv: &CsvOptions, fields: usize, after_return: bool) -> Self {
        let dialect = Dialect {
            delimiter: csv.delimiter as u8,
            quote: csv.quote as u8,
            escape: csv.escape.map(|c| c as u8),
            comment: csv.comment.map(|c| c as u8),
            null: csv.null.clone().map(String::into_bytes),
        };
        Self {
            parser: parser(csv),
            dialect,
            fields,
            data: vec![],
            data_len: 0,
            ends: vec![0],
            ends_len: 1,
            record: 0,
            current: 0,
            rows: 0,
            begun: vec![],
            quoted: HashSet::new(),
            after_return,
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Takes of the bytes until there are `rows` records, and says how many it took. No bytes are
    /// the end of the file.
    pub(super) fn take(&mut self, bytes: &[u8], rows: usize) -> Result<usize, String> {
        let may_be_quoted = bytes.contains(&self.dialect.quote) || !self.begun.is_empty();
        let (mut at, mut start) = (0, 0);
        while self.rows < rows {
            self.make_room(rows);
            let (result, read, written, ended) = self.parser.read_record(
                &bytes[at..],
                &mut self.data[self.data_len..],
                &mut self.ends[self.ends_len..],
            );
            at += read;
            self.data_len += written;
            self.ends_len += ended;
            self.current += ended;
            match result {
                ReadRecordResult::OutputFull => continue,
                ReadRecordResult::OutputEndsFull => return Err(self.wrong_number(true)),
                ReadRecordResult::InputEmpty | ReadRecordResult::End => {
                    if bytes.is_empty() {
                        self.end_of_file();
                    } else {
                        self.begin(&bytes[start..])?;
                    }
                    return Ok(at);
                }
                ReadRecordResult::Record if self.current != self.fields => {
                    return Err(self.wrong_number(false));
                }
                ReadRecordResult::Record => {
                    self.end_record(&bytes[start..at], may_be_quoted);
                    start = at;
                }
            }
            if at == bytes.len() {
                break; // to the parser, no bytes are the end of the file
            }
        }
        Ok(at)
    }

    fn make_room(&mut self, rows: usize) {
        let ends = self.ends_len + (rows - self.rows).max(1) * self.fields;
        if self.ends.len() < ends {
            self.ends.resize(ends, 0);
        }
        // a record that has too many fields must not be given room for them
        self.ends.truncate(ends.max(self.ends_len));
        let bytes = self.data_len + ((rows - self.rows) * self.fields * FIELD_BYTES).max(1024);
        if self.data.len() < bytes {
            self.data.resize(bytes, 0);
        }
    }

    fn wrong_number(&self, more: bool) -> String {
        let (found, expected) = (self.current, self.fields);
        let more = if more { "more than " } else { "" };
        let fields = if expected == 1 { "field" } else { "fields" };
        format!("a line has {more}{found} fields, and there should be {expected} {fields}")
    }

    fn begin(&mut self, piece: &[u8]) -> Result<(), String> {
        self.begun.extend_from_slice(piece);
        if self.begun.len() > RECORD_BYTES_MAX {
            return Err("a quote in it does not end".into());
        }
        Ok(())
    }

    /// A record is complete; `raw` is what of it is in this piece.
    fn end_record(&mut self, raw: &[u8], may_be_quoted: bool) {
        let is_single = self.fields == 1;
        if !may_be_quoted && !is_single {
            self.next(self.rows);
            return;
        }
        let begun = std::mem::take(&mut self.begun);
        let whole;
        let raw = if begun.is_empty() {
            raw
        } else {
            whole = [&begun[..], raw].concat();
            &whole
        };
        if is_single {
            self.add_empty_lines(raw);
        }
        if self.has_field_like_null() && raw.contains(&self.dialect.quote) {
            for (field, quoted) in self.dialect.quoted_fields(raw).into_iter().enumerate() {
                if quoted {
                    self.quoted.insert((self.rows, field));
                }
            }
        }
        self.after_return = raw.last() == Some(&b'\r');
        self.next(self.rows);
    }

    fn next(&mut self, row: usize) {
        self.rows = row + 1;
        self.current = 0;
        self.record = self.data_len;
        self.begun.clear();
    }

    fn has_field_like_null(&self) -> bool {
        let ends = &self.ends[self.ends_len - self.fields..self.ends_len];
        let record = &self.data[self.record..self.data_len];
        let mut from = 0;
        ends.iter().any(|end| {
            let field = &record[from..*end];
            from = *end;
            field.is_empty() || self.dialect.null.as_deref() == Some(field)
        })
    }

    /// In a file of one column, an empty line is a record, of which the parser does not know.
    fn add_empty_lines(&mut self, raw: &[u8]) {
        let mut empty = self.dialect.empty_lines(raw, self.after_return);
        if empty == 0 {
            return;
        }
        // the record itself comes after them
        let end = self.ends[self.ends_len - 1];
        self.ends_len -= 1;
        while empty > 0 {
            self.push_end(0);
            self.rows += 1;
            empty -= 1;
        }
        self.push_end(end);
    }

    fn push_end(&mut self, end: usize) {
        match self.ends.get_mut(self.ends_len) {
            Some(place) => *place = end,
            None => self.ends.push(end),
        }
        self.ends_len += 1;
    }

    /// The empty lines after the last record.
    fn end_of_file(&mut self) {
        if self.fields == 1 && self.current == 0 {
            let begun = std::mem::take(&mut self.begun);
            for _ in 0..self.dialect.empty_lines(&begun, self.after_return) {
                self.push_end(0);
                self.next(self.rows);
            }
            self.after_return = false;
        }
    }

    /// Takes the whole records out; there is no other, or the rest is not wanted.
    pub(super) fn flush(&mut self) -> Result<Rows<'_>, String> {
        let ends_len = 1 + self.rows * self.fields;
        let mut from = 0;
        for record in self.ends[1..ends_len].chunks_exact_mut(self.fields.max(1)) {
            let start = from;
            for end in record {
                *end += start;
                from = *end;
            }
        }
        let text = std::str::from_utf8(&self.data[..self.record])
            .map_err(|_| "a line is not UTF-8 text".to_owned())?;
        let ends = &self.ends[..ends_len];
        if !text.is_ascii() && !ends.iter().all(|end| text.is_char_boundary(*end)) {
            return Err("a line is not UTF-8 text".into());
        }
        let rows = Rows {
            text,
            ends,
            fields: self.fields,
            rows: self.rows,
            quoted: std::mem::take(&mut self.quoted),
        };
        (self.data_len, self.ends_len, self.record, self.rows) = (0, 1, 0, 0);
        Ok(rows)
    }
}

/// Records that were taken out.
pub(super) struct Rows<'a> {
    text: &'a str,
    ends: &'a [usize],
    fields: usize,
    pub(super) rows: usize,
    quoted: HashSet<(usize, usize)>,
}

impl<'a> Rows<'a> {
    pub(super) fn get(&self, row: usize, field: usize) -> &'a str {
        let at = row * self.fields + field;
        self.text.get(self.ends[at]..self.ends[at + 1]).unwrap_or_default()
    }

    /// Whether no quotes matter.
    pub(super) fn is_plain(&self) -> bool {
        self.quoted.is_empty()
    }

    /// Whether a field that looks like null is in quotes.
    pub(super) fn is_quoted(&self, row: usize, field: usize) -> bool {
        self.quoted.contains(&(row, field))
    }
}

impl Dialect {
    /// Which fields of a record are in quotes.
    fn quoted_fields(&self, raw: &[u8]) -> Vec<bool> {
        let mut at = self.start(raw);
        let mut fields = vec![];
        loop {
            let quoted = raw.get(at) == Some(&self.quote);
            fields.push(quoted);
            if quoted {
                at = self.end_of_quotes(raw, at + 1);
            }
            let rest = raw.get(at..).unwrap_or_default();
            let ends = |b: &u8| *b == self.delimiter || matches!(b, b'\n' | b'\r');
            match rest.iter().position(ends) {
                Some(end) if rest[end] == self.delimiter => at += end + 1,
                _ => return fields,
            }
        }
    }

    /// Where a record starts: after empty lines and comments.
    fn start(&self, raw: &[u8]) -> usize {
        let mut at = 0;
        loop {
            at += raw[at..].iter().take_while(|b| matches!(b, b'\n' | b'\r')).count();
            match self.comment.filter(|c| raw.get(at) == Some(c)) {
                Some(_) => at += raw[at..].iter().take_while(|b| **b != b'\n').count(),
                None => return at,
            }
        }
    }

    /// The first byte after the quote that ends the field.
    fn end_of_quotes(&self, raw: &[u8], mut at: usize) -> usize {
        while let Some(byte) = raw.get(at) {
            if Some(*byte) == self.escape {
                at += 2;
            } else if *byte != self.quote {
                at += 1;
            } else if raw.get(at + 1) == Some(&self.quote) {
                at += 2;
            } else {
                return at + 1;
            }
        }
        at
    }

    /// How many empty lines come before a record, or the end.
    fn empty_lines(&self, raw: &[u8], after_return: bool) -> usize {
        let mut rest = if after_return { raw.strip_prefix(b"\n").unwrap_or(raw) } else { raw };
        let mut empty = 0;
        while let [first, ..] = rest {
            match first {
                b'\n' => (rest, empty) = (&rest[1..], empty + 1),
                b'\r' => {
                    empty += usize::from(rest.get(1) != Some(&b'\n'));
                    rest = &rest[1..];
                }
                comment if Some(*comment) == self.comment => {
                    let line = rest.iter().position(|b| *b == b'\n').map_or(rest.len(), |n| n + 1);
                    rest = &rest[line..];
                }
                _ => break,
            }
        }
        empty
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fields; those that are nothing are ∅.
    fn read(
        csv: &CsvOptions,
        fields: usize,
        text: &str,
        piece: usize,
        batch: usize,
    ) -> Vec<String> {
        let mut records = Records::new(csv, fields, false);
        let mut found = vec![];
        let flush = |records: &mut Records, found: &mut Vec<String>| {
            let rows = records.flush().expect("text");
            for row in 0..rows.rows {
                let field = |n| match rows.get(row, n) {
                    "" if !rows.is_quoted(row, n) => "∅".to_owned(),
                    text => text.to_owned(),
                };
                found.push((0..fields).map(field).collect::<Vec<_>>().join("|"));
            }
        };
        for piece in text.as_bytes().chunks(piece) {
            let mut rest = piece;
            while !rest.is_empty() {
                let taken = records.take(rest, batch).expect("records");
                rest = &rest[taken..];
                if records.rows() >= batch {
                    flush(&mut records, &mut found);
                }
            }
        }
        records.take(&[], batch).expect("the end");
        flush(&mut records, &mut found);
        found
    }

    fn same_in_all_pieces(csv: &CsvOptions, fields: usize, text: &str) -> Vec<String> {
        let whole = read(csv, fields, text, text.len(), 1000);
        for piece in 1..text.len() {
            for batch in 1..4 {
                assert_eq!(read(csv, fields, text, piece, batch), whole, "{piece} {batch}");
            }
        }
        whole
    }

    #[test]
    fn an_empty_text_in_quotes_is_told_from_nothing() {
        let csv = CsvOptions::default();
        let text = "1,\"\",x\n2,,\"y\"\"z\"\n\n3,\"a\n,b\",\"\"\r\n\"\",5\" disk,\r\n,,";
        let found = same_in_all_pieces(&csv, 3, text);
        assert_eq!(found, ["1||x", "2|∅|y\"z", "3|a\n,b|", "|5\" disk|∅", "∅|∅|∅"]);
        let csv = CsvOptions { escape: Some('\\'), comment: Some('#'), ..csv };
        let found = same_in_all_pieces(&csv, 2, "# no, \"\"\n\"a\\\"\",\"\"\n#\n\"\",\n");
        assert_eq!(found, ["a\"|", "|∅"]);
    }

    #[test]
    fn an_empty_line_is_a_record_of_one_column_and_of_no_other() {
        let csv = CsvOptions::default();
        for text in ["a\n\n\"\"\nb\n\n\n", "a\r\n\r\n\"\"\r\nb\r\n\r\n\r\n"] {
            assert_eq!(same_in_all_pieces(&csv, 1, text), ["a", "∅", "", "b", "∅", "∅"]);
        }
        assert_eq!(same_in_all_pieces(&csv, 2, "\n\na,b\n\n\nc,d\n\n"), ["a|b", "c|d"]);
    }

    #[test]
    fn a_line_of_too_many_or_too_few_fields_is_refused() {
        for text in ["1,2\n1,2,3\n", "1,2\n1\n"] {
            let mut records = Records::new(&CsvOptions::default(), 2, false);
            assert!(records.take(text.as_bytes(), 10).is_err(), "{text}");
        }
    }
}
