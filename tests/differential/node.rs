use std::fmt;

use super::kind::Kind;

/// A piece of SQL that knows how it may be simpler.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    form: Form,
    children: Vec<Node>,
    /// A child of the same sort may take the node's place.
    sort: Option<Sort>,
    /// So may this text.
    plain: Option<&'static str>,
}

/// What may stand in for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Expr(Kind),
    Source,
    Query,
}

#[derive(Debug, Clone)]
enum Form {
    /// Text with `{}` in the place of each child.
    Template(String),
    /// Children that may be dropped, but for one.
    List(&'static str),
}

impl Node {
    /// SQL that stays as it is.
    pub(crate) fn fixed(sql: impl Into<String>) -> Self {
        Self::of(sql, vec![])
    }

    /// SQL around its children that stays as it is.
    pub(crate) fn of(template: impl Into<String>, children: Vec<Node>) -> Self {
        Self { form: Form::Template(template.into()), children, sort: None, plain: None }
    }

    /// An expression.
    pub(crate) fn expr(kind: Kind, template: impl Into<String>, children: Vec<Node>) -> Self {
        let plain = Some(kind.plain());
        Self { sort: Some(Sort::Expr(kind)), plain, ..Self::of(template, children) }
    }

    /// What a query reads from.
    pub(crate) fn source(template: impl Into<String>, children: Vec<Node>) -> Self {
        Self { sort: Some(Sort::Source), ..Self::of(template, children) }
    }

    pub(crate) fn query(template: impl Into<String>, children: Vec<Node>) -> Self {
        Self { sort: Some(Sort::Query), ..Self::of(template, children) }
    }

    /// A part that may be left out.
    pub(crate) fn optional(template: impl Into<String>, children: Vec<Node>) -> Self {
        Self { plain: Some(""), ..Self::of(template, children) }
    }

    pub(crate) fn list(separator: &'static str, children: Vec<Node>) -> Self {
        Self { form: Form::List(separator), children, sort: None, plain: None }
    }

    /// All ways to make the tree simpler in one place, the boldest first.
    pub(crate) fn simpler(&self) -> Vec<Self> {
        let mut found = vec![];
        found.extend(self.plain.filter(|plain| self.to_string() != *plain).map(Self::fixed));
        if self.sort.is_some() {
            found.extend(self.children.iter().filter(|c| c.sort == self.sort).cloned());
        }
        if matches!(self.form, Form::List(_)) && self.children.len() > 1 {
            found.extend((0..self.children.len()).map(|n| {
                let mut fewer = self.clone();
                fewer.children.remove(n);
                fewer
            }));
        }
        for (n, child) in self.children.iter().enumerate() {
            found.extend(child.simpler().into_iter().map(|simpler| {
                let mut changed = self.clone();
                changed.children[n] = simpler;
                changed
            }));
        }
        found
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut children = self.children.iter();
        match &self.form {
            Form::Template(template) => {
                for (n, text) in template.split("{}").enumerate() {
                    if n > 0 {
                        children.next().expect("a child for each hole").fmt(f)?;
                    }
                    f.write_str(text)?;
                }
                Ok(())
            }
            Form::List(separator) => {
                for (n, child) in children.enumerate() {
                    f.write_str(if n > 0 { separator } else { "" })?;
                    child.fmt(f)?;
                }
                Ok(())
            }
        }
    }
}
