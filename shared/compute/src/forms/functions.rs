//! Functions that DataFusion has by another name, or for other arguments.

use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CaseWhen, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments,
    Ident, ObjectName, Value,
};

use super::Rewritten;
use super::expressions::{number, take, text};

/// What DataFusion calls functions by another name.
const OTHER_NAMES: [(&str, &str); 7] = [
    ("array_remove", "array_remove_all"),
    ("array_replace", "array_replace_all"),
    ("ceiling", "ceil"),
    ("every", "bool_and"),
    ("gen_random_uuid", "uuid"),
    ("sign", "signum"),
    ("variance", "var_samp"),
];

/// Rewrites a call.
pub(super) fn rewrite(expr: &mut Expr) -> Rewritten {
    let Expr::Function(function) = expr else { return Ok(()) };
    if let Some(rewritten) = named_function(function)? {
        *expr = rewritten;
    }
    Ok(())
}

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
        ("count", [FunctionArg::Unnamed(FunctionArgExpr::QualifiedWildcard(table))]) => {
            Err(format!(
                "count({table}.*) is not supported: count a column of {table} that is never NULL in it"
            ))
        }
        ("lpad" | "rpad", [_, FunctionArg::Unnamed(FunctionArgExpr::Expr(length)), ..]) => {
            *length = at_least_none(take(length));
            Ok(None)
        }
        ("nth_value", [_, FunctionArg::Unnamed(FunctionArgExpr::Expr(at))]) if is_zero(at) => {
            Err("nth_value() counts from 1, or with a minus from the end".to_owned())
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

fn is_zero(number: &Expr) -> bool {
    matches!(number, Expr::Value(value) if matches!(&value.value, Value::Number(n, _) if n == "0"))
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
