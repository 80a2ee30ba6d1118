//! The protocol on in-memory seams, with an engine that adds numbers.

use std::sync::Arc;
use std::time::Duration;

use tidemill_protocol::bucket::MemoryBucket;
use tidemill_protocol::dispatch;
use tidemill_protocol::job::Limits;
use tidemill_protocol::record::{Outcome, Run, Status, TaskMessage, Timeline};
use tidemill_protocol::runs::{RunFilter, runs};
use tidemill_protocol::status::{RunState, RunWatch};
use tidemill_protocol::work::{self, Worker};
use tidemill_protocol::{
    Bucket, Context, JobName, Key, RunId, StageId, Submission, TaskId, WorkerKind, context,
};

use crate::counting_bucket::CountingBucket;
use crate::support::crash::Crash;
use crate::support::world::World;
use crate::toy_engine::ToyEngine;

fn world() -> World {
    let bucket: Arc<dyn Bucket> = Arc::new(MemoryBucket::default());
    World::new(bucket.clone(), Arc::new(ToyEngine::new(bucket)))
}

async fn answer(world: &World, outcome: &Outcome) -> String {
    assert_eq!(outcome.status, Status::Succeeded, "{:?}", outcome.reason);
    assert_eq!(outcome.files.len(), 1);
    String::from_utf8(world.read(&outcome.files[0].key).await).expect("text")
}

#[tokio::test]
async fn a_job_of_three_stages_ends_with_its_answer_and_nothing_left_over() {
    let world = world();
    let event = world.upload("jobs/top.sql", "sum 10").await;
    let outcomes = world.run(&event).await;
    assert_eq!(outcomes.len(), 1);
    assert_eq!(answer(&world, &outcomes[0]).await, "45");
    assert_eq!(outcomes[0].tasks, 11);
    assert_eq!(world.keys("work/").await, [""; 0]);
    let results = world.keys("results/top/").await;
    assert!(results.iter().any(|k| k.ends_with("/_SUCCESS")), "{results:?}");
}

#[tokio::test]
async fn more_tasks_than_a_group_has_still_advance_once() {
    let world = world();
    let event = world.upload("jobs/top.sql", "sum 300").await;
    let outcomes = world.run(&event).await;
    assert_eq!(answer(&world, &outcomes[0]).await, (0..300).sum::<u64>().to_string());
}

#[tokio::test]
async fn tiny_tasks_that_share_a_message_survive_a_crash_at_any_effect() {
    let mut effects = 0;
    for at in (0..).step_by(7) {
        let mut happened = false;
        for after in [false, true] {
            let world = world();
            let event = world.upload("jobs/top.sql", "sum 270").await;
            world.dispatch(&event, &Crash::never()).await;
            let crash = Crash::at(at, after);
            world.work(&crash).await;
            let outcomes = world.outcomes().await;
            assert_eq!(answer(&world, &outcomes[0]).await, "36315", "{crash:?}");
            assert_eq!(outcomes[0].tasks, 271, "{crash:?}");
            assert_eq!(world.keys("work/").await, [""; 0], "{crash:?}");
            happened |= crash.happened();
        }
        if !happened {
            break;
        }
        effects = at;
    }
    assert!(effects > 400, "only {effects} effects were tried");
}

#[tokio::test]
async fn an_event_delivered_twice_is_one_run_and_does_nothing_twice() {
    let world = world();
    let event = world.upload("jobs/top.sql", "sum 4").await;
    let never = Crash::never();
    world.dispatch(&event, &never).await;
    world.dispatch(&event, &never).await;
    let mut messages = 0;
    let worker = Worker::new(world.engine.clone());
    while let Some(message) = world.queue.pop() {
        messages += 1;
        worker.run_tasks(&world.context(1), &message).await.expect("done");
    }
    assert_eq!(messages, 5, "each task is sent once");
    world.dispatch(&event, &never).await;
    assert!(world.queue.pop().is_none());
    assert_eq!(world.outcomes().await.len(), 1);
}

#[tokio::test]
async fn a_file_uploaded_twice_is_two_runs() {
    let world = world();
    let first = world.upload("jobs/top.sql", "sum 3").await;
    world.run(&first).await;
    let second = world.upload("jobs/top.sql", "sum 3").await;
    assert_eq!(world.run(&second).await.len(), 2);
}

/// Whoever submits knows the run before anybody has noticed the job.
#[tokio::test]
async fn a_submission_is_one_run_however_often_it_comes() {
    let world = world();
    let submission = Submission::new("2026-01-02T03:04:05.678Z".parse().expect("a time"), 7);
    let job = JobName::new("top");
    let key = Key::submission(&job, &submission, "sql");
    let first = world.upload(&key, "sum 3").await;
    assert_eq!(world.run(&first).await.len(), 1);
    let second = world.upload(&key, "sum 4").await;
    let outcomes = world.run(&second).await;
    assert_eq!(outcomes.len(), 1);
    assert_eq!(outcomes[0].run, RunId::of_submission(&job, &submission));
    assert_eq!(outcomes[0].job, job);
    assert_eq!(answer(&world, &outcomes[0]).await, "3");
}

#[tokio::test]
async fn runs_are_listed_the_newest_first() {
    let world = world();
    let mut runs = vec![];
    for number in 0..3 {
        let mut event = world.upload(&format!("jobs/{number}.sql"), "sum 3").await;
        event.time = "2026-01-02T03:04:05Z".parse().expect("a time");
        event.time += chrono::TimeDelta::milliseconds(number);
        let outcomes = world.run(&event).await;
        let job = JobName::new(&number.to_string());
        runs.extend(outcomes.into_iter().filter(|o| o.job == job).map(|o| o.run));
    }
    runs.reverse();
    let listed = world.keys(Key::RECENT).await;
    let listed: Vec<_> = listed.iter().filter_map(|key| Key::recent_run(key)).collect();
    assert_eq!(listed, runs);
}

#[tokio::test]
async fn runs_are_listed_page_by_page_none_twice_and_none_left_out() {
    let world = world();
    for number in 0..7 {
        let (name, sql) = if number % 3 == 0 { ("odd", "not a sum") } else { ("top", "sum 4") };
        let submission = Submission::new("2026-01-02T03:04:05Z".parse().expect("a time"), number);
        let key = Key::submission(&JobName::new(name), &submission, "sql");
        world.run(&world.upload(&key, sql).await).await;
    }
    let all = async |filter: RunFilter, limit: usize| {
        let (mut found, mut cursor) = (vec![], None);
        loop {
            let page =
                runs(&*world.bucket, &filter, limit, cursor.as_deref()).await.expect("a page");
            assert!(page.runs.len() <= limit, "{page:?}");
            found.extend(page.runs.into_iter().map(|run| run.run));
            cursor = page.next;
            if cursor.is_none() {
                return found;
            }
        }
    };
    let newest: Vec<_> = world.keys(Key::RECENT).await;
    let newest: Vec<_> = newest.iter().filter_map(|key| Key::recent_run(key)).collect();
    for limit in [1, 2, 3, 100] {
        assert_eq!(all(RunFilter::default(), limit).await, newest, "{limit}");
        let failed = RunFilter { states: vec![RunState::Failed], ..RunFilter::default() };
        assert_eq!(all(failed, limit).await.len(), 3, "{limit}");
        let of_job = RunFilter { job: Some(JobName::new("top")), states: vec![] };
        assert_eq!(all(of_job, limit).await.len(), 4, "{limit}");
    }
}

#[tokio::test]
async fn when_tasks_ran_is_kept_of_runs_that_succeed_and_of_those_that_fail() {
    for (sql, commits) in [("sum 10", 11), ("sum 99", 0)] {
        let mut world = world();
        world.time_left = Duration::from_millis(50);
        let event = world.upload("jobs/top.sql", sql).await;
        let outcomes = world.run(&event).await;
        let key = Key::Tasks(&outcomes[0].run).to_string();
        let found: Option<Timeline> = context::find(&*world.bucket, &key).await.expect("readable");
        let timeline = found.unwrap_or_else(|| panic!("{sql}: no {key}: {outcomes:?}"));
        let times = || timeline.stages.iter();
        assert!(times().any(|s| !s.started.is_empty()), "{timeline:?}");
        assert_eq!(times().map(|s| s.committed.task.len()).sum::<usize>(), commits, "{timeline:?}");
        for stage in times() {
            assert!(stage.sent.is_some(), "{stage:?}");
            assert_eq!(stage.started.task.len(), stage.started.at.len());
            assert_eq!(stage.committed.task.len(), stage.bytes.len());
            assert!(stage.started.task.len() >= stage.committed.task.len(), "{stage:?}");
        }
    }
}

#[tokio::test]
async fn what_an_attempt_failed_of_is_kept_of_a_run_that_succeeded() {
    let world = world();
    let event = world.upload("jobs/top.sql", "sum 97").await;
    let outcomes = world.run(&event).await;
    assert_eq!(outcomes[0].status, Status::Succeeded);
    let key = Key::Tasks(&outcomes[0].run).to_string();
    let found: Option<Timeline> = context::find(&*world.bucket, &key).await.expect("readable");
    let errors = found.expect("it is kept").errors;
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].error.contains("the store was away"), "{errors:?}");
    assert_eq!((errors[0].log.as_str(), errors[0].lines.as_str()), ("log", "the last line\n"));
}

/// What is done, and what has not begun, is not looked at again.
#[tokio::test]
async fn a_run_that_is_watched_costs_little() {
    let world = world();
    let event = world.upload("jobs/top.sql", "sum 10").await;
    world.dispatch(&event, &Crash::never()).await;
    let run = Key::recent_run(&world.keys(Key::RECENT).await[0]).expect("a run");
    let mut watch = RunWatch::new(run);
    let counting = CountingBucket::new(world.bucket.clone());
    let first = watch.look(&counting).await.expect("readable").expect("a run");
    assert_eq!(first.state, RunState::Running);
    assert!(first.stages.iter().skip(2).all(|stage| stage.tasks.is_none()), "{first:?}");
    counting.take();
    watch.look(&counting).await.expect("readable");
    let again = counting.take();
    assert!(again.len() <= 3, "{again:?}");
    world.work(&Crash::never()).await;
    let last = watch.look(&counting).await.expect("readable").expect("a run");
    assert_eq!(last.state, RunState::Succeeded);
    assert_eq!(counting.take().len(), 1, "its outcome");
}

#[tokio::test]
async fn a_message_delivered_twice_changes_nothing() {
    let world = world();
    let event = world.upload("jobs/top.sql", "sum 6").await;
    let never = Crash::never();
    world.dispatch(&event, &never).await;
    let worker = Worker::new(world.engine.clone());
    while let Some(message) = world.queue.pop() {
        for delivery in [1, 1, 2] {
            worker.run_tasks(&world.context(delivery), &message).await.expect("done");
        }
    }
    let outcomes = world.outcomes().await;
    assert_eq!(answer(&world, &outcomes[0]).await, "15");
}

#[tokio::test]
async fn a_planner_killed_at_any_effect_is_repaired_by_the_next_delivery() {
    let mut crashes = 0;
    for at in 0.. {
        let mut happened = false;
        for after in [false, true] {
            let world = world();
            let event = world.upload("jobs/top.sql", "sum 5").await;
            let crash = Crash::at(at, after);
            world.dispatch(&event, &crash).await;
            world.work(&Crash::never()).await;
            let outcomes = world.outcomes().await;
            assert_eq!(outcomes.len(), 1, "{crash:?}");
            assert_eq!(answer(&world, &outcomes[0]).await, "10", "{crash:?}");
            assert_eq!(world.keys("work/").await, [""; 0], "{crash:?}");
            happened |= crash.happened();
        }
        if !happened {
            break;
        }
        crashes += 1;
    }
    assert_eq!(crashes, 10, "watch, recent, run, plan, and for both leaves: layout, send, sent");
}

#[tokio::test]
async fn a_worker_killed_at_any_effect_is_repaired_by_the_next_delivery() {
    for into in [false, true] {
        let job = match into {
            false => r#"{"sql": "sum 5"}"#,
            true => r#"{"sql": "sum 5", "into": "tables/sums/"}"#,
        };
        let mut crashes = 0;
        for at in 0.. {
            let mut happened = false;
            for after in [false, true] {
                let world = world();
                let event = world.upload("jobs/top.json", job).await;
                world.dispatch(&event, &Crash::never()).await;
                let crash = Crash::at(at, after);
                world.work(&crash).await;
                let outcomes = world.outcomes().await;
                assert_eq!(outcomes.len(), 1, "{crash:?}");
                assert_eq!(answer(&world, &outcomes[0]).await, "10", "{crash:?}");
                assert_eq!(world.keys("tables/").await.len(), usize::from(into), "{crash:?}");
                happened |= crash.happened();
            }
            if !happened {
                break;
            }
            crashes += 1;
        }
        assert!(crashes > 20, "only {crashes} effects were tried");
    }
}

#[tokio::test]
async fn a_refused_job_fails_with_the_reason_in_both_places() {
    let world = world();
    let event = world.upload("jobs/bad.sql", "what?").await;
    let outcomes = world.run(&event).await;
    assert_eq!(outcomes[0].reason.as_deref(), Some("not a sum"));
    let results = world.keys("results/bad/").await;
    assert!(results[0].ends_with("/_FAILED"));
    let copy = String::from_utf8(world.read(&results[0]).await).expect("text");
    assert!(copy.contains("not a sum"));
}

#[tokio::test]
async fn a_job_that_was_overwritten_before_it_was_read_fails_and_the_new_one_runs() {
    let world = world();
    let old = world.upload("jobs/top.sql", "sum 3").await;
    let new = world.upload("jobs/top.sql", "sum 4000").await;
    world.run(&old).await;
    let outcomes = world.run(&new).await;
    let failed: Vec<_> = outcomes.iter().filter(|o| o.status == Status::Failed).collect();
    assert_eq!((outcomes.len(), failed.len()), (2, 1));
    assert!(failed[0].reason.as_ref().expect("a reason").contains("jobs/top.sql"));
}

#[tokio::test]
async fn a_dead_task_fails_its_run_unless_it_has_a_commit() {
    let world = world();
    let event = world.upload("jobs/top.sql", "sum 4").await;
    world.dispatch(&event, &Crash::never()).await;
    let message = world.queue.pop().expect("a task");
    let worker = Worker::new(world.engine.clone());
    worker.run_tasks(&world.context(1), &message).await.expect("committed");
    assert!(work::give_up(&world.context(1), &message).await.expect("looked").is_none());
    let dead = TaskMessage { stage: StageId(1), task: TaskId(0), ..message };
    let outcome = work::give_up(&world.context(1), &dead).await.expect("given up");
    let reason = outcome.expect("an outcome").reason.expect("a reason");
    assert!(reason.contains("task 0 of stage 1"), "{reason}");
    world.work(&Crash::never()).await;
    assert_eq!(world.outcomes().await[0].status, Status::Failed, "what ended stays ended");
}

#[tokio::test]
async fn a_task_that_was_sent_on_and_died_there_fails_its_run() {
    let world = world();
    let event = world.upload("jobs/top.sql", "sum 98").await;
    world.dispatch(&event, &Crash::never()).await;
    let first = world.queue.pop().expect("a task");
    while world.queue.pop().is_some() {}
    let worker = Worker::new(world.engine.clone());
    worker.run_tasks(&world.context(1), &first).await.expect("sent on");
    let (kind, message) = world.queue.pop_kind().expect("it was sent on");
    assert_eq!(kind, WorkerKind::Large);
    let cx = Context { message: "large".into(), kind, ..world.context(1) };
    let outcome = work::give_up(&cx, &message).await.expect("given up");
    assert_eq!(outcome.expect("nobody else is at it").status, Status::Failed);
}

#[tokio::test]
async fn what_outlasts_its_function_fails_its_run_with_a_sentence() {
    for (sql, what) in [("hang", "planning the job"), ("sum 99", "task 0 of stage 0")] {
        let mut world = world();
        world.time_left = Duration::from_millis(30);
        let event = world.upload("jobs/slow.sql", sql).await;
        let outcomes = world.run(&event).await;
        assert_eq!(outcomes[0].status, Status::Failed);
        let reason = outcomes[0].reason.as_ref().expect("a reason");
        assert!(reason.starts_with(what) && reason.contains("partitions"), "{reason}");
    }
}

#[tokio::test]
async fn a_dead_event_fails_its_run() {
    let world = world();
    let event = world.upload("jobs/top.sql", "sum 4").await;
    let outcomes =
        dispatch::give_up(&world.context(1), &event, "given up").await.expect("given up");
    assert_eq!(outcomes[0].reason.as_deref(), Some("given up"));
}

#[tokio::test]
async fn a_deployment_limits_jobs_that_do_not_limit_themselves() {
    let mut world = world();
    world.limits = Limits { deadline: Some(77), max_cost_usd: Some(1e-9) };
    let event = world.upload("jobs/top.sql", "sum 5").await;
    let why = world.run(&event).await[0].reason.clone().expect("a reason");
    assert!(why.contains("over the budget of $0.000000001"), "{why}");
    let job = r#"{"sql": "sum 5", "options": {"max_cost_usd": 5}}"#;
    let event = world.upload("jobs/other.json", job).await;
    let outcomes = world.run(&event).await;
    let other = outcomes.iter().find(|o| o.job.as_str() == "other").expect("an outcome");
    assert_eq!(other.reason, None);
    let key = Key::Run(&other.run).to_string();
    let run: Run = context::find(&*world.bucket, &key).await.expect("readable").expect("a run");
    assert_eq!(run.deadline().num_seconds(), 77);
}
