//! Pipelines on in-memory seams, with the real engine.

use serde_json::json;
use tidemill_protocol::record::Status;

use crate::engine::EngineFixture;
use crate::support::crash::Crash;

async fn with_pipeline(pipeline: &serde_json::Value) -> EngineFixture {
    let fixture = EngineFixture::new();
    fixture.put("pipelines/orders.json", pipeline.to_string()).await;
    fixture
}

fn orders() -> serde_json::Value {
    json!({ "prefix": "inbox/orders/", "suffix": ".csv", "sql": "SELECT sum(n) AS total FROM input" })
}

#[tokio::test]
async fn each_upload_is_one_run_and_a_bad_file_fails_only_its_own() {
    let fixture = with_pipeline(&orders()).await;
    for n in 0..10 {
        let text = if n == 3 { String::new() } else { format!("n\n{n}\n1\n") };
        let event = fixture.world.upload(&format!("inbox/orders/{n}.csv"), &text).await;
        fixture.world.dispatch(&event, &Crash::never()).await;
    }
    fixture.world.work(&Crash::never()).await;
    let outcomes = fixture.world.outcomes().await;
    assert_eq!(outcomes.len(), 10);
    let failed: Vec<_> = outcomes.iter().filter(|o| o.status == Status::Failed).collect();
    assert_eq!(failed.len(), 1);
    assert!(failed[0].reason.as_ref().expect("a reason").contains("inbox/orders/3.csv"));
    assert!(outcomes.iter().all(|o| o.job.as_str() == "orders"));
}

#[tokio::test]
async fn results_are_appended_to_the_table_that_the_pipeline_names() {
    let mut pipeline = orders();
    pipeline["into"] = json!("tables/totals/");
    let fixture = with_pipeline(&pipeline).await;
    for n in 1..4 {
        let event =
            fixture.world.upload(&format!("inbox/orders/{n}.csv"), &format!("n\n{n}\n")).await;
        let outcomes = fixture.world.run(&event).await;
        assert!(outcomes.iter().all(|o| o.status == Status::Succeeded));
    }
    assert_eq!(fixture.run("SELECT sum(total) FROM totals", Some(2)).await.expect("rows"), ["6"]);
}

#[tokio::test]
async fn hidden_keys_and_keys_of_other_places_start_nothing() {
    let fixture = with_pipeline(&orders()).await;
    for key in
        ["inbox/orders/_a.csv", "inbox/orders/.b/c.csv", "inbox/orders/a.json", "inbox/other/a.csv"]
    {
        let event = fixture.world.upload(key, "n\n1\n").await;
        assert!(fixture.world.run(&event).await.is_empty(), "{key}");
    }
}

#[tokio::test]
async fn two_pipelines_that_match_are_two_runs() {
    let fixture = with_pipeline(&orders()).await;
    let all = json!({ "prefix": "inbox/", "sql": "SELECT count(*) FROM input" });
    fixture.put("pipelines/all.json", all.to_string()).await;
    let event = fixture.world.upload("inbox/orders/a.csv", "n\n1\n").await;
    let mut jobs: Vec<_> =
        fixture.world.run(&event).await.iter().map(|o| o.job.to_string()).collect();
    jobs.sort();
    assert_eq!(jobs, ["all", "orders"]);
}

#[tokio::test]
async fn a_bad_pipeline_fails_a_run_of_its_name_when_it_is_uploaded() {
    let fixture = EngineFixture::new();
    for (text, part) in [
        (r#"{"prefix": "tables/x/", "sql": "SELECT 1"}"#, "tables/x/"),
        (r#"{"prefix": "inbox/x/", "sql": "SELECT 1", "into": "inbox/y/"}"#, "inbox/y/"),
        (r#"{"prefix": "inbox/x/", "sql": "SELECT 1", "speed": 9}"#, "speed"),
        ("{", "not a valid pipeline"),
    ] {
        let event = fixture.world.upload("pipelines/bad.json", text).await;
        let outcomes = fixture.world.run(&event).await;
        let last = outcomes.iter().max_by_key(|o| o.ended).expect("an outcome");
        let reason = last.reason.as_ref().expect("a reason");
        assert!(reason.contains("pipelines/bad.json") && reason.contains(part), "{reason}");
    }
    let event = fixture.world.upload("pipelines/good.json", &orders().to_string()).await;
    assert_eq!(fixture.world.run(&event).await.len(), 4, "a good one starts nothing");
}

#[tokio::test]
async fn a_job_file_can_ask_for_a_pipeline_over_one_file() {
    let fixture = with_pipeline(&orders()).await;
    fixture.put("inbox/orders/old.csv", "n\n4\n").await;
    let job = json!({ "pipeline": "orders", "input": "inbox/orders/old.csv" });
    let event = fixture.world.upload("jobs/backfill/x.json", &job.to_string()).await;
    let outcomes = fixture.world.run(&event).await;
    assert_eq!((outcomes[0].job.as_str(), outcomes[0].rows), ("orders", 1));
    let job = json!({ "pipeline": "orders", "input": "inbox/other.csv" });
    let event = fixture.world.upload("jobs/backfill/y.json", &job.to_string()).await;
    let outcomes = fixture.world.run(&event).await;
    assert!(
        outcomes.iter().any(|o| o.reason.as_ref().is_some_and(|r| r.contains("inbox/other.csv")))
    );
}
