//! The node of a logical plan that calls functions.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::Field;
use datafusion::catalog::Session;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Column, DFSchema, DFSchemaRef, Result, internal_err};
use datafusion::execution::context::QueryPlanner;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{
    Expr, Extension, LogicalPlan, UserDefinedLogicalNode, UserDefinedLogicalNodeCore,
};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{DefaultPhysicalPlanner, ExtensionPlanner, PhysicalPlanner};

use super::{Call, CallExec, Callable, SlowCalls};

/// Its input, and for each call a column more.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct CallNode {
    pub(super) input: Arc<LogicalPlan>,
    pub(super) calls: Vec<ColumnCall>,
    schema: DFSchemaRef,
}

/// A call of which all that it needs is a column of the input.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ColumnCall {
    pub(super) function: String,
    pub(super) arguments: Vec<Column>,
    /// It is made for rows of which this is true; others have NULL.
    pub(super) guard: Option<Column>,
    pub(super) output: Arc<Field>,
}

impl ColumnCall {
    pub(super) fn new(
        callable: &Callable,
        arguments: Vec<Column>,
        guard: Option<Column>,
        output: String,
    ) -> Self {
        let output = Arc::new(Field::new(output, callable.return_type().clone(), true));
        Self { function: callable.name.clone(), arguments, guard, output }
    }

    fn columns(&self) -> impl Iterator<Item = &Column> {
        self.arguments.iter().chain(&self.guard)
    }
}

impl CallNode {
    pub(super) fn plan(input: LogicalPlan, calls: Vec<ColumnCall>) -> Result<LogicalPlan> {
        let node = Arc::new(Self::try_new(Arc::new(input), calls)?);
        Ok(LogicalPlan::Extension(Extension { node }))
    }

    /// The node that a plan is.
    pub(super) fn of(plan: &LogicalPlan) -> Option<&Self> {
        let LogicalPlan::Extension(extension) = plan else { return None };
        extension.node.as_any().downcast_ref()
    }

    fn try_new(input: Arc<LogicalPlan>, calls: Vec<ColumnCall>) -> Result<Self> {
        let known = input.schema();
        let fields = known.iter().map(|(table, field)| (table.cloned(), field.clone()));
        let outputs = calls.iter().map(|call| (None, call.output.clone()));
        let metadata = known.metadata().clone();
        let schema = DFSchema::new_with_metadata(fields.chain(outputs).collect(), metadata)?;
        Ok(Self { input, calls, schema: Arc::new(schema) })
    }
}

/// Whether a plan calls functions.
pub(crate) fn calls_functions(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        found |= CallNode::of(node).is_some();
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found)
}

impl PartialOrd for CallNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        if self == other {
            return Some(Ordering::Equal);
        }
        let names = |node: &Self| {
            node.calls.iter().map(|call| call.output.name().clone()).collect::<Vec<_>>()
        };
        names(self).partial_cmp(&names(other)).filter(|order| order.is_ne())
    }
}

impl UserDefinedLogicalNodeCore for CallNode {
    fn name(&self) -> &'static str {
        "Call"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        self.calls.iter().flat_map(ColumnCall::columns).cloned().map(Expr::Column).collect()
    }

    /// Filters on what is not called go below.
    fn prevent_predicate_push_down_columns(&self) -> HashSet<String> {
        self.calls.iter().map(|call| call.output.name().clone()).collect()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("Call: ")?;
        for (number, ColumnCall { function, arguments, guard, output }) in
            self.calls.iter().enumerate()
        {
            let separator = if number == 0 { "" } else { ", " };
            let arguments: Vec<_> = arguments.iter().map(Column::flat_name).collect();
            write!(f, "{separator}{function}({}) AS {}", arguments.join(", "), output.name())?;
            if let Some(guard) = guard {
                write!(f, " where {}", guard.flat_name())?;
            }
        }
        Ok(())
    }

    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let mut columns = exprs.into_iter().map(|expr| match expr {
            Expr::Column(column) => Ok(column),
            other => internal_err!("{other} is no column of a call"),
        });
        let mut next = || columns.next().unwrap_or_else(|| internal_err!("a call lacks a column"));
        let mut calls = self.calls.clone();
        for call in &mut calls {
            for argument in &mut call.arguments {
                *argument = next()?;
            }
            if let Some(guard) = &mut call.guard {
                *guard = next()?;
            }
        }
        match <[LogicalPlan; 1]>::try_from(inputs) {
            Ok([input]) => Self::try_new(Arc::new(input), calls),
            Err(_) => internal_err!("a call has one input"),
        }
    }

    fn necessary_children_exprs(&self, outputs: &[usize]) -> Option<Vec<Vec<usize>>> {
        let own = self.input.schema().fields().len();
        Some(vec![outputs.iter().copied().filter(|column| *column < own).collect()])
    }

    /// A row comes of each row.
    fn supports_limit_pushdown(&self) -> bool {
        true
    }
}

/// Plans statements with calls.
#[derive(Debug)]
pub(crate) struct Planner;

#[async_trait]
impl QueryPlanner for Planner {
    async fn create_physical_plan(
        &self,
        plan: &LogicalPlan,
        session: &dyn Session,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let planner = DefaultPhysicalPlanner::with_extension_planners(vec![Arc::new(CallPlanner)]);
        planner.create_physical_plan(plan, session).await
    }
}

struct CallPlanner;

#[async_trait]
impl ExtensionPlanner for CallPlanner {
    async fn plan_extension(
        &self,
        _: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _: &[&LogicalPlan],
        inputs: &[Arc<dyn ExecutionPlan>],
        session: &dyn Session,
        _: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let (Some(node), [input]) = (node.as_any().downcast_ref::<CallNode>(), inputs) else {
            return Ok(None);
        };
        let known = node.input.schema();
        let place = |column: &Column| known.index_of_column(column);
        let calls = node.calls.iter().map(|call| {
            let arguments = call.arguments.iter().map(place).collect::<Result<_>>()?;
            let guard = call.guard.as_ref().map(place).transpose()?;
            Ok(Call {
                function: call.function.clone(),
                arguments,
                guard,
                output: call.output.clone(),
            })
        });
        let calls = calls.collect::<Result<Vec<_>>>()?;
        let input = match session.config().get_extension::<SlowCalls>() {
            Some(slow) => slow.spread(input.clone(), &calls),
            None => input.clone(),
        };
        Ok(Some(Arc::new(CallExec::new(input, calls))))
    }
}
