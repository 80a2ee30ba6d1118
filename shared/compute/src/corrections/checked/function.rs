//! The checked operators as functions: `checked_add(a, b, 'a + b')`. The last argument is what an error
//! names.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::type_coercion::binary::BinaryTypeCoercer;
use datafusion::logical_expr::{
    ColumnarValue, Expr, Operator, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, Volatility, lit,
};
use datafusion::physical_expr::ScalarFunctionExpr;
use datafusion::physical_expr::expressions::Literal;
use datafusion::scalar::ScalarValue;

use super::digits::quotient_type;
use super::kernels::evaluate;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Negate,
}

const ALL: [Arithmetic; 5] = [
    Arithmetic::Add,
    Arithmetic::Subtract,
    Arithmetic::Multiply,
    Arithmetic::Divide,
    Arithmetic::Negate,
];

static FUNCTIONS: LazyLock<[Arc<ScalarUDF>; 5]> = LazyLock::new(|| {
    ALL.map(|arithmetic| {
        let signature = Signature::variadic_any(Volatility::Immutable);
        Arc::new(ScalarUDF::new_from_impl(Checked { arithmetic, signature }))
    })
});

pub(super) fn functions() -> impl Iterator<Item = Arc<ScalarUDF>> {
    FUNCTIONS.iter().cloned()
}

/// The checked operation on its operands; `text` is how the statement says it.
pub(super) fn call(arithmetic: Arithmetic, operands: Vec<Expr>, text: &str) -> Expr {
    let function = FUNCTIONS[arithmetic as usize].clone();
    let args = operands.into_iter().chain([lit(text)]).collect();
    Expr::ScalarFunction(ScalarFunction::new_udf(function, args))
}

/// The leftmost operand of a chain of checked operations on integers, which has their type.
pub(super) fn operand(mut e: &Expr) -> Option<&Expr> {
    let mut found = None;
    while let Expr::ScalarFunction(f) = e
        && is_checked(&f.func)
        && let Some(first) = f.args.first()
    {
        (e, found) = (first, Some(first));
    }
    found
}

/// Characters of an expression that an error names.
const TEXT_CHARS_MAX: usize = 80;

/// How an expression is said, cut where it is long.
pub(super) fn text_of(e: &Expr) -> String {
    let text = match e {
        Expr::BinaryExpr(e) => format!("{} {} {}", text_of(&e.left), e.op, text_of(&e.right)),
        Expr::Negative(inner) => format!("-{}", text_of(inner)),
        Expr::ScalarFunction(f) if is_checked(&f.func) => match f.args.last() {
            Some(Expr::Literal(ScalarValue::Utf8(Some(text)), _)) => text.clone(),
            _ => f.name().to_owned(),
        },
        other => other.human_display().to_string(),
    };
    match text.chars().count() {
        0..=TEXT_CHARS_MAX => text,
        count => {
            let end = text.chars().skip(count - TEXT_CHARS_MAX).collect::<String>();
            format!("…{end}")
        }
    }
}

/// Whether a function is a checked operation.
pub(in super::super) fn is_checked(function: &ScalarUDF) -> bool {
    function.inner().downcast_ref::<Checked>().is_some()
}

/// What an error of a checked operation names, for other errors.
pub(crate) fn text_of_checked(call: &ScalarFunctionExpr) -> Option<String> {
    let text = call.args().last().filter(|_| is_checked(call.fun()))?;
    let text = text.downcast_ref::<Literal>()?.value().try_as_str()??;
    Some(text.to_owned())
}

impl Arithmetic {
    fn operator(self) -> Option<Operator> {
        match self {
            Self::Add => Some(Operator::Plus),
            Self::Subtract => Some(Operator::Minus),
            Self::Multiply => Some(Operator::Multiply),
            Self::Divide => Some(Operator::Divide),
            Self::Negate => None,
        }
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Checked {
    arithmetic: Arithmetic,
    signature: Signature,
}

impl ScalarUDFImpl for Checked {
    fn name(&self) -> &'static str {
        match self.arithmetic {
            Arithmetic::Add => "checked_add",
            Arithmetic::Subtract => "checked_subtract",
            Arithmetic::Multiply => "checked_multiply",
            Arithmetic::Divide => "checked_divide",
            Arithmetic::Negate => "checked_negate",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match (self.arithmetic.operator(), types) {
            (Some(Operator::Divide), [left, right, _]) => match quotient_type(left, right) {
                Some(quotient) => Ok(quotient),
                None => internal_err!("{left} and {right} are not divided exactly"),
            },
            (Some(op), [left, right, _]) => {
                BinaryTypeCoercer::new(left, &op, right).get_result_type()
            }
            (None, [value, _]) => Ok(value.clone()),
            _ => internal_err!("{} has its operands and a text", self.name()),
        }
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let types: Vec<_> = args.arg_fields.iter().map(|f| f.data_type().clone()).collect();
        let is_nullable = args.arg_fields.iter().any(|f| f.is_nullable());
        Ok(Arc::new(Field::new(self.name(), self.return_type(&types)?, is_nullable)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some((ColumnarValue::Scalar(ScalarValue::Utf8(Some(text))), operands)) =
            args.args.split_last()
        else {
            return internal_err!("{} has a text", self.name());
        };
        evaluate(self.arithmetic, operands, args.return_field.data_type(), text)
    }
}
