use super::node::Node;
use super::scope::{Column, Scope};
use super::table::Table;
use crate::support::dice::Dice;

/// Writes one query over some tables.
pub(crate) struct Writer<'a> {
    pub(crate) dice: Dice<'a>,
    pub(crate) tables: &'a [Table],
    /// Common table expressions that may be read.
    pub(crate) ctes: Vec<(String, Scope)>,
    /// How many more subqueries there may be in expressions; each makes a query slower.
    subqueries: usize,
    place: Place,
    aliases: usize,
}

/// Where an expression stands; the engine knows subqueries only in some places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Filter,
    Projection,
    Elsewhere,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(dice: Dice<'a>, tables: &'a [Table]) -> Self {
        Self { dice, tables, ctes: vec![], subqueries: 3, place: Place::Elsewhere, aliases: 0 }
    }

    pub(crate) fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("a{}", self.aliases)
    }

    /// A table or a common table expression.
    pub(crate) fn table(&mut self) -> (Node, Scope) {
        let alias = self.alias();
        if !self.ctes.is_empty() && self.dice.chance(60) {
            let (name, scope) = &self.ctes[self.dice.below(self.ctes.len())];
            return (Node::source(format!("{name} AS {alias}"), vec![]), scope.named(&alias));
        }
        let table = &self.tables[self.dice.below(self.tables.len())];
        let columns = table.columns.iter();
        let columns = columns.map(|c| Column { sql: c.name().into(), kind: c.kind() }).collect();
        let scope = Scope { columns, total: Some(vec!["id".into()]), rows: table.rows };
        (Node::source(format!("{} AS {alias}", table.name), vec![]), scope.named(&alias))
    }

    /// ` WHERE …`, or nothing.
    pub(crate) fn filter(&mut self, scope: &Scope, depth: usize) -> Node {
        if self.dice.chance(50) {
            return Node::fixed("");
        }
        let test = self.at(Place::Filter, |w| w.predicate(scope, depth));
        Node::optional(" WHERE {}", vec![test])
    }

    /// Writes something at a place.
    pub(crate) fn at<T>(&mut self, place: Place, write: impl FnOnce(&mut Self) -> T) -> T {
        let around = std::mem::replace(&mut self.place, place);
        let written = write(self);
        self.place = around;
        written
    }

    /// Writes a subquery, if there may be one at one of these places and it is about time.
    pub(crate) fn ask(
        &mut self,
        places: &[Place],
        write: impl FnOnce(&mut Self) -> Node,
    ) -> Option<Node> {
        if self.subqueries == 0 || !places.contains(&self.place) {
            return None;
        }
        self.subqueries -= 1;
        let place = if self.dice.chance(15) { Place::Filter } else { Place::Elsewhere };
        Some(self.at(place, write))
    }
}
