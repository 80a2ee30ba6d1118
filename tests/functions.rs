//! Functions that are not the engine's, at every place of a statement that one may have; `tests/python` and the
//! package's tests have those that are Python's.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use tidemill_protocol::WorkerKind;
use tidemill_protocol::record::Status;
use tokio::time::timeout;

use crate::engine::{EngineFixture, sorted};
use crate::support::crash::Crash;

/// No statement here takes so long, whatever else the machine does.
const PATIENCE: Duration = Duration::from_secs(60);

/// Each with one that says the same without functions.
const SAME: &[(&str, &str)] = &[
    ("SELECT id, plus(id, 1) FROM orders", "SELECT id, id + 1 FROM orders"),
    (
        "SELECT id FROM orders WHERE plus(id, 1) % 7 = 0",
        "SELECT id FROM orders WHERE (id + 1) % 7 = 0",
    ),
    ("SELECT plus(plus(id, 1), plus(id, 2)) FROM orders", "SELECT 2 * id + 3 FROM orders"),
    ("SELECT plus(customer, 1) FROM orders", "SELECT customer + 1 FROM orders"),
    ("SELECT or_zero(customer) FROM orders", "SELECT coalesce(customer, 0) FROM orders"),
    ("SELECT sum(plus(id, 1)) FROM orders", "SELECT sum(id + 1) FROM orders"),
    (
        "SELECT plus(customer, 1), count(*) FROM orders GROUP BY plus(customer, 1)",
        "SELECT customer + 1, count(*) FROM orders GROUP BY customer + 1",
    ),
    (
        "SELECT customer, sum(id) FROM orders GROUP BY customer HAVING plus(sum(id), 1) > 4000",
        "SELECT customer, sum(id) FROM orders GROUP BY customer HAVING sum(id) + 1 > 4000",
    ),
    (
        "SELECT plus(customer, 0), id % 2, count(*) FROM orders GROUP BY GROUPING SETS ((plus(customer, 0)), (id % 2))",
        "SELECT customer, id % 2, count(*) FROM orders GROUP BY GROUPING SETS ((customer), (id % 2))",
    ),
    (
        "SELECT DISTINCT ON (customer) customer, plus(id, 1) FROM orders ORDER BY customer, id",
        "SELECT DISTINCT ON (customer) customer, id + 1 FROM orders ORDER BY customer, id",
    ),
    ("SELECT DISTINCT plus(customer, 1) FROM orders", "SELECT DISTINCT customer + 1 FROM orders"),
    (
        "SELECT o.id, c.id FROM orders o JOIN customers c ON plus(c.id, 1) = o.customer",
        "SELECT o.id, c.id FROM orders o JOIN customers c ON c.id + 1 = o.customer",
    ),
    (
        "SELECT o.id, c.id FROM orders o JOIN customers c ON plus(c.id, o.customer) = 40",
        "SELECT o.id, c.id FROM orders o JOIN customers c ON c.id + o.customer = 40",
    ),
    (
        "SELECT o.id, c.id FROM customers c LEFT JOIN orders o ON c.id = plus(o.customer, 1) AND plus(o.id, 1) < 90",
        "SELECT o.id, c.id FROM customers c LEFT JOIN orders o ON c.id = o.customer + 1 AND o.id + 1 < 90",
    ),
    (
        "SELECT id FROM customers WHERE plus(id, 0) IN (SELECT plus(customer, 0) FROM orders)",
        "SELECT id FROM customers WHERE id IN (SELECT customer FROM orders)",
    ),
    (
        "SELECT c.id, (SELECT max(plus(o.id, 1)) FROM orders o WHERE o.customer = c.id) FROM customers c",
        "SELECT c.id, (SELECT max(o.id + 1) FROM orders o WHERE o.customer = c.id) FROM customers c",
    ),
    (
        "SELECT id, sum(plus(id, 1)) OVER (PARTITION BY plus(customer, 0) ORDER BY plus(id, 0)) FROM orders",
        "SELECT id, sum(id + 1) OVER (PARTITION BY customer ORDER BY id) FROM orders",
    ),
    (
        "SELECT plus(id, 1) FROM customers UNION SELECT plus(customer, 1) FROM orders",
        "SELECT id + 1 FROM customers UNION SELECT customer + 1 FROM orders",
    ),
    (
        "SELECT id, (SELECT count(*) FROM customers c WHERE EXISTS (SELECT 1 FROM orders o \
         WHERE o.customer = c.id AND plus(o.id, 1) < 90)) FROM customers",
        "SELECT id, (SELECT count(*) FROM customers c WHERE EXISTS (SELECT 1 FROM orders o \
         WHERE o.customer = c.id AND o.id + 1 < 90)) FROM customers",
    ),
    (
        "SELECT id FROM customers c WHERE same_bool(NOT EXISTS (SELECT 1 FROM orders o WHERE o.customer = c.id)) \
         OR c.id IN (SELECT plus(customer, 1) FROM orders WHERE id < 30) AND plus(c.id, 1) > 20",
        "SELECT id FROM customers c WHERE NOT EXISTS (SELECT 1 FROM orders o WHERE o.customer = c.id) \
         OR c.id IN (SELECT customer + 1 FROM orders WHERE id < 30) AND c.id + 1 > 20",
    ),
    (
        "SELECT id FROM customers c WHERE id = 3 OR EXISTS (SELECT 1 FROM orders o WHERE plus(o.customer, 1) = c.id)",
        "SELECT id FROM customers c WHERE id = 3 OR EXISTS (SELECT 1 FROM orders o WHERE o.customer + 1 = c.id)",
    ),
    (
        "SELECT id FROM customers WHERE id = 3 OR plus(id, 30) IN (SELECT customer FROM orders)",
        "SELECT id FROM customers WHERE id = 3 OR id + 30 IN (SELECT customer FROM orders)",
    ),
    (
        "SELECT id FROM customers WHERE plus(id, 30) NOT IN (SELECT customer FROM orders WHERE customer IS NOT NULL)",
        "SELECT id FROM customers WHERE id + 30 NOT IN (SELECT customer FROM orders WHERE customer IS NOT NULL)",
    ),
    (
        "SELECT sum(plus(plus(n, 1), plus(plus(n, 2), 3))) FROM generate_series(1, 300000) AS g(n)",
        "SELECT sum(2 * n + 6) FROM generate_series(1, 300000) AS g(n)",
    ),
    ("SELECT plus(1, 2), seven()", "SELECT 3, 7"),
    // what makes no rows on one side makes none of an intersection, whatever the other one asks for
    (
        "SELECT plus(id, 1) FROM orders WHERE false INTERSECT SELECT o.id FROM orders o JOIN customers c ON true \
         WHERE o.price > (SELECT max(x.price) FROM orders x WHERE x.id = o.id AND 1 < c.id)",
        "SELECT id FROM orders WHERE false",
    ),
    ("SELECT id FROM orders WHERE false AND plus(id, 1) > 0", "SELECT id FROM orders WHERE false"),
    (
        "WITH t AS (SELECT id, plus(id, 1) AS next FROM orders) SELECT a.id FROM t a JOIN t b ON a.next = b.id",
        "WITH t AS (SELECT id, id + 1 AS next FROM orders) SELECT a.id FROM t a JOIN t b ON a.next = b.id",
    ),
    ("SELECT total(id), all_of(price) FROM orders", "SELECT sum(id)::double, count(*) FROM orders"),
    (
        "SELECT customer, total(id), count(*), total(id) + 1 FROM orders GROUP BY customer",
        "SELECT customer, sum(id)::double, count(*), sum(id)::double + 1 FROM orders GROUP BY customer",
    ),
    (
        "SELECT customer, all_of(customer) FROM orders GROUP BY customer",
        "SELECT customer, count(*) FROM orders GROUP BY customer",
    ),
    (
        "SELECT customer, total(id) FILTER (WHERE id < 90) FROM orders GROUP BY customer",
        "SELECT customer, coalesce(sum(id) FILTER (WHERE id < 90), 0)::double FROM orders GROUP BY customer",
    ),
    (
        "SELECT total(DISTINCT customer), total(plus(id, 1)) FROM orders",
        "SELECT sum(DISTINCT customer)::double, sum(id + 1)::double FROM orders",
    ),
    ("SELECT total(id), all_of(price) FROM orders WHERE id < 0", "SELECT 0.0::double, 0"),
    (
        "SELECT customer FROM orders GROUP BY customer HAVING total(id) > 3000",
        "SELECT customer FROM orders GROUP BY customer HAVING sum(id) > 3000",
    ),
    (
        "SELECT region, customer, total(o.id) FROM orders o JOIN customers c ON c.id = customer \
         GROUP BY ROLLUP (region, customer)",
        "SELECT region, customer, sum(o.id)::double FROM orders o JOIN customers c ON c.id = customer \
         GROUP BY ROLLUP (region, customer)",
    ),
    (
        "SELECT * FROM pieces('a b c')",
        "SELECT * FROM (VALUES ('a', 0), ('b', 1), ('c', 2)) AS t(piece, place)",
    ),
    (
        "SELECT c.id, p.piece, place FROM customers c, pieces(c.name) AS p",
        "SELECT id, 'name', 0 FROM customers UNION ALL SELECT id, id::varchar, 1 FROM customers",
    ),
    (
        "SELECT p.*, c.id FROM customers c, pieces(c.name) AS p WHERE p.place = 1",
        "SELECT id::varchar, 1, id FROM customers",
    ),
    (
        "SELECT c.id, p.a FROM customers c CROSS JOIN LATERAL pieces(name) AS p(a, b) WHERE p.b = 1",
        "SELECT id, id::varchar FROM customers",
    ),
    (
        "SELECT c.id, p.piece FROM customers c LEFT JOIN pieces(c.region) p ON true",
        "SELECT id, region FROM customers",
    ),
    (
        "SELECT c.id, p.piece FROM customers c JOIN pieces(c.name) p ON p.place = 1 AND c.id < 9",
        "SELECT id, id::varchar FROM customers WHERE id < 9",
    ),
];

#[tokio::test]
async fn a_function_gives_what_an_expression_gives_over_any_number_of_partitions() {
    let fixture = EngineFixture::with_orders().await.with_functions().await;
    for (called, plain) in SAME {
        let expected = sorted(fixture.expected(plain).await);
        for partitions in [None, Some(1), Some(2), Some(7)] {
            // calls that wait for each other would do so for ever
            let rows = timeout(PATIENCE, fixture.run(called, partitions)).await;
            let rows = rows.unwrap_or_else(|_| panic!("{called} over {partitions:?}: no end"));
            let rows = sorted(rows.unwrap_or_else(|e| panic!("{called} over {partitions:?}: {e}")));
            assert_eq!(rows, expected, "{called} over {partitions:?}");
        }
    }
}

#[tokio::test]
async fn a_function_is_called_once_for_each_row_that_its_place_asks_for() {
    let fixture = EngineFixture::with_orders().await.with_functions().await;
    let some = 600 - (0..600).filter(|n| n % 11 == 0).count();
    let counts: &[(&str, &[(&str, usize)])] = &[
        ("SELECT plus(id, 1), plus(id, 1) + 1 FROM orders", &[("plus", 600)]),
        ("SELECT drawn(id), drawn(id) FROM orders", &[("drawn", 1200)]),
        ("SELECT d, d, d + 1 FROM (SELECT drawn(id) AS d FROM orders)", &[("drawn", 600)]),
        (
            "SELECT d FROM (SELECT drawn(id) AS d FROM orders) WHERE d > 5 AND d < 9",
            &[("drawn", 600)],
        ),
        ("SELECT plus(customer, 1) FROM orders", &[("plus", some)]),
        ("SELECT or_zero(customer) FROM orders", &[("or_zero", 600)]),
        ("SELECT id FROM orders WHERE plus(id, 1) > 0 AND id < 10", &[("plus", 10)]),
        (
            "SELECT id FROM (SELECT id, plus(id, 1) AS n FROM orders) WHERE id < 10 AND n > 5",
            &[("plus", 10)],
        ),
        (
            "SELECT id FROM orders WHERE plus(id, 0) < 10 AND same_int(id) < 5",
            &[("plus", 600), ("same_int", 10)],
        ),
        (
            "SELECT CASE WHEN id < 10 THEN plus(id, 1) WHEN id < 15 THEN same_int(id) END FROM orders",
            &[("plus", 10), ("same_int", 5)],
        ),
        (
            "SELECT CASE id WHEN 3 THEN plus(id, 1) ELSE same_int(id) END FROM orders",
            &[("plus", 1), ("same_int", 599)],
        ),
        (
            "SELECT coalesce(customer, plus(id, 0), same_int(id)) FROM orders",
            &[("plus", 600 - some)],
        ),
        ("SELECT id < 10 OR plus(id, 1) > 0 FROM orders", &[("plus", 590)]),
        ("SELECT id < 10 AND plus(id, 1) > 0 FROM orders", &[("plus", 10)]),
        (
            "SELECT CASE WHEN customer <> 0 THEN plus(100 / customer, 1) END FROM orders",
            &[("plus", (0..600).filter(|n| n % 11 != 0 && n * 7 % 50 != 0).count())],
        ),
        ("SELECT id FROM (SELECT id, plus(id, 1) FROM orders)", &[]),
        ("SELECT count(*) FROM (SELECT plus(id, 1) FROM orders)", &[]),
        ("SELECT plus(id, 1) FROM customers LIMIT 3", &[("plus", 3)]),
        (
            "SELECT y FROM (SELECT plus(id, 1) AS y, same_int(id) AS unread FROM customers) LIMIT 3",
            &[("plus", 3)],
        ),
        ("SELECT id, plus(id, 1) FROM customers ORDER BY id DESC LIMIT 3", &[("plus", 3)]),
        ("SELECT plus(id, 1) AS n FROM customers ORDER BY n DESC LIMIT 3", &[("plus", 40)]),
        ("SELECT total(price) FROM orders", &[("total", 1)]),
    ];
    for (sql, expected) in counts {
        fixture.functions.take_counts();
        fixture.run(sql, None).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
        let expected: BTreeMap<_, _> =
            expected.iter().map(|(name, rows)| ((*name).to_owned(), *rows)).collect();
        assert_eq!(fixture.functions.take_counts(), expected, "{sql}");
    }
}

#[tokio::test]
async fn an_order_is_kept_through_calls_however_they_are_spread() {
    let fixture = EngineFixture::with_orders().await.with_functions().await;
    for (called, plain) in [
        (
            "SELECT id, slow(id) FROM customers ORDER BY id",
            "SELECT id, id + 1 FROM customers ORDER BY id",
        ),
        (
            "SELECT slow(id) n FROM customers ORDER BY n DESC",
            "SELECT id + 1 n FROM customers ORDER BY n DESC",
        ),
        (
            "SELECT id, slow(id) FROM customers ORDER BY id LIMIT 7 OFFSET 5",
            "SELECT id, id + 1 FROM customers ORDER BY id LIMIT 7 OFFSET 5",
        ),
        (
            "SELECT region, sum(slow(id)) s FROM customers GROUP BY region ORDER BY region NULLS LAST",
            "SELECT region, sum(id + 1) s FROM customers GROUP BY region ORDER BY region NULLS LAST",
        ),
        (
            "SELECT slow(n) FROM (SELECT customer, count(*) AS n FROM orders GROUP BY customer) ORDER BY 1",
            "SELECT n + 1 FROM (SELECT customer, count(*) AS n FROM orders GROUP BY customer) ORDER BY 1",
        ),
        ("SELECT max(slow(id)) FROM customers", "SELECT max(id + 1) FROM customers"),
    ] {
        let expected = fixture.expected(plain).await;
        for partitions in [None, Some(1), Some(2), Some(7)] {
            let rows = fixture.run(called, partitions).await;
            let rows = rows.unwrap_or_else(|e| panic!("{called} over {partitions:?}: {e}"));
            assert_eq!(rows, expected, "{called} over {partitions:?}");
        }
    }
}

#[tokio::test]
async fn few_rows_that_take_long_are_many_tasks() {
    let fixture = EngineFixture::with_orders().await.with_functions().await;
    // 40 rows of 10 seconds are 14 tasks of 30
    let outcome = fixture.outcome("SELECT sum(slow(id)) FROM customers", None).await;
    assert_eq!(outcome.status, Status::Succeeded, "{:?}", outcome.reason);
    let plan = fixture.plan_of(&outcome).await;
    let slow = plan.stages.iter().position(|s| s.worker == WorkerKind::PythonSql).expect("a stage");
    let tasks = outcome.stages[slow].tasks;
    assert!(tasks >= 14, "{:?}", outcome.stages);
    let estimate = plan.estimate.expect("an estimate");
    let of_task = estimate.stages[slow].message_seconds;
    assert!(of_task.high >= 10.0 && of_task.high <= 60.0, "{of_task:?}");
    let within =
        json!({ "sql": "SELECT slow(id) FROM customers", "options": { "max_cost_usd": 0.001 } });
    let reason = fixture.outcome_of(&within).await.reason.expect("it costs more");
    assert!(reason.contains("over the budget of $0.001"), "{reason}");
    let explained =
        fixture.run("EXPLAIN SELECT slow(id) FROM customers", None).await.expect("lines");
    assert!(explained.iter().any(|l| l.contains("python-sql workers")), "{explained:?}");
}

#[tokio::test]
async fn only_stages_that_call_functions_are_for_python() {
    let fixture = EngineFixture::with_orders().await.with_functions().await;
    let kinds = async |sql: &str, partitions| {
        let outcome = fixture.outcome(sql, partitions).await;
        assert_eq!(outcome.status, Status::Succeeded, "{:?}", outcome.reason);
        let plan = fixture.plan_of(&outcome).await;
        plan.stages.iter().map(|s| s.worker).collect::<Vec<_>>()
    };
    let (normal, python) = (WorkerKind::Normal, WorkerKind::PythonSql);
    let grouped = "SELECT customer, sum(plus(id, 1)) FROM orders GROUP BY customer";
    assert_eq!(kinds(grouped, Some(3)).await, [python, normal]);
    let of_groups = "SELECT customer, total(price) FROM orders GROUP BY customer";
    assert_eq!(kinds(of_groups, Some(3)).await, [normal, python]);
    assert_eq!(kinds("SELECT plus(id, 1) FROM orders", None).await, [python]);
    assert_eq!(kinds("SELECT id FROM (SELECT id, plus(id, 1) FROM orders)", None).await, [normal]);
}

#[tokio::test]
async fn what_a_function_raises_fails_the_run() {
    let fixture = EngineFixture::with_orders().await.with_functions().await;
    for partitions in [None, Some(3)] {
        let sql = "SELECT plus(id + 9223372036854775200, 600) FROM orders";
        let said = fixture.run(sql, partitions).await.expect_err("it overflows");
        assert!(said.starts_with("function plus raised at 9223372036854775"), "{said}");
    }
}

#[tokio::test]
async fn what_cannot_be_called_so_is_refused() {
    let fixture = EngineFixture::with_orders().await.with_functions().await;
    fixture.put("functions/undeclared.py", "def undeclared(x): return x").await;
    for (sql, said) in [
        ("SELECT plus(id) FROM orders", "plus() takes 2 arguments and is given 1"),
        (
            "SELECT plus(id, 'a') FROM orders",
            "plus() takes bigint as argument 2 and is given varchar: CAST it",
        ),
        (
            "SELECT plus(id, price) FROM orders",
            "plus() takes bigint as argument 2 and is given double",
        ),
        ("SELECT total(price) OVER () FROM orders", "total() cannot be called over a window"),
        ("SELECT o.id FROM customers c LEFT JOIN orders o ON plus(c.id, o.id) = 3", "outer join"),
        ("SELECT * FROM (VALUES (plus(1, 2))) AS t(n)", "cannot be called within VALUES"),
        (
            "SELECT plus(DISTINCT id, 1) FROM orders",
            "plus() is no aggregate, so it is not called with DISTINCT",
        ),
        (
            "SELECT abs(id) OVER () FROM orders",
            "abs() is no aggregate, so it is not called with OVER",
        ),
        ("SELECT plus(id, 1) FILTER (WHERE id > 1) FROM orders", "FILTER"),
        ("SELECT total(*) FROM orders", "total(*) is not supported"),
        ("SELECT * FROM plus(1, 2)", "plus() gives a value and no table"),
        ("SELECT undeclared(id) FROM orders", "functions/undeclared.py does not declare its types"),
        ("SELECT nothing_like_it(id) FROM orders", "Invalid function 'nothing_like_it'"),
        (
            "SELECT * FROM pieces('a b') AS p(x)",
            "pieces() has 2 columns, and p has 1 names for them",
        ),
        (
            "SELECT * FROM customers c RIGHT JOIN pieces(c.name) p ON true",
            "is supported as CROSS JOIN and LEFT JOIN",
        ),
        (
            "SELECT (SELECT max(plus(o.id, c.id)) FROM orders o WHERE o.customer = c.id) FROM customers c",
            "write it as a join",
        ),
        ("SELECT * FROM customers c, pieces(c.name) AS p(id, n)", "name its columns, as in"),
        (
            "WITH t AS (SELECT drawn(id) AS d FROM orders) SELECT a.d FROM t a JOIN t b ON a.d = b.d",
            "more than once",
        ),
    ] {
        let why = fixture.run(sql, None).await.expect_err(sql);
        assert!(why.contains(said), "{sql}: {why}");
    }
}

#[tokio::test]
async fn a_function_of_a_job_is_declared_in_it() {
    let fixture = EngineFixture::with_orders().await;
    let function = json!({ "args": ["bigint", "bigint"], "returns": "bigint", "source": "…" });
    let job = |name: &str, sql: &str| json!({ "sql": sql, "functions": { name: function } });
    let outcome = fixture.outcome_of(&job("plus", "SELECT sum(plus(id, 1)) FROM customers")).await;
    assert_eq!(fixture.rows(&outcome).await, Ok(vec!["820".to_owned()]));
    for (name, said) in [
        ("Plus", "has a name that SQL cannot call"),
        ("abs", "has the name of one that is built in"),
    ] {
        let outcome = fixture.outcome_of(&job(name, "SELECT 1")).await;
        let reason = outcome.reason.expect("it is refused");
        assert!(reason.contains(said), "{reason}");
    }
}

#[tokio::test]
async fn rows_of_calls_are_there_once_whatever_crashes() {
    for crash in 0..40 {
        let fixture = EngineFixture::with_orders().await.with_functions().await;
        let sql = "CREATE TABLE next AS SELECT customer, total(plus(id, 1)) AS t FROM orders GROUP BY customer";
        let job = json!({ "sql": sql, "options": { "partitions": 2 } });
        let event = fixture.world.upload("jobs/crash.json", &job.to_string()).await;
        let crash = Crash::at(crash, crash % 2 == 0);
        fixture.world.dispatch(&event, &crash).await;
        fixture.world.work(&crash).await;
        let total = "SELECT count(*), sum(t) FROM next";
        let rows = fixture.run(total, None).await.unwrap_or_else(|e| panic!("{crash:?}: {e}"));
        assert_eq!(rows, ["51|180300.0"], "{crash:?}");
    }
}
