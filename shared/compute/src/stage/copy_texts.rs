//! Keeps sorts and windows from holding texts that they no longer need, or counting them many times.
//!
//! A view array holds whole buffers, of which its rows may need little:
//!
//! - `BoundedWindowAggExec` joins each batch to the rows that it still needs of the last one. Arrow's
//!   `concat` of view arrays keeps every buffer of its inputs, so one row that is still needed holds
//!   all texts since the partition began, and no pool counts them.
//! - Each batch that `SortExec` makes refers to the buffers of all batches that it was sorted from, and
//!   is counted with all of them: a sort spills long before it has to, and merges what it spilled a
//!   few files at a time or not at all. 30 million texts of 32 characters take two and a half times
//!   as long as with offsets where a third of them fits, half as long again where all do.
//!
//! So below both, texts that they only pass on or compare have offsets in the place of views.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_expr::{AcrossPartitions, ConstExpr, EquivalenceProperties};
use datafusion::physical_plan::expressions::Column;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::windows::BoundedWindowAggExec;
use datafusion::physical_plan::{
    ExecutionPlan, ExecutionPlanProperties, PhysicalExpr, PlanProperties, WindowExpr,
};
use futures::StreamExt;

use crate::columns::{map_columns, own};
use crate::pass_through::{pass_through, shown_by_name};

type PlanRef = Arc<dyn ExecutionPlan>;

/// Gives every sort of all rows and every window that can drop rows texts that are copied.
pub(crate) fn copy_texts(plan: PlanRef) -> Result<PlanRef> {
    plan.transform_up(|node| {
        let over_copies = match node.downcast_ref::<BoundedWindowAggExec>() {
            Some(window) => window_over_copies(window)?,
            None => match node.downcast_ref::<SortExec>() {
                Some(sort) if sort.fetch().is_none() => sort_over_copies(sort)?,
                _ => None,
            },
        };
        Ok(match over_copies {
            Some(plan) => Transformed::yes(Recast::to(node.schema(), &plan)? as PlanRef),
            None => Transformed::no(node),
        })
    })
    .data()
}

fn sort_over_copies(sort: &SortExec) -> Result<Option<PlanRef>> {
    let keys = sort.expr().iter().map(|key| key.expr.clone());
    let Some(copies) = copies(sort.input(), &types_known_by(keys))? else { return Ok(None) };
    let over = SortExec::new(sort.expr().clone(), copies);
    Ok(Some(Arc::new(over.with_preserve_partitioning(sort.preserve_partitioning()))))
}

fn window_over_copies(window: &BoundedWindowAggExec) -> Result<Option<PlanRef>> {
    let windows = window.window_expr();
    let args = windows.iter().flat_map(|w| w.expressions());
    let args = args.flat_map(|e| collect_columns(&e)).map(|column| column.index());
    let by = windows.iter().map(|w| w.all_expressions());
    let by = by.flat_map(|e| e.partition_by_exprs.into_iter().chain(e.order_by_exprs));
    let used: HashSet<_> = args.chain(types_known_by(by)).collect();
    if !windows.iter().all(shows_its_columns) {
        return Ok(None);
    }
    let Some(copies) = copies(window.input(), &used)? else { return Ok(None) };
    let (order, keys) = (window.input_order_mode.clone(), !window.partition_keys().is_empty());
    let over = BoundedWindowAggExec::try_new(windows.to_vec(), copies, order, keys)?;
    // what is known of the order must have come along
    let sorted = |w: &BoundedWindowAggExec| w.partition_by_sort_keys().ok().map(|keys| keys.len());
    Ok((sorted(&over) == sorted(window)).then(|| Arc::new(over) as PlanRef))
}

/// The filter of an aggregate is in no list of its expressions.
fn shows_its_columns(window: &Arc<dyn WindowExpr>) -> bool {
    !window.name().contains("FILTER")
}

/// The columns whose type keys know: plain columns are only compared.
fn types_known_by(keys: impl Iterator<Item = Arc<dyn PhysicalExpr>>) -> HashSet<usize> {
    let computed = keys.filter(|e| !e.is::<Column>());
    computed.flat_map(|e| collect_columns(&e)).map(|column| column.index()).collect()
}

/// The input with offsets in the place of views, but in the columns `used`; nothing where there are none.
fn copies(input: &PlanRef, used: &HashSet<usize>) -> Result<Option<PlanRef>> {
    let mut schema = Schema::clone(&input.schema());
    let fields = schema.fields.iter().enumerate().map(|(n, field)| {
        match with_offsets(field.data_type()).filter(|_| !used.contains(&n)) {
            Some(with_offsets) => Arc::new(field.as_ref().clone().with_data_type(with_offsets)),
            None => field.clone(),
        }
    });
    schema.fields = fields.collect();
    if schema == *input.schema() {
        return Ok(None);
    }
    let schema = Arc::new(schema);
    Ok(Some(match input.downcast_ref::<Recast>() {
        Some(recast) if recast.input.schema() == schema => recast.input.clone(),
        _ => Recast::to(schema, input)?,
    }))
}

fn with_offsets(of: &DataType) -> Option<DataType> {
    match of {
        DataType::Utf8View => Some(DataType::LargeUtf8),
        DataType::BinaryView => Some(DataType::LargeBinary),
        _ => None,
    }
}

/// Casts texts between views and offsets; order and equality stay.
#[derive(Debug)]
struct Recast {
    input: PlanRef,
    properties: Arc<PlanProperties>,
}

impl Recast {
    fn to(schema: SchemaRef, input: &PlanRef) -> Result<Arc<Self>> {
        let known = input.equivalence_properties();
        let orderings = known.oeq_class().iter().cloned();
        let mut equivalences = EquivalenceProperties::new_with_orderings(schema, orderings);
        for class in known.eq_group().iter() {
            for pair in class.iter().zip(class.iter().skip(1)) {
                equivalences.add_equal_conditions(pair.0.clone(), pair.1.clone())?;
            }
        }
        let constants = known.constants().into_iter().map(|constant| {
            let across = match constant.across_partitions {
                AcrossPartitions::Uniform(_) => AcrossPartitions::Uniform(None),
                other => other,
            };
            ConstExpr::new(constant.expr, across)
        });
        equivalences.add_constants(constants)?;
        let properties = PlanProperties::new(
            equivalences,
            input.output_partitioning().clone(),
            input.pipeline_behavior(),
            input.boundedness(),
        );
        Ok(Arc::new(Self { input: input.clone(), properties: Arc::new(properties) }))
    }
}

shown_by_name!(Recast);

impl ExecutionPlan for Recast {
    pass_through!(Recast);

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn with_new_children(self: Arc<Self>, children: Vec<PlanRef>) -> Result<PlanRef> {
        match &children[..] {
            [input] => Ok(Self::to(self.schema(), input)?),
            _ => Ok(self),
        }
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let batches = self.input.execute(partition, context)?;
        let schema = self.schema();
        let recast = batches.map(move |batch| {
            Ok(map_columns(&batch?, &schema, |column, to| own(&cast(column, to)?))?)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), recast)))
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{AsArray, Int64Array, RecordBatch, StringViewArray};
    use datafusion::arrow::compute::concat_batches;
    use datafusion::arrow::datatypes::Field;
    use datafusion::datasource::MemTable;
    use datafusion::physical_plan::collect;
    use datafusion::prelude::SessionContext;

    use super::*;

    const BATCHES: i64 = 50;

    fn batch(number: i64) -> RecordBatch {
        let ids = number * 100..(number + 1) * 100;
        let texts = ids.clone().map(|id| format!("a text that is no part of its view {id}"));
        let fields = vec![
            Field::new("id", DataType::Int64, false),
            Field::new("text", DataType::Utf8View, false),
            Field::new("other", DataType::Utf8View, false),
        ];
        let texts = Arc::new(StringViewArray::from_iter_values(texts));
        let ids = Arc::new(Int64Array::from_iter_values(ids));
        RecordBatch::try_new(Arc::new(Schema::new(fields)), vec![ids, texts.clone(), texts])
            .expect("columns of one length")
    }

    async fn plan(sql: &str) -> (PlanRef, Arc<TaskContext>) {
        let context = SessionContext::new();
        let batches: Vec<_> = (0..BATCHES).map(batch).collect();
        let table = MemTable::try_new(batches[0].schema(), vec![batches]).expect("a table");
        let table =
            table.with_sort_order(vec![vec![datafusion::prelude::col("id").sort(true, false)]]);
        context.register_table("t", Arc::new(table)).expect("a new name");
        let frame = context.sql(sql).await.expect("a query");
        (frame.create_physical_plan().await.expect("a plan"), context.task_ctx())
    }

    /// The most buffers that a batch of the column `text` holds.
    fn buffers(batches: &[RecordBatch]) -> usize {
        let texts = batches.iter().map(|b| b["text"].as_string_view().data_buffers().len());
        texts.max().unwrap_or(0)
    }

    #[tokio::test]
    async fn a_sort_counts_each_text_once() {
        for (order, is_mended) in [("text, id", true), ("id DESC", true), ("upper(text)", false)] {
            let sql = format!("SELECT id, text FROM t ORDER BY {order}");
            let (plan, context) = plan(&sql).await;
            let shared = collect(plan.clone(), context.clone()).await.expect("rows");
            let copied = collect(copy_texts(plan.clone()).expect("a plan"), context);
            let copied = copied.await.expect("rows");
            let rows = |batches| concat_batches(&plan.schema(), batches).expect("one schema");
            assert_eq!(rows(&shared), rows(&copied), "{sql}");
            assert!(buffers(&shared) > 25, "{}: mended in DataFusion? {sql}", buffers(&shared));
            assert_eq!(buffers(&copied) <= 2, is_mended, "{} buffers: {sql}", buffers(&copied));
        }
    }

    #[tokio::test]
    async fn a_window_holds_the_texts_of_the_rows_that_it_needs_only() {
        let kept = |window| (window, true);
        for (window, is_kept) in [
            kept("row_number() OVER (PARTITION BY id / 10000 ORDER BY id)"),
            kept("lag(other) OVER (PARTITION BY id / 10000 ORDER BY id)"),
            kept("sum(id) OVER (PARTITION BY id / 10000 ORDER BY id, text ROWS 2 PRECEDING)"),
            kept("max(other) OVER (PARTITION BY upper(other) ORDER BY id ROWS 2 PRECEDING)"),
            ("count(*) FILTER (WHERE text > 'b') OVER (ORDER BY id ROWS 2 PRECEDING)", false),
            ("sum(id) OVER (PARTITION BY text || 'x' ORDER BY id ROWS 2 PRECEDING)", false),
        ] {
            let sql = format!("SELECT id, text, other, {window} FROM t");
            let (plan, context) = plan(&sql).await;
            let held = collect(plan.clone(), context.clone()).await.expect("rows");
            let lean = copy_texts(plan.clone()).expect("a plan");
            let let_go = collect(lean, context).await.expect("rows");
            let rows = |batches| concat_batches(&plan.schema(), batches).expect("one schema");
            assert_eq!(rows(&held), rows(&let_go), "{sql}");
            if is_kept {
                assert!(buffers(&held) > 25, "{}: mended in DataFusion? {sql}", buffers(&held));
                assert!(buffers(&let_go) <= 2, "{} buffers: {sql}", buffers(&let_go));
            }
        }
    }
}
