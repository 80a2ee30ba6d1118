use std::error::Error;
use std::ops::Range;
use std::sync::Arc;

use tidemill_protocol::job::Format;

use super::records::{End, Splitter, is_line_end};
use super::rejects::{Reading, Reject};
use super::rules::{Counted, Rules};
use super::{LINE_TEXT_BYTES_MAX, RECORD_BYTES_MAX};
use crate::quotes::CutInQuotes;
use crate::table::{Header, Unreadable};

/// Why a file cannot be read at all.
pub(super) type Fault = Box<dyn Error + Send + Sync>;

/// Records are tried together up to so many bytes.
const BATCH_BYTES: usize = 64 * 1024;

/// Passes the good lines of a part of a file on.
pub(super) struct Cleaner {
    rules: Arc<Rules>,
    splitter: Splitter,
    reading: Arc<Reading>,
    file: String,
    /// What is not passed on or set aside yet.
    pending: Vec<u8>,
    /// Where that starts in the file.
    offset: u64,
    /// How many lines come before it; unless it is not known where the part starts.
    line: Option<u64>,
    /// The next record is the header, which nobody has to be able to read.
    at_header: bool,
    /// The part ends where its file does.
    at_file_end: bool,
    /// What comes is the rest of a line that has been set aside.
    skips: bool,
    /// Fewer pending bytes have no end of a record.
    worth_a_look: usize,
}

/// A record among what is pending.
struct Record {
    range: Range<usize>,
    fields: Option<usize>,
    /// It is the first of its file.
    at_start: bool,
}

impl Cleaner {
    pub(super) fn new(
        rules: Arc<Rules>,
        reading: Arc<Reading>,
        file: String,
        offset: u64,
        at_header: bool,
        at_file_end: bool,
    ) -> Self {
        Self {
            splitter: rules.splitter(),
            rules,
            reading,
            file,
            pending: vec![],
            offset,
            line: (offset == 0).then_some(0),
            at_header,
            at_file_end,
            skips: false,
            worth_a_look: 0,
        }
    }

    /// Takes the next bytes of the part and gives what of them can be passed on.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Fault> {
        self.pending.extend_from_slice(bytes);
        self.take(false)
    }

    /// The part is at its end.
    pub(super) fn finish(&mut self) -> Result<Vec<u8>, Fault> {
        if self.pending.last().is_some_and(|last| *last != b'\n') {
            self.pending.push(b'\n');
        }
        self.take(true)
    }

    fn take(&mut self, is_last: bool) -> Result<Vec<u8>, Fault> {
        let pending = std::mem::take(&mut self.pending);
        let mut good = Vec::with_capacity(pending.len());
        let mut batch: Vec<Record> = vec![];
        let mut at = 0;
        while at < pending.len() {
            let rest = &pending[at..];
            if self.skips {
                let end = rest.iter().position(|b| *b == b'\n').map(|n| n + 1);
                self.skips = end.is_none();
                at += end.unwrap_or(rest.len());
                self.count_lines(&pending[at - end.unwrap_or(0)..at]);
                continue;
            }
            if rest.len() < self.worth_a_look && !is_last {
                break;
            }
            match self.splitter.end(rest) {
                End::At { bytes, fields } if bytes <= RECORD_BYTES_MAX => {
                    let range = at..at + bytes;
                    at += bytes;
                    if std::mem::take(&mut self.at_header) {
                        self.read_header(&pending[range.clone()])?;
                        good.extend_from_slice(&pending[range.clone()]);
                        self.count_lines(&pending[range]);
                    } else {
                        let at_start = self.offset == 0 && range.start == 0;
                        batch.push(Record { range, fields, at_start });
                    }
                }
                End::Beyond if !is_last && rest.len() <= RECORD_BYTES_MAX => {
                    self.worth_a_look = 2 * rest.len(); // else each piece would be looked at again
                    break;
                }
                // empty lines and comments
                End::Nothing => {
                    self.sort(&pending, &batch, &mut good)?;
                    batch.clear();
                    let lines = rest.iter().rposition(|b| *b == b'\n').map_or(0, |n| n + 1);
                    if self.rules.has_one_column() {
                        good.extend_from_slice(&rest[..lines]); // they are rows
                    }
                    self.count_lines(&rest[..lines]);
                    at += lines;
                    break;
                }
                End::At { .. } | End::Beyond => {
                    self.sort(&pending, &batch, &mut good)?;
                    batch.clear();
                    at += self.first_line(&pending, at, is_last, &mut good)?;
                }
            }
            self.worth_a_look = 0;
            if batch.first().is_some_and(|first| at - first.range.start >= BATCH_BYTES) {
                self.sort(&pending, &batch, &mut good)?;
                batch.clear();
            }
        }
        self.sort(&pending, &batch, &mut good)?;
        self.offset += at as u64;
        self.pending = pending;
        self.pending.drain(..at);
        Ok(good)
    }

    /// The header says what the fields of the lines are.
    fn read_header(&mut self, line: &[u8]) -> Result<(), Fault> {
        if let Some(header) = Header::parse(&self.rules.csv, line, true) {
            let rules = self.rules.of_file(&header);
            let file = self.file.clone();
            self.rules = Arc::new(rules.map_err(|p| Unreadable::new(file, Format::Csv, p))?);
        }
        Ok(())
    }

    /// Takes the first line of a record that is too long or has no end: a quote in it does not end, most
    /// likely. It is bad, and no other is. The bytes that it has.
    fn first_line(
        &mut self,
        pending: &[u8],
        at: usize,
        is_last: bool,
        good: &mut Vec<u8>,
    ) -> Result<usize, Fault> {
        let rest = &pending[at..];
        let empty = rest.iter().take_while(|b| is_line_end(**b)).count();
        let end = rest[empty..].iter().position(|b| *b == b'\n').map(|n| empty + n + 1);
        if rest.get(empty) == self.rules.csv.comment.map(|c| c as u8).as_ref() {
            let bytes = end.unwrap_or(rest.len());
            self.count_lines(&rest[..bytes]);
            return Ok(bytes);
        }
        if is_last && !self.at_file_end {
            return Err(Box::new(CutInQuotes::new(&self.file)));
        }
        if std::mem::take(&mut self.at_header) {
            good.extend(self.rules.stand_in_header()); // the reader skips a line in any case
        }
        let bytes = end.unwrap_or(rest.len());
        let reason = match bytes > RECORD_BYTES_MAX {
            true => format!("it is longer than {RECORD_BYTES_MAX} bytes"),
            false => format!("a quote in it does not end within {RECORD_BYTES_MAX} bytes"),
        };
        self.skips = end.is_none();
        self.set_aside(pending, at..at + bytes, reason)?;
        Ok(bytes)
    }

    /// Passes on those records of a batch that can be read.
    fn sort(&mut self, pending: &[u8], batch: &[Record], good: &mut Vec<u8>) -> Result<(), Fault> {
        let counted = |r: &Record| Counted {
            bytes: &pending[r.range.clone()],
            fields: r.fields,
            at_start: r.at_start,
        };
        let all: Vec<_> = batch.iter().map(counted).collect();
        let (Some(first), Some(last)) = (batch.first(), batch.last()) else { return Ok(()) };
        let range = first.range.start..last.range.end;
        if self.rules.allow(&all) {
            good.extend_from_slice(&pending[range.clone()]);
            self.count_lines(&pending[range]);
            return Ok(());
        }
        if let [only] = &all[..] {
            let reason = self.rules.reason(*only);
            if self.rules.has_one_column() {
                let bytes = &pending[range.clone()];
                let before = bytes.iter().take_while(|b| is_line_end(**b)).count();
                let is_half = bytes.ends_with(b"\r"); // the other half is that of the line before
                good.extend_from_slice(&bytes[..before.saturating_sub(usize::from(is_half))]);
            }
            return self.set_aside(pending, range, reason);
        }
        let (left, right) = batch.split_at(batch.len() / 2);
        self.sort(pending, left, good)?;
        self.sort(pending, right, good)
    }

    fn set_aside(
        &mut self,
        pending: &[u8],
        range: Range<usize>,
        reason: String,
    ) -> Result<(), Fault> {
        let bytes = &pending[range.clone()];
        let before = bytes.iter().take_while(|b| is_line_end(**b)).count();
        let after = bytes.iter().rev().take_while(|b| is_line_end(**b)).count();
        let text = bytes.get(before..bytes.len() - after).unwrap_or_default();
        let text = &text[..text.len().min(LINE_TEXT_BYTES_MAX)];
        self.count_lines(&bytes[..before]);
        let reject = Reject {
            file: self.file.clone(),
            offset: self.offset + (range.start + before) as u64,
            line: self.line.map(|n| n + 1),
            reason,
            text: String::from_utf8_lossy(text).into_owned(),
        };
        self.count_lines(&bytes[before..]);
        Ok(self.reading.add(reject)?)
    }

    fn count_lines(&mut self, bytes: &[u8]) {
        if let Some(line) = &mut self.line {
            *line += bytes.iter().filter(|b| **b == b'\n').count() as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::datatypes::{DataType, Field, Schema};
    use tidemill_protocol::job::CsvOptions;
    use tidemill_protocol::record::RejectedPart;

    use super::super::Rejects;
    use super::*;

    fn rules(format: Format, csv: &CsvOptions) -> Arc<Rules> {
        let fields =
            [("id", DataType::Int64), ("name", DataType::Utf8), ("price", DataType::Float64)];
        let fields = fields.map(|(name, kind)| Field::new(name, kind, true));
        Arc::new(Rules::new(format, csv, Arc::new(Schema::new(fields.to_vec())), false))
    }

    /// What is passed on, and the bad lines, if the text comes in pieces of so many bytes.
    fn clean(format: Format, csv: &CsvOptions, text: &[u8], piece: usize) -> (String, Vec<Reject>) {
        let part = RejectedPart { table: 0, file: 0, from: 0, to: 9, lines: 0 };
        let reading = Rejects::default().read(part);
        let header = format == Format::Csv && csv.header;
        let rules = rules(format, csv);
        let mut cleaner = Cleaner::new(rules, reading.clone(), "f".into(), 0, header, true);
        let mut good = vec![];
        for piece in text.chunks(piece) {
            good.extend(cleaner.push(piece).expect("few"));
        }
        good.extend(cleaner.finish().expect("few"));
        (String::from_utf8_lossy(&good).into_owned(), reading.lines())
    }

    /// The same for all sizes of pieces.
    fn cleaned(format: Format, csv: &CsvOptions, text: &[u8]) -> (String, Vec<Reject>) {
        let whole = clean(format, csv, text, text.len().max(1));
        for piece in 1..text.len().min(40) {
            assert_eq!(clean(format, csv, text, piece), whole, "pieces of {piece}");
        }
        whole
    }

    fn told(rejects: &[Reject]) -> Vec<(u64, &str, &str)> {
        rejects.iter().map(|r| (r.line.expect("a line"), &*r.text, &*r.reason)).collect()
    }

    #[test]
    fn bad_lines_of_csv_are_set_aside_with_place_and_reason() {
        let text =
            b"id,name,price\n1,a,1.5\nx,b,2\n3,\"two\nlines\",3\n4,d\n5,e,5,5\n6,\xff,6\n7,g,7";
        let (good, rejects) = cleaned(Format::Csv, &CsvOptions::default(), text);
        assert_eq!(good, "id,name,price\n1,a,1.5\n3,\"two\nlines\",3\n7,g,7\n");
        let told = told(&rejects);
        assert_eq!(told[0], (3, "x,b,2", "column id is a bigint, and 'x' is not"));
        assert_eq!(told[1], (6, "4,d", "it has 2 fields, and there should be 3"));
        assert_eq!(told[2], (7, "5,e,5,5", "it has 4 fields, and there should be 3"));
        assert_eq!((told[3].0, told[3].1), (8, "6,\u{fffd},6"));
        assert_eq!(told.len(), 4);
        let text = String::from_utf8_lossy(text).into_owned();
        assert_eq!(rejects[1].offset as usize, text.find("4,d").expect("there"));
    }

    #[test]
    fn a_quote_without_an_end_takes_its_own_line_only() {
        let text = b"id,name,price\n1,\"a,1\n2,b,2\n3,c,3\n";
        let (good, rejects) = cleaned(Format::Csv, &CsvOptions::default(), text);
        assert_eq!(good, "id,name,price\n2,b,2\n3,c,3\n");
        assert_eq!((rejects.len(), rejects[0].text.as_str()), (1, "1,\"a,1"));
        // after an empty line, with other line ends, and a comment before it
        let csv = CsvOptions { comment: Some('#'), ..CsvOptions::default() };
        let text = b"id,name,price\r\n\r\n# \"\r\n1,\"a,1\r\n2,b,2\r\n";
        let (good, rejects) = cleaned(Format::Csv, &csv, text);
        assert_eq!(good.split_whitespace().collect::<Vec<_>>(), ["id,name,price", "2,b,2"]);
        assert_eq!(told(&rejects).iter().map(|r| (r.0, r.1)).collect::<Vec<_>>(), [(4, "1,\"a,1")]);
    }

    #[test]
    fn a_header_that_does_not_end_takes_no_line_with_it() {
        let text = b"id,\"name,price\n1,a,1\n2,b,2\n";
        let (good, rejects) = cleaned(Format::Csv, &CsvOptions::default(), text);
        assert_eq!(good.lines().skip(1).collect::<Vec<_>>(), ["1,a,1", "2,b,2"], "{good}");
        assert_eq!((rejects.len(), rejects[0].line), (1, Some(1)));
    }

    #[test]
    fn the_end_of_a_quote_is_looked_for_so_far_and_no_further() {
        let mut text = b"id,name,price\n0,\"a,1\n".to_vec();
        let line = format!("1,{},2\n", "b".repeat(1000));
        let lines = RECORD_BYTES_MAX / line.len() + 10;
        text.extend(line.repeat(lines).into_bytes());
        text.extend(b"9,\"c\",3\n");
        for piece in [100_000, 64 << 20] {
            let (good, rejects) = clean(Format::Csv, &CsvOptions::default(), &text, piece);
            assert_eq!((rejects.len(), rejects[0].line), (1, Some(2)), "{piece}");
            assert_eq!(good.lines().count(), lines + 2, "{piece}");
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_one_bad_line_whatever_its_pieces() {
        let long = "x".repeat(RECORD_BYTES_MAX + 1);
        for (format, text) in [
            (Format::Csv, format!("1,a,1\n2,{long}, lorem, ipsum\n3,b,3\n")),
            (Format::Json, format!("{{\"id\": 1}}\n{{\"name\": \"{long}\"}}\n{{\"id\": 3}}\n")),
        ] {
            let csv = CsvOptions { header: false, ..CsvOptions::default() };
            for piece in [1_000_000, 64 << 20] {
                let (good, rejects) = clean(format, &csv, text.as_bytes(), piece);
                assert_eq!(good.lines().count(), 2, "{piece}");
                assert_eq!((rejects.len(), rejects[0].line), (1, Some(2)), "{piece}");
                assert!(rejects[0].reason.starts_with("it is longer"), "{}", rejects[0].reason);
                assert_eq!(rejects[0].text.len(), LINE_TEXT_BYTES_MAX);
            }
        }
    }

    #[test]
    fn a_part_that_ends_in_quotes_was_cut_in_them() {
        let part = RejectedPart { table: 0, file: 0, from: 0, to: 9, lines: 0 };
        let reading = Rejects::default().read(part);
        let rules = rules(Format::Csv, &CsvOptions::default());
        let mut cleaner = Cleaner::new(rules, reading, "f".into(), 0, true, false);
        cleaner.push(b"id,name,price\n1,\"a,1\n2,b,2\n").expect("it may end yet");
        assert!(cleaner.finish().expect_err("a cut").is::<CutInQuotes>());
    }

    #[test]
    fn a_mark_in_the_middle_and_half_a_letter_are_bad_whatever_is_beside_them() {
        let csv = CsvOptions { header: false, ..CsvOptions::default() };
        let text = b"\xef\xbb\xbf1,a,1\n\xef\xbb\xbf2,b,2\n3,\xc3,3\n\xa9,c,4\n5,d,5\n";
        let (good, rejects) = cleaned(Format::Csv, &csv, text);
        assert_eq!(good, "\u{feff}1,a,1\n5,d,5\n");
        let lines: Vec<_> = rejects.iter().map(|r| r.line).collect();
        assert_eq!(lines, [Some(2), Some(3), Some(4)]);
    }

    #[test]
    fn empty_lines_are_not_kept() {
        let rules = rules(Format::Csv, &CsvOptions::default());
        let part = RejectedPart { table: 0, file: 0, from: 0, to: 9, lines: 0 };
        let reading = Rejects::default().read(part);
        let mut cleaner = Cleaner::new(rules, reading, "f".into(), 0, true, true);
        for _ in 0..100 {
            cleaner.push(&b"\n".repeat(1000)).expect("no bad line");
        }
        assert!(cleaner.pending.len() < 2000, "{}", cleaner.pending.len());
    }

    #[test]
    fn a_text_for_null_is_no_bad_value() {
        let csv = CsvOptions { null: Some("NA".into()), header: false, ..CsvOptions::default() };
        let (good, rejects) = cleaned(Format::Csv, &csv, b"NA,NA,NA\n1,a,N\n2,,\n");
        assert_eq!(good, "NA,NA,NA\n2,,\n");
        assert_eq!(told(&rejects)[0].1, "1,a,N");
        assert!(rejects[0].reason.starts_with("column price "), "{}", rejects[0].reason);
    }

    #[test]
    fn empty_lines_are_rows_of_one_column() {
        let fields = vec![Field::new("n", DataType::Int64, true)];
        let schema = Arc::new(Schema::new(fields));
        let text = b"n\n1\n\nx\n\n2\n\n";
        for piece in 1..=text.len() {
            let part = RejectedPart { table: 0, file: 0, from: 0, to: 9, lines: 0 };
            let reading = Rejects::default().read(part);
            let csv = CsvOptions::default();
            let rules = Arc::new(Rules::new(Format::Csv, &csv, schema.clone(), false));
            let mut cleaner = Cleaner::new(rules, reading.clone(), "f".into(), 0, true, true);
            let mut good = vec![];
            for piece in text.chunks(piece) {
                good.extend(cleaner.push(piece).expect("few"));
            }
            good.extend(cleaner.finish().expect("few"));
            assert_eq!(String::from_utf8_lossy(&good), "n\n1\n\n\n2\n\n", "{piece}");
            assert_eq!(reading.lines().len(), 1);
        }
    }

    #[test]
    fn bad_lines_of_json_are_set_aside() {
        let text = b"{\"id\": 1}\n{\"id\": \"x\"}\n\n{\"id\":\n5}\n7\n{\"id\": 8, \"more\": [1]}\n{\"id\": 9";
        let (good, rejects) = cleaned(Format::Json, &CsvOptions::default(), text);
        assert_eq!(good.trim(), "{\"id\": 1}\n\n{\"id\": 8, \"more\": [1]}");
        let told: Vec<_> = told(&rejects).into_iter().map(|(line, text, _)| (line, text)).collect();
        assert_eq!(
            told,
            [(2, "{\"id\": \"x\"}"), (4, "{\"id\":"), (5, "5}"), (6, "7"), (8, "{\"id\": 9")]
        );
        assert!(rejects[0].reason.contains("id"), "{}", rejects[0].reason);
    }

    #[test]
    fn damaged_text_is_passed_on_or_set_aside_and_what_passes_can_be_read() {
        let lines: String = (0..30).map(|n| format!("{n},\"name, {n}\",{n}.5\r\n")).collect();
        let mut state = 1_u64;
        let mut random = |below: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        for _ in 0..300 {
            let mut text = lines.clone().into_bytes();
            for _ in 0..random(4) {
                let at = random(text.len());
                text[at] = b"\",\n\r x\xff"[random(7)];
            }
            let csv = CsvOptions { header: false, ..CsvOptions::default() };
            let (good, rejects) = clean(Format::Csv, &csv, &text, 1 + random(100));
            // a line that the damage left alone is passed on or set aside
            let damaged = String::from_utf8_lossy(&text).into_owned();
            for line in lines.lines().filter(|line| damaged.contains(*line)) {
                let is_aside = rejects.iter().any(|r| r.text.contains(line));
                assert!(is_aside || good.contains(line), "{line} of {damaged}");
            }
            assert!(damaged != lines || rejects.is_empty(), "{rejects:?}");
            let (again, none) = clean(Format::Csv, &csv, good.as_bytes(), good.len().max(1));
            assert_eq!((again.as_str(), none), (good.as_str(), vec![]), "{rejects:?}");
        }
    }
}
