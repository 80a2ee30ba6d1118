//! `tidemill explain --simulate`: a run as the model of its cost simulates it.

use std::str::FromStr;
use std::time::Instant;

use tidemill_protocol::cost::{self, Bottleneck, Estimate, Scenario, SimulatedRun, limits, scaled};
use tidemill_protocol::dollars;
use tidemill_protocol::record::Plan;

/// The stragglers of a simulation are always the same ones.
const SEED: u64 = 1;

/// Bytes, as people write them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Size(pub(crate) f64);

const UNITS: [(&str, f64); 6] =
    [("kB", 1e3), ("MB", 1e6), ("GB", 1e9), ("TB", 1e12), ("PB", 1e15), ("B", 1.0)];

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is no size such as 500GB, 10TB or 1PB");
        let (number, unit) = UNITS
            .iter()
            .find_map(|(unit, bytes)| {
                let cut = text.len().checked_sub(unit.len())?;
                let is_unit = text.get(cut..)?.eq_ignore_ascii_case(unit);
                is_unit.then(|| (&text[..cut], *bytes))
            })
            .unwrap_or((text, 1.0));
        let number: f64 = number.trim().parse().map_err(|_| wrong())?;
        if number.is_finite() && number > 0.0 { Ok(Self(number * unit)) } else { Err(wrong()) }
    }
}

/// Says how the run of a plan would go, over as many bytes of tables as `size` says.
pub(crate) fn simulate(plan: &Plan, size: Option<Size>, asked: Option<u32>) -> Vec<String> {
    let started = Instant::now();
    let Some(estimate) = &plan.estimate else { return vec![] };
    let Estimate { workers, total, .. } = estimate;
    let bytes = total.table_bytes.high.max(1) as f64;
    let factor = size.map_or(1.0, |size| size.0 / bytes);
    let (plan, estimate) = match size {
        Some(_) => scaled(plan, workers, factor, asked),
        None => (plan.clone(), estimate.clone()),
    };
    let simulated = |is_high, ignoring| {
        let scenario = Scenario { is_high, stragglers: Some(SEED), ignoring };
        cost::simulate(&plan, &estimate.stages, workers, &scenario)
    };
    let (low, high) = (simulated(false, None), simulated(true, None));
    let mut lines = vec![format!(
        "simulated over {} of tables, with all that is unknown at its lower and at its upper end",
        bytes_text(bytes * factor)
    )];
    for (name, run, price) in [
        ("lower", &low, estimate.total.cost_usd.low),
        ("upper", &high, estimate.total.cost_usd.high),
    ] {
        lines.push(format!(
            "{name}: done after {}, {}; up to {} workers at once, {} stragglers",
            time(run.seconds),
            dollars(price),
            run.workers,
            run.stragglers
        ));
        lines.extend(stages(&plan, run));
        let seconds = |bottleneck| simulated(name == "upper", Some(bottleneck)).seconds;
        lines.extend(bottlenecks(run, seconds));
    }
    lines.extend(limits(&plan, &estimate).iter().map(|limit| format!("limit: {limit}")));
    lines.push(format!("simulated in {:.0} ms", started.elapsed().as_secs_f64() * 1e3));
    lines
}

fn stages(plan: &Plan, run: &SimulatedRun) -> impl Iterator<Item = String> {
    plan.stages.iter().zip(&run.stages).map(|(stage, of)| {
        format!(
            "  stage {}: {} messages, from {} to {}, {:.0} requests a second",
            stage.id,
            of.messages,
            time(of.ready),
            time(of.done),
            of.requests_per_second
        )
    })
}

/// What the run would gain if something did not limit it, the largest gain first.
fn bottlenecks(run: &SimulatedRun, ignoring: impl Fn(Bottleneck) -> f64) -> Vec<String> {
    let named = [
        (Bottleneck::Concurrency, "the most workers at once (WorkerConcurrency)"),
        (Bottleneck::Ramp, "how fast workers become more (ProvisionedPollers)"),
        (Bottleneck::Stragglers, "stragglers"),
        (Bottleneck::RequestRate, "requests a second at one prefix of the bucket"),
    ];
    let gain = |(bottleneck, name)| (run.seconds - ignoring(bottleneck), name);
    let mut gains: Vec<(f64, &str)> = named.into_iter().map(gain).collect();
    gains.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let worth = gains.iter().filter(|(gain, _)| *gain > run.seconds / 100.0);
    let lines: Vec<_> = worth
        .map(|(gain, name)| format!("  limited by {name}: without it {} less", time(*gain)))
        .collect();
    match lines.is_empty() {
        true => vec!["  limited by its longest tasks, one after the other".into()],
        false => lines,
    }
}

fn time(seconds: f64) -> String {
    match seconds {
        ..100.0 => format!("{seconds:.1} s"),
        ..7200.0 => format!("{:.1} min", seconds / 60.0),
        _ => format!("{:.1} h", seconds / 3600.0),
    }
}

fn bytes_text(bytes: f64) -> String {
    let unit = UNITS[..5].iter().rev().find(|(_, unit)| bytes >= *unit).unwrap_or(&UNITS[0]);
    format!("{:.1} {}", bytes / unit.1, unit.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        let size = |text: &str| text.parse::<Size>().map(|s| s.0);
        assert_eq!(size("10TB"), Ok(1e13));
        assert_eq!(size("1.5 gb"), Ok(1.5e9));
        assert_eq!(size("12"), Ok(12.0));
        for wrong in ["", "TB", "-1GB", "ten", "0", "é"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
