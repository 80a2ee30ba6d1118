//! What a query reads: tables, queries, values, and joins of them.

use super::kind::Kind;
use super::node::Node;
use super::scope::{Column, Scope};
use super::writer::Writer;

/// A join that might have more rows than this is not written.
const ROWS_MAX: usize = 10_000;

/// A condition that is no equality compares each row with each.
const JOINED_PAIRS_MAX: usize = 3_000;

impl Writer<'_> {
    /// One to three sources.
    pub(crate) fn from(&mut self, depth: usize) -> (Node, Scope) {
        let (mut node, mut scope) = self.source(depth);
        let joins = self.dice.pick(&[0, 0, 0, 1, 1, 1, 2]);
        for _ in 0..joins {
            let (right, right_scope) = self.source(depth.saturating_sub(1));
            if let Some(joined) = self.join(node.clone(), &scope, right, &right_scope) {
                (node, scope) = joined;
            }
        }
        (node, scope)
    }

    fn source(&mut self, depth: usize) -> (Node, Scope) {
        match self.dice.below(12) {
            0..=2 if depth > 0 => {
                let (query, scope) = self.query(depth - 1, None);
                let alias = self.alias();
                let template = format!("({{}}) AS {alias}");
                (Node::source(template, vec![query]), scope.named(&alias))
            }
            3 => self.values(),
            4 => self.unnest(),
            _ => self.table(),
        }
    }

    fn values(&mut self) -> (Node, Scope) {
        let alias = self.alias();
        let values = match self.dice.below(3) {
            0 => "(1, 'a'), (2, 'b'), (NULL, 'north'), (1, NULL)",
            1 => "(0, 'a')",
            _ => "(1, 'a'), (1, 'a'), (3, 'x')",
        };
        let sql = format!("(VALUES {values}) AS {alias}(c0, c1)");
        (Node::source(sql, vec![]), Scope::result(&[Kind::Int, Kind::Text], 4).named(&alias))
    }

    /// Items of lists, or of a series.
    fn unnest(&mut self) -> (Node, Scope) {
        let (from, inner) = self.table();
        let alias = self.alias();
        let (Some(list), Some(total)) = (inner.of(Kind::List).first().copied(), &inner.total)
        else {
            let sql = format!("(SELECT value AS c0 FROM generate_series(1, 9)) AS {alias}");
            return (Node::source(sql, vec![]), Scope::result(&[Kind::Int], 9).named(&alias));
        };
        let other = inner.columns.iter().find(|c| c.kind == Kind::Int).cloned();
        let Column { sql, .. } = other.expect("each table has a number");
        let template = format!("(SELECT {sql} AS c0, unnest({list}) AS c1 FROM {{}}) AS {alias}");
        debug_assert!(!total.is_empty());
        let scope = Scope::result(&[Kind::Int, Kind::Int], inner.rows * 3);
        (Node::source(template, vec![from]), scope.named(&alias))
    }

    /// `None` if it would be too large.
    fn join(
        &mut self,
        left: Node,
        left_scope: &Scope,
        right: Node,
        right_scope: &Scope,
    ) -> Option<(Node, Scope)> {
        let pairs = left_scope.rows * right_scope.rows;
        let scope = |rows| left_scope.clone().join(right_scope.clone(), rows);
        if pairs <= JOINED_PAIRS_MAX && self.dice.chance(25) {
            let join =
                self.dice.pick(&["CROSS JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"]);
            let scope = scope(pairs + left_scope.rows + right_scope.rows);
            if join == "CROSS JOIN" {
                return Some((Node::source("{} CROSS JOIN {}", vec![left, right]), scope));
            }
            let test = match self.inequality(left_scope, right_scope) {
                Some(test) => test,
                None => self.predicate(&scope, 0),
            };
            let template = format!("{{}} {join} {{}} ON {{}}");
            return Some((Node::source(template, vec![left, right, test]), scope));
        }
        let rows = pairs / 3 + left_scope.rows + right_scope.rows;
        let (a, b) = self.pair(left_scope, right_scope)?;
        if rows > ROWS_MAX {
            return None;
        }
        let name = |sql: &str| sql.rsplit('.').next().map(str::to_owned);
        if name(&a) == name(&b)
            && !left_scope.columns.iter().any(|c| c.sql != a && name(&c.sql) == name(&a))
            && self.dice.chance(20)
        {
            let join = self.dice.pick(&["JOIN", "LEFT JOIN"]);
            let template = format!("{{}} {join} {{}} USING ({})", name(&a)?);
            return Some((Node::source(template, vec![left, right]), scope(rows)));
        }
        let joins = [
            "JOIN",
            "JOIN",
            "LEFT JOIN",
            "LEFT JOIN",
            "RIGHT JOIN",
            "FULL JOIN",
            "LEFT SEMI JOIN",
            "LEFT ANTI JOIN",
        ];
        let join = self.dice.pick(&joins);
        let both = scope(rows);
        let more = match self.dice.below(3) {
            0 => Node::optional(" AND {}", vec![self.predicate(&both, 0)]),
            1 => match self.inequality(left_scope, right_scope) {
                Some(test) => Node::optional(" AND {}", vec![test]),
                None => Node::fixed(""),
            },
            _ => Node::fixed(""),
        };
        let template = format!("{{}} {join} {{}} ON {a} = {b}{{}}");
        let scope =
            if join.contains("SEMI") || join.contains("ANTI") { left_scope.clone() } else { both };
        Some((Node::source(template, vec![left, right, more]), scope))
    }

    /// Columns that a join may compare; mostly numbers.
    fn pair(&mut self, left: &Scope, right: &Scope) -> Option<(String, String)> {
        let kinds: Vec<_> = left
            .keys()
            .iter()
            .map(|c| c.kind)
            .filter(|k| *k != Kind::Bool && !right.of(*k).is_empty())
            .collect();
        let ints = kinds.contains(&Kind::Int) && self.dice.chance(70);
        let kind = match kinds.is_empty() {
            true => return None,
            false if ints => Kind::Int,
            false => self.dice.pick(&kinds),
        };
        let (a, b) = (left.of(kind), right.of(kind));
        let shared = |columns: &[&str]| columns.iter().position(|c| c.ends_with(".k"));
        if let (Some(m), Some(n)) = (shared(&a), shared(&b))
            && self.dice.chance(60)
        {
            return Some((a[m].to_owned(), b[n].to_owned()));
        }
        Some((self.dice.pick(&a).to_owned(), self.dice.pick(&b).to_owned()))
    }

    fn inequality(&mut self, left: &Scope, right: &Scope) -> Option<Node> {
        let (a, b) = self.pair(left, right)?;
        let sign = self.dice.pick(&["<", "<=", ">", "<>"]);
        Some(Node::expr(Kind::Bool, format!("({a} {sign} {b})"), vec![]))
    }
}
