//! What functions may do: the policies in the template, to which the emulator holds them.

use tidemill_protocol::Bucket;
use tidemill_protocol::context::full_text;

use crate::support::emulator::Emulator;

const FUNCTIONS: [&str; 5] = ["planner", "worker", "largeworker", "watcher", "api"];

#[tokio::test]
async fn no_function_may_write_what_users_own() {
    let emulator = Emulator::start().await;
    for function in FUNCTIONS {
        let bucket = emulator.bucket_as(function).await;
        for prefix in ["jobs/", "inbox/", "pipelines/", "functions/"] {
            let key = format!("{prefix}x");
            emulator.put(&key, "mine").await;
            let refused = bucket.put(&key, "theirs".into(), &[]).await;
            let text = full_text(&refused.expect_err(&key));
            assert!(text.contains(&format!("function {function} is not authorized")), "{text}");
            let refused = bucket.delete(std::slice::from_ref(&key)).await;
            assert!(refused.is_err(), "{function} deletes {key}");
            let found = emulator.bucket.get(&key, None).await.expect("it is there");
            assert_eq!(found.bytes, "mine", "{key}");
        }
    }
}

#[tokio::test]
async fn functions_may_write_and_delete_what_is_theirs_and_the_api_only_reads() {
    let emulator = Emulator::start().await;
    for function in FUNCTIONS {
        let bucket = emulator.bucket_as(function).await;
        for prefix in ["runs/", "work/", "results/", "tables/"] {
            let put = bucket.put(&format!("{prefix}{function}"), "x".into(), &[]).await;
            assert_eq!(put.is_ok(), function != "api", "{function} writes {prefix}");
        }
        let of_others = bucket.put("elsewhere/x", "x".into(), &[]).await;
        assert!(of_others.is_err(), "{function} writes elsewhere");
    }
    let api = emulator.bucket_as("api").await;
    assert!(api.get("work/worker", None).await.is_ok());
    assert!(api.get("tables/worker", None).await.is_err());
    let watcher = emulator.bucket_as("watcher").await;
    let kept = watcher.delete(&["work/worker".into(), "runs/worker".into()]).await;
    let text = full_text(&kept.expect_err("a part of it"));
    assert!(text.contains("runs/worker"), "{text}");
    let left: Vec<_> =
        emulator.keys("").await.into_iter().filter(|k| k.ends_with("/worker")).collect();
    assert_eq!(left, ["results/worker", "runs/worker", "tables/worker"]);
}
