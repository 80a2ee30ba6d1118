//! A job that is one task reads its tables again with wider columns, where a value did not fit.
//!
//! The types of undeclared columns are those of the values that the planner has seen. The tasks of a
//! plan with several stages agree on them; one task that plans its SQL itself may learn better.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::common::DataFusionError;

use super::LoadedPlan;
use crate::error::Failure;
use crate::table::{EncodedSchema, Table, widened};

/// How often the types of a task are changed.
const TYPE_CHANGES_MAX: usize = 20;

/// How often that of one column, before it becomes text.
const COLUMN_TYPE_CHANGES_MAX: usize = 3;

/// A plan whose columns become wider.
pub(super) struct Wider {
    loaded: Arc<LoadedPlan>,
    /// What did not fit first.
    misfit: Option<String>,
    /// By table and column.
    times: HashMap<(usize, usize), usize>,
}

impl Wider {
    pub(super) fn new(loaded: &Arc<LoadedPlan>) -> Self {
        Self { loaded: loaded.clone(), misfit: None, times: HashMap::new() }
    }

    pub(super) fn loaded(&self) -> &Arc<LoadedPlan> {
        &self.loaded
    }

    /// Makes room for the value that a task failed with, if it is one of an inferred column.
    pub(super) fn widen(&mut self, failure: &Failure) -> bool {
        let Some(unreadable) = failure.unreadable() else { return false };
        let (Some(misfit), Some(number)) = (unreadable.misfit(), unreadable.table) else {
            return false;
        };
        let Some(table) = self.loaded.plan.tables.get(number).filter(|t| t.inferred) else {
            return false;
        };
        let column = table.schema.0.fields().iter().position(|f| *f.name() == misfit.column);
        let Some(column) = column else { return false };
        if self.times.values().sum::<usize>() >= TYPE_CHANGES_MAX {
            return false;
        }
        let times = self.times.entry((number, column)).or_default();
        *times += 1;
        let from = table.schema.0.field(column).data_type();
        let to = match *times {
            ..=COLUMN_TYPE_CHANGES_MAX => widened(from, &misfit.value),
            _ => DataType::Utf8,
        };
        if *from == to {
            return false;
        }
        self.misfit.get_or_insert_with(|| unreadable.sentence());
        let mut plan = self.loaded.plan.clone();
        plan.tables[number] = with_type(&plan.tables[number], column, to);
        self.loaded = Arc::new(LoadedPlan::new(plan));
        true
    }

    /// What a user is told: where the statement cannot be planned over the wider column, that a
    /// value did not fit the narrower one.
    pub(super) fn explained(self, failure: Failure) -> Failure {
        if let Some(unreadable) = failure.unreadable() {
            return Failure::Refused(unreadable.sentence());
        }
        match self.misfit {
            Some(misfit) if is_of_planning(&failure) => Failure::Refused(misfit),
            _ => failure,
        }
    }
}

fn is_of_planning(failure: &Failure) -> bool {
    match failure {
        Failure::DataFusion(e) => matches!(
            e.find_root(),
            DataFusionError::Plan(_)
                | DataFusionError::SchemaError(..)
                | DataFusionError::Diagnostic(..)
        ),
        Failure::Refused(_) => true,
        _ => false,
    }
}

fn with_type(table: &Table, column: usize, data_type: DataType) -> Table {
    let mut fields = table.schema.0.fields().to_vec();
    fields[column] = Arc::new(fields[column].as_ref().clone().with_data_type(data_type));
    Table { schema: EncodedSchema(Arc::new(Schema::new(fields))), ..table.clone() }
}
