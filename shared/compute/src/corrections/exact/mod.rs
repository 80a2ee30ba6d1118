//! `sum` and `avg` of integers and decimals without wrapping and without cutting.
//!
//! DataFusion 55.2 adds them modulo the size of their type and cuts averages of decimals. Here they are
//! added in a type with room for the steps between, what does not fit the result is an error, and
//! averages are rounded half away from zero, as PostgreSQL's are.
//!
//! A window that slides over floats is summed without subtracting: what has left it leaves nothing
//! behind, neither NaN nor rounding.

mod avg;
mod floats;
mod groups;
mod number;
mod sum;
mod values;

use datafusion::common::Result;
use datafusion::logical_expr::registry::FunctionRegistry;

/// Replaces DataFusion's.
pub(super) fn register(registry: &mut impl FunctionRegistry) -> Result<()> {
    sum::register(registry)?;
    avg::register(registry)
}
