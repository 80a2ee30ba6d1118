//! `DESCRIBE t`: the columns of a table, as rows.

use crate::sql_type;
use crate::table::Table;

/// A statement whose rows are the columns of a table and their types.
pub(crate) fn statement_of(table: &Table) -> String {
    let fields = table.file_schema();
    let of_files =
        fields.fields().iter().map(|f| (f.name().clone(), sql_type::name(f.data_type())));
    let of_keys = table.partition_columns.iter();
    let of_keys = of_keys.map(|c| (c.name.clone(), sql_type::name(&c.kind.data_type())));
    let quoted = |text: &str| text.replace('\'', "''");
    let rows: Vec<_> = of_files
        .chain(of_keys)
        .enumerate()
        .map(|(n, (name, kind))| format!("({n}, '{}', '{}')", quoted(&name), quoted(&kind)))
        .collect();
    format!(
        "SELECT column_name, data_type FROM (VALUES {}) AS t(n, column_name, data_type) ORDER BY n",
        rows.join(", ")
    )
}
