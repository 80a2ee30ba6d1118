//! What the engine's planner knows of functions: their names and types.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::function::AccumulatorArgs;
use datafusion::logical_expr::registry::FunctionRegistry;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, ColumnarValue, Expr, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use serde::{Deserialize, Serialize};
use tidemill_protocol::function::{Function, FunctionKind};

use crate::sql_type;
use crate::table::EncodedSchema;

/// The functions of a plan by their names.
pub(crate) type Callables = Arc<BTreeMap<String, Arc<Callable>>>;

/// A function with its types.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Callable {
    pub(crate) name: String,
    pub(crate) function: Function,
    /// Nothing where arguments of any types are taken.
    pub(crate) args: Option<EncodedSchema>,
    /// One field: what is given for a row or a group. Of a table function a list of its rows.
    pub(crate) returns: EncodedSchema,
}

impl Callable {
    pub(crate) fn return_type(&self) -> &DataType {
        self.returns.0.field(0).data_type()
    }

    /// The columns of a table function.
    pub(crate) fn columns(&self) -> Vec<String> {
        match self.return_type() {
            DataType::List(item) => match item.data_type() {
                DataType::Struct(fields) => fields.iter().map(|f| f.name().clone()).collect(),
                _ => vec![],
            },
            _ => vec![],
        }
    }

    /// Types that the arguments are cast to.
    fn coerced(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let name = &self.name;
        let Some(args) = &self.args else { return Ok(given.iter().map(plain).collect()) };
        let args = args.0.fields();
        if args.len() != given.len() {
            let count =
                |n: usize| if n == 1 { "1 argument".into() } else { format!("{n} arguments") };
            return plan_err!("{name}() takes {} and is given {}", count(args.len()), given.len());
        }
        for (number, (declared, given)) in args.iter().zip(given).enumerate() {
            if !fits(given, declared.data_type()) {
                return plan_err!(
                    "{name}() takes {} as argument {} and is given {}: CAST it",
                    sql_type::name(declared.data_type()),
                    number + 1,
                    sql_type::name(given)
                );
            }
        }
        Ok(args.iter().map(|f| f.data_type().clone()).collect())
    }

    fn signature() -> Signature {
        // none is evaluated where a plan is made
        Signature::user_defined(Volatility::Volatile)
    }
}

/// Has the planner know functions.
pub(crate) fn register(registry: &mut impl FunctionRegistry, functions: &Callables) -> Result<()> {
    for callable in functions.values() {
        let (callable, signature) = (callable.clone(), Callable::signature());
        if callable.function.kind == FunctionKind::Aggregate {
            let declared = DeclaredAggregate { callable, signature };
            registry.register_udaf(Arc::new(AggregateUDF::new_from_impl(declared)))?;
        } else {
            let declared = DeclaredScalar { callable, signature };
            registry.register_udf(Arc::new(ScalarUDF::new_from_impl(declared)))?;
        }
    }
    Ok(())
}

/// The same type as Python's libraries have it.
pub(super) fn plain(data_type: &DataType) -> DataType {
    let of_field = |field: &Field| Arc::new(field.clone().with_data_type(plain(field.data_type())));
    match data_type {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        DataType::ListView(item) | DataType::List(item) => DataType::List(of_field(item)),
        DataType::LargeListView(item) | DataType::LargeList(item) => {
            DataType::LargeList(of_field(item))
        }
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(|f| of_field(f)).collect()),
        other => other.clone(),
    }
}

/// Whether a value of one type is passed as one of another without being asked, as PostgreSQL does with types
/// of a kind; an integer also to a narrower one, whose range is checked.
fn fits(given: &DataType, declared: &DataType) -> bool {
    use DataType::{
        Binary, BinaryView, Date32, Date64, Decimal32, Decimal64, Decimal128, Decimal256,
        Dictionary, FixedSizeBinary, FixedSizeList, Float16, Float32, Float64, LargeBinary,
        LargeList, LargeUtf8, List, Null, Struct, Time32, Time64, Timestamp, Utf8, Utf8View,
    };
    let is_decimal =
        |t: &DataType| matches!(t, Decimal32(..) | Decimal64(..) | Decimal128(..) | Decimal256(..));
    match (given, declared) {
        (Null, _) => true,
        (given, declared) if given == declared => true,
        (Dictionary(_, given), declared) => fits(given, declared),
        (given, declared) if given.is_integer() => {
            declared.is_integer() || declared.is_floating() || is_decimal(declared)
        }
        (given, declared) if is_decimal(given) => is_decimal(declared) || declared.is_floating(),
        (Float16 | Float32, Float32 | Float64)
        | (Utf8 | LargeUtf8 | Utf8View, Utf8 | LargeUtf8 | Utf8View)
        | (
            Binary | LargeBinary | BinaryView | FixedSizeBinary(_),
            Binary | LargeBinary | BinaryView,
        )
        | (Date32 | Date64, Date32 | Date64 | Timestamp(_, None))
        | (Time32(_) | Time64(_), Time32(_) | Time64(_))
        | (Timestamp(_, None), Timestamp(_, None))
        | (Timestamp(_, Some(_)), Timestamp(_, Some(_))) => true,
        (
            List(given) | LargeList(given) | FixedSizeList(given, _),
            List(declared) | LargeList(declared),
        ) => fits(given.data_type(), declared.data_type()),
        (Struct(given), Struct(declared)) => {
            given.len() == declared.len()
                && given
                    .iter()
                    .zip(declared)
                    .all(|(g, d)| g.name() == d.name() && fits(g.data_type(), d.data_type()))
        }
        _ => false,
    }
}

/// A scalar or a table function.
struct DeclaredScalar {
    callable: Arc<Callable>,
    signature: Signature,
}

/// The function of an expression that calls one.
pub(super) fn scalar(expr: &Expr) -> Option<&Arc<Callable>> {
    let Expr::ScalarFunction(call) = expr else { return None };
    call.func.inner().downcast_ref::<DeclaredScalar>().map(|f| &f.callable)
}

/// The aggregate that a function of the engine's registry is.
pub(super) fn aggregate(function: &AggregateUDF) -> Option<&Arc<Callable>> {
    function.inner().downcast_ref::<DeclaredAggregate>().map(|f| &f.callable)
}

impl ScalarUDFImpl for DeclaredScalar {
    fn name(&self) -> &str {
        &self.callable.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.callable.coerced(types)
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.callable.return_type().clone())
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        exec_err!(
            "{}() is called at a place where functions of Python cannot be",
            self.callable.name
        )
    }
}

struct DeclaredAggregate {
    callable: Arc<Callable>,
    signature: Signature,
}

impl AggregateUDFImpl for DeclaredAggregate {
    fn name(&self) -> &str {
        &self.callable.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.callable.coerced(types)
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.callable.return_type().clone())
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        exec_err!(
            "{}() is called at a place where functions of Python cannot be",
            self.callable.name
        )
    }
}

/// Of one plan: a function is what its name says.
macro_rules! same_by_name {
    ($declared:ident) => {
        impl PartialEq for $declared {
            fn eq(&self, other: &Self) -> bool {
                self.callable.name == other.callable.name
            }
        }

        impl Eq for $declared {}

        impl fmt::Debug for $declared {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.callable.name)
            }
        }

        impl Hash for $declared {
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.callable.name.hash(state);
            }
        }
    };
}

same_by_name!(DeclaredScalar);
same_by_name!(DeclaredAggregate);
