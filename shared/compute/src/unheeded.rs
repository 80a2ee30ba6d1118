//! What DataFusion parses and then does not heed: without it a statement would have another answer.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{GroupByExpr, Query, Select, SelectItem, TableFactor};

/// Refuses the first that is there.
fn refuse(all: &[(bool, &str)]) -> ControlFlow<String> {
    match all.iter().find(|(is_there, _)| *is_there) {
        Some((_, what)) => ControlFlow::Break(format!("{what} is not supported")),
        None => ControlFlow::Continue(()),
    }
}

pub(crate) fn check_query(query: &Query) -> ControlFlow<String> {
    if !query.locks.is_empty() {
        return ControlFlow::Break(
            "FOR UPDATE and FOR SHARE are not supported: a statement sees the files of its start, and locks none"
                .into(),
        );
    }
    refuse(&[
        (query.for_clause.is_some(), "FOR XML or FOR JSON"),
        (query.settings.is_some(), "SETTINGS"),
        (query.format_clause.is_some(), "FORMAT"),
    ])
}

pub(crate) fn check_select(select: &Select) -> ControlFlow<String> {
    let modifiers = match &select.group_by {
        GroupByExpr::All(modifiers) | GroupByExpr::Expressions(_, modifiers) => modifiers,
    };
    if !modifiers.is_empty() {
        return ControlFlow::Break(
            "WITH ROLLUP, CUBE and TOTALS are not supported: write GROUP BY ROLLUP (…) or CUBE (…)"
                .into(),
        );
    }
    let is_filtered = select.projection.iter().any(|item| match item {
        SelectItem::Wildcard(options) | SelectItem::QualifiedWildcard(_, options) => {
            options.opt_ilike.is_some()
        }
        _ => false,
    });
    refuse(&[
        (is_filtered, "ILIKE after *"),
        (select.prewhere.is_some(), "PREWHERE"),
        (!select.connect_by.is_empty(), "CONNECT BY"),
        (select.select_modifiers.is_some(), "a modifier after SELECT"),
        (select.value_table_mode.is_some(), "SELECT AS"),
    ])
}

pub(crate) fn check_table(table: &TableFactor) -> ControlFlow<String> {
    let sampled = || {
        ControlFlow::Break(
            "TABLESAMPLE is not supported: WHERE random() < 0.1 takes about a tenth of the rows"
                .into(),
        )
    };
    match table {
        TableFactor::Table { sample: Some(_), .. }
        | TableFactor::Derived { sample: Some(_), .. } => sampled(),
        TableFactor::Table {
            with_hints,
            version,
            with_ordinality,
            partitions,
            json_path,
            index_hints,
            ..
        } => {
            if *with_ordinality {
                return ControlFlow::Break(
                    "WITH ORDINALITY is not supported: row_number() OVER (…) numbers rows".into(),
                );
            }
            refuse(&[
                (!with_hints.is_empty(), "WITH (…) after a table"),
                (version.is_some(), "a version of a table"),
                (!partitions.is_empty(), "PARTITION (…) after a table"),
                (json_path.is_some(), "a path into a table"),
                (!index_hints.is_empty(), "an index hint"),
            ])
        }
        TableFactor::Function { with_ordinality: true, .. }
        | TableFactor::UNNEST { with_ordinality: true, .. } => ControlFlow::Break(
            "WITH ORDINALITY is not supported: row_number() OVER (…) numbers rows".into(),
        ),
        _ => ControlFlow::Continue(()),
    }
}
