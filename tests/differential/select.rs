//! `SELECT`, in its flavours, and the set operations.

use super::kind::Kind;
use super::node::Node;
use super::scope::{Column, Scope};
use super::writer::{Place, Writer};

/// Whether `INTERSECT ALL` and `EXCEPT ALL` are written.
const SET_OPERATIONS_KEEP_COUNTS: bool = false;

impl Writer<'_> {
    /// A query whose columns are `c0`, `c1` and so on; of the wanted kinds, if any are.
    pub(crate) fn query(&mut self, depth: usize, want: Option<&[Kind]>) -> (Node, Scope) {
        if depth > 0 && self.dice.chance(20) {
            return self.set_operation(depth, want);
        }
        let (node, scope) = match self.dice.below(20) {
            0..=6 => self.plain(depth, want),
            7 => self.distinct(depth, want),
            8..=13 => self.grouped(depth, want),
            14 => self.aggregated(depth, want),
            15 if want.is_none() => self.distinct_on(depth),
            _ => self.windowed(depth, want),
        };
        match &scope.total {
            Some(total) if self.dice.chance(10) => {
                let total = total.join(" DESC, ");
                let limit = 1 + self.dice.below(20);
                // its rows are the same in any order, for they are ordered by all columns
                let template = format!("SELECT * FROM ({{}}) AS o ORDER BY {total} LIMIT {limit}");
                (Node::query(template, vec![node]), scope)
            }
            _ => (node, scope),
        }
    }

    fn kinds(&mut self, scope: &Scope, want: Option<&[Kind]>) -> Vec<Kind> {
        if let Some(want) = want {
            return want.to_vec();
        }
        let count = 1 + self.dice.below(4);
        let mut own = scope.kinds();
        own.extend([Kind::Int, Kind::Approx]);
        (0..count).map(|_| self.dice.pick(&own)).collect()
    }

    fn plain(&mut self, depth: usize, want: Option<&[Kind]>) -> (Node, Scope) {
        let (from, scope) = self.from(depth);
        let kinds = self.kinds(&scope, want);
        let item = |k: &Kind| self.at(Place::Projection, |w| w.expr(*k, &scope, 2));
        let items = kinds.iter().map(item).collect();
        let filter = self.filter(&scope, 3);
        let result = Scope::result(&kinds, scope.rows);
        (Node::query("SELECT {} FROM {}{}", vec![items_of(items), from, filter]), result)
    }

    fn distinct(&mut self, depth: usize, want: Option<&[Kind]>) -> (Node, Scope) {
        let (from, scope) = self.from(depth);
        let mut kinds = self.kinds(&scope, want);
        kinds.iter_mut().filter(|k| want.is_none() && !k.is_key()).for_each(|k| *k = Kind::Int);
        let items = kinds.iter().map(|k| self.expr(*k, &scope, 1)).collect();
        let filter = self.filter(&scope, 2);
        let result = Scope::result(&kinds, scope.rows);
        (Node::query("SELECT DISTINCT {} FROM {}{}", vec![items_of(items), from, filter]), result)
    }

    fn distinct_on(&mut self, depth: usize) -> (Node, Scope) {
        let (from, scope) = self.from(depth);
        let keys = scope.keys();
        let Some(total) = scope.total.as_ref().filter(|_| !keys.is_empty()) else {
            return self.plain(depth, None);
        };
        let key = &keys[self.dice.below(keys.len())].sql;
        // the engine takes no key twice
        let total: Vec<_> = total.iter().filter(|t| *t != key).map(|t| format!(", {t}")).collect();
        let kinds = self.kinds(&scope, None);
        let items = kinds.iter().map(|k| self.expr(*k, &scope, 1)).collect();
        let total = total.concat();
        let template = format!("SELECT DISTINCT ON ({key}) {{}} FROM {{}} ORDER BY {key}{total}");
        let result = Scope::result(&kinds, scope.rows);
        (Node::query(template, vec![items_of(items), from]), result)
    }

    /// One row, of no rows as well.
    fn aggregated(&mut self, depth: usize, want: Option<&[Kind]>) -> (Node, Scope) {
        let (from, scope) = self.from(depth);
        let (kinds, items) = self.aggregates(&scope, want);
        let filter = self.filter(&scope, 2);
        let having = self.having(&scope);
        let parts = vec![items_of(items), from, filter, having];
        (Node::query("SELECT {} FROM {}{}{}", parts), Scope::result(&kinds, 1))
    }

    fn aggregates(&mut self, scope: &Scope, want: Option<&[Kind]>) -> (Vec<Kind>, Vec<Node>) {
        match want {
            Some(want) => (want.to_vec(), want.iter().map(|k| self.aggregate(*k, scope)).collect()),
            None => (0..1 + self.dice.below(3)).map(|_| self.any_aggregate(scope)).unzip(),
        }
    }

    fn grouped(&mut self, depth: usize, want: Option<&[Kind]>) -> (Node, Scope) {
        let (from, scope) = self.from(depth);
        let columns = scope.keys();
        if columns.is_empty() {
            return self.aggregated(depth, want);
        }
        let count = 1 + self.dice.below(3);
        let mut keys: Vec<&Column> = vec![];
        for _ in 0..count {
            let key = columns[self.dice.below(columns.len())];
            if keys.iter().all(|k| k.sql != key.sql) {
                keys.push(key);
            }
        }
        let (mut kinds, mut items) = (vec![], vec![]);
        if want.is_none() {
            kinds.extend(keys.iter().map(|k| k.kind));
            items.extend(keys.iter().map(|k| Node::fixed(&k.sql)));
        }
        let (more, aggregates) = self.aggregates(&scope, want);
        kinds.extend(more);
        items.extend(aggregates);
        let names: Vec<_> = keys.iter().map(|k| k.sql.as_str()).collect();
        let group = self.grouping(&names);
        let filter = self.filter(&scope, 2);
        let having = self.having(&scope);
        let template = "SELECT {} FROM {}{} GROUP BY {}{}";
        let result = Scope::result(&kinds, scope.rows * 2);
        (Node::query(template, vec![items_of(items), from, filter, group, having]), result)
    }

    fn grouping(&mut self, keys: &[&str]) -> Node {
        let all = Node::list(", ", keys.iter().map(|k| Node::fixed(*k)).collect());
        match self.dice.below(10) {
            0 => Node::of("ROLLUP ({})", vec![all]),
            1 => Node::of("CUBE ({})", vec![all]),
            2 => Node::of(format!("GROUPING SETS (({{}}), ({}), ())", keys[0]), vec![all]),
            _ => all,
        }
    }

    fn windowed(&mut self, depth: usize, want: Option<&[Kind]>) -> (Node, Scope) {
        if let Some(want) = want {
            return self.plain(depth, Some(want));
        }
        let (from, scope) = self.from(depth);
        let columns = scope.keys();
        let (mut kinds, mut items) = (vec![], vec![]);
        if !columns.is_empty() {
            let column = columns[self.dice.below(columns.len())];
            kinds.push(column.kind);
            items.push(Node::expr(column.kind, &column.sql, vec![]));
        }
        for _ in 0..1 + self.dice.below(2) {
            let (kind, window) = self.any_window(&scope);
            kinds.push(kind);
            items.push(window);
        }
        let filter = self.filter(&scope, 2);
        let result = Scope::result(&kinds, scope.rows);
        (Node::query("SELECT {} FROM {}{}", vec![items_of(items), from, filter]), result)
    }

    fn set_operation(&mut self, depth: usize, want: Option<&[Kind]>) -> (Node, Scope) {
        let kinds = want.map_or_else(
            || (0..1 + self.dice.below(3)).map(|_| self.dice.pick(Kind::SCALARS)).collect(),
            <[_]>::to_vec,
        );
        let (left, left_scope) = self.query(depth - 1, Some(&kinds));
        let (right, right_scope) = self.query(depth - 1, Some(&kinds));
        let mut operators = vec!["UNION ALL", "UNION ALL"];
        if kinds.iter().all(|k| k.is_key()) {
            operators.extend(["UNION", "UNION", "UNION", "EXCEPT", "EXCEPT", "INTERSECT"]);
            if SET_OPERATIONS_KEEP_COUNTS {
                operators.extend(["INTERSECT ALL", "EXCEPT ALL"]);
            }
        }
        let operator = self.dice.pick(&operators);
        let result = Scope::result(&kinds, left_scope.rows + right_scope.rows);
        let template = format!("SELECT * FROM ({{}}) AS x {operator} SELECT * FROM ({{}}) AS y");
        (Node::query(template, vec![left, right]), result)
    }
}

fn items_of(items: Vec<Node>) -> Node {
    let named = |(n, item)| Node::of(format!("{{}} AS c{n}"), vec![item]);
    Node::list(", ", items.into_iter().enumerate().map(named).collect())
}
