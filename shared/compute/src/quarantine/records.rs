use csv_core::{ReadFieldResult, Reader, ReaderBuilder};
use tidemill_protocol::job::{CsvOptions, Format};

/// Finds the ends of records: lines of JSON, or what the CSV reader takes for a record.
pub(super) enum Splitter {
    Lines,
    Csv(Box<Reader>),
}

pub(super) fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

/// Where a record ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// After so many bytes; it has so many fields, if it is one of CSV.
    At { bytes: usize, fields: Option<usize> },
    /// Not within these bytes.
    Beyond,
    /// There is no record in these bytes.
    Nothing,
}

impl Splitter {
    pub(super) fn new(format: Format, csv: &CsvOptions) -> Self {
        if format == Format::Json {
            return Self::Lines;
        }
        let reader = ReaderBuilder::new()
            .delimiter(csv.delimiter as u8)
            .quote(csv.quote as u8)
            .escape(csv.escape.map(|c| c as u8))
            .comment(csv.comment.map(|c| c as u8))
            .build();
        Self::Csv(Box::new(reader))
    }

    /// The end of the record that starts at the first of these bytes.
    pub(super) fn end(&mut self, bytes: &[u8]) -> End {
        match self {
            Self::Lines => match bytes.iter().position(|b| *b == b'\n') {
                Some(at) => End::At { bytes: at + 1, fields: None },
                None if bytes.is_empty() => End::Nothing,
                None => End::Beyond,
            },
            Self::Csv(reader) => csv_end(reader, bytes),
        }
    }
}

fn csv_end(reader: &mut Reader, bytes: &[u8]) -> End {
    reader.reset();
    let mut field = [0; 1024]; // what it holds is of no interest
    let (mut at, mut fields, mut begun) = (0, 0, false);
    while at < bytes.len() {
        let (result, read, written) = reader.read_field(&bytes[at..], &mut field);
        at += read;
        begun |= written > 0;
        match result {
            ReadFieldResult::Field { record_end: false } => fields += 1,
            ReadFieldResult::Field { record_end: true } => {
                return End::At { bytes: at, fields: Some(fields + 1) };
            }
            ReadFieldResult::OutputFull => {}
            ReadFieldResult::InputEmpty | ReadFieldResult::End => break,
        }
    }
    // an empty input is the end: is there anything to end?
    match reader.read_field(&[], &mut field) {
        (ReadFieldResult::End, ..) if fields == 0 && !begun => End::Nothing,
        _ => End::Beyond,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(csv: &CsvOptions, text: &str) -> Vec<(String, Option<usize>)> {
        let mut splitter = Splitter::new(Format::Csv, csv);
        let (mut at, mut found) = (0, vec![]);
        while let End::At { bytes, fields } = splitter.end(&text.as_bytes()[at..]) {
            found.push((text[at..at + bytes].to_owned(), fields));
            at += bytes;
        }
        found
    }

    #[test]
    fn a_record_ends_at_a_line_end_that_is_not_in_quotes() {
        let csv = CsvOptions::default();
        let found = ends(&csv, "a,b\n1,\"x\ny\"\n\n\"\",\n5\" disk,6\nrest");
        let expected = ["a,b\n", "1,\"x\ny\"\n", "\n\"\",\n", "5\" disk,6\n"];
        assert_eq!(found.iter().map(|f| f.0.as_str()).collect::<Vec<_>>(), expected);
        assert!(found.iter().all(|f| f.1 == Some(2)));
    }

    #[test]
    fn comments_and_other_line_ends_are_no_records() {
        let csv = CsvOptions { comment: Some('#'), ..CsvOptions::default() };
        let found = ends(&csv, "# one, \" two\n1,2\r\n3\r\n");
        assert_eq!(found.iter().map(|f| f.1).collect::<Vec<_>>(), [Some(2), Some(1)]);
    }

    #[test]
    fn what_has_no_end_is_told_from_what_is_nothing() {
        let mut splitter = Splitter::new(Format::Csv, &CsvOptions::default());
        for text in ["", "\n", "\r\n\n"] {
            assert_eq!(splitter.end(text.as_bytes()), End::Nothing, "{text:?}");
        }
        for text in ["a", "\"", "\"\"", ",", "1,\"a\nb\n"] {
            assert_eq!(splitter.end(text.as_bytes()), End::Beyond, "{text:?}");
        }
    }
}
