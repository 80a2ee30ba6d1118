//! Parameters of a statement (`$1`, `$name`) become what a statement would have in their places: parts of the
//! parsed statement, never of its text.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Array, CastKind, DataType, ExactNumberInfo, Expr, Interval, Query, TimezoneInfo, TypedString,
    UnaryOperator, Value, VisitMut, VisitorMut,
};
use tidemill_protocol::param::{Param, Params, TypedParam};

use crate::error::{Failure, refused};

/// The most values; planning takes time for each.
const VALUES_MAX: usize = 20_000;

/// The most digits of an exact number.
const DIGITS_MAX: usize = 76;

/// From here on a number of JSON that is no 64-bit integer may be another one than was written.
const INTEGERS_MAX: f64 = 9_007_199_254_740_992.0;

/// Puts values in the places of parameters.
///
/// # Errors
/// A sentence, if there is a parameter without a value, a value without a parameter, or none that can be said.
pub(crate) fn bind(query: &mut Query, params: &Params) -> Result<(), Failure> {
    let mut binder = Binder { params, used: BTreeSet::new() };
    let count: usize = params.values().map(values).sum();
    if count > VALUES_MAX {
        return refused(format!(
            "the parameters have {count} values, and at most {VALUES_MAX} are planned: put long lists of \
             values into a table"
        ));
    }
    if let ControlFlow::Break(sentence) = query.visit(&mut binder) {
        return refused(sentence);
    }
    match params.keys().find(|name| !binder.used.contains(name.as_str())) {
        None => Ok(()),
        Some(name) => {
            refused(format!("the job has a value for ${name}, which its SQL does not have"))
        }
    }
}

/// How many values a parameter has.
fn values(param: &Param) -> usize {
    match param {
        Param::Typed(TypedParam::List(items)) => items.iter().map(values).sum(),
        _ => 1,
    }
}

struct Binder<'a> {
    params: &'a Params,
    used: BTreeSet<&'a str>,
}

impl VisitorMut for Binder<'_> {
    type Break = String;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<String> {
        let Expr::Value(value) = expr else { return ControlFlow::Continue(()) };
        let Value::Placeholder(written) = &value.value else { return ControlFlow::Continue(()) };
        let Some(name) = written.strip_prefix('$') else {
            return ControlFlow::Break(format!("{written} is no parameter: write $1 or $name"));
        };
        let Some((name, param)) = self.params.get_key_value(name) else {
            return ControlFlow::Break(format!("the SQL has ${name}, and the job no value for it"));
        };
        self.used.insert(name);
        match literal(param) {
            Ok(said) => *expr = said,
            Err(why) => return ControlFlow::Break(format!("the value of ${name} {why}")),
        }
        ControlFlow::Continue(())
    }
}

fn literal(param: &Param) -> Result<Expr, String> {
    Ok(match param {
        Param::Null => value(Value::Null),
        Param::Bool(truth) => value(Value::Boolean(*truth)),
        Param::Int(number) => signed(&number.to_string()),
        Param::Number(number) if number.abs() >= INTEGERS_MAX => {
            return Err(format!(
                "is {number}, which JSON may have rounded: write {{\"decimal\": \"…\"}}"
            ));
        }
        Param::Number(number) => signed(&number.to_string()),
        Param::Text(text) => quoted(text),
        Param::Typed(typed) => return literal_of(typed),
    })
}

fn literal_of(typed: &TypedParam) -> Result<Expr, String> {
    let timestamp = |zone| DataType::Timestamp(None, zone);
    Ok(match typed {
        TypedParam::Float(text) => cast(text, DataType::DoublePrecision),
        TypedParam::Decimal(text) => cast(text, decimal_type(text)?),
        TypedParam::Date(text) => of_type(text, DataType::Date),
        TypedParam::Timestamp(text) => of_type(text, timestamp(TimezoneInfo::None)),
        TypedParam::Timestamptz(text) => cast(text, timestamp(TimezoneInfo::WithTimeZone)),
        TypedParam::Time(text) => of_type(text, DataType::Time(None, TimezoneInfo::None)),
        TypedParam::Interval(text) => Expr::Interval(Interval {
            value: Box::new(quoted(text)),
            leading_field: None,
            leading_precision: None,
            last_field: None,
            fractional_seconds_precision: None,
        }),
        TypedParam::Bytes(hex) => {
            if hex.len() % 2 == 1 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err("is to be bytes in pairs of hexadecimal digits, and is not".into());
            }
            value(Value::HexStringLiteral(hex.clone()))
        }
        TypedParam::List(items) => {
            let elem = items.iter().map(literal).collect::<Result<_, _>>()?;
            Expr::Array(Array { elem, named: true })
        }
    })
}

/// The type that holds a number as it is written.
fn decimal_type(text: &str) -> Result<DataType, String> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) || whole.len() + fraction.len() == 0 {
        return Err(format!("is to be an exact number, and is '{text}'"));
    }
    let digits = (whole.trim_start_matches('0').len() + fraction.len()).max(1);
    if digits > DIGITS_MAX {
        return Err(format!("has {digits} digits, and a decimal has at most {DIGITS_MAX}"));
    }
    let scale = i64::try_from(fraction.len()).unwrap_or(i64::MAX);
    Ok(DataType::Decimal(ExactNumberInfo::PrecisionAndScale(digits as u64, scale)))
}

fn value(value: Value) -> Expr {
    Expr::Value(value.into())
}

fn quoted(text: &str) -> Expr {
    value(Value::SingleQuotedString(text.to_owned()))
}

fn signed(number: &str) -> Expr {
    let positive = |digits: &str| value(Value::Number(digits.to_owned(), false));
    match number.strip_prefix('-') {
        None => positive(number),
        Some(digits) => {
            Expr::UnaryOp { op: UnaryOperator::Minus, expr: Box::new(positive(digits)) }
        }
    }
}

fn cast(text: &str, data_type: DataType) -> Expr {
    let expr = Box::new(quoted(text));
    Expr::Cast { kind: CastKind::Cast, expr, data_type, array: false, format: None }
}

fn of_type(text: &str, data_type: DataType) -> Expr {
    let value = Value::SingleQuotedString(text.to_owned()).into();
    Expr::TypedString(TypedString { data_type, value, uses_odbc_syntax: false })
}
