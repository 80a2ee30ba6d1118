//! The protocol in a cluster that crashes.
//!
//! The real protocol code runs on a bucket and queues in memory and a manual clock, with a stand-in
//! for the engine. All that happens is drawn from a seed: processes die before or after an effect,
//! answers are lost, messages come twice, late and in any order, a receiver is slow and its message
//! comes again, runs are cancelled or have a deadline. `TIDEMILL_SIMULATION_SEEDS` runs more of
//! them, `TIDEMILL_SIMULATION_SEED` one, and prints what it did.

mod calls;
mod clock;
mod cluster;
mod engine;
mod faults;
mod queues;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tidemill_protocol::record::Status;
use tidemill_protocol::tuning::WATCH_INTERVAL;

use crate::support::dice::{Dice, rng};

use cluster::{End, SeedSettings, WORKERS, simulate};
use engine::{oracle, rows_of};
use faults::Bug;

/// What is not hopeless is over after this: nothing waits until a clock that was put back has caught
/// up.
const LONG: Duration = Duration::from_secs(30 * 60);

/// What an end breaks of what is promised, if anything.
fn broken(end: &End) -> Option<String> {
    let [outcome] = &end.outcomes[..] else {
        return Some(format!("{} outcomes after {:?}", end.outcomes.len(), end.took));
    };
    let keys = end.bucket.keys();
    let count = |prefix: &str| keys.iter().filter(|k| k.starts_with(prefix)).count();
    let has = |suffix: &str| keys.iter().any(|k| k.ends_with(suffix));
    if !end.queues_empty {
        return Some("a message is left in a queue".into());
    }
    if !has("/closed") {
        return Some("the run is not closed".into());
    }
    if let Some(time) = end.trace.closed().filter(|t| end.settings.must_succeed() && *t > LONG) {
        return Some(format!("the run was closed after {time:?}"));
    }
    if outcome.status != Status::Succeeded {
        if end.settings.must_succeed() {
            return Some(format!("the run ended with {:?}", outcome.reason));
        }
        return (!has("/_FAILED") || has("/_SUCCESS") || count("tables/") > 0)
            .then(|| "a run without a result left one".into());
    }
    let mut files = vec![];
    for file in &outcome.files {
        let Some(bytes) = end.read(&file.key) else { return Some(format!("no {}", file.key)) };
        files.push(bytes);
    }
    if end.settings.calls && end.settings.into {
        if let Some(why) = calls::wrong_table(end.settings.seed, &files) {
            return Some(why);
        }
    } else if end.settings.calls {
        if keys.iter().filter(|k| k.ends_with(".calls")).count() != files.len() {
            return Some("the outcome does not name all parts".into());
        }
        if let Some(why) = calls::wrong(end.settings.seed, &files) {
            return Some(why);
        }
    } else if let Some(why) = wrong_rows(end.settings.seed, &files) {
        return Some(why);
    }
    if end.settings.into && count("tables/") != outcome.files.len() {
        return Some("the table has other files".into());
    }
    // a clock that is put forward is late for what was written after the last sweep
    let is_swept = count("work/") == 0 || end.settings.jump.is_some_and(|(_, by)| by > 0);
    if !has("/_SUCCESS") || !is_swept {
        return Some(format!("{} working keys are left", count("work/")));
    }
    // what has a budget is looked at more often
    if end.settings.faults == 0 && end.settings.budget.is_none() {
        let tasks = outcome.tasks;
        let is_sent_on = end.settings.calls; // for time or memory
        if end.sent() != tasks && !end.trace.tells("/again/") && !is_sent_on {
            return Some(format!("{} tasks were sent for {tasks}", end.sent()));
        }
        let stages = u32::try_from(outcome.stages.len()).expect("small");
        // each message of calls looks for parts, and the watcher at what takes minutes
        let looks = u32::try_from(end.took.as_secs() / WATCH_INTERVAL.as_secs()).expect("small");
        let of_calls = if end.settings.calls { end.sent() + 3 * looks } else { 0 };
        if end.lists() > 2 * tasks + of_calls + 6 * stages + 4 {
            return Some(format!("{} LISTs for {tasks} tasks", end.lists()));
        }
    }
    None
}

/// What is wrong with the files of a seed's result, if anything.
fn wrong_rows(seed: u64, files: &[Vec<u8>]) -> Option<String> {
    let mut rows: Vec<u64> = files.iter().flat_map(|bytes| rows_of(bytes)).collect();
    rows.sort_unstable();
    let expected = oracle(seed);
    (rows != expected)
        .then(|| format!("{} rows, where there should be {}", rows.len(), expected.len()))
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// The first seed of a range that breaks a promise, and how.
fn first_broken(seeds: u64, bug: Option<Bug>) -> Option<(u64, String)> {
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let search = || {
        while let seed = next.fetch_add(1, Ordering::Relaxed)
            && seed < seeds
        {
            let end = simulate(SeedSettings { bug, ..SeedSettings::of_seed(seed) });
            if let Some(why) = broken(&end) {
                next.store(seeds, Ordering::Relaxed); // the others may stop
                return Some((seed, why));
            }
        }
        None
    };
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..threads).map(|_| scope.spawn(search)).collect();
        all.into_iter().filter_map(|t| t.join().expect("a thread")).min()
    })
}

#[test]
fn whatever_happens_a_run_ends_once_and_its_rows_are_right() {
    if let Some(seed) = number("TIDEMILL_SIMULATION_SEED") {
        let end = simulate(SeedSettings::of_seed(seed));
        let lines = end.trace.lines.lock().expect("a trace").join("\n");
        println!("{lines}\n{:?}\n{:?}", end.settings, end.outcomes);
        assert_eq!(broken(&end), None);
        return;
    }
    let seeds = number("TIDEMILL_SIMULATION_SEEDS").unwrap_or(10_000);
    if let Some((seed, why)) = first_broken(seeds, None) {
        panic!("{why}; TIDEMILL_SIMULATION_SEED={seed} shows it again");
    }
}

#[test]
fn the_same_seed_is_the_same_story() {
    for seed in 0..100 {
        let story = || {
            let trace = simulate(SeedSettings::of_seed(seed)).trace;
            let lines = trace.lines.lock().expect("a trace");
            lines.join("\n")
        };
        assert_eq!(story(), story(), "seed {seed}");
    }
}

#[test]
fn no_run_waits_until_a_clock_that_was_put_back_has_caught_up() {
    for seed in 0..1_500 {
        let mut rng = rng(seed, 5);
        let at = Duration::from_millis(Dice(&mut rng).seed() % 20_000);
        let jump = Some((at, -7_200));
        let settings = SeedSettings {
            faults: 50,
            patience: 2,
            cancel_after: None,
            jump,
            ..SeedSettings::of_seed(seed)
        };
        let end = simulate(SeedSettings { deadline: None, budget: None, ..settings });
        let closed = end.trace.closed().expect("it is closed");
        assert!(closed < LONG, "seed {seed}: after {closed:?}");
    }
}

#[test]
fn a_budget_is_passed_by_what_the_workers_take_in_a_few_seconds() {
    let (mut passed, mut refused) = (0, 0);
    for seed in 0..3_000 {
        let mut rng = rng(seed, 3);
        let max = SeedSettings::budget(&mut Dice(&mut rng));
        let of_seed = SeedSettings::of_seed(seed);
        let settings = SeedSettings {
            faults: 0,
            cancel_after: None,
            deadline: None,
            calls: false,
            budget: Some(max),
            jump: None,
            ..of_seed
        };
        let end = simulate(settings);
        assert_eq!(broken(&end), None, "seed {seed}");
        let outcome = &end.outcomes[0];
        let Some(reason) = &outcome.reason else {
            let cost = outcome.actual.expect("a cost").cost_usd;
            assert!(cost > 0.0 && cost <= 2.0 * max, "seed {seed}: {cost} of {max}");
            continue;
        };
        let (spent, alive) = end.worked(outcome.ended);
        let second = f64::from(WORKERS.mib) / 1024.0 * 0.000_013_333_4;
        let over = spent * second - max;
        assert!(over < 5.0 * second * f64::from(alive), "seed {seed}: {over} with {alive} alive");
        passed += u32::from(reason.starts_with("the budget of $"));
        refused += u32::from(reason.contains("is not started: $"));
    }
    assert!(passed > 50 && refused > 50, "{passed} were passed, {refused} stages refused");
}

#[test]
fn who_may_not_publish_has_another_worker_do_it_and_the_watcher_is_not_needed() {
    for seed in 0..200 {
        let settings = SeedSettings {
            faults: 0,
            into: true,
            calls: true,
            cancel_after: None,
            deadline: None,
            budget: None,
            jump: None,
            // the watcher does nothing
            bug: Some(Bug::ClaimsWithoutRepair),
            ..SeedSettings::of_seed(seed)
        };
        let end = simulate(settings);
        let [outcome] = &end.outcomes[..] else { panic!("seed {seed}: it has not ended") };
        assert_eq!(outcome.status, Status::Succeeded, "seed {seed}: {:?}", outcome.reason);
        let files: Option<Vec<_>> = outcome.files.iter().map(|file| end.read(&file.key)).collect();
        let files = files.unwrap_or_else(|| panic!("seed {seed}: it is not published"));
        assert_eq!(calls::wrong_table(seed, &files), None, "seed {seed}");
        assert!(end.trace.closed().is_some(), "seed {seed}: it is not closed");
    }
}

#[test]
fn a_mistake_in_the_protocol_is_found() {
    for bug in [Bug::SendsBeforeCommit, Bug::ClaimsWithoutRepair, Bug::Overwrites] {
        assert!(first_broken(2_000, Some(bug)).is_some(), "{bug:?} was not found");
    }
}
