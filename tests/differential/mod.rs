//! Random queries over random tables: the engine, spread over tasks, against one DataFusion
//! session over the same rows in memory.
//!
//! `TIDEMILL_DIFFERENTIAL_CASES` sets the number of cases, `TIDEMILL_DIFFERENTIAL_SEED` the seed
//! of the first one; each case has the next seed, so a case that fails is run again by its seed
//! alone.

mod aggregate;
mod case;
mod expression;
mod kind;
mod node;
mod query;
mod scope;
mod select;
mod source;
mod stored;
mod subquery;
mod table;
mod trial;
mod window;
mod writer;

use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

use case::Cases;
use trial::Trial;

/// Takes less than a minute on two cores.
const DEFAULT_CASES: u64 = 60;

/// From so many cases on, the shares of them mean something.
const MANY_CASES: u64 = 50;

#[test]
fn random_queries_give_the_rows_of_one_process_over_any_number_of_partitions() {
    let cases = setting("TIDEMILL_DIFFERENTIAL_CASES").unwrap_or(DEFAULT_CASES);
    let first = setting("TIDEMILL_DIFFERENTIAL_SEED").unwrap_or(0);
    let trial = Trial::new();
    for seed in first..first + cases {
        let failed = runner(seed).run(&Cases, |case| trial.run(&case));
        if let Err(e) = failed {
            panic!("{}", report(seed, e));
        }
    }
    let tally = trial.into_tally();
    eprintln!("{cases} cases: {tally:?}");
    if cases >= MANY_CASES {
        assert!(tally.without_answer * 5 < cases, "{tally:?}: too few queries have an answer");
        assert!(tally.wrong_alone * 20 < cases, "{tally:?}: too much is excused");
        assert!(tally.without_rows * 2 < cases, "{tally:?}: too few answers have rows");
        assert!(tally.spread * 2 > tally.could_spread, "{tally:?}: too few queries are spread");
    }
}

fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|e| panic!("{name} is {text}, which is no number: {e}")))
}

/// One case of a seed; what fails is made as simple as it gets in a few minutes.
fn runner(seed: u64) -> TestRunner {
    let config = Config {
        cases: 1,
        max_shrink_iters: 4_000,
        max_shrink_time: 240_000,
        failure_persistence: None,
        ..Config::default()
    };
    let bytes: Vec<u8> = seed.to_le_bytes().into_iter().cycle().take(32).collect();
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

fn report(seed: u64, error: TestError<case::Case>) -> String {
    match error {
        TestError::Abort(why) => format!("the case of seed {seed} was given up: {why}"),
        TestError::Fail(why, case) => format!(
            "TIDEMILL_DIFFERENTIAL_SEED={seed} TIDEMILL_DIFFERENTIAL_CASES=1 shows it again\n\
             {case:?}\n{why}"
        ),
    }
}
