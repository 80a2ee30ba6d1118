//! Expressions: scalars of every kind, and predicates.

use super::kind::Kind;
use super::node::Node;
use super::scope::Scope;
use super::writer::{Place, Writer};

impl Writer<'_> {
    /// An expression over the columns of a scope.
    pub(crate) fn expr(&mut self, kind: Kind, scope: &Scope, depth: usize) -> Node {
        if depth == 0 || self.dice.chance(35) {
            return self.leaf(kind, scope);
        }
        match self.dice.below(9) {
            8 => self.called(kind, scope, depth),
            0 => {
                let test = self.predicate(scope, depth - 1);
                let (a, b) = self.two(kind, scope, depth);
                Node::expr(kind, "CASE WHEN {} THEN {} ELSE {} END", vec![test, a, b])
            }
            1 => {
                let (a, b) = self.two(kind, scope, depth);
                Node::expr(kind, "coalesce({}, {})", vec![a, b])
            }
            2 if kind.is_key() && kind != Kind::Bool => {
                let (a, b) = self.two(kind, scope, depth);
                Node::expr(kind, "nullif({}, {})", vec![a, b])
            }
            3 if kind.is_key() => {
                let places = [Place::Filter, Place::Projection];
                let asked = self.ask(&places, |w| w.scalar_subquery(kind, scope, depth));
                asked.unwrap_or_else(|| self.operation(kind, scope, depth))
            }
            _ => self.operation(kind, scope, depth),
        }
    }

    /// A value that went through a function that is not the engine's.
    fn called(&mut self, kind: Kind, scope: &Scope, depth: usize) -> Node {
        let function = match kind {
            Kind::Int => "same_int",
            Kind::Float | Kind::Approx => "same_float",
            Kind::Text => "same_text",
            Kind::Bool => "same_bool",
            Kind::Date => "same_date",
            _ => return self.operation(kind, scope, depth),
        };
        let of = self.expr(kind, scope, depth - 1);
        Node::expr(kind, format!("{function}({{}})"), vec![of])
    }

    fn operation(&mut self, kind: Kind, scope: &Scope, depth: usize) -> Node {
        match kind {
            Kind::Int => self.int(scope, depth),
            Kind::Float => self.float(scope, depth),
            Kind::Approx => self.approx(scope, depth),
            Kind::Bool => self.predicate(scope, depth),
            Kind::Text => self.text(scope, depth),
            Kind::Date => self.date(scope, depth),
            Kind::Decimal => {
                let (a, b) = self.two(kind, scope, depth);
                let sign = self.dice.pick(&["+", "-"]);
                Node::expr(kind, format!("({{}} {sign} {{}})"), vec![a, b])
            }
            Kind::Time => {
                let unit = self.dice.pick(&["hour", "day", "month"]);
                let of = self.expr(kind, scope, depth - 1);
                Node::expr(kind, format!("date_trunc('{unit}', {{}})"), vec![of])
            }
            Kind::List => {
                let (a, b) = self.two(Kind::Int, scope, depth);
                Node::expr(kind, "make_array({}, {})", vec![a, b])
            }
            Kind::Struct => {
                let (x, y) = (
                    self.expr(Kind::Int, scope, depth - 1),
                    self.expr(Kind::Text, scope, depth - 1),
                );
                Node::expr(kind, "named_struct('x', {}, 'y', {})", vec![x, y])
            }
            Kind::ZonedTime | Kind::Bytes => self.leaf(kind, scope),
        }
    }

    fn two(&mut self, kind: Kind, scope: &Scope, depth: usize) -> (Node, Node) {
        (self.expr(kind, scope, depth - 1), self.expr(kind, scope, depth - 1))
    }

    pub(crate) fn leaf(&mut self, kind: Kind, scope: &Scope) -> Node {
        let columns = scope.of(kind);
        if !columns.is_empty() && self.dice.chance(85) {
            return Node::expr(kind, self.dice.pick(&columns), vec![]);
        }
        let literal = match kind {
            Kind::Int => self.dice.pick(&["0", "1", "2", "7", "-3", "CAST(NULL AS BIGINT)"]),
            Kind::Text => self.dice.pick(&[
                "'a'",
                "'b'",
                "'north'",
                "''",
                "'two\nlines'",
                "CAST(NULL AS VARCHAR)",
            ]),
            Kind::Bool => self.dice.pick(&["TRUE", "TRUE", "FALSE", "CAST(NULL AS BOOLEAN)"]),
            kind => kind.plain(),
        };
        Node::expr(kind, literal, vec![])
    }

    fn int(&mut self, scope: &Scope, depth: usize) -> Node {
        let kind = Kind::Int;
        let (template, kinds): (&str, &[Kind]) = match self.dice.below(16) {
            0 | 1 => ("({} + {})", &[kind, kind]),
            2 => ("({} - {})", &[kind, kind]),
            3 => ("({} / nullif({}, 0))", &[kind, kind]),
            4 => ("({} % nullif({}, 0))", &[kind, kind]),
            5 => ("({} * 3)", &[kind]),
            6 => ("abs({})", &[kind]),
            7 => ("CAST({} AS BIGINT)", &[Kind::Bool]),
            8 => ("CAST(character_length({}) AS BIGINT)", &[Kind::Text]),
            9 => ("CAST(date_part('day', {}) AS BIGINT)", &[Kind::Date]),
            10 => ("CAST(strpos({}, {}) AS BIGINT)", &[Kind::Text, Kind::Text]),
            11 => ("greatest({}, {})", &[kind, kind]),
            12 => ("array_element({}, 1)", &[Kind::List]),
            13 => ("CAST(array_length({}) AS BIGINT)", &[Kind::List]),
            14 => ("get_field({}, 'x')", &[Kind::Struct]),
            _ => {
                let (a, b) = (self.leaf(kind, scope), self.leaf(kind, scope));
                return Node::expr(kind, "({} * {})", vec![a, b]);
            }
        };
        self.call(kind, template, kinds, scope, depth)
    }

    fn float(&mut self, scope: &Scope, depth: usize) -> Node {
        let kind = Kind::Float;
        let (template, kinds): (&str, &[Kind]) = match self.dice.below(6) {
            0 => ("({} + {})", &[kind, kind]),
            1 => ("({} - {})", &[kind, kind]),
            2 => ("({} * CAST(0.5 AS DOUBLE))", &[kind]),
            3 => ("abs({})", &[kind]),
            4 => ("floor({})", &[kind]),
            _ => ("CAST({} AS DOUBLE)", &[Kind::Int]),
        };
        self.call(kind, template, kinds, scope, depth)
    }

    fn approx(&mut self, scope: &Scope, depth: usize) -> Node {
        let (template, kinds): (&str, &[Kind]) = match self.dice.below(3) {
            0 => ("({} / nullif({}, CAST(0 AS DOUBLE)))", &[Kind::Float, Kind::Float]),
            1 => ("sqrt(abs({}))", &[Kind::Float]),
            _ => ("({} * CAST(3 AS DOUBLE))", &[Kind::Approx]),
        };
        self.call(Kind::Approx, template, kinds, scope, depth)
    }

    fn text(&mut self, scope: &Scope, depth: usize) -> Node {
        let kind = Kind::Text;
        let (template, kinds): (&str, &[Kind]) = match self.dice.below(13) {
            0 => ("upper({})", &[kind]),
            1 => ("substr({}, 2, 3)", &[kind]),
            2 | 3 => ("({} || {})", &[kind, kind]),
            4 => ("concat({}, {})", &[kind, kind]),
            5 => ("CAST({} AS VARCHAR)", &[Kind::Int]),
            6 => ("CAST({} AS VARCHAR)", &[Kind::Date]),
            7 => ("CAST({} AS VARCHAR)", &[Kind::Decimal]),
            8 => ("replace({}, 'o', '0')", &[kind]),
            9 => ("lpad({}, 4, '*')", &[kind]),
            10 => ("trim({})", &[kind]),
            11 => ("get_field({}, 'y')", &[Kind::Struct]),
            _ => ("encode({}, 'hex')", &[Kind::Bytes]),
        };
        self.call(kind, template, kinds, scope, depth)
    }

    fn date(&mut self, scope: &Scope, depth: usize) -> Node {
        let (template, kinds): (&str, &[Kind]) = match self.dice.below(3) {
            0 => ("({} + INTERVAL '40 days')", &[Kind::Date]),
            1 => ("CAST({} AS DATE)", &[Kind::Time]),
            _ => ("CAST(date_trunc('month', {}) AS DATE)", &[Kind::Date]),
        };
        self.call(Kind::Date, template, kinds, scope, depth)
    }

    fn call(
        &mut self,
        kind: Kind,
        template: &str,
        kinds: &[Kind],
        scope: &Scope,
        depth: usize,
    ) -> Node {
        let arguments = kinds.iter().map(|k| self.expr(*k, scope, depth - 1)).collect();
        Node::expr(kind, template, arguments)
    }

    /// A condition, with all that null does to it.
    pub(crate) fn predicate(&mut self, scope: &Scope, depth: usize) -> Node {
        let kind = Kind::Bool;
        if depth > 0 {
            match self.dice.below(11) {
                0 => return self.call(kind, "({} AND {})", &[kind, kind], scope, depth),
                1..=3 => return self.call(kind, "({} OR {})", &[kind, kind], scope, depth),
                4 => return self.call(kind, "(NOT {})", &[kind], scope, depth),
                5 => {
                    let test = self.dice.pick(&["TRUE", "NOT TRUE", "FALSE", "UNKNOWN"]);
                    return self.call(kind, &format!("({{}} IS {test})"), &[kind], scope, depth);
                }
                6..=8 => {
                    let asked = self.ask(&[Place::Filter], |w| w.subquery_test(scope, depth));
                    if let Some(test) = asked {
                        return test;
                    }
                }
                _ => {}
            }
        }
        let columns = scope.keys();
        let of = match columns.is_empty() {
            true => Kind::Int,
            false => columns[self.dice.below(columns.len())].kind,
        };
        let sign = self.dice.pick(&["=", "<>", "<", "<=", ">", ">="]);
        let sign = if of == Kind::Bool { "=" } else { sign };
        match self.dice.below(10) {
            0 => self.test("({} IS NULL)", &[of], scope),
            1 => self.test("({} IS NOT NULL)", &[of], scope),
            2 => self.test("({} IS DISTINCT FROM {})", &[of, of], scope),
            3 if of != Kind::Bool => self.test("({} BETWEEN {} AND {})", &[of, of, of], scope),
            4 => self.test("({} IN ({}, {}))", &[of, of, of], scope),
            5 => self.test("({} NOT IN ({}, {}))", &[of, of, of], scope),
            6 if of == Kind::Text => {
                let pattern = self.dice.pick(&["%o%", "a%", "_", "%\n%", "%"]);
                let not = self.dice.pick(&["", "NOT "]);
                let template = format!("({{}} {not}LIKE '{pattern}')");
                self.test(&template, &[of], scope)
            }
            _ => self.test(&format!("({{}} {sign} {{}})"), &[of, of], scope),
        }
    }

    /// A comparison of expressions that are mostly columns.
    fn test(&mut self, template: &str, kinds: &[Kind], scope: &Scope) -> Node {
        let depth = usize::from(self.dice.chance(30));
        let compared = kinds.iter().map(|k| self.expr(*k, scope, depth)).collect();
        Node::expr(Kind::Bool, template, compared)
    }
}
