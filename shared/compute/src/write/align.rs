use datafusion::arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::common::{Column, DataFusionError};
use datafusion::logical_expr::type_coercion::binary::comparison_coercion;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast, lit};
use datafusion::scalar::ScalarValue;

use super::request::{WriteKind, WriteRequest};
use super::target::Target;
use crate::error::{Failure, refused};
use crate::sql_type;

/// The rows of a query as the table has them: its columns, in its order, of its types.
///
/// # Errors
/// A sentence, if the query's columns are not those of the table.
pub(crate) fn align(
    plan: LogicalPlan,
    request: &WriteRequest,
    target: &Target,
) -> Result<LogicalPlan, Failure> {
    if target.is_there_already {
        return Ok(LogicalPlanBuilder::from(plan).limit(0, Some(0))?.build()?);
    }
    let Some(columns) = &target.columns else { return Ok(with_types(plan)?) };
    let aligned = match &request.kind {
        WriteKind::Insert { columns: listed } | WriteKind::Overwrite { columns: listed } => {
            by_place(&plan, &columns.0, listed, &request.folder)?
        }
        WriteKind::Copy | WriteKind::Create { .. } => by_name(&plan, &columns.0, &request.folder)?,
    };
    Ok(LogicalPlanBuilder::from(plan).project(aligned)?.build()?)
}

/// A new table has texts where all values are null, as PostgreSQL has it: what comes later needs a type.
fn with_types(plan: LogicalPlan) -> Result<LogicalPlan, DataFusionError> {
    let fields = plan.schema().fields();
    if !fields.iter().any(|field| *field.data_type() == DataType::Null) {
        return Ok(plan);
    }
    let columns =
        fields.iter().zip(outputs(&plan)).map(|(field, column)| match field.data_type() {
            DataType::Null => cast(column, DataType::Utf8).alias(field.name()),
            _ => column,
        });
    let columns: Vec<_> = columns.collect();
    LogicalPlanBuilder::from(plan).project(columns)?.build()
}

fn outputs(plan: &LogicalPlan) -> Vec<Expr> {
    plan.schema().columns().into_iter().map(Expr::Column).collect()
}

/// `INSERT`: the first value goes to the first column, and what is not listed is null.
fn by_place(
    plan: &LogicalPlan,
    table: &SchemaRef,
    listed: &[String],
    folder: &str,
) -> Result<Vec<Expr>, Failure> {
    let all: Vec<_> = table.fields().iter().map(|f| f.name().clone()).collect();
    let listed = if listed.is_empty() { &all } else { listed };
    if let Some(unknown) = listed.iter().find(|name| !all.contains(name)) {
        return refused(format!("{folder} has no column {unknown}: it has {}", all.join(", ")));
    }
    if let Some((n, twice)) =
        listed.iter().enumerate().find(|(n, name)| listed[..*n].contains(name))
    {
        return refused(format!("column {twice} is listed twice, at place {} too", n + 1));
    }
    let given = outputs(plan);
    if given.len() != listed.len() {
        return refused(format!(
            "the statement gives {} columns and {folder} takes {}: {}",
            given.len(),
            listed.len(),
            listed.join(", ")
        ));
    }
    let columns = table.fields().iter().map(|field| {
        let kind = field.data_type();
        let value = match listed.iter().position(|name| name == field.name()) {
            Some(place) => {
                let from = plan.schema().field(place).data_type();
                // a number that is written is a float here, and exact to PostgreSQL: halves differ
                if from.is_floating() && kind.is_integer() {
                    return refused(format!(
                        "column {} is {}, and the statement gives {} for it: cast it in the statement",
                        field.name(),
                        sql_type::name(kind),
                        sql_type::name(from)
                    ));
                }
                given[place].clone()
            }
            None => lit(ScalarValue::Null),
        };
        Ok(cast(value, kind.clone()).alias(field.name()))
    });
    columns.collect()
}

/// `COPY` and `into`: columns of the same names, in any order, that lose nothing in the table's
/// types.
fn by_name(plan: &LogicalPlan, table: &SchemaRef, folder: &str) -> Result<Vec<Expr>, Failure> {
    let given = plan.schema();
    let differs = || {
        let names = |schema: &Schema| {
            schema.fields().iter().map(|f| f.name().as_str()).collect::<Vec<_>>().join(", ")
        };
        format!(
            "the columns of the statement ({}) are not those of {folder} ({}): name them with AS, \
             or write to another folder",
            names(given.as_arrow()),
            names(table)
        )
    };
    if given.fields().len() != table.fields().len() {
        return refused(differs());
    }
    let columns = table.fields().iter().map(|field| {
        let Some(place) = given.fields().iter().position(|f| f.name() == field.name()) else {
            return refused(differs());
        };
        let (from, to) = (given.field(place).data_type(), field.data_type());
        if !keeps_all(from, to) {
            return refused(format!(
                "column {} of the statement is {from}, and {to} in {folder}: cast it in the \
                 statement",
                field.name()
            ));
        }
        let value = Expr::Column(Column::from(given.qualified_field(place)));
        Ok(cast(value, to.clone()).alias(field.name()))
    });
    columns.collect()
}

/// Whether every value of a type is one of the other.
fn keeps_all(from: &DataType, to: &DataType) -> bool {
    let both = |is: fn(&DataType) -> bool| is(from) && is(to);
    from == to
        || *from == DataType::Null
        || both(|t| matches!(t, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View))
        || both(|t| matches!(t, DataType::Binary | DataType::LargeBinary | DataType::BinaryView))
        || both(|t| matches!(t, DataType::Timestamp(..)))
        || comparison_coercion(from, to).as_ref() == Some(to)
}
