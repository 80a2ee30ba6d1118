-- Groups: sets of them, their order, their filters, and aggregates of no rows.
SELECT g, f, count(*) FROM n GROUP BY GROUPING SETS ((g), (f), ())
SELECT g, f, count(*) FROM n GROUP BY ROLLUP (g, f)
SELECT g, f, count(*) FROM n GROUP BY CUBE (g, f)
SELECT g, f, sum(i), grouping(g), grouping(f), grouping(g, f) FROM n GROUP BY CUBE (g, f)
SELECT g, grouping(g), count(*) FROM n GROUP BY ROLLUP (g)
SELECT g, f, count(*) FROM n GROUP BY g, ROLLUP (f)
SELECT g, f, count(*) FROM n GROUP BY GROUPING SETS ((g, f), (g), (g), ())
SELECT g, f, count(*) FROM n GROUP BY GROUPING SETS (ROLLUP (g), CUBE (f))
SELECT g, count(*) FROM n GROUP BY GROUPING SETS ((g), ())
SELECT count(*) FROM n GROUP BY GROUPING SETS (())
SELECT count(*) FROM n GROUP BY GROUPING SETS ((), ())
SELECT count(*) FROM e GROUP BY GROUPING SETS (())
SELECT id, count(*) FROM e GROUP BY GROUPING SETS ((id), ())
SELECT id, count(*) FROM e GROUP BY ROLLUP (id)
SELECT id, count(*), sum(z) FROM e GROUP BY CUBE (id)
SELECT g, count(*) FROM n GROUP BY ROLLUP (g) HAVING grouping(g) = 1
SELECT g, count(*) FROM n GROUP BY ROLLUP (g) HAVING count(*) > 2
SELECT g, count(*) FROM n GROUP BY ROLLUP (g) ORDER BY grouping(g), g NULLS FIRST
SELECT coalesce(g, 'all'), count(*) FROM n GROUP BY ROLLUP (g)
SELECT CASE WHEN grouping(g) = 1 THEN 'all' ELSE g END, count(*) FROM n GROUP BY ROLLUP (g)
SELECT g || 'x', count(*) FROM n GROUP BY ROLLUP (g)
SELECT g, f, count(DISTINCT i), sum(i) FROM n GROUP BY ROLLUP (g, f)
SELECT i % 2, g, count(*) FROM n GROUP BY ROLLUP (i % 2, g)
SELECT g, count(*) FROM (SELECT g, f, count(*) FROM n GROUP BY CUBE (g, f)) q GROUP BY g
SELECT * FROM (SELECT g, f, count(*) AS c FROM n GROUP BY CUBE (g, f)) q WHERE g = 'a'
SELECT * FROM (SELECT g, f, count(*) AS c FROM n GROUP BY ROLLUP (g, f)) q WHERE f IS NULL
SELECT * FROM (SELECT g, count(*) AS c FROM n GROUP BY ROLLUP (g)) q WHERE g IS NULL
SELECT * FROM (SELECT g, count(*) AS c FROM n GROUP BY GROUPING SETS ((g), ())) q WHERE g = 'a'
SELECT l.k, count(*) FROM l JOIN r ON l.k = r.k GROUP BY ROLLUP (l.k)
SELECT g, count(*) FROM n GROUP BY 1
SELECT g AS x, count(*) FROM n GROUP BY x
SELECT lower(g) AS g, count(*) FROM n GROUP BY g
SELECT id % 2 AS id, count(*) FROM n GROUP BY id
SELECT g, id FROM n GROUP BY g
SELECT g, count(*) FROM n WHERE count(*) > 1 GROUP BY g
SELECT g, sum(count(*)) FROM n GROUP BY g
SELECT g, count(*) AS c FROM n GROUP BY g HAVING c > 1
SELECT g FROM n GROUP BY g HAVING g = 'a'
SELECT g FROM n HAVING true
SELECT count(*) FROM n HAVING false
SELECT 1 FROM n HAVING count(*) > 3
SELECT 1 FROM e HAVING count(*) = 0
SELECT sum(i) FROM n HAVING sum(i) IS NOT NULL
SELECT g, count(*) FROM n GROUP BY g ORDER BY count(*) DESC, g NULLS LAST
SELECT g, count(*) FROM n GROUP BY g ORDER BY 2 DESC, 1 NULLS LAST LIMIT 2
SELECT g FROM n GROUP BY g ORDER BY max(id)
SELECT g, sum(i) FILTER (WHERE f), count(*) FILTER (WHERE i > 100) FROM n GROUP BY g
SELECT g, sum(i) FILTER (WHERE NULL) FROM n GROUP BY g
SELECT count(DISTINCT g), count(DISTINCT f), count(DISTINCT i % 2) FROM n
SELECT count(DISTINCT g) FILTER (WHERE i > 0) FROM n
SELECT count(DISTINCT (g, f)) FROM n
SELECT g, count(DISTINCT f), sum(DISTINCT i % 2), avg(DISTINCT i % 2) FROM n GROUP BY g
SELECT sum(DISTINCT id % 3), sum(id % 3), count(DISTINCT id % 3) FROM n
SELECT avg(DISTINCT x), avg(x) FROM n WHERE id IN (1, 4, 9)
SELECT min(DISTINCT i), max(DISTINCT g) FROM n
SELECT DISTINCT g, f FROM n
SELECT DISTINCT ON (g) g, id FROM n ORDER BY g, id DESC
SELECT DISTINCT ON (g) g, id FROM n ORDER BY g NULLS FIRST, id
SELECT DISTINCT ON (g, f) g, f, id FROM n ORDER BY g, f, id
SELECT DISTINCT ON (id % 2) id FROM n ORDER BY id % 2, id DESC
SELECT DISTINCT ON (x) x, g FROM f WHERE g < 4 ORDER BY x, g
SELECT DISTINCT ON (g) g, id FROM n ORDER BY g, id LIMIT 2
SELECT DISTINCT g FROM n ORDER BY g
SELECT DISTINCT g FROM n ORDER BY g DESC NULLS LAST LIMIT 2
SELECT DISTINCT g FROM n ORDER BY id
SELECT DISTINCT i % 2 AS p FROM n ORDER BY p NULLS FIRST
SELECT count(*) FROM (SELECT DISTINCT g, f FROM n) q
SELECT array_agg(id ORDER BY id) FROM n WHERE id < 4
  -- duckdb: SELECT list(id ORDER BY id) FROM n WHERE id < 4
SELECT array_agg(DISTINCT g ORDER BY g) FROM n
  -- duckdb: SELECT list(DISTINCT g ORDER BY g) FROM n
SELECT array_agg(id) FROM e
  -- duckdb: SELECT list(id) FROM e
SELECT array_agg(g ORDER BY id) FILTER (WHERE id > 5) FROM n
  -- duckdb: SELECT list(g ORDER BY id) FILTER (WHERE id > 5) FROM n
SELECT first_value(i ORDER BY id), last_value(i ORDER BY id) FROM n
  -- duckdb: SELECT first(i ORDER BY id), last(i ORDER BY id) FROM n
SELECT regr_slope(x, i), regr_count(x, i), regr_intercept(x, i), regr_r2(x, i) FROM n WHERE id IN (1, 4, 9)
SELECT corr(i, i), covar_samp(i, id), regr_avgx(i, id) FROM n WHERE id IN (1, 7, 9)
SELECT corr(i, i), covar_samp(i, i), stddev_samp(i) FROM n WHERE id = 1
SELECT corr(id, 1), regr_slope(id, 1), regr_r2(1, id) FROM n
SELECT count(*), count(1), count(x), sum(1) FROM n
SELECT sum(1.5), avg(2), max(3) FROM e
SELECT max(f::int), min(g), max(g) FROM n
SELECT min(f), max(f) FROM n
  -- postgres: SELECT false, true
SELECT min(i), max(i) FROM n WHERE false
SELECT min(id), max(id), count(*) FROM n
SELECT max(id) FROM n WHERE g IS NULL
SELECT min(t), max(t), min(length(t)) FROM s
SELECT bit_and(a), bit_or(b), bit_xor(c) FROM z WHERE a > 0
SELECT bit_and(id) FROM e
SELECT bool_and(id > 0), bool_or(id > 8), every(i > 0) FROM n
SELECT any_value(g) FROM n WHERE g = 'a'
  -- postgres: SELECT 'a'
SELECT mode() WITHIN GROUP (ORDER BY v) FROM w WHERE g = 'b'
SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY v) FROM w
SELECT percentile_cont(0.9) WITHIN GROUP (ORDER BY v) FROM w
SELECT percentile_cont(1.5) WITHIN GROUP (ORDER BY v) FROM w
SELECT approx_distinct(g) FROM n
  -- postgres: SELECT 3
SELECT g, max(v) - min(v) FROM w GROUP BY g
SELECT g, sum(v) / count(v) FROM w GROUP BY g
SELECT g, sum(v) * 1.0 / count(*) FROM w GROUP BY g
SELECT sum(v + n), sum(v) + sum(n) FROM w
SELECT max(v) FROM w GROUP BY g
SELECT count(*) FROM w GROUP BY g HAVING max(v) > 5
SELECT count(*) FROM (SELECT 1 FROM w GROUP BY g, v) q
SELECT 'x' AS c, count(*) FROM w GROUP BY c
SELECT 'x' AS c, count(*) FROM e GROUP BY c
SELECT 1 FROM e GROUP BY ()
SELECT count(*) FROM n GROUP BY true
SELECT count(*) FROM n GROUP BY NULL
SELECT g, NULL, count(*) FROM n GROUP BY g, NULL
SELECT sum(x) FROM e
SELECT sum(m), avg(m), stddev(x) FROM e
SELECT a.s FROM (SELECT g, sum(i) AS s FROM n GROUP BY g) a WHERE a.g IS NULL
SELECT id, g FROM n GROUP BY id, g HAVING id > 6
SELECT upper(g), count(*) FROM n GROUP BY upper(g) HAVING upper(g) <> 'A'
SELECT g, CASE WHEN count(i) = 0 THEN NULL ELSE sum(i) / count(i) END FROM n WHERE id <> 5 GROUP BY g
SELECT id, i, i FROM n WHERE id < 3
SELECT n.id, l.k AS id FROM n JOIN l ON n.id = l.k
SELECT id AS a, i AS a FROM n
SELECT x, count(*) FROM n GROUP BY ROLLUP (x)
SELECT 1 AS a FROM n GROUP BY ROLLUP (x)
SELECT 1 AS a FROM n GROUP BY ROLLUP (g)
SELECT 1 AS a FROM n GROUP BY ROLLUP (id + 1)
SELECT count(*) FROM n a JOIN o b ON a.id = b.id GROUP BY ROLLUP (a.x)
SELECT 1 AS a FROM n a JOIN o b ON a.id = b.id GROUP BY ROLLUP (a.g)
SELECT count(*) FROM n a JOIN o b ON a.id = b.id GROUP BY CUBE (a.x, a.g)
SELECT a.x + 1, count(*) FROM n a JOIN o b ON a.id = b.id GROUP BY GROUPING SETS ((a.x + 1), ())
SELECT g, count(*) FROM n GROUP BY g, ROLLUP (x)
SELECT g, i, count(*) FROM n GROUP BY g, ROLLUP (i)
SELECT 1 AS a FROM n WHERE 1 > 1 GROUP BY CUBE (x)
SELECT 1 AS a FROM n a FULL JOIN o b ON a.id = b.id WHERE 1 > 1 GROUP BY CUBE (a.x)
SELECT count(*) FROM n a FULL JOIN o b ON a.id = b.id WHERE 1 > 1 GROUP BY CUBE (a.x)
SELECT 1 AS a FROM (SELECT 1 AS c0, 0.5 AS c1, bool_or(true) AS c2 FROM n GROUP BY ROLLUP (g)) q WHERE NOT q.c2 = q.c2 GROUP BY q.c1
SELECT extract(year FROM d) AS y, g, count(*) FROM c JOIN n USING (id) GROUP BY ROLLUP (extract(year FROM d), g)
SELECT id % 2, grouping(id % 2), sum(id) FROM n GROUP BY CUBE (id % 2)
SELECT id % 2 AS k, g, sum(id), grouping(id % 2, g) FROM n GROUP BY GROUPING SETS ((id % 2, g), (g), ()) HAVING sum(id) > 3 ORDER BY 1 NULLS LAST, 2 NULLS LAST, 4
SELECT x, grouping(x), count(*) FROM f GROUP BY ROLLUP (x)
SELECT x, g, count(*) FROM f GROUP BY CUBE (x, g)
SELECT x, min(x), g FROM f GROUP BY GROUPING SETS ((x), (g), (x, g))
SELECT g, sum(id) FROM n GROUP BY ROLLUP (g) HAVING g = 'a' OR g IS NULL
SELECT * FROM (SELECT g, sum(id) AS s FROM n GROUP BY ROLLUP (g)) q WHERE g = 'a'
SELECT * FROM (SELECT g, sum(id) AS s FROM n GROUP BY ROLLUP (g)) q WHERE false
SELECT upper(g) AS u, sum(id) FROM n GROUP BY ROLLUP (upper(g)) ORDER BY u
SELECT date_trunc('month', ts) AS m, count(*) FROM c WHERE id IN (1,2,6,7) GROUP BY ROLLUP (date_trunc('month', ts))
SELECT i / 2, i, count(*) FROM n GROUP BY ROLLUP (i / 2, i)
SELECT g, id % 2, count(*) FROM n GROUP BY g, ROLLUP (id % 2)
SELECT 1 AS a FROM (SELECT min(id) AS m FROM n) q WHERE 1 = (SELECT 1 FROM e WHERE 1 = 1)
SELECT m FROM (SELECT min(id) AS m FROM n) q WHERE 1 > 2
SELECT m FROM (SELECT count(*) AS m, 1 AS c FROM n) q WHERE 1 IS NOT DISTINCT FROM c + 1 GROUP BY GROUPING SETS ((m, c), (m), ())
SELECT count(*) FROM n HAVING 1 = (SELECT max(id) FROM e)
SELECT count(*) FROM (SELECT count(*) AS m FROM n) q WHERE EXISTS (SELECT 1 FROM e)
