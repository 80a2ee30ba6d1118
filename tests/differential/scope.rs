use super::kind::Kind;

/// A column that an expression may name.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) sql: String,
    pub(crate) kind: Kind,
}

/// What a query reads from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    pub(crate) columns: Vec<Column>,
    /// Expressions that leave no two different rows equal, if there are any.
    pub(crate) total: Option<Vec<String>>,
    /// About how many rows there are at most.
    pub(crate) rows: usize,
}

impl Scope {
    pub(crate) fn of(&self, kind: Kind) -> Vec<&str> {
        let matching = self.columns.iter().filter(|c| c.kind == kind);
        matching.map(|c| c.sql.as_str()).collect()
    }

    pub(crate) fn keys(&self) -> Vec<&Column> {
        self.columns.iter().filter(|c| c.kind.is_key()).collect()
    }

    pub(crate) fn kinds(&self) -> Vec<Kind> {
        self.columns.iter().map(|c| c.kind).collect()
    }

    /// Both sides of a join.
    pub(crate) fn join(mut self, other: Self, rows: usize) -> Self {
        self.columns.extend(other.columns);
        let totals = self.total.zip(other.total);
        let total = totals.map(|(a, b)| [a, b].concat());
        Self { columns: self.columns, total, rows }
    }

    /// The scope of a query's result under a name.
    pub(crate) fn named(&self, alias: &str) -> Self {
        let name = |sql: &String| format!("{alias}.{sql}");
        Self {
            columns: self
                .columns
                .iter()
                .map(|c| Column { sql: name(&c.sql), kind: c.kind })
                .collect(),
            total: self.total.as_ref().map(|total| total.iter().map(name).collect()),
            rows: self.rows,
        }
    }

    /// The scope of a result whose columns are `c0`, `c1` and so on.
    pub(crate) fn result(kinds: &[Kind], rows: usize) -> Self {
        let columns: Vec<_> = kinds
            .iter()
            .enumerate()
            .map(|(n, kind)| Column { sql: format!("c{n}"), kind: *kind })
            .collect();
        let total = kinds
            .iter()
            .all(|k| k.is_key())
            .then(|| columns.iter().map(|c| c.sql.clone()).collect());
        Self { columns, total, rows }
    }
}
