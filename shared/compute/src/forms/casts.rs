//! Casts to types that DataFusion's planner takes for others: texts of a length, instants, exact numbers and
//! times outside of what nanoseconds reach.

use datafusion::sql::sqlparser::ast::{DataType, Expr, TimezoneInfo, Value};

use super::expressions::{call, number, take, text};
use super::{Rewritten, numbers};

/// `CAST(a AS t)`.
pub(super) fn rewrite(expr: &mut Expr) -> Rewritten {
    let Expr::Cast { data_type, expr: inner, .. } = expr else { return Ok(()) };
    if let Some(instant) = instant(data_type, text(inner).is_some_and(is_far)) {
        *expr = call("arrow_cast", vec![take(inner), instant]);
        return Ok(());
    }
    if matches!(data_type, DataType::Decimal(_) | DataType::Numeric(_) | DataType::Dec(_))
        && let Some(number) = numbers::literal(inner)
    {
        **inner = Expr::value(Value::SingleQuotedString(number));
    }
    if let Some(length) = text_length(data_type)? {
        *data_type = DataType::Varchar(None);
        let text = take(expr);
        *expr = call("left", vec![text, number(length)]);
        return Ok(());
    }
    if let (DataType::Timestamp(precision @ None, _), Some(text)) = (data_type, text(inner))
        && is_far(text)
    {
        *precision = Some(6);
    }
    Ok(())
}

/// `TIMESTAMP '2024-01-01'`.
pub(super) fn typed_text(expr: &mut Expr) {
    let Expr::TypedString(typed) = expr else { return };
    let Value::SingleQuotedString(text) = &typed.value.value else { return };
    if let Some(instant) = instant(&typed.data_type, is_far(text)) {
        let text = Expr::value(Value::SingleQuotedString(text.clone()));
        *expr = call("arrow_cast", vec![text, instant]);
        return;
    }
    if let DataType::Timestamp(precision @ None, _) = &mut typed.data_type
        && is_far(text)
    {
        *precision = Some(6);
    }
}

/// The length that a type of texts is cut to.
fn text_length(data_type: &DataType) -> Result<Option<u64>, String> {
    use datafusion::sql::sqlparser::ast::CharacterLength;
    let (DataType::Varchar(length)
    | DataType::CharacterVarying(length)
    | DataType::CharVarying(length)
    | DataType::Char(length)
    | DataType::Character(length)) = data_type
    else {
        return Ok(None);
    };
    Ok(match length {
        Some(CharacterLength::IntegerLength { length, .. }) => Some(*length),
        None if matches!(data_type, DataType::Char(_) | DataType::Character(_)) => Some(1),
        _ => None,
    })
}

/// `TIMESTAMP WITH TIME ZONE`, as a type of Arrow's: to DataFusion's planner it is a time without.
fn instant(data_type: &DataType, is_far: bool) -> Option<Expr> {
    let DataType::Timestamp(precision, TimezoneInfo::WithTimeZone | TimezoneInfo::Tz) = data_type
    else {
        return None;
    };
    let unit = match precision {
        Some(0) => "Second",
        Some(1..=3) => "Millisecond",
        None if !is_far => "Nanosecond",
        Some(7..) => "Nanosecond",
        _ => "Microsecond",
    };
    let name = format!("Timestamp({unit}, Some(\"+00:00\"))");
    Some(Expr::value(Value::SingleQuotedString(name)))
}

/// Whether a time's year is outside of what nanoseconds reach (1677 to 2262).
fn is_far(time: &str) -> bool {
    let year = time.trim().split('-').next().and_then(|y| y.parse::<u32>().ok());
    year.is_some_and(|y| time.contains('-') && !(1678..=2261).contains(&y))
}
