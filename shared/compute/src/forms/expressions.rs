//! Operators and functions.

use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CaseWhen, DataType, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentList, FunctionArguments, Ident, ObjectName, TimezoneInfo, UnaryOperator, Value,
};

use super::{Rewritten, comparisons, numbers, precedence};

/// Rewrites one expression, whose parts have been.
pub(super) fn rewrite(expr: &mut Expr) -> Rewritten {
    precedence::rewrite(expr)?;
    match expr {
        Expr::Like { pattern, escape_char, .. } | Expr::ILike { pattern, escape_char, .. } => {
            match escape_char.take() {
                None => Ok(()),
                Some(escape) => escaped_with_backslash(pattern, &escape.value),
            }
        }
        Expr::SimilarTo { .. } => similar_to(expr),
        Expr::AtTimeZone { timestamp, time_zone } => {
            *expr = call("at_time_zone", vec![take(timestamp), take(time_zone)]);
            Ok(())
        }
        Expr::BinaryOp { op: BinaryOperator::BitwiseXor, .. } => Err(
            "^ is a power to some and an exclusive or to others: write power(a, b), or # for the \
             exclusive or"
                .into(),
        ),
        Expr::Value(value) => {
            if let Value::Number(text, _) = &value.value
                && numbers::is_wide(text)
                && let Some(exact) = numbers::exact(text)
            {
                *expr = exact;
            }
            Ok(())
        }
        Expr::BinaryOp { left, .. } if matches!(**left, Expr::Tuple(_)) => comparisons::rows(expr),
        Expr::InList { .. } => comparisons::row_in_list(expr),
        Expr::AnyOp { .. } => {
            comparisons::any_of_list(expr);
            Ok(())
        }
        Expr::BinaryOp { left, op, right } => {
            if numbers::is_arithmetic(op) {
                numbers::make_exact(left, right);
            }
            let is_interval = |e: &Expr| matches!(unnested(e), Expr::Interval(_));
            match op {
                BinaryOperator::PGBitwiseXor => *op = BinaryOperator::BitwiseXor,
                BinaryOperator::Multiply if is_interval(left) => {
                    *expr = call("multiply_interval", vec![take(left), take(right)]);
                }
                BinaryOperator::Multiply if is_interval(right) => {
                    *expr = call("multiply_interval", vec![take(right), take(left)]);
                }
                _ => {}
            }
            Ok(())
        }
        Expr::Extract { field, expr: time, .. } => {
            let part = Expr::value(Value::SingleQuotedString(field.to_string()));
            *expr = call("date_part", vec![part, take(time)]);
            Ok(())
        }
        Expr::Cast { data_type, expr: inner, .. } => {
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
        Expr::TypedString(typed) => {
            let Value::SingleQuotedString(text) = &typed.value.value else { return Ok(()) };
            if let Some(instant) = instant(&typed.data_type, is_far(text)) {
                let text = Expr::value(Value::SingleQuotedString(text.clone()));
                *expr = call("arrow_cast", vec![text, instant]);
                return Ok(());
            }
            if let DataType::Timestamp(precision @ None, _) = &mut typed.data_type {
                if is_far(text) {
                    *precision = Some(6);
                }
            }
            Ok(())
        }
        Expr::Function(function) => named_function(function).map(|rewritten| {
            if let Some(rewritten) = rewritten {
                *expr = rewritten;
            }
        }),
        _ => Ok(()),
    }
}

/// What DataFusion calls functions by another name.
const OTHER_NAMES: [(&str, &str); 5] = [
    ("ceiling", "ceil"),
    ("every", "bool_and"),
    ("gen_random_uuid", "uuid"),
    ("sign", "signum"),
    ("variance", "var_samp"),
];

fn named_function(function: &mut Function) -> Result<Option<Expr>, String> {
    let name = function.name.to_string().to_lowercase();
    if let Some((_, other)) = OTHER_NAMES.iter().find(|(known, _)| *known == name) {
        function.name = ObjectName::from(vec![Ident::new(*other)]);
    }
    let Some(args) = plain_args(&mut function.args) else { return Ok(None) };
    match (name.as_str(), args.as_mut_slice()) {
        ("mod", [a, b]) => {
            let operands = [operand(a)?, operand(b)?].map(|e| Box::new(Expr::Nested(Box::new(e))));
            let [left, right] = operands;
            let remainder = Expr::BinaryOp { left, op: BinaryOperator::Modulo, right };
            Ok(Some(Expr::Nested(Box::new(remainder))))
        }
        ("lpad" | "rpad", [_, FunctionArg::Unnamed(FunctionArgExpr::Expr(length)), ..]) => {
            *length = at_least_none(take(length));
            Ok(None)
        }
        ("nth_value", [_, FunctionArg::Unnamed(FunctionArgExpr::Expr(at))]) if is_below_one(at) => {
            Err(format!("nth_value() counts from 1, and {at} is before it"))
        }
        ("to_char", [_, FunctionArg::Unnamed(FunctionArgExpr::Expr(pattern))]) => {
            match text(pattern) {
                Some(text) if !text.contains('%') => Err(format!(
                    "to_char() takes patterns like '%Y-%m-%d', and '{text}' has no % in it"
                )),
                _ => Ok(None),
            }
        }
        _ => Ok(None),
    }
}

fn is_below_one(number: &Expr) -> bool {
    match number {
        Expr::Value(value) => matches!(&value.value, Value::Number(n, _) if n == "0"),
        Expr::UnaryOp { op, .. } => *op == UnaryOperator::Minus,
        _ => false,
    }
}

/// A length that is negative is none.
fn at_least_none(length: Expr) -> Expr {
    let zero = || Box::new(number(0));
    let negative =
        Expr::BinaryOp { left: Box::new(length.clone()), op: BinaryOperator::Lt, right: zero() };
    Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions: vec![CaseWhen { condition: negative, result: *zero() }],
        else_result: Some(Box::new(length)),
    }
}

fn plain_args(args: &mut FunctionArguments) -> Option<&mut Vec<FunctionArg>> {
    match args {
        FunctionArguments::List(list) if list.clauses.is_empty() => Some(&mut list.args),
        _ => None,
    }
}

fn operand(arg: &mut FunctionArg) -> Result<Expr, String> {
    match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) => Ok(take(e)),
        other => Err(format!("mod() takes two numbers, not {other}")),
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
fn similar_to(expr: &mut Expr) -> Rewritten {
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
        _ => None,
    })
}

pub(super) fn take(expr: &mut Expr) -> Expr {
    std::mem::replace(expr, Expr::value(Value::Null))
}

pub(super) fn unnested(expr: &Expr) -> &Expr {
    match expr {
        Expr::Nested(inner) => unnested(inner),
        other => other,
    }
}

fn text(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
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

pub(super) fn number(n: u64) -> Expr {
    Expr::value(Value::Number(n.to_string(), false))
}

pub(super) fn call(name: &str, args: Vec<Expr>) -> Expr {
    let arg = |e| FunctionArg::Unnamed(FunctionArgExpr::Expr(e));
    let args = args.into_iter().map(arg).collect();
    let list = FunctionArgumentList { duplicate_treatment: None, args, clauses: vec![] };
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(list),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: vec![],
    })
}
