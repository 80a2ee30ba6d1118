//! Runs that are taken up after they failed or were cancelled.

use std::collections::BTreeSet;

use serde_json::json;
use tidemill_protocol::record::{Outcome, Status};
use tidemill_protocol::work::Worker;
use tidemill_protocol::{Key, RunId, StageId, watch};

use crate::engine::EngineFixture;
use crate::support::crash::Crash;

/// Each table is added up for itself before they are joined: customers in the stages 0 and 1, orders in
/// stage 2; stage 3 joins them.
const SQL: &str = "SELECT c.region, count(*) AS n, sum(o.ids) AS ids \
                   FROM (SELECT customer, sum(id) AS ids FROM orders GROUP BY customer) o \
                   JOIN (SELECT id, max(region) AS region FROM customers GROUP BY id) c \
                   ON o.customer = c.id GROUP BY c.region ORDER BY ids";

/// The job, spread.
fn job(reuse: bool) -> String {
    json!({ "sql": SQL, "options": { "partitions": 3, "reuse": reuse } }).to_string()
}

/// Starts a job, and cancels its run when a stage's tasks are in the queue.
async fn cancelled_at(fixture: &EngineFixture, stage: StageId) -> RunId {
    let world = &fixture.world;
    let event = world.upload("jobs/top.json", &job(false)).await;
    world.dispatch(&event, &Crash::never()).await;
    let worker = Worker::new(world.engine.clone());
    let mut run = None;
    while let Some(message) = world.queue.pop() {
        run = Some(message.run.clone());
        if message.stage < stage {
            worker.run_tasks(&world.context(1), &message).await.expect("done");
        }
    }
    let run = run.expect("a run");
    let outcome = watch::cancel(&world.context(1), &run).await.expect("cancelled");
    assert_eq!(outcome.map(|o| o.status), Some(Status::Cancelled));
    run
}

/// The run that a job file starts, and the stages of the tasks that it sends.
async fn outcome_of(fixture: &EngineFixture, key: &str, text: &str) -> (Outcome, Vec<StageId>) {
    let world = &fixture.world;
    let before = world.outcomes().await;
    let event = world.upload(key, text).await;
    world.dispatch(&event, &Crash::never()).await;
    let worker = Worker::new(world.engine.clone());
    let mut sent = vec![];
    while let Some(message) = world.queue.pop() {
        sent.push(message.stage);
        worker.run_tasks(&world.context(1), &message).await.expect("done");
    }
    let after = world.outcomes().await;
    let new = after.into_iter().find(|o| before.iter().all(|b| b.run != o.run));
    (new.expect("an outcome"), sent)
}

async fn retry(fixture: &EngineFixture, run: &RunId) -> (Outcome, Vec<StageId>) {
    outcome_of(fixture, "jobs/again.json", &json!({ "retry": run }).to_string()).await
}

#[tokio::test]
async fn a_retried_run_does_only_what_was_not_done() {
    let fixture = EngineFixture::with_orders().await;
    let expected = fixture.run(SQL, Some(3)).await.expect("rows");
    let stages = outcome_of(&fixture, "jobs/top.json", &job(false)).await.0.stages;
    assert!(stages.len() >= 4, "{stages:?}");
    for stop in stages.iter().map(|s| s.stage) {
        let run = cancelled_at(&fixture, stop).await;
        let (outcome, sent) = retry(&fixture, &run).await;
        assert_eq!(fixture.rows(&outcome).await.expect("rows"), expected, "stopped at {stop}");
        assert!(sent.iter().all(|s| *s >= stop), "stopped at {stop}: sent {sent:?}");
        assert_eq!(outcome.job.as_str(), "top");
        for stage in &outcome.stages {
            let taken = (stage.stage < stop).then_some(&run);
            assert_eq!(stage.reused.as_ref(), taken, "stopped at {stop}: {stage:?}");
        }
        assert_eq!(fixture.world.keys(&Key::work_folder(&outcome.run)).await, [""; 0]);
    }
}

#[tokio::test]
async fn a_run_that_was_taken_up_and_stopped_is_taken_up_again() {
    let fixture = EngineFixture::with_orders().await;
    let expected = fixture.run(SQL, Some(3)).await.expect("rows");
    let first = cancelled_at(&fixture, StageId(2)).await;
    let text = json!({ "retry": first }).to_string();
    let event = fixture.world.upload("jobs/again.json", &text).await;
    fixture.world.dispatch(&event, &Crash::never()).await;
    let second = fixture.world.queue.pop().expect("a message").run;
    while fixture.world.queue.pop().is_some() {}
    watch::cancel(&fixture.world.context(1), &second).await.expect("cancelled");
    let (outcome, sent) = retry(&fixture, &second).await;
    assert_eq!(fixture.rows(&outcome).await.expect("rows"), expected);
    assert!(sent.iter().all(|s| *s >= StageId(2)), "{sent:?}");
    assert_eq!(outcome.stages[0].reused, Some(first));
}

#[tokio::test]
async fn what_reads_a_changed_file_is_done_again_and_what_does_not_is_taken_over() {
    let fixture = EngineFixture::with_orders().await;
    let run = cancelled_at(&fixture, StageId(3)).await;
    fixture.put("tables/customers/all.csv", "id,name,region\n0,one,east\n1,two,west\n").await;
    let expected = fixture.run(SQL, Some(3)).await.expect("rows");
    let (outcome, _) = retry(&fixture, &run).await;
    assert_eq!(fixture.rows(&outcome).await.expect("rows"), expected);
    let reused = outcome.stages.iter().filter(|s| s.reused.is_some()).count();
    assert_eq!(reused, 1, "{:?}", outcome.stages);
}

#[tokio::test]
async fn what_has_been_removed_since_is_done_again() {
    let fixture = EngineFixture::with_orders().await;
    let expected = fixture.run(SQL, Some(3)).await.expect("rows");
    let run = cancelled_at(&fixture, StageId(3)).await;
    let key = fixture.world.keys(&Key::stage_out_folder(&run, StageId(0))).await.remove(0);
    fixture.world.bucket.delete(&[key]).await.expect("deleted");
    let (outcome, sent) = retry(&fixture, &run).await;
    assert_eq!(fixture.rows(&outcome).await.expect("rows"), expected);
    assert!(sent.contains(&StageId(0)) && !sent.contains(&StageId(2)), "{sent:?}");
}

#[tokio::test]
async fn what_reads_something_that_is_done_again_is_done_again_too() {
    let fixture = EngineFixture::with_orders().await;
    let expected = fixture.run(SQL, Some(3)).await.expect("rows");
    let run = cancelled_at(&fixture, StageId(4)).await;
    let key = fixture.world.keys(&Key::stage_out_folder(&run, StageId(0))).await.remove(0);
    fixture.world.bucket.delete(&[key]).await.expect("deleted");
    let (outcome, sent) = retry(&fixture, &run).await;
    assert_eq!(fixture.rows(&outcome).await.expect("rows"), expected);
    let again: BTreeSet<_> = sent.into_iter().collect();
    let reused: BTreeSet<_> =
        outcome.stages.iter().filter(|s| s.reused.is_some()).map(|s| s.stage).collect();
    assert_eq!(reused, BTreeSet::from([StageId(2)]), "{:?}", outcome.stages);
    assert!(again.contains(&StageId(3)) && again.is_disjoint(&reused), "{again:?}");
}

#[tokio::test]
async fn a_job_that_says_so_takes_up_its_latest_unsuccessful_run() {
    let fixture = EngineFixture::with_orders().await;
    let expected = fixture.run(SQL, Some(3)).await.expect("rows");
    let run = cancelled_at(&fixture, StageId(2)).await;
    outcome_of(&fixture, "jobs/top/other.json", "{").await;
    let (plain, _) = outcome_of(&fixture, "jobs/top.json", &job(false)).await;
    let (reusing, sent) = outcome_of(&fixture, "jobs/top.json", &job(true)).await;
    assert_eq!(fixture.rows(&reusing).await.expect("rows"), expected);
    assert!(plain.stages.iter().all(|s| s.reused.is_none()));
    assert_eq!(reusing.stages[1].reused, Some(run));
    assert!(sent.iter().all(|s| *s >= StageId(2)), "{sent:?}");
}

#[tokio::test]
async fn what_cannot_be_retried_is_refused_with_a_reason() {
    let fixture = EngineFixture::with_orders().await;
    let (done, _) = outcome_of(&fixture, "jobs/top.json", &job(false)).await;
    let (bad, _) = outcome_of(&fixture, "jobs/bad.json", "{").await;
    let event = fixture.world.upload("jobs/open.json", &job(false)).await;
    fixture.world.dispatch(&event, &Crash::never()).await;
    let open = fixture.world.queue.pop().expect("a message").run;
    while fixture.world.queue.pop().is_some() {}
    for (run, says) in [
        (done.run.as_str(), "succeeded: there is nothing to retry"),
        (bad.run.as_str(), "was refused: mend it and upload it again"),
        (open.as_str(), "has not ended"),
        ("no-such-run", "there is no run no-such-run"),
        ("../a", "'../a' is not a run id"),
    ] {
        let text = json!({ "retry": run }).to_string();
        let (outcome, _) = outcome_of(&fixture, "jobs/again.json", &text).await;
        let reason = outcome.reason.expect("a reason");
        assert!(reason.contains(says), "{reason}");
    }
}

#[tokio::test]
async fn a_plan_of_another_engine_ends_with_a_sentence() {
    let fixture = EngineFixture::with_orders().await;
    let event = fixture.world.upload("jobs/top.json", &job(false)).await;
    fixture.world.dispatch(&event, &Crash::never()).await;
    let run = fixture.world.queue.pop().expect("a message").run;
    let key = Key::Plan(&run).to_string();
    let text = String::from_utf8(fixture.world.read(&key).await).expect("text");
    let engine = text.split("\"engine\":\"").nth(1).and_then(|t| t.split('"').next());
    let other = text.replace(engine.expect("an engine"), "tidemill 0.0.1, datafusion 1.0.0");
    fixture.put(&key, other).await;
    fixture.world.work(&Crash::never()).await;
    let reason = fixture.world.outcomes().await.remove(0).reason.expect("a reason");
    let says = format!("run {run} was planned by tidemill 0.0.1, datafusion 1.0.0 and this worker");
    assert!(reason.starts_with(&says), "{reason}");
}
