//! Progress of a run: a bar for each stage, or plain lines where there is no terminal.

use std::io::IsTerminal;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tidemill_protocol::record::{Outcome, Status, Usage};
use tidemill_protocol::status::{RunStatus, StageStatus};
use tidemill_protocol::{RunId, dollars};

pub(crate) struct Progress {
    bars: Option<(MultiProgress, Vec<ProgressBar>)>,
    /// What was said last of each stage.
    said: Vec<String>,
}

impl Progress {
    pub(crate) fn new(run: &RunId) -> Self {
        eprintln!("run {run}");
        let terminal = std::io::stderr().is_terminal();
        Self { bars: terminal.then(|| (MultiProgress::new(), vec![])), said: vec![] }
    }

    pub(crate) fn show(&mut self, status: &RunStatus) {
        for (number, stage) in status.stages.iter().enumerate() {
            match &mut self.bars {
                Some((all, bars)) => draw(all, bars, number, stage),
                None => self.say(number, stage),
            }
        }
    }

    fn say(&mut self, number: usize, stage: &StageStatus) {
        let Some(extent) = extent(stage) else { return };
        let line = format!("stage {number}: {extent}  {}", stage.operators);
        if self.said.len() <= number {
            self.said.resize(number + 1, String::new());
        }
        if self.said[number] != line {
            eprintln!("{line}");
            self.said[number] = line;
        }
    }

    pub(crate) fn finish(&self, outcome: &Outcome) {
        if let Some((_, bars)) = &self.bars {
            bars.iter().for_each(ProgressBar::abandon);
        }
        if outcome.status == Status::Succeeded {
            let Usage { requests, read_bytes, .. } = outcome.usage;
            let cost =
                outcome.taken.map(|taken| format!("; {} at AWS prices", dollars(taken.cost_usd)));
            eprintln!(
                "{} rows in {:.2} s, {} tasks; {:.1} MB read in {requests} requests{}",
                outcome.rows,
                outcome.seconds,
                outcome.tasks,
                read_bytes as f64 / 1e6,
                cost.unwrap_or_default()
            );
        }
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
