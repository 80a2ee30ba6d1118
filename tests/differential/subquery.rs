//! Subqueries in expressions.

use super::kind::Kind;
use super::node::Node;
use super::scope::Scope;
use super::writer::Writer;

impl Writer<'_> {
    /// One value of another table, or of none.
    pub(crate) fn scalar_subquery(&mut self, kind: Kind, outer: &Scope, depth: usize) -> Node {
        let (from, inner) = self.table();
        let link = match self.dice.chance(50) {
            true => self.correlation(&inner, outer),
            false => self.filter(&inner, depth),
        };
        let value = match kind {
            Kind::Int if self.dice.chance(40) => Node::fixed("count(*)"),
            Kind::Bool => {
                let test = self.predicate(&inner, 0);
                Node::of("bool_and({})", vec![test])
            }
            kind => {
                let value = self.leaf(kind, &inner);
                Node::of(format!("{}({{}})", self.dice.pick(&["min", "max"])), vec![value])
            }
        };
        Node::expr(kind, "(SELECT {} FROM {}{})", vec![value, from, link])
    }

    /// `IN` and `EXISTS`, and their opposites.
    pub(crate) fn subquery_test(&mut self, outer: &Scope, depth: usize) -> Node {
        let (from, inner) = self.table();
        let not = self.dice.pick(&["", "NOT "]);
        if self.dice.chance(50) {
            let link = self.correlation(&inner, outer);
            let template = format!("{not}EXISTS (SELECT 1 FROM {{}}{{}})");
            return Node::expr(Kind::Bool, template, vec![from, link]);
        }
        let kind = self.dice.pick(&[Kind::Int, Kind::Int, Kind::Text]);
        let value = self.leaf(kind, outer);
        let found = self.leaf(kind, &inner);
        let link = match self.dice.chance(25) {
            // NOT IN knows null only where nothing else is compared
            true if not.is_empty() => self.correlation(&inner, outer),
            _ => self.filter(&inner, depth),
        };
        let template = format!("({{}} {not}IN (SELECT {{}} FROM {{}}{{}}))");
        Node::expr(Kind::Bool, template, vec![value, found, from, link])
    }

    /// A condition that ties a subquery to the row around it.
    fn correlation(&mut self, inner: &Scope, outer: &Scope) -> Node {
        let (columns, outer_columns) = (inner.of(Kind::Int), outer.of(Kind::Int));
        if columns.is_empty() || outer_columns.is_empty() {
            return self.filter(inner, 1);
        }
        let (a, b) = (self.dice.pick(&columns), self.dice.pick(&outer_columns));
        let more = match self.dice.below(3) {
            0 => Node::optional(" AND {}", vec![self.predicate(inner, 1)]),
            1 => {
                let sign = self.dice.pick(&["<", ">=", "<>"]);
                let (a, b) = (self.leaf(Kind::Int, inner), self.leaf(Kind::Int, outer));
                Node::optional(format!(" AND {{}} {sign} {{}}"), vec![a, b])
            }
            _ => Node::fixed(""),
        };
        Node::of(format!(" WHERE {a} = {b}{{}}"), vec![more])
    }
}
