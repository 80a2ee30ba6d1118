//! Window functions, with all kinds of frames.

use super::kind::Kind;
use super::node::Node;
use super::scope::Scope;
use super::writer::Writer;

impl Writer<'_> {
    /// A window function of some kind.
    pub(crate) fn any_window(&mut self, scope: &Scope) -> (Kind, Node) {
        match &scope.total {
            Some(total) if self.dice.chance(60) => {
                let total = total.join(", ");
                self.ordered_window(scope, &total)
            }
            _ => self.peer_window(scope),
        }
    }

    /// One that depends on the order of all rows.
    fn ordered_window(&mut self, scope: &Scope, total: &str) -> (Kind, Node) {
        let partition = self.partition(scope);
        let first = self.order_key(scope).map_or(String::new(), |key| key + ", ");
        let over = format!("OVER ({partition}ORDER BY {first}{total}");
        let any = self.any_key(scope);
        let (kind, call, has_frame) = match self.dice.below(8) {
            0 => (Kind::Int, "row_number()", false),
            1 => (Kind::Int, "ntile(3)", false),
            2 => (any, "lag({}, 2)", false),
            3 => (any, "lead({})", false),
            4 => (any, "first_value({})", true),
            5 => (any, "last_value({})", true),
            6 => (any, "nth_value({}, 2)", true),
            _ => {
                let (kind, (call, arguments)) = self.summary(scope);
                let frame = self.rows_frame();
                return (kind, Node::expr(kind, format!("{call} {over} {frame})"), arguments));
            }
        };
        let arguments = match call.contains("{}") {
            true => vec![self.expr(kind, scope, 1)],
            false => vec![],
        };
        let frame = if has_frame { self.rows_frame() } else { "" };
        (kind, Node::expr(kind, format!("{call} {over} {frame})"), arguments))
    }

    /// One that is the same for all rows of equal keys.
    fn peer_window(&mut self, scope: &Scope) -> (Kind, Node) {
        let partition = self.partition(scope);
        let Some(key) = self.order_key(scope).filter(|_| self.dice.chance(75)) else {
            let (kind, (call, arguments)) = self.summary(scope);
            return (kind, Node::expr(kind, format!("{call} OVER ({partition})"), arguments));
        };
        let over = format!("OVER ({partition}ORDER BY {key}");
        let rank = match self.dice.below(6) {
            0 => Some((Kind::Int, "rank()")),
            1 => Some((Kind::Int, "dense_rank()")),
            2 => Some((Kind::Approx, "percent_rank()")),
            3 => Some((Kind::Approx, "cume_dist()")),
            _ => None,
        };
        if let Some((kind, call)) = rank {
            return (kind, Node::expr(kind, format!("{call} {over})"), vec![]));
        }
        let (kind, (call, arguments)) = self.summary(scope);
        let frame = self.peers_frame(scope, &key);
        (kind, Node::expr(kind, format!("{call} {over} {frame})"), arguments))
    }

    /// An aggregate that does not depend on the order of rows.
    fn summary(&mut self, scope: &Scope) -> (Kind, (String, Vec<Node>)) {
        let (kind, call, of) = match self.dice.below(7) {
            0 => (Kind::Int, "count(*)", None),
            1 => (Kind::Int, "sum({})", Some(Kind::Int)),
            2 => (Kind::Decimal, "sum({})", Some(Kind::Decimal)),
            3 => (Kind::Approx, "avg({})", Some(Kind::Int)),
            4 => {
                let kind = self.any_key(scope);
                (Kind::Int, "count({})", Some(kind))
            }
            _ => {
                let kind = self.any_key(scope);
                let kind = if kind == Kind::Bool { Kind::Int } else { kind };
                (kind, self.dice.pick(&["min({})", "max({})"]), Some(kind))
            }
        };
        let arguments = of.map(|of| self.expr(of, scope, 1)).into_iter().collect();
        (kind, (call.to_owned(), arguments))
    }

    fn partition(&mut self, scope: &Scope) -> String {
        let keys = scope.keys();
        if keys.is_empty() || self.dice.chance(35) {
            return String::new();
        }
        format!("PARTITION BY {} ", keys[self.dice.below(keys.len())].sql)
    }

    fn order_key(&mut self, scope: &Scope) -> Option<String> {
        let keys = scope.of(Kind::Int);
        if keys.is_empty() {
            return None;
        }
        let direction = self.dice.pick(&["", " DESC", " NULLS FIRST", " DESC NULLS LAST"]);
        Some(format!("{}{direction}", self.dice.pick(&keys)))
    }

    fn rows_frame(&mut self) -> &'static str {
        self.dice.pick(&[
            "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW",
            "ROWS BETWEEN 2 PRECEDING AND CURRENT ROW",
            "ROWS BETWEEN 1 PRECEDING AND 2 FOLLOWING",
            "ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
            "ROWS BETWEEN 3 PRECEDING AND 1 PRECEDING",
            "ROWS BETWEEN 1 FOLLOWING AND 2 FOLLOWING",
            "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING",
        ])
    }

    /// Frames whose ends are between groups of equal keys.
    fn peers_frame(&mut self, scope: &Scope, key: &str) -> &'static str {
        debug_assert!(scope.of(Kind::Int).iter().any(|c| key.starts_with(c)));
        self.dice.pick(&[
            "",
            "RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW",
            "RANGE BETWEEN 2 PRECEDING AND 1 FOLLOWING",
            "RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
            "GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW",
            "GROUPS BETWEEN CURRENT ROW AND 1 FOLLOWING",
            "GROUPS BETWEEN UNBOUNDED PRECEDING AND 1 FOLLOWING",
        ])
    }
}
