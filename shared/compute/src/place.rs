use datafusion::sql::sqlparser::tokenizer::Location;

/// The byte of a text at a line and a column, as the parser counts them: in characters, from 1.
pub fn byte_at(text: &str, at: Location) -> usize {
    let lines = usize::try_from(at.line).unwrap_or(1).saturating_sub(1);
    let start: usize = text.split_inclusive('\n').take(lines).map(str::len).sum();
    let column = usize::try_from(at.column).unwrap_or(1).saturating_sub(1);
    let rest = &text[start..];
    start + rest.char_indices().nth(column).map_or(rest.len(), |(byte, _)| byte)
}
