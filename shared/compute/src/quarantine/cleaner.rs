use std::ops::Range;
use std::sync::Arc;

use super::records::{End, Splitter};
use super::rejects::{Reading, Reject};
use super::rules::{Counted, Rules};
use super::{MAX_RECORD, TooManyBadLines};

/// Records are tried together up to so many bytes.
const BATCH: usize = 64 * 1024;

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
}

/// A record among what is pending.
struct Record {
    range: Range<usize>,
    fields: Option<usize>,
}

impl Cleaner {
    pub(super) fn new(
        rules: Arc<Rules>,
        reading: Arc<Reading>,
        file: String,
        offset: u64,
        at_header: bool,
    ) -> Self {
        let splitter = rules.splitter();
        let line = (offset == 0).then_some(0);
        Self { rules, splitter, reading, file, pending: vec![], offset, line, at_header }
    }

    /// Takes the next bytes of the part and gives what of them can be passed on.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<Vec<u8>, TooManyBadLines> {
        self.pending.extend_from_slice(bytes);
        self.take(false)
    }

    /// The part is at its end.
    pub(super) fn finish(&mut self) -> Result<Vec<u8>, TooManyBadLines> {
        if self.pending.last().is_some_and(|last| *last != b'\n') {
            self.pending.push(b'\n');
        }
        self.take(true)
    }

    fn take(&mut self, is_last: bool) -> Result<Vec<u8>, TooManyBadLines> {
        let pending = std::mem::take(&mut self.pending);
        let mut good = Vec::with_capacity(pending.len());
        let mut batch: Vec<Record> = vec![];
        let mut at = 0;
        loop {
            let rest = &pending[at..];
            match self.splitter.end(rest) {
                End::At { bytes, fields } if bytes <= MAX_RECORD => {
                    let range = at..at + bytes;
                    at += bytes;
                    if std::mem::take(&mut self.at_header) {
                        good.extend_from_slice(&pending[range.clone()]);
                        self.count_lines(&pending[range]);
                    } else {
                        batch.push(Record { range, fields });
                    }
                }
                End::Beyond if !is_last && rest.len() <= MAX_RECORD => break,
                End::Nothing => break,
                // a quote that does not end, most likely: its line is bad, and no other
                End::At { .. } | End::Beyond => {
                    self.sort(&pending, &batch, &mut good)?;
                    batch.clear();
                    let line = rest.iter().position(|b| *b == b'\n').map_or(rest.len(), |n| n + 1);
                    let reason = format!("a quote in it does not end within {MAX_RECORD} bytes");
                    self.set_aside(&pending, at..at + line, reason)?;
                    at += line;
                }
            }
            if batch.first().is_some_and(|first| at - first.range.start >= BATCH) {
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

    /// Passes on those records of a batch that can be read.
    fn sort(
        &mut self,
        pending: &[u8],
        batch: &[Record],
        good: &mut Vec<u8>,
    ) -> Result<(), TooManyBadLines> {
        let counted = |r: &Record| Counted { bytes: &pending[r.range.clone()], fields: r.fields };
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
    ) -> Result<(), TooManyBadLines> {
        let is_line_end = |b: &&u8| matches!(**b, b'\n' | b'\r');
        let bytes = &pending[range.clone()];
        let before = bytes.iter().take_while(is_line_end).count();
        let after = bytes.iter().rev().take_while(is_line_end).count();
        let text = bytes.get(before..bytes.len() - after).unwrap_or_default();
        self.count_lines(&bytes[..before]);
        let reject = Reject {
            file: self.file.clone(),
            offset: self.offset + (range.start + before) as u64,
            line: self.line.map(|n| n + 1),
            reason,
            text: String::from_utf8_lossy(text).into_owned(),
        };
        self.count_lines(&bytes[before..]);
        self.reading.add(reject)
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
    use tidemill_protocol::job::{CsvOptions, Format};
    use tidemill_protocol::record::RejectedPart;

    use super::super::Rejects;
    use super::*;

    fn rules(format: Format, csv: &CsvOptions) -> Arc<Rules> {
        let fields =
            [("id", DataType::Int64), ("name", DataType::Utf8), ("price", DataType::Float64)];
        let fields = fields.map(|(name, kind)| Field::new(name, kind, true));
        Arc::new(Rules::new(format, csv, Arc::new(Schema::new(fields.to_vec()))))
    }

    /// What is passed on, and the bad lines, if the text comes in pieces of so many bytes.
    fn clean(format: Format, csv: &CsvOptions, text: &[u8], piece: usize) -> (String, Vec<Reject>) {
        let part = RejectedPart { table: 0, file: 0, from: 0, to: 9, lines: 0 };
        let reading = Rejects::default().read(part);
        let header = format == Format::Csv && csv.header;
        let rules = rules(format, csv);
        let mut cleaner = Cleaner::new(rules, reading.clone(), "f".into(), 0, header);
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
        assert_eq!(
            told[0],
            (3, "x,b,2", "column id: Error while parsing value 'x' as type 'Int64'")
        );
        assert_eq!(told[1], (6, "4,d", "it has 2 fields, and the table 3 columns"));
        assert_eq!(told[2], (7, "5,e,5,5", "it has 4 fields, and the table 3 columns"));
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
        let mut long = b"id,name,price\n0,\"a,1\n".to_vec();
        let lines = 200_000;
        long.extend((1..=lines).flat_map(|n| format!("{n},b,2\n").into_bytes()));
        long.extend(b"9,\"c\",3\n");
        for piece in [1000, 4 << 20] {
            let (good, rejects) = clean(Format::Csv, &CsvOptions::default(), &long, piece);
            assert_eq!((rejects.len(), rejects[0].line), (1, Some(2)), "{piece}");
            assert_eq!(good.lines().count(), lines + 2, "{piece}");
        }
    }

    #[test]
    fn a_text_for_null_is_no_bad_value() {
        let csv = CsvOptions { null: Some("NA".into()), header: false, ..CsvOptions::default() };
        let (good, rejects) = cleaned(Format::Csv, &csv, b"NA,NA,NA\n1,a,N\n2,,\n");
        assert_eq!(good, "NA,NA,NA\n2,,\n");
        assert_eq!(told(&rejects)[0].1, "1,a,N");
        assert!(rejects[0].reason.starts_with("column price: "), "{}", rejects[0].reason);
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
            let (again, none) = clean(Format::Csv, &csv, good.as_bytes(), good.len().max(1));
            assert_eq!((again.as_str(), none), (good.as_str(), vec![]), "{rejects:?}");
        }
    }
}
