use std::fmt;

use proptest::strategy::{NewTree, Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use super::query::Query;
use super::table::Table;
use crate::support::dice::Dice;

/// Over how many partitions a query is spread; `None` lets the engine choose.
pub(crate) const PARTITIONS: [Option<u32>; 5] = [None, Some(1), Some(2), Some(7), Some(16)];

/// A query over some tables.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) tables: Vec<Table>,
    pub(crate) query: Query,
    pub(crate) partitions: Vec<Option<u32>>,
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tables.iter().try_for_each(|table| f.write_str(&table.describe()))?;
        writeln!(f, "over {:?} partitions:\n{}", self.partitions, self.query.sql())
    }
}

impl Case {
    fn simpler(&self) -> Vec<Self> {
        let mut found = vec![];
        if self.partitions.len() > 1 {
            let one = |p: &Option<u32>| Self { partitions: vec![*p], ..self.clone() };
            found.extend(self.partitions.iter().map(one));
        }
        let queries = self.query.simpler().into_iter();
        found.extend(queries.map(|query| Self { query, ..self.clone() }));
        for n in (0..self.tables.len()).filter(|_| self.tables.len() > 1) {
            let mut fewer = self.clone();
            fewer.tables.remove(n);
            found.push(fewer);
        }
        for (n, table) in self.tables.iter().enumerate() {
            found.extend(table.simpler().into_iter().map(|table| {
                let mut smaller = self.clone();
                smaller.tables[n] = table;
                smaller
            }));
        }
        found
    }
}

/// Cases that shrink by the structure of their query, and by the rows of their tables.
#[derive(Debug)]
pub(crate) struct Cases;

impl Strategy for Cases {
    type Tree = Shrinking;
    type Value = Case;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        let tables = Table::some(&mut Dice(runner.rng()));
        let query = Query::random(Dice(runner.rng()), &tables);
        Ok(Shrinking::of(Case { tables, query, partitions: PARTITIONS.to_vec() }))
    }
}

/// Tries all ways to make a case simpler, again and again until none of them fails any more.
pub(crate) struct Shrinking {
    /// The simplest case that fails.
    failing: Case,
    /// What is tried: one of those that are simpler than the failing one.
    tried: Case,
    simpler: Vec<Case>,
    next: usize,
    /// Whether one of the simpler cases has failed since the first of them was tried.
    progress: bool,
}

impl Shrinking {
    fn of(case: Case) -> Self {
        let simpler = vec![];
        Self { failing: case.clone(), tried: case, simpler, next: 0, progress: false }
    }

    fn try_next(&mut self) -> bool {
        if self.next >= self.simpler.len() && self.progress {
            (self.next, self.progress) = (0, false);
        }
        let next = self.simpler.get(self.next).cloned();
        self.next += 1;
        self.tried = next.clone().unwrap_or_else(|| self.failing.clone());
        next.is_some()
    }
}

impl ValueTree for Shrinking {
    type Value = Case;

    fn current(&self) -> Case {
        self.tried.clone()
    }

    /// The case that was tried fails as well.
    fn simplify(&mut self) -> bool {
        self.failing = self.tried.clone();
        self.simpler = self.failing.simpler();
        // the places before the one that has just been made simpler stay as they are
        self.progress |= self.next > 0;
        self.next = self.next.saturating_sub(1);
        self.try_next()
    }

    /// It does not: another one.
    fn complicate(&mut self) -> bool {
        self.try_next()
    }
}
