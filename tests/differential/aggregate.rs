//! Aggregates and groups.

use super::kind::Kind;
use super::node::Node;
use super::scope::Scope;
use super::writer::Writer;

impl Writer<'_> {
    /// An aggregate of some kind.
    pub(crate) fn any_aggregate(&mut self, scope: &Scope) -> (Kind, Node) {
        let (kind, call, arguments): (Kind, String, Vec<Kind>) = match self.dice.below(18) {
            0 | 1 => (Kind::Int, "count(*)".into(), vec![]),
            2 => (Kind::Int, "count({})".into(), vec![self.any_key(scope)]),
            3 | 4 => (Kind::Int, "count(DISTINCT {})".into(), vec![self.any_key(scope)]),
            5 => (Kind::Int, "sum({})".into(), vec![Kind::Int]),
            6 => (Kind::Int, "sum(DISTINCT {})".into(), vec![Kind::Int]),
            7 => (Kind::Float, "sum({})".into(), vec![Kind::Float]),
            8 => (Kind::Decimal, "sum({})".into(), vec![Kind::Decimal]),
            9 => {
                let kind = self.dice.pick(&[Kind::Int, Kind::Float]);
                (Kind::Approx, "avg({})".into(), vec![kind])
            }
            10 => (Kind::Decimal, "avg({})".into(), vec![Kind::Decimal]),
            11 => {
                let name = self.dice.pick(&["stddev", "var_pop", "median"]);
                (Kind::Approx, format!("{name}({{}})"), vec![Kind::Int])
            }
            12 => (Kind::Bool, "bool_and({})".into(), vec![Kind::Bool]),
            13 => (Kind::Int, "bit_xor({})".into(), vec![Kind::Int]),
            14 => match &scope.total {
                Some(total) => {
                    let call = format!("array_agg({{}} ORDER BY {})", total.join(", "));
                    (Kind::List, call, vec![Kind::Int])
                }
                None => (Kind::Bool, "bool_or({})".into(), vec![Kind::Bool]),
            },
            15 => match &scope.total {
                Some(total) => {
                    let call = format!("string_agg({{}}, ',' ORDER BY {} DESC)", total.join(", "));
                    (Kind::Text, call, vec![Kind::Text])
                }
                None => (Kind::Int, "count(*)".into(), vec![]),
            },
            16 => match &scope.total {
                Some(total) => {
                    let kind = self.any_key(scope);
                    let name = self.dice.pick(&["first_value", "last_value"]);
                    (kind, format!("{name}({{}} ORDER BY {})", total.join(", ")), vec![kind])
                }
                None => (Kind::Int, "count(*)".into(), vec![]),
            },
            _ => {
                let kind = self.any_key(scope);
                return (kind, self.aggregate(kind, scope));
            }
        };
        let arguments = arguments.iter().map(|k| self.expr(*k, scope, 1)).collect();
        let aggregate = Node::expr(kind, call, arguments);
        (kind, self.filtered(aggregate, kind, scope))
    }

    /// An aggregate that gives a value of the kind.
    pub(crate) fn aggregate(&mut self, kind: Kind, scope: &Scope) -> Node {
        if !kind.is_key() {
            return Node::expr(kind, kind.plain(), vec![]);
        }
        let name = match kind {
            Kind::Bool => self.dice.pick(&["bool_and", "bool_or"]),
            Kind::Int => self.dice.pick(&["min", "max", "sum", "count"]),
            _ => self.dice.pick(&["min", "max"]),
        };
        let of = self.expr(kind, scope, 1);
        let aggregate = Node::expr(kind, format!("{name}({{}})"), vec![of]);
        self.filtered(aggregate, kind, scope)
    }

    fn filtered(&mut self, aggregate: Node, kind: Kind, scope: &Scope) -> Node {
        if !self.dice.chance(20) {
            return aggregate;
        }
        let test = self.predicate(scope, 0);
        Node::expr(kind, "{} FILTER (WHERE {})", vec![aggregate, test])
    }

    pub(crate) fn any_key(&mut self, scope: &Scope) -> Kind {
        let columns = scope.keys();
        if columns.is_empty() { Kind::Int } else { columns[self.dice.below(columns.len())].kind }
    }

    /// ` HAVING …`, or nothing.
    pub(crate) fn having(&mut self, scope: &Scope) -> Node {
        if !self.dice.chance(30) {
            return Node::fixed("");
        }
        let kind = self.dice.pick(&[Kind::Int, Kind::Int, Kind::Text]);
        let (aggregate, other) = (self.aggregate(kind, scope), self.leaf(kind, &Scope::default()));
        let sign = self.dice.pick(&["<", ">", "<>", "IS DISTINCT FROM"]);
        Node::optional(format!(" HAVING {{}} {sign} {{}}"), vec![aggregate, other])
    }
}
