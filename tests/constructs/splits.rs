//! Files that are large enough to be cut.

use crate::engine::EngineFixture;
use crate::support::expected_answer::PARTITIONS;
use crate::support::tables::Table;

#[tokio::test]
async fn a_file_that_is_cut_gives_each_row_once() {
    let sql = "SELECT value AS id, md5(value::varchar) AS pad FROM generate_series(1, 400000)";
    let table = Table::of_query("long", sql, 1).await;
    assert!(table.files[0].len() > 9 << 20, "{} bytes", table.files[0].len());
    let fixture = EngineFixture::new();
    fixture.add(&table).await;
    let sql = "SELECT count(*), count(DISTINCT id), sum(id), min(pad), max(pad) FROM long";
    let mut scans = 0;
    for partitions in PARTITIONS {
        let answer = fixture.answer(sql).await.expect("an answer");
        fixture.try_over(sql, partitions, &answer).await.expect("the same");
        let outcome = fixture.outcome(sql, partitions).await;
        scans = scans.max(outcome.stages[0].tasks);
    }
    assert!(scans > 1, "the file was never cut");
}

/// Lines of a table `t`; each with a line break, commas and quotes inside quotes.
fn quoted(lines: usize) -> String {
    let line = |n| format!("{n},\"first, and a \"\"quote\"\"\nsecond {n}\",{}\n", "x".repeat(400));
    "id,text,pad\n"
        .chars()
        .chain((0..lines).flat_map(|n| line(n).chars().collect::<Vec<_>>()))
        .collect()
}

#[tokio::test]
async fn a_csv_file_is_cut_at_lines_and_never_inside_quotes() {
    let fixture = EngineFixture::new();
    let text = quoted(120_000);
    assert!(text.len() > 50 << 20, "{} bytes", text.len());
    fixture.put("tables/t/t.csv", text).await;
    let sql = "SELECT count(*), sum(id), count(DISTINCT text), max(length(text)) FROM t";
    let mut scans = 0;
    for partitions in [None, Some(1), Some(2), Some(3)] {
        let outcome = fixture.outcome(sql, partitions).await;
        assert_eq!(outcome.reason, None);
        scans = scans.max(outcome.stages[0].tasks);
        let rows = fixture.run(sql, partitions).await.expect("rows");
        assert_eq!(rows, ["120000|7199940000|120000|34"], "over {partitions:?}");
    }
    assert_eq!(scans, 3);
}

#[tokio::test]
async fn a_csv_file_whose_quotes_do_not_pair_is_read_whole_or_refused() {
    let fixture = EngineFixture::new();
    let line = |n| format!("{n},disk {n},{}\n", "x".repeat(400));
    let text: String = (0..120_000).map(line).collect();
    fixture.put("tables/t/t.csv", format!("id,text,pad\n1,6\" disk,y\n{text}")).await;
    let sql = "SELECT count(*), count(DISTINCT text) FROM t";
    assert_eq!(fixture.run(sql, None).await.expect("rows"), ["120001|120001"]);
    let refusal = fixture.run(sql, Some(3)).await;
    assert!(refusal.is_err_and(|e| e.contains("tables/t/t.csv") && e.contains("\"split\": false")));
    fixture.put("tables/t/_schema.json", r#"{"csv": {"split": false}}"#).await;
    assert_eq!(fixture.run(sql, Some(3)).await.expect("rows"), ["120001|120001"]);
}
