//! What plans of one input that change nothing of its rows have in common.

/// How such a plan is shown.
macro_rules! shown_by_name {
    ($plan:ident) => {
        impl datafusion::physical_plan::DisplayAs for $plan {
            fn fmt_as(
                &self,
                _: datafusion::physical_plan::DisplayFormatType,
                f: &mut std::fmt::Formatter<'_>,
            ) -> std::fmt::Result {
                f.write_str(stringify!($plan))
            }
        }
    };
}

/// The methods of its `ExecutionPlan` that say nothing of their own; its field `input` is what it passes on.
macro_rules! pass_through {
    ($plan:ident) => {
        fn name(&self) -> &'static str {
            stringify!($plan)
        }

        fn children(&self) -> Vec<&std::sync::Arc<dyn datafusion::physical_plan::ExecutionPlan>> {
            vec![&self.input]
        }

        fn apply_expressions(
            &self,
            _: &mut dyn FnMut(
                &std::sync::Arc<dyn datafusion::physical_plan::PhysicalExpr>,
            ) -> datafusion::common::Result<
                datafusion::common::tree_node::TreeNodeRecursion,
            >,
        ) -> datafusion::common::Result<datafusion::common::tree_node::TreeNodeRecursion> {
            Ok(datafusion::common::tree_node::TreeNodeRecursion::Continue)
        }
    };
}

pub(crate) use {pass_through, shown_by_name};
