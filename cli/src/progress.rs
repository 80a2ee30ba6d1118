//! Progress of a run: a bar for each stage, or plain lines where there is no terminal.

use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tidemill_protocol::record::{Outcome, Status, Usage};
use tidemill_protocol::status::{RunStatus, StageStatus};
use tidemill_protocol::{RunId, dollars};

use crate::terminal::{self, say};

/// How long nothing is shown of a statement in a shell.
const QUIET: Duration = Duration::from_millis(700);

pub(crate) struct Progress {
    /// Only bars are shown, and not before this time.
    quiet_until: Option<Instant>,
    bars: Option<(&'static MultiProgress, Vec<ProgressBar>)>,
    /// How far each stage was when it was looked at last.
    said: Vec<String>,
}

impl Progress {
    pub(crate) fn new(run: &RunId) -> Self {
        say(&format!("run {run}"));
        Self { quiet_until: None, bars: terminal::bars().map(|bars| (bars, vec![])), said: vec![] }
    }

    /// Of a run that most often is over before there is something to show.
    pub(crate) fn quiet() -> Self {
        let bars = terminal::bars().map(|bars| (bars, vec![]));
        Self { quiet_until: Some(Instant::now() + QUIET), bars, said: vec![] }
    }

    pub(crate) fn show(&mut self, status: &RunStatus) {
        if self.quiet_until.is_some_and(|until| Instant::now() < until || self.bars.is_none()) {
            return;
        }
        for (number, stage) in status.stages.iter().enumerate() {
            let Some(extent) = extent(stage) else { continue };
            let line = format!("stage {number}: {extent}  {}", stage.operators);
            if self.said.len() <= number {
                self.said.resize(number + 1, String::new());
            }
            match &mut self.bars {
                Some((all, bars)) => draw(all, bars, number, stage),
                None if self.said[number] != line => say(&line),
                None => {}
            }
            self.said[number] = line;
        }
    }

    /// Leaves lines in the place of bars, which would be drawn over what is said later.
    fn leave(&mut self) {
        let Some((all, bars)) = self.bars.take() else { return };
        for bar in &bars {
            bar.finish_and_clear();
            all.remove(bar);
        }
        if self.quiet_until.is_none() {
            self.said.iter().filter(|line| !line.is_empty()).for_each(|line| say(line));
        }
    }

    pub(crate) fn finish(&mut self, outcome: &Outcome) {
        self.leave();
        if outcome.status == Status::Succeeded && self.quiet_until.is_none() {
            let Usage { requests, read_bytes, .. } = outcome.usage;
            let cost = outcome
                .actual
                .map(|actual| format!("; {} at AWS prices", dollars(actual.cost_usd)));
            say(&format!(
                "{} rows in {:.2} s, {} tasks; {:.1} MB read in {requests} requests{}",
                outcome.rows,
                outcome.seconds,
                outcome.tasks,
                read_bytes as f64 / 1e6,
                cost.unwrap_or_default()
            ));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.leave();
    }
}

/// How far a stage is; nothing is known of one that waits for its inputs.
pub(crate) fn extent(stage: &StageStatus) -> Option<String> {
    match stage.reused {
        true => Some("taken over".into()),
        false => stage.tasks.map(|tasks| format!("{}/{tasks} tasks", stage.committed)),
    }
}

fn draw(all: &MultiProgress, bars: &mut Vec<ProgressBar>, number: usize, stage: &StageStatus) {
    let Some(tasks) = stage.tasks else { return };
    while bars.len() <= number {
        let style = ProgressStyle::with_template("stage {prefix} [{bar:24}] {pos}/{len} {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = all.add(ProgressBar::new(0).with_style(style));
        bar.set_prefix(bars.len().to_string());
        bars.push(bar);
    }
    let bar = &bars[number];
    if stage.reused {
        return bar.finish_with_message(format!("taken over: {}", stage.operators));
    }
    bar.set_length(tasks as u64);
    bar.set_position(stage.committed as u64);
    bar.set_message(stage.operators.clone());
}
