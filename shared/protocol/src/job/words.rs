//! What the words of a statement say before anybody parses it.

/// The statement that says what a statement would do; it may be one that says so already.
pub fn explained(sql: &str) -> String {
    let first = without_comments(sql).split_whitespace().next().unwrap_or_default();
    if first.eq_ignore_ascii_case("EXPLAIN") { sql.to_owned() } else { format!("EXPLAIN {sql}") }
}

/// Whether a text has no statement: nothing but comments, spaces and semicolons.
pub fn is_blank(sql: &str) -> bool {
    let rest = without_comments(sql);
    match rest.strip_prefix(';') {
        Some(rest) => is_blank(rest),
        None => rest.is_empty() || rest.starts_with("--") && !rest.contains('\n'),
    }
}

/// A statement without the comments that it begins with.
fn without_comments(sql: &str) -> &str {
    let sql = sql.trim_start();
    let rest = match sql.get(..2) {
        Some("--") => sql.split_once('\n').map(|(_, rest)| rest),
        Some("/*") => sql.split_once("*/").map(|(_, rest)| rest),
        _ => None,
    };
    rest.map_or(sql, without_comments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_semicolons_are_no_statement() {
        for sql in ["", " ;", "-- a", "-- a\n;", "/* b */ ; -- c"] {
            assert!(is_blank(sql), "{sql}");
        }
        assert!(!is_blank("-- a\nSELECT 1") && !is_blank("SELECT 1"));
    }

    #[test]
    fn what_explains_already_is_not_explained_twice() {
        assert_eq!(explained("SELECT 1"), "EXPLAIN SELECT 1");
        for sql in ["explain SELECT 1", "-- a\n /* b */ EXPLAIN SELECT 1"] {
            assert_eq!(explained(sql), sql);
        }
    }
}
