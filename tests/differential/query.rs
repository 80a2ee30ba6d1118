use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::{SortColumn, SortOptions, lexsort_to_indices, take_record_batch};
use datafusion::arrow::datatypes::Schema;

use super::kind::Kind;
use super::node::Node;
use super::scope::{Column, Scope};
use super::table::Table;
use super::writer::Writer;
use crate::support::compare::Rule;
use crate::support::dice::Dice;

/// A whole statement; its order and its limit stand apart, for the answer is compared by them.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    body: Node,
    order: Vec<Key>,
    skip: usize,
    fetch: Option<usize>,
}

#[derive(Debug, Clone)]
struct Key {
    column: String,
    direction: Direction,
}

#[derive(Debug, Clone, Copy)]
struct Direction {
    sql: &'static str,
    options: SortOptions,
}

const DIRECTIONS: [Direction; 4] = [
    Direction { sql: "", options: SortOptions { descending: false, nulls_first: false } },
    Direction { sql: " DESC", options: SortOptions { descending: true, nulls_first: true } },
    Direction {
        sql: " NULLS FIRST",
        options: SortOptions { descending: false, nulls_first: true },
    },
    Direction {
        sql: " DESC NULLS LAST",
        options: SortOptions { descending: true, nulls_first: false },
    },
];

/// How deep queries are nested.
const NESTING_LEVELS_MAX: usize = 2;

impl Query {
    pub(crate) fn random(dice: Dice, tables: &[Table]) -> Self {
        let mut writer = Writer::new(dice, tables);
        let with = match writer.dice.below(20) {
            0..=3 => {
                let (cte, scope) = writer.query(1, None);
                writer.ctes.push(("shared".into(), scope));
                Some(Node::optional("WITH shared AS ({}) ", vec![cte]))
            }
            4 => {
                let kinds = [Kind::Int];
                writer.ctes.push(("shared".into(), Scope::result(&kinds, 7)));
                Some(Node::optional(
                    "WITH RECURSIVE shared(c0) AS (SELECT 1 UNION ALL SELECT c0 + 1 FROM shared WHERE c0 < 7) ",
                    vec![],
                ))
            }
            _ => None,
        };
        let (body, scope) = writer.query(NESTING_LEVELS_MAX, None);
        // an order may stand in the body already, so it comes around it
        let body =
            Node::of("{}SELECT * FROM ({}) AS r", vec![with.unwrap_or(Node::fixed("")), body]);
        let mut query = Self { body, order: vec![], skip: 0, fetch: None };
        query.add_order(&mut writer.dice, &scope);
        query
    }

    fn add_order(&mut self, dice: &mut Dice, scope: &Scope) {
        let keys = scope.keys();
        if !keys.is_empty() && dice.chance(50) {
            let count = if dice.chance(50) { keys.len() } else { 1 + dice.below(keys.len()) };
            let key =
                |key: &&Column| Key { column: key.sql.clone(), direction: dice.pick(&DIRECTIONS) };
            self.order = keys.iter().take(count).map(key).collect();
        }
        if dice.chance(30) {
            self.fetch = Some(dice.pick(&[0, 1, 3, 10, 50]));
        }
        if dice.chance(10) {
            self.skip = dice.pick(&[1, 5, 20]);
        }
    }

    /// The query without its order and its limit.
    pub(crate) fn body(&self) -> String {
        self.body.to_string()
    }

    /// The query without its limit.
    pub(crate) fn ordered(&self) -> String {
        Self { skip: 0, fetch: None, ..self.clone() }.sql()
    }

    pub(crate) fn sql(&self) -> String {
        let keys = self.order.iter().map(|k| format!("{}{}", k.column, k.direction.sql));
        let keys = keys.collect::<Vec<_>>().join(", ");
        let order = if keys.is_empty() { keys } else { format!(" ORDER BY {keys}") };
        let limit = self.fetch.map_or(String::new(), |n| format!(" LIMIT {n}"));
        let offset = if self.skip > 0 { format!(" OFFSET {}", self.skip) } else { String::new() };
        format!("{}{order}{limit}{offset}", self.body)
    }

    /// Rows of the query, in its order; `None` if it names a column that they have not.
    pub(crate) fn sort(&self, rows: &RecordBatch) -> Option<RecordBatch> {
        let column = |key: &Key| {
            let values = rows.column_by_name(&key.column)?.clone();
            Some(SortColumn { values, options: Some(key.direction.options) })
        };
        let keys = self.order.iter().map(column).collect::<Option<Vec<_>>>()?;
        if keys.is_empty() {
            return Some(rows.clone());
        }
        let order = lexsort_to_indices(&keys, None).expect("columns that can be sorted");
        Some(take_record_batch(rows, &order).expect("the same rows"))
    }

    /// How an answer with these columns is compared.
    pub(crate) fn rule(&self, columns: &Schema) -> Rule {
        let keys = self
            .order
            .iter()
            .map(|key| columns.index_of(&key.column).expect("a query is ordered by its columns"));
        Rule { keys: keys.collect(), skip: self.skip, fetch: self.fetch }
    }

    /// Simpler queries, the boldest first.
    pub(crate) fn simpler(&self) -> Vec<Self> {
        let mut found = vec![];
        if self.fetch.is_some() || self.skip > 0 {
            found.push(Self { fetch: None, skip: 0, ..self.clone() });
        }
        if self.fetch.is_some() && self.skip > 0 {
            found.push(Self { skip: 0, ..self.clone() });
        }
        if let [first, .., _] = &self.order[..] {
            found.push(Self { order: vec![first.clone()], ..self.clone() });
        }
        if !self.order.is_empty() {
            found.push(Self { order: vec![], ..self.clone() });
        }
        let body = self.body.simpler().into_iter();
        found.extend(body.map(|body| Self { body, ..self.clone() }));
        found
    }
}
