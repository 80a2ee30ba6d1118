//! `OVER (w ROWS 1 PRECEDING)`: a window that is built upon a named one has what that one says. DataFusion
//! forgets it, so no window has a name when it comes there.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, NamedWindowDefinition, NamedWindowExpr, Select, VisitMut, VisitorMut, WindowSpec,
    WindowType,
};

use super::Rewritten;

pub(super) fn rewrite(select: &mut Select) -> Rewritten {
    if select.named_window.is_empty() {
        return Ok(());
    }
    let named = select.named_window.clone();
    let mut builder = Builder { named: &named };
    match select.projection.visit(&mut builder) {
        ControlFlow::Break(sentence) => Err(sentence),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Builder<'a> {
    named: &'a [NamedWindowDefinition],
}

impl VisitorMut for Builder<'_> {
    type Break = String;

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<String> {
        if let Expr::Function(function) = expr
            && let Some(over) = &mut function.over
            && let Err(sentence) = self.spell_out(over)
        {
            return ControlFlow::Break(sentence);
        }
        ControlFlow::Continue(())
    }
}

impl Builder<'_> {
    fn spell_out(&self, over: &mut WindowType) -> Rewritten {
        match over {
            WindowType::NamedWindow(name) => {
                *over = WindowType::WindowSpec(self.found(name, self.named.len())?);
            }
            WindowType::WindowSpec(spec) => {
                if let Some(name) = spec.window_name.take() {
                    build_upon(spec, self.found(&name, self.named.len())?);
                }
            }
        }
        Ok(())
    }

    /// What a name stands for; names may stand for others, but `deep` of them at most.
    fn found(&self, name: &Ident, deep: usize) -> Result<WindowSpec, String> {
        let unknown = || format!("window {name} is not defined: WINDOW {name} AS (…)");
        let is_it = |w: &&NamedWindowDefinition| w.0.value.eq_ignore_ascii_case(&name.value);
        let definition = self.named.iter().find(is_it).filter(|_| deep > 0).ok_or_else(unknown)?;
        match &definition.1 {
            NamedWindowExpr::NamedWindow(other) => self.found(other, deep - 1),
            NamedWindowExpr::WindowSpec(spec) => {
                let mut spec = spec.clone();
                if let Some(base) = spec.window_name.take() {
                    build_upon(&mut spec, self.found(&base, deep - 1)?);
                }
                Ok(spec)
            }
        }
    }
}

fn build_upon(spec: &mut WindowSpec, base: WindowSpec) {
    spec.partition_by = base.partition_by;
    if spec.order_by.is_empty() {
        spec.order_by = base.order_by;
    }
    spec.window_frame = spec.window_frame.take().or(base.window_frame);
}
