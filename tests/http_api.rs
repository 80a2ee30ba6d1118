//! The HTTP API, through the emulator's gateway and the real function.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tidemill_api::ROUTES;
use tidemill_protocol::bucket::Bucket;

use crate::support::emulator::{Emulator, PATIENCE};
use crate::support::http::{Answer, send};

const WAIT: (&str, &str) = ("prefer", "wait=25");

/// An emulator whose API is asked.
struct Asked(Emulator);

impl Asked {
    async fn start() -> Self {
        let emulator = Emulator::start().await;
        let rows: String = (0..100).map(|n| format!("{n},{}\n", n % 7)).collect();
        emulator.put("tables/numbers/all.csv", format!("n,g\n{rows}")).await;
        Self(emulator)
    }

    async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "").await
    }

    async fn post(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let mut all = vec![("content-type", "application/json")];
        all.extend(headers);
        self.send("POST", path, &all, &body.to_string()).await
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        send(method, &format!("{}/_api{path}", self.0.endpoint), headers, body).await
    }

    /// Starts a run and waits for its end.
    async fn run(&self, body: &Value) -> Answer {
        let answer = self.post("/runs", &[WAIT], body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer
    }
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

#[tokio::test]
async fn a_run_that_is_waited_for_is_answered_with_its_rows_and_links_to_its_files() {
    let api = Asked::start().await;
    let job = json!({ "job": "groups", "sql": "SELECT g, count(*) AS c FROM numbers GROUP BY g ORDER BY g" });
    let Answer { body, headers, .. } = api.run(&job).await;
    assert_eq!(headers["preference-applied"], "wait=25");
    let run = text(&body["run"]);
    assert!(run.starts_with("groups-"), "{run}");
    assert_eq!(headers["location"], format!("runs/{run}"));
    let results = &body["results"];
    assert_eq!(results["columns"][1], json!({ "name": "c", "type": "bigint" }));
    assert_eq!((&results["preview"][0], &results["rows"]), (&json!(["0", "15"]), &json!(7)));
    let file = &results["files"][0];
    let got = send("GET", text(&file["url"]), &[], "").await;
    assert_eq!(got.status, 200, "{got:?}");
    assert!(got.text.starts_with("PAR1"));
    assert_eq!(got.headers["content-disposition"], "attachment; filename=\"part-00000.parquet\"");

    let found = api.get(&format!("/runs/{run}")).await;
    assert_eq!((found.status, &found.body["state"]), (200, &json!("succeeded")));
    assert!(found.body["estimate"]["total"]["cost_usd"][0].as_f64().is_some());
    let again = api.get(&format!("/runs/{run}/results")).await.body;
    assert_eq!(again["preview"], results["preview"]);
    let tasks = api.get(&format!("/runs/{run}/tasks")).await.body;
    assert_eq!(tasks["stages"][0]["committed"]["task"], json!([0]));
    let listed = api.get("/runs?job=groups&state=succeeded").await.body;
    assert_eq!(listed["runs"][0]["run"], body["run"]);
    assert_eq!(api.get("/runs?job=group").await.body["runs"], json!([]));
    let several = api.get("/runs?state=succeeded,failed").await.body;
    assert_eq!(several["runs"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_key_starts_one_run_however_often_it_is_used() {
    let api = Asked::start().await;
    let key = ("idempotency-key", "monday's report");
    let job = json!({ "sql": "SELECT 1 AS a" });
    let headers = [key];
    let (a, b) =
        futures::join!(api.post("/runs", &headers, &job), api.post("/runs", &headers, &job));
    assert_eq!((a.status, b.status, &a.body["run"]), (201, 201, &b.body["run"]));
    let later = api.post("/runs", &[key, WAIT], &job).await;
    assert_eq!((later.status, &later.body["run"]), (200, &a.body["run"]));
    assert_eq!(api.get("/runs").await.body["runs"].as_array().map(Vec::len), Some(1));
    let other = api.post("/runs", &[key], &json!({ "sql": "SELECT 2" })).await;
    assert_eq!(other.status, 422);
    assert!(text(&other.body["detail"]).contains(text(&a.body["run"])), "{other:?}");
}

#[tokio::test]
async fn who_waits_for_news_is_answered_when_there_are_some() {
    let api = Asked::start().await;
    let body = api.run(&json!({ "sql": "SELECT 1" })).await.body;
    let path = format!("/runs/{}", text(&body["run"]));
    let tag = api.get(&path).await.headers["etag"].clone();
    let start = Instant::now();
    let unchanged =
        api.send("GET", &format!("{path}?wait=1"), &[("if-none-match", &tag)], "").await;
    assert_eq!((unchanged.status, unchanged.text.as_str()), (304, ""));
    assert!(start.elapsed() >= Duration::from_secs(1));

    let slow = json!({ "sql": "SELECT count(*) FROM generate_series(1, 60000000) a, generate_series(1, 100) b" });
    let started = api.post("/runs", &[], &slow).await.body;
    let path = format!("/runs/{}", text(&started["run"]));
    let patient = Instant::now();
    assert_eq!(api.get(&format!("{path}?wait=1")).await.status, 200, "it has not ended");
    assert!(patient.elapsed() >= Duration::from_secs(1));
    let mut tag = String::new();
    let start = Instant::now();
    loop {
        let found =
            api.send("GET", &format!("{path}?wait=5"), &[("if-none-match", &tag)], "").await;
        assert!(start.elapsed() < PATIENCE, "{found:?}");
        match found.status {
            304 => continue,
            200 => tag = found.headers["etag"].clone(),
            _ => panic!("{found:?}"),
        }
        if found.body["state"] == "running" {
            break;
        }
    }
    let cancelled = api.post(&format!("{path}/cancel"), &[], &json!({})).await;
    assert_eq!(cancelled.status, 202, "{cancelled:?}");
    let ended = loop {
        let found =
            api.send("GET", &format!("{path}?wait=25"), &[("if-none-match", &tag)], "").await;
        assert!(start.elapsed() < PATIENCE, "{found:?}");
        if found.body["state"] == "cancelled" {
            break found;
        }
    };
    assert_eq!(ended.body["outcome"]["reason"], "the run was cancelled");
    let spent = api.get(&format!("{path}/tasks")).await.body;
    assert!(spent["spent_usd"].as_f64().is_some_and(|usd| usd > 0.0), "{spent}");
    let late = api.post(&format!("{path}/cancel"), &[], &json!({})).await;
    assert_eq!(late.status, 409);
    assert!(text(&late.body["detail"]).contains("it is cancelled"), "{late:?}");
    let no_result = api.get(&format!("{path}/results")).await;
    assert_eq!(no_result.status, 409, "{no_result:?}");
}

#[tokio::test]
async fn a_run_that_failed_is_taken_up_and_one_that_succeeded_is_not() {
    let api = Asked::start().await;
    let failed =
        api.run(&json!({ "job": "late", "sql": "SELECT count(*) FROM letters" })).await.body;
    assert_eq!(failed["state"], "failed");
    let path = format!("/runs/{}", text(&failed["run"]));
    api.0.put("tables/letters/all.csv", "l\na\nb\n").await;
    let again = api.post(&format!("{path}/retry"), &[WAIT], &json!({})).await;
    assert_eq!((again.status, &again.body["state"]), (200, &json!("succeeded")), "{again:?}");
    assert_eq!(again.headers["location"], format!("../{}", text(&again.body["run"])));
    assert_eq!(again.body["request"]["retries"], failed["run"]);
    let of_job = api.get("/runs?job=late").await.body;
    assert_eq!(of_job["runs"].as_array().map(Vec::len), Some(2), "the retry is one of its runs");
    let retries = api.get("/runs?job=retry-late").await.body;
    assert_eq!(retries["runs"][0]["run"], again.body["run"]);
    let path = format!("/runs/{}", text(&again.body["run"]));
    let none = api.post(&format!("{path}/retry"), &[], &json!({})).await;
    assert_eq!(none.status, 409, "{none:?}");
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let api = Asked::start().await;
    for (body, status, pointer) in [
        (json!({ "sql": "SELECT 1", "options": { "speed": 9 } }), 422, "/options/speed"),
        (json!({ "sql": "SELECT 1", "options": { "partitions": 0 } }), 422, "/options/partitions"),
        (json!({ "sql": " -- nothing\n;" }), 422, "/sql"),
        (json!({ "sql": "SELECT 1", "job": "a/b" }), 422, "/job"),
        (json!({ "sql": "SELECT 1", "into": "inbox/x/" }), 422, "/into"),
        (
            json!({ "sql": "SELECT 1", "job": "a", "params": { "x": { "date": 1 } } }),
            422,
            "/params/x",
        ),
    ] {
        let answer = api.post("/runs", &[], &body).await;
        assert_eq!(answer.status, status, "{body} {answer:?}");
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        assert_eq!(answer.body["errors"][0]["pointer"], pointer, "{body} {answer:?}");
    }
    for (method, path, headers, body, status) in [
        ("POST", "/runs", vec![], "{", 400),
        ("POST", "/runs", vec![], "[]", 422),
        (
            "POST",
            "/runs",
            vec![],
            "{\"job\": \"a\", \"sql\": \"SELECT 1\", \"sql\": \"SELECT 2\"}",
            422,
        ),
        ("POST", "/runs", vec![], "{\"job\": \"a\", \"job\": \"b\", \"sql\": \"SELECT 1\"}", 422),
        ("GET", "/runs?cursor=%00", vec![], "", 400),
        ("GET", "/tables/a%00b", vec![], "", 400),
        ("POST", "/runs", vec![], "{}", 422),
        ("POST", "/runs", vec![("content-type", "image/png")], "x", 415),
        ("POST", "/runs", vec![("idempotency-key", "")], "{\"sql\": \"SELECT 1\"}", 400),
        ("GET", "/runs?limit=many", vec![], "", 400),
        ("GET", "/runs?limt=5", vec![], "", 400),
        ("GET", "/runs?state=ready", vec![], "", 400),
        ("GET", "/runs?state=queued", vec![], "", 400),
        ("GET", "/runs?limit=0", vec![], "", 400),
        ("GET", "/tables?cursor=bad", vec![], "", 400),
        ("POST", "/uploads", vec![], "{", 400),
        ("POST", "/uploads", vec![], "{\"key\": \"tables/a.csv\"}", 422),
        (
            "PUT",
            "/pipelines/a",
            vec![("if-match", "*")],
            "{\"prefix\": \"inbox/\", \"sql\": \"SELECT 1\"}",
            412,
        ),
        ("GET", "/runs/no-such-run", vec![], "", 404),
        ("GET", "/runs/a%20b", vec![], "", 400),
        ("GET", "/runs/no-such-run/tasks", vec![], "", 404),
        ("POST", "/runs/no-such-run/cancel", vec![], "", 404),
        ("POST", "/runs/no-such-run/retry", vec![], "", 404),
        ("POST", "/uploads", vec![], "{\"key\": \"jobs/a.sql\"}", 422),
        ("POST", "/uploads", vec![], "{\"key\": \"results/a\"}", 422),
        ("GET", "/tables/none", vec![], "", 404),
        ("GET", "/pipelines/none", vec![], "", 404),
        ("PUT", "/pipelines/a", vec![], "{\"prefix\": \"tables/\", \"sql\": \"SELECT 1\"}", 422),
        ("GET", "/elsewhere", vec![], "", 404),
    ] {
        let answer = api.send(method, path, &headers, body).await;
        assert_eq!(answer.status, status, "{method} {path} {body} {answer:?}");
    }
    let large = format!("{{\"sql\": \"SELECT '{}'\"}}", "x".repeat(1024 * 1024));
    assert_eq!(api.send("POST", "/runs", &[], &large).await.status, 413);
    let larger = "x".repeat(7 * 1024 * 1024);
    assert_eq!(api.send("POST", "/runs", &[], &larger).await.status, 413);
}

#[tokio::test]
async fn files_are_uploaded_by_links_that_write_over_nothing() {
    let api = Asked::start().await;
    let upload = async || {
        let asked = json!({ "key": "tables/letters/a.csv", "bytes": 8 });
        let link = api.post("/uploads", &[], &asked).await;
        assert_eq!(link.status, 201, "{link:?}");
        let headers = link.body["headers"].as_object().expect("headers").clone();
        let headers: Vec<_> = headers.iter().map(|(n, v)| (n.as_str(), text(v))).collect();
        send(text(&link.body["method"]), text(&link.body["url"]), &headers, "l\na\nb\n").await
    };
    assert_eq!(upload().await.status, 200);
    assert_eq!(upload().await.status, 412, "it is there");
    let listed = api.get("/tables").await.body;
    assert_eq!(listed["tables"][0]["table"], "letters");
    let table = api.get("/tables/letters").await.body;
    assert_eq!(table["files"][0]["key"], "tables/letters/a.csv");

    let large = json!({ "key": "tables/letters/b.csv", "bytes": 6_u64 << 30 });
    let parts = api.post("/uploads", &[], &large).await.body;
    assert_eq!(parts["urls"].as_array().map(Vec::len), Some(96));
    let part = send("PUT", text(&parts["urls"][0]), &[], "l\nc\n").await;
    assert_eq!(part.status, 200, "{part:?}");
    let complete = json!({
        "key": "tables/letters/b.csv",
        "upload": parts["upload"],
        "etags": [part.headers["etag"]],
    });
    let done = api.post("/uploads/complete", &[], &complete).await;
    assert_eq!(done.status, 200, "{done:?}");
    let count = api.run(&json!({ "sql": "SELECT count(*) FROM letters" })).await.body;
    assert_eq!(count["results"]["preview"], json!([["3"]]));
}

#[tokio::test]
async fn pipelines_are_put_once_and_run_on_files() {
    let api = Asked::start().await;
    let pipeline =
        json!({ "prefix": "inbox/n/", "sql": "SELECT count(*) AS c FROM input" }).to_string();
    let only_new = [("if-none-match", "*")];
    let put = api.send("PUT", "/pipelines/count", &only_new, &pipeline).await;
    assert_eq!(put.status, 200, "{put:?}");
    assert_eq!(api.send("PUT", "/pipelines/count", &only_new, &pipeline).await.status, 412);
    let got = api.get("/pipelines/count").await;
    assert_eq!(
        (got.text.as_str(), &got.headers["etag"]),
        (pipeline.as_str(), &put.headers["etag"])
    );
    let of_this = [("if-match", got.headers["etag"].as_str())];
    assert_eq!(api.send("PUT", "/pipelines/count", &of_this, &pipeline).await.status, 200);
    assert_eq!(api.get("/pipelines").await.body["pipelines"][0]["name"], "count");

    api.0.put("inbox/n/a.csv", "n\n1\n2\n").await;
    api.0.ended("count", 1).await;
    let asked = json!({ "pipeline": "count", "input": "inbox/n/a.csv" });
    let again = api.run(&asked).await.body;
    assert_eq!(again["results"]["preview"], json!([["2"]]), "{again}");
    assert_eq!(api.send("DELETE", "/pipelines/count", &[], "").await.status, 200);
    assert_eq!(api.send("DELETE", "/pipelines/count", &[], "").await.status, 404);
}

#[tokio::test]
async fn an_explained_statement_says_what_it_would_take_and_runs_not() {
    let api = Asked::start().await;
    let job = json!({ "sql": "SELECT g, sum(n) FROM numbers GROUP BY g" });
    let told = api.post("/explain", &[WAIT], &job).await;
    assert_eq!(told.status, 200, "{told:?}");
    assert!(told.body["explained"]["total"]["cost_usd"][1].as_f64().is_some_and(|usd| usd > 0.0));
    let lines = told.body["results"]["preview"].to_string();
    assert!(lines.contains("GB-seconds") && lines.contains("$0.0000"), "{lines}");
    let by_text = api
        .send("POST", "/explain", &[WAIT, ("content-type", "application/sql")], "SELECT 1")
        .await;
    assert_eq!(by_text.status, 200, "{by_text:?}");
}

#[tokio::test]
async fn the_deployment_has_the_routes_that_the_function_answers() {
    let template = include_str!("../template.yaml");
    let deployed: BTreeSet<_> =
        template.lines().filter_map(|line| line.trim().strip_prefix("RouteKey: ")).collect();
    let answered: Vec<_> = ROUTES.iter().map(tidemill_api::Route::key).collect();
    assert_eq!(deployed, answered.iter().map(String::as_str).collect());
    for route in ROUTES {
        let (_, of_route) =
            template.split_once(&format!("RouteKey: {}\n", route.key())).expect("it");
        let of_route = of_route.split("\n\n").next().expect("its lines");
        let scope = if route.reads() { "JwtReadScope" } else { "JwtSubmitScope" };
        assert!(
            of_route.contains(&format!("[Has{scope}, [!Ref {scope}]")),
            "{} {of_route}",
            route.key()
        );
        assert!(of_route.contains("[HasJwtIssuer, JWT, AWS_IAM]"), "{of_route}");
    }
    let api = Asked::start().await;
    let described = api.get("/openapi.json").await.body;
    let described: usize = described["paths"]
        .as_object()
        .expect("paths")
        .values()
        .map(|path| path.as_object().expect("methods").len())
        .sum();
    assert_eq!(described, ROUTES.len());
}

#[tokio::test]
async fn pages_of_other_sites_start_nothing() {
    let api = Asked::start().await;
    let job = "{\"sql\": \"SELECT 1\"}";
    for headers in [
        [("origin", "https://evil.example"), ("content-type", "application/json")],
        [("origin", "null"), ("content-type", "text/plain")],
        [("host", "evil.example"), ("content-type", "text/plain")],
    ] {
        let answer = api.send("POST", "/runs", &headers, job).await;
        assert_eq!(answer.status, 403, "{headers:?} {answer:?}");
    }
    let own = [
        ("origin", api.0.endpoint.as_str()),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    assert_eq!(api.send("POST", "/runs", &own, job).await.status, 415);
    assert_eq!(api.send("GET", "/runs", &[("host", "evil.example")], "").await.status, 403);
    assert_eq!(api.get("/runs").await.body["runs"], json!([]));
}

#[tokio::test]
async fn a_run_that_no_planner_has_noticed_is_queued() {
    let api = Asked::start().await;
    let bucket = &api.0.bucket;
    let key = "jobs/api/held/20260102T030405678Z-1f0a9c33aa00.sql";
    let run = "held-20260102T030405678Z-1f0a9c33aa00";
    assert_eq!(api.get(&format!("/runs/{run}")).await.status, 404);
    // a file of the folder makes no event
    let file = api.0.dir().join("tidemill").join(key);
    std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
    std::fs::write(&file, "SELECT 1").expect("a file");
    assert!(bucket.head(key).await.expect("a look").is_some());
    let queued = api.get(&format!("/runs/{run}")).await;
    assert_eq!((queued.status, &queued.body["state"]), (200, &json!("queued")));
    assert_eq!(api.get(&format!("/runs/{run}/tasks")).await.status, 200);
    assert_eq!(api.get(&format!("/runs/{run}/results")).await.status, 409);
}
