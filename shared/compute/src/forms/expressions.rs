//! One expression after another, and what they are made of.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, Ident, ObjectName, Value,
};

use super::{Rewritten, casts, comparisons, functions, numbers, patterns, precedence};

/// Rewrites one expression, whose parts have been.
pub(super) fn rewrite(expr: &mut Expr) -> Rewritten {
    precedence::rewrite(expr)?;
    match expr {
        Expr::Like { .. } | Expr::ILike { .. } => patterns::like(expr),
        Expr::SimilarTo { .. } => patterns::similar_to(expr),
        Expr::AtTimeZone { timestamp, time_zone } => {
            *expr = call("at_time_zone", vec![take(timestamp), take(time_zone)]);
            Ok(())
        }
        Expr::BinaryOp { op: BinaryOperator::BitwiseXor, .. } => {
            Err("^ is a power to some and an exclusive or to others: write power(a, b), or \
             (a | b) - (a & b) for the exclusive or"
                .into())
        }
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
        Expr::Cast { .. } => casts::rewrite(expr),
        Expr::TypedString(_) => {
            casts::typed_text(expr);
            Ok(())
        }
        Expr::Function(_) => functions::rewrite(expr),
        _ => Ok(()),
    }
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

pub(super) fn text(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
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
