//! Where statements of a text end.

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use tidemill_compute::byte_at;

/// The statements of a text, without their semicolons, and what is left behind the last one. Text that cannot be cut
/// into words, as a quote is open, is all left.
pub(super) fn split(text: &str) -> (Vec<String>, String) {
    let Ok(tokens) = Tokenizer::new(&GenericDialect {}, text).tokenize_with_location() else {
        return (vec![], text.to_owned());
    };
    let (mut statements, mut from) = (vec![], 0);
    for token in tokens.iter().filter(|token| token.token == Token::SemiColon) {
        let at = byte_at(text, token.span.start);
        let statement = text[from..at].trim();
        if !is_blank(statement) {
            statements.push(statement.to_owned());
        }
        from = at + 1;
    }
    let rest = text[from..].trim();
    (statements, if is_blank(rest) { String::new() } else { rest.to_owned() })
}

/// Whether a text holds nothing but spaces and comments.
fn is_blank(text: &str) -> bool {
    let tokens = Tokenizer::new(&GenericDialect {}, text).tokenize();
    tokens.is_ok_and(|tokens| tokens.iter().all(|t| matches!(t, Token::Whitespace(_))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_semicolon_ends_a_statement_where_it_is_no_part_of_a_text() {
        let (statements, rest) = split("SELECT ';é';\n-- a; comment\n SELECT \"b;\" ; SELECT 3");
        assert_eq!(statements, ["SELECT ';é'", "-- a; comment\n SELECT \"b;\""]);
        assert_eq!(rest, "SELECT 3");
        assert_eq!(split("SELECT 'open;"), (vec![], "SELECT 'open;".into()));
        assert_eq!(split(" ;; -- nothing\n"), (vec![], String::new()));
    }
}
