//! `LIKE` with another escape than the backslash, and `SIMILAR TO`.

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, Value};

use super::Rewritten;
use super::expressions::{take, text};

/// `LIKE … ESCAPE '!'`.
pub(super) fn like(expr: &mut Expr) -> Rewritten {
    let (Expr::Like { pattern, escape_char, .. } | Expr::ILike { pattern, escape_char, .. }) = expr
    else {
        return Ok(());
    };
    match escape_char.take() {
        None => Ok(()),
        Some(escape) => escaped_with_backslash(pattern, &escape.value),
    }
}

/// `LIKE … ESCAPE '!'`: DataFusion's escape is the backslash.
fn escaped_with_backslash(pattern: &mut Expr, escape: &Value) -> Rewritten {
    let escape = match escape {
        Value::SingleQuotedString(text) => text.clone(),
        other => return Err(format!("ESCAPE takes one character, not {other}")),
    };
    let mut signs = escape.chars();
    let (escape, None) = (signs.next(), signs.next()) else {
        return Err(format!("ESCAPE takes one character, not '{escape}'"));
    };
    if escape == Some('\\') {
        return Ok(());
    }
    let Expr::Value(value) = pattern else {
        return Err("LIKE … ESCAPE is supported for patterns that are written as a text".into());
    };
    let Value::SingleQuotedString(text) = &mut value.value else { return Ok(()) };
    let mut out = String::with_capacity(text.len());
    let mut signs = text.chars();
    while let Some(sign) = signs.next() {
        match sign {
            sign if Some(sign) == escape => match signs.next() {
                Some(literal) => out.extend(['\\', literal]),
                None => return Err(format!("the pattern '{text}' ends with its escape character")),
            },
            '\\' => out.push_str("\\\\"),
            other => out.push(other),
        }
    }
    *text = out;
    Ok(())
}

/// `SIMILAR TO`: `%` and `_` as in `LIKE`, the rest as in a regular expression, of the whole text.
pub(super) fn similar_to(expr: &mut Expr) -> Rewritten {
    let Expr::SimilarTo { negated, expr: value, pattern, escape_char } = expr else {
        return Ok(());
    };
    let (Some(text), None) = (text(pattern), &escape_char) else {
        return Err("SIMILAR TO is supported for patterns that are written as a text, without \
                    ESCAPE: regexp_like() takes any"
            .into());
    };
    let mut regex = String::from("^(?:");
    let mut signs = text.chars();
    let mut in_class = false;
    while let Some(sign) = signs.next() {
        match sign {
            '\\' => {
                regex.push('\\');
                regex.extend(signs.next());
            }
            '[' | ']' => {
                in_class = sign == '[';
                regex.push(sign);
            }
            '%' if !in_class => regex.push_str("(?s:.*)"),
            '_' if !in_class => regex.push_str("(?s:.)"),
            '.' | '^' | '$' if !in_class => regex.extend(['\\', sign]),
            other => regex.push(other),
        }
    }
    regex.push_str(")$");
    let op = match negated {
        true => BinaryOperator::PGRegexNotMatch,
        false => BinaryOperator::PGRegexMatch,
    };
    let right = Box::new(Expr::value(Value::SingleQuotedString(regex)));
    *expr = Expr::BinaryOp { left: Box::new(take(value)), op, right };
    Ok(())
}
