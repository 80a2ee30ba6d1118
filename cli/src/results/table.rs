//! Rows as a table for people: as many as there is room for, and a sentence where that is not all.

use std::io::Write;
use std::sync::Arc;

use console::{measure_text_width, truncate_str};
use datafusion::arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::arrow::util::pretty::pretty_format_batches;
use tidemill_compute::sql_type;
use tidemill_protocol::job;
use tidemill_protocol::record::Preview;

/// What stands for all that is left out.
const ELLIPSIS: &str = "…";

/// Characters of a value below which it is not cut: rather are fewer columns shown.
const MIN_CELL_CHARS: usize = 8;

/// Characters beside a cell's own: a bar and two spaces.
const CELL_FRAME_CHARS: usize = 3;

/// How much of a table is shown; all of it if nothing is said.
#[derive(Debug, Default)]
pub(super) struct Room {
    pub(super) rows: Option<usize>,
    /// Characters of a line.
    pub(super) columns: Option<usize>,
    /// Whether a column says its type below its name.
    pub(super) types: bool,
}

/// Writes a table; what is not in it is in the answer, in a sentence for people. `rows` is how many the result has,
/// of which these are the first.
pub(super) fn write(
    schema: &SchemaRef,
    batches: &[RecordBatch],
    rows: usize,
    room: &Room,
    to: impl Write,
) -> anyhow::Result<Option<String>> {
    let read: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let shown = room.rows.map_or(read, |most| read.min(most));
    write_columns(columns(schema, batches, shown, room.types)?, (shown, rows), room, to)
}

/// Writes the first rows of a result as its run left them.
pub(super) fn write_preview(
    preview: &Preview,
    rows: usize,
    room: &Room,
    to: impl Write,
) -> anyhow::Result<Option<String>> {
    let shown = preview.rows.len();
    let column = |(number, column): (usize, &job::Column)| Column {
        name: titled(&column.name, room.types.then_some(&column.sql_type)),
        cells: preview.rows.iter().map(|row| row[number].clone().unwrap_or_default()).collect(),
    };
    let columns = preview.columns.iter().enumerate().map(column).collect();
    write_columns(columns, (shown, rows), room, to)
}

fn write_columns(
    mut columns: Vec<Column>,
    (shown, rows): (usize, usize),
    room: &Room,
    mut to: impl Write,
) -> anyhow::Result<Option<String>> {
    let mut left_out = vec![];
    if shown < rows {
        left_out.push(format!("{shown} of {rows} rows shown"));
    }
    if let Some(width) = room.columns {
        left_out.extend(fit(&mut columns, width));
    }
    writeln!(to, "{}", pretty_format_batches(&[batch_of(&columns)?])?)?;
    if shown < rows {
        writeln!(to, "… {} more rows", rows - shown)?;
    }
    to.flush()?;
    let all = "--format csv prints all, --output FILE.csv writes all to a file";
    Ok((!left_out.is_empty()).then(|| format!("{}: {all}", left_out.join(", "))))
}

/// The name of a column, with its type below it if that is asked for.
fn titled(name: &str, sql_type: Option<&String>) -> String {
    sql_type.map_or_else(|| name.to_owned(), |sql_type| format!("{name}\n{sql_type}"))
}

/// A column of texts.
struct Column {
    name: String,
    cells: Vec<String>,
}

impl Column {
    fn width(&self) -> usize {
        let texts = self.cells.iter().chain([&self.name]);
        let lines = texts.flat_map(|text| text.lines());
        lines.map(measure_text_width).max().unwrap_or(0)
    }

    /// Cuts what is longer; whether anything is.
    fn cut(&mut self, width: usize) -> bool {
        let is_cut = self.width() > width;
        if is_cut {
            self.name = cut_lines(&self.name, width);
            self.cells = self.cells.iter().map(|cell| cut_lines(cell, width)).collect();
        }
        is_cut
    }
}

fn cut_lines(text: &str, width: usize) -> String {
    let cut = |line| truncate_str(line, width, ELLIPSIS);
    text.lines().map(cut).collect::<Vec<_>>().join("\n")
}

fn columns(
    schema: &SchemaRef,
    batches: &[RecordBatch],
    rows: usize,
    types: bool,
) -> anyhow::Result<Vec<Column>> {
    let title = |field: &Field| {
        let sql_type = types.then(|| sql_type::name(field.data_type()));
        titled(field.name(), sql_type.as_ref())
    };
    let mut columns: Vec<Column> =
        schema.fields().iter().map(|field| Column { name: title(field), cells: vec![] }).collect();
    let mut left = rows;
    for batch in batches {
        let batch = batch.slice(0, batch.num_rows().min(left));
        left -= batch.num_rows();
        for (column, array) in columns.iter_mut().zip(batch.columns()) {
            let name = column.name.lines().next().unwrap_or_default();
            let texts = texts(name, array)?;
            column.cells.extend(texts.iter().map(|text| text.unwrap_or_default().to_owned()));
        }
    }
    Ok(columns)
}

/// The values of an array as people read them.
///
/// # Errors
/// A value has no text, such as a time beyond all calendars; arrow's own writers would write the
/// error in its place.
pub(super) fn texts(name: &str, array: &dyn Array) -> Result<StringArray, ArrowError> {
    let options = FormatOptions::default().with_display_error(false);
    let formatter = ArrayFormatter::try_new(array, &options)?;
    let nulls = array.logical_nulls();
    let text = |row: usize| match nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
        true => Ok(None),
        false => formatter.value(row).try_to_string().map(Some).map_err(|e| {
            ArrowError::CastError(format!("a value of column {name} cannot be written: {e}"))
        }),
    };
    (0..array.len()).map(text).collect()
}

fn batch_of(columns: &[Column]) -> Result<RecordBatch, ArrowError> {
    let fields: Vec<_> =
        columns.iter().map(|c| Field::new(c.name.clone(), DataType::Utf8, false)).collect();
    let arrays = columns.iter().map(|c| Arc::new(StringArray::from_iter_values(&c.cells)));
    let arrays: Vec<ArrayRef> = arrays.map(|array| array as ArrayRef).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
}

/// Fits columns into lines of a terminal; what that leaves out.
fn fit(columns: &mut Vec<Column>, width: usize) -> Vec<String> {
    for column in columns.iter_mut() {
        column.name = printable(&column.name);
        column.cells.iter_mut().for_each(|cell| *cell = printable(cell));
    }
    let all = columns.len();
    let widths: Vec<usize> = columns.iter().map(Column::width).collect();
    let line = |widths: &[usize], most: usize| {
        1 + widths.iter().map(|w| (*w).min(most) + CELL_FRAME_CHARS).sum::<usize>()
    };
    let mut kept = all;
    let mut room = width;
    if line(&widths, MIN_CELL_CHARS) > width {
        room = width.saturating_sub(1 + CELL_FRAME_CHARS); // of a last column that says "…"
        let fits = |n: &usize| line(&widths[..*n], MIN_CELL_CHARS) <= room;
        kept = (1..all).rev().find(fits).unwrap_or(1);
    }
    columns.truncate(kept);
    let most = (1..=room).rev().find(|most| line(&widths[..kept], *most) <= room).unwrap_or(1);
    let cut = columns.iter_mut().fold(false, |cut, column| column.cut(most) | cut);
    let mut left_out = vec![];
    if kept < all {
        let rows = columns.first().map_or(0, |c| c.cells.len());
        columns.push(Column { name: ELLIPSIS.into(), cells: vec![ELLIPSIS.into(); rows] });
        left_out.push(format!("{kept} of {all} columns shown"));
    }
    if cut {
        left_out.push(format!("values longer than {most} characters cut"));
    }
    left_out
}

/// Without what would move the cursor of a terminal, or do more to it.
fn printable(text: &str) -> String {
    let is_harmful = |c: char| c.is_control() && c != '\n';
    if !text.contains(is_harmful) {
        return text.to_owned();
    }
    let escape = |c: char| match is_harmful(c) {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    text.chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::TimestampMicrosecondArray;

    use super::*;

    fn table(cells: &[&str], room: &Room) -> (String, Option<String>) {
        let names = (0..cells.len()).map(|n| Field::new(format!("c{n}"), DataType::Utf8, true));
        let schema = Arc::new(Schema::new(names.collect::<Vec<_>>()));
        let column = |cell: &&str| Arc::new(StringArray::from(vec![*cell; 3])) as ArrayRef;
        let arrays = cells.iter().map(column).collect();
        let batch = RecordBatch::try_new(schema.clone(), arrays).expect("a batch");
        let mut text = vec![];
        let batches = [batch.clone(), batch];
        let left_out = write(&schema, &batches, 6, room, &mut text).expect("a table");
        (String::from_utf8(text).expect("text"), left_out)
    }

    #[test]
    fn a_time_beyond_all_calendars_is_an_error_that_names_its_column_and_no_value() {
        let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![0, i64::MAX]));
        let error = texts("ends", &times).expect_err("no text").to_string();
        assert!(error.contains("column ends"), "{error}");
        let batch = RecordBatch::try_from_iter([("ends", times)]).expect("a batch");
        let json = super::super::json::write(std::slice::from_ref(&batch), std::io::sink());
        assert!(json.expect_err("no text").to_string().contains("column ends"));
        let csv = super::super::csv::write(&batch.schema(), &[batch], std::io::sink());
        assert!(csv.expect_err("no text").to_string().contains("column ends"));
    }

    #[test]
    fn a_table_says_of_how_many_rows_it_shows_the_first() {
        let (text, left_out) = table(&["x"], &Room { rows: Some(4), ..Room::default() });
        assert!(left_out.expect("not all").starts_with("4 of 6 rows shown: --format csv"));
        assert!(text.ends_with("… 2 more rows\n"), "{text}");
        assert_eq!(text.matches("| x  |").count(), 4, "{text}");
        assert_eq!(table(&["x"], &Room::default()).1, None);
    }

    #[test]
    fn a_column_says_its_type_if_it_is_asked() {
        let (text, _) = table(&["x"], &Room { types: true, ..Room::default() });
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[1].contains("c0") && lines[2].contains("varchar"), "{text}");
    }

    #[test]
    fn a_preview_is_the_same_table() {
        let column = |name: &str| job::Column { name: name.into(), sql_type: "text".into() };
        let preview = Preview {
            columns: vec![column("a"), column("b")],
            rows: vec![vec![Some("1".into()), None]],
        };
        let mut text = vec![];
        let left_out = write_preview(&preview, 3, &Room::default(), &mut text).expect("a table");
        let text = String::from_utf8(text).expect("text");
        assert!(text.contains("| 1 |   |") && text.ends_with("… 2 more rows\n"), "{text}");
        assert!(left_out.expect("not all").starts_with("1 of 3 rows shown"));
    }

    #[test]
    fn a_table_fits_the_terminal_and_says_what_was_cut() {
        let long = "0123456789".repeat(20);
        let room = Room { columns: Some(40), ..Room::default() };
        let (text, left_out) = table(&["short", &long], &room);
        assert!(text.lines().all(|line| measure_text_width(line) <= 40), "{text}");
        assert!(text.contains("| short |") && text.contains("56… |"), "{text}");
        assert!(left_out.expect("cut").contains("values longer than 28 characters cut"));
        let many = [long.as_str(); 9];
        let (text, left_out) = table(&many, &room);
        assert!(text.lines().all(|line| measure_text_width(line) <= 40), "{text}");
        assert!(left_out.expect("cut").starts_with("3 of 9 columns shown, values longer than 8"));
        let (text, left_out) = table(&["ルビー", "a\tb\u{1b}[2J"], &room);
        assert!(text.contains(r"a\tb\u{1b}[2J"), "{text}");
        assert_eq!(left_out, None);
    }
}
