-- What optimizers like to rewrite: identities that NULL, NaN and overflow break, guards, and predicates that move.
SELECT id, i * 0, i - i, i = i, i <> i, i <= i, i >= i, i < i FROM n
SELECT id, x * 0, x - x = 0, x = x, x <> x, x >= x, x + 0, x * 1 FROM n WHERE id NOT IN (5, 7)
SELECT id, i & 0, i | 0, i & i, i | i FROM n
SELECT id, f AND f, f OR f, f AND NOT f, f OR NOT f, NOT NOT f FROM n
SELECT id, f AND true, f AND false, f OR true, f OR false FROM n
SELECT id, f = true, f <> true, f = false, f IS NOT DISTINCT FROM true FROM n
SELECT id, (f = true) IS NULL, (f AND NULL) IS NULL FROM n
SELECT id FROM n WHERE i = 1 OR i <> 1
SELECT id FROM n WHERE i > 0 OR i <= 0
SELECT id FROM n WHERE i > 0 AND i <= 0
SELECT id FROM n WHERE i > 0 AND i > 1 AND i < 100
SELECT id FROM n WHERE i > 2 OR i > 0
SELECT id FROM n WHERE i = 1 AND i = 3
SELECT id FROM n WHERE i = 1 OR (i = 1 AND g = 'b')
SELECT id FROM n WHERE (i = 1 AND g = 'a') OR (i = 1 AND g = 'b')
SELECT id FROM n WHERE (g = 'a' OR i > 1) AND (g = 'a' OR i < 0)
SELECT id FROM n WHERE i IN (1, 2, 3) AND i IN (2, 3, 4)
SELECT id FROM n WHERE i IN (1, 2) OR i IN (2, 3)
SELECT id FROM n WHERE i NOT IN (1, 2) AND i NOT IN (2, 3)
SELECT id FROM n WHERE i NOT IN (1, 2) OR i NOT IN (2, 3)
SELECT id FROM n WHERE i IN (1, 2) AND i NOT IN (2, 3)
SELECT id FROM n WHERE i = 1 OR i = 2 OR i = 3 OR i = NULL
SELECT id FROM n WHERE i <> 1 AND i <> 2 AND i <> NULL
SELECT id FROM n WHERE NOT (i IN (1, NULL))
SELECT id FROM n WHERE NOT (i NOT IN (1, NULL))
SELECT id FROM n WHERE NOT (i BETWEEN 0 AND 2)
SELECT id FROM n WHERE NOT (i = 1) AND NOT (i > 2)
SELECT id FROM n WHERE NOT (x > 1) OR x IS NULL
SELECT id FROM n WHERE NOT (x < 1)
SELECT id FROM n WHERE i BETWEEN 1 AND 1
SELECT id FROM n WHERE 1 BETWEEN i AND 2
SELECT id FROM n WHERE (i = 1) = (g = 'a')
SELECT id FROM n WHERE (i > 0) <> (g = 'a')
SELECT id FROM n WHERE (i > 0) IS DISTINCT FROM (g = 'a')
SELECT id FROM n WHERE CASE WHEN i > 0 THEN true ELSE false END
SELECT id FROM n WHERE NOT CASE WHEN i > 0 THEN true ELSE false END
SELECT id FROM n WHERE CASE WHEN i > 0 THEN g = 'a' END
SELECT id FROM n WHERE CASE WHEN i > 0 THEN 'p' WHEN i < 0 THEN 'n' ELSE '0' END = 'p'
SELECT id FROM n WHERE CASE WHEN i > 0 THEN 'p' WHEN i < 0 THEN 'n' END <> 'p'
SELECT id FROM n WHERE coalesce(i, 0) = 0
SELECT id FROM n WHERE coalesce(i, b) = 10
SELECT id FROM n WHERE coalesce(f, false)
SELECT id FROM n WHERE NOT coalesce(f, false)
SELECT id FROM n WHERE nullif(i, 1) IS NULL
SELECT id FROM n WHERE i + 1 > i
SELECT id FROM n WHERE i - 1 = 0
SELECT id FROM n WHERE -i = 7
SELECT id FROM n WHERE 5 - i = 2
SELECT id FROM n WHERE i * 2 = 4 AND id IN (1, 2, 9)
SELECT id FROM n WHERE i / 2 = 1
SELECT id FROM n WHERE i % 2 = 1
SELECT id FROM n WHERE abs(x) > 1
SELECT id FROM n WHERE b * 1.0 > 5
SELECT id FROM n WHERE cast(i AS bigint) = 3000000000
SELECT id FROM n WHERE cast(i AS bigint) > -3000000000
SELECT id FROM n WHERE cast(i AS float8) = 1
SELECT id FROM n WHERE cast(i AS float8) > 1.5
SELECT id FROM n WHERE cast(i AS numeric) = 1.0
SELECT id FROM n WHERE cast(i AS numeric(12, 1)) > 1.5
SELECT id FROM n WHERE cast(i AS text) = '1'
SELECT id FROM n WHERE cast(i AS text) = '01'
SELECT id FROM n WHERE cast(i AS text) < '2'
SELECT id FROM n WHERE cast(i AS text) IN ('1', '3', '+2')
SELECT id FROM n WHERE cast(i AS text) LIKE '-%'
SELECT id FROM n WHERE cast(i AS text) <> '1'
SELECT id FROM n WHERE cast(id AS smallint) = 4
SELECT id FROM n WHERE cast(m AS numeric(9, 1)) = 1.3 AND id IN (1, 4)
SELECT id FROM n WHERE cast(m AS numeric(9, 0)) = 1
SELECT id FROM n WHERE cast(m AS numeric(9, 0)) < 2
SELECT id FROM n WHERE cast(m AS numeric(12, 4)) = 1.25
SELECT id FROM n WHERE cast(m AS float8) = 1.25
SELECT id FROM n WHERE cast(m AS float8) < 0.1
SELECT id FROM n WHERE cast(m AS bigint) IN (1, 2)
SELECT id FROM n WHERE cast(m AS text) = '1.25'
SELECT id FROM n WHERE cast(m AS text) = '1.250'
SELECT id FROM n WHERE cast(x AS real) = 1.5
SELECT id FROM n WHERE cast(x AS numeric(9, 2)) = 1.5 AND id IN (1, 4, 9)
SELECT id FROM n WHERE cast(x AS int) > 1 AND id IN (1, 4, 9)
SELECT id FROM n WHERE cast(x AS text) = '1.5'
SELECT id FROM n WHERE cast(f AS int) = 1
SELECT id FROM n WHERE cast(f AS text) = 'true'
SELECT id FROM n WHERE cast(g AS text) = 'a'
SELECT id FROM m WHERE cast(q AS numeric(18, 2)) = 1.00
SELECT id FROM m WHERE cast(q AS numeric(18, 2)) > 1.00 AND id <> 4
SELECT id FROM m WHERE cast(p AS int) = 2
SELECT id FROM m WHERE cast(p AS int) = 1
SELECT id FROM m WHERE cast(p AS int) >= 2
SELECT id FROM m WHERE cast(p AS int) < 1
SELECT id FROM m WHERE cast(p AS int) <> 2
SELECT id FROM m WHERE cast(p AS int) IN (1, 2)
SELECT id FROM m WHERE p = cast(0.46 AS numeric(4, 1))
SELECT id FROM m WHERE p > 0.45
SELECT id FROM m WHERE p < 0.51
SELECT id FROM m WHERE p BETWEEN 0.05 AND 0.55
SELECT id FROM m WHERE p = 0.50
SELECT id FROM m WHERE p = 0.5::float8
SELECT id FROM m WHERE p > 999.95
SELECT id FROM m WHERE p < 100000
SELECT id FROM m WHERE p <> 0.1
SELECT id FROM c WHERE cast(ts AS date) = DATE '2024-02-29'
SELECT id FROM c WHERE cast(ts AS date) < DATE '2024-02-29'
SELECT id FROM c WHERE cast(ts AS date) <= DATE '2024-02-29'
SELECT id FROM c WHERE cast(ts AS date) <> DATE '2024-02-29'
SELECT id FROM c WHERE cast(ts AS date) IN (DATE '2024-02-29', DATE '1969-12-31')
SELECT id FROM c WHERE cast(ts AS date) BETWEEN DATE '1969-12-31' AND DATE '2020-12-31'
SELECT id FROM c WHERE cast(d AS timestamp) = TIMESTAMP '2024-02-29 00:00:00'
SELECT id FROM c WHERE cast(d AS timestamp) > TIMESTAMP '2024-02-28 12:00:00'
SELECT id FROM c WHERE cast(d AS timestamp) = TIMESTAMP '2024-02-29 12:00:00'
SELECT id FROM c WHERE cast(d AS timestamp) < TIMESTAMP '2024-02-29 12:00:00' AND id <> 4
SELECT id FROM c WHERE cast(ts AS timestamp(0)) = TIMESTAMP '2024-03-01 00:00:00'
SELECT id FROM c WHERE cast(tz AS date) = DATE '2021-01-01'
SELECT id FROM c WHERE cast(tz AS timestamp) = TIMESTAMP '2021-01-01 04:00:00'
SELECT id FROM c WHERE date_part('year', d) = 2024
SELECT id FROM c WHERE date_part('year', d) <> 2024
SELECT id FROM c WHERE date_part('year', d) > 2020.5
SELECT id FROM c WHERE date_part('month', d) = 2
SELECT id FROM c WHERE date_part('year', d) IN (2024, 2021)
SELECT id FROM c WHERE date_part('year', d) BETWEEN 2020 AND 2024
SELECT id FROM c WHERE date_part('year', d) IS NULL
SELECT id FROM c WHERE NOT (date_part('year', d) = 2024)
SELECT id FROM c WHERE date_part('year', d) = NULL
SELECT id FROM c WHERE date_part('year', d) = 2024 AND date_part('month', d) = 2
SELECT id FROM c WHERE date_part('year', d) IS DISTINCT FROM 2024
SELECT id FROM c WHERE date_part('year', ts) IS NOT DISTINCT FROM 2024
SELECT id FROM c WHERE d + 1 > DATE '2024-02-29'
SELECT id FROM c WHERE d - DATE '2024-01-01' > 10
SELECT id FROM c WHERE d + INTERVAL '1 day' = TIMESTAMP '2024-03-01 00:00:00'
SELECT id FROM c WHERE d > DATE '2024-01-01' - INTERVAL '36 hours'
SELECT id FROM c WHERE ts - INTERVAL '12 hours' > DATE '2021-01-02'
SELECT id FROM c WHERE d BETWEEN DATE '2024-01-01' AND DATE '2024-01-01' + INTERVAL '2 months'
SELECT id FROM c WHERE d >= TIMESTAMP '2024-02-29 00:00:01'
SELECT id FROM c WHERE d < TIMESTAMP '2021-01-03 00:00:01' AND id <> 4
SELECT id FROM s WHERE t LIKE '%' OR t IS NULL
SELECT id FROM s WHERE t NOT LIKE '%'
SELECT id FROM s WHERE t LIKE '%%'
SELECT id, t LIKE '%', t NOT LIKE '%', t LIKE '' FROM s WHERE id < 4
SELECT id FROM s WHERE t = t || ''
SELECT id FROM s WHERE substr(t, 1, 2) = 'ab'
SELECT id FROM s WHERE left(t, 1) = 'a'
SELECT id FROM s WHERE starts_with(t, 'a')
SELECT id FROM s WHERE starts_with(t, '')
SELECT id FROM s WHERE starts_with(t, 'a%')
SELECT id FROM s WHERE strpos(t, 'b') > 0
SELECT id FROM s WHERE upper(t) = 'ABC'
SELECT id FROM s WHERE t LIKE 'a%' AND t NOT LIKE '%c'
SELECT id FROM s WHERE t LIKE 'ab%' OR t LIKE 'AB%'
SELECT id FROM s WHERE t LIKE 'a\%%'
SELECT id FROM s WHERE t LIKE 'a\_%'
SELECT id FROM s WHERE t > 'a' AND t < 'b'
SELECT id FROM s WHERE concat(t, '') = ''
SELECT id FROM s WHERE concat_ws('-', t, 'x') = 'x'
SELECT id FROM s WHERE trim(t) = 'pad'
SELECT id FROM s WHERE length(t) > 3 AND length(t) < 8
SELECT id FROM s WHERE t ~ '^a'
SELECT id FROM s WHERE t ~ 'c$'
SELECT id FROM s WHERE t ~ '^abc$'
SELECT id FROM s WHERE t ~ 'abc|ABC'
SELECT id FROM s WHERE t ~ '^(a|A)'
SELECT id FROM s WHERE t ~ 'a.c'
SELECT id FROM s WHERE t ~ ''
SELECT id FROM s WHERE t !~ '^a'
SELECT id FROM s WHERE t ~ 'a%c'
SELECT id FROM s WHERE t ~ 'a_c'
SELECT * FROM (SELECT g, sum(i) AS s FROM n GROUP BY g) q WHERE g = 'a'
SELECT * FROM (SELECT g, sum(i) AS s FROM n GROUP BY g) q WHERE s IS NULL
SELECT * FROM (SELECT g, f, sum(i) AS s FROM n GROUP BY ROLLUP (g, f)) q WHERE g = 'a' AND f IS NULL
SELECT * FROM (SELECT g, f, count(*) AS s FROM n GROUP BY CUBE (g, f)) q WHERE coalesce(g, 'z') = 'z'
SELECT * FROM (SELECT g, count(*) AS s FROM n GROUP BY GROUPING SETS ((g), ())) q WHERE g IS NOT NULL
SELECT * FROM (SELECT n, g, sum(v) OVER (PARTITION BY g ORDER BY n) AS s FROM w) q WHERE g = 'b'
SELECT * FROM (SELECT n, g, sum(v) OVER (PARTITION BY g ORDER BY n) AS s FROM w) q WHERE n > 9
SELECT * FROM (SELECT n, g, sum(v) OVER (ORDER BY n) AS s, count(*) OVER (PARTITION BY g) AS c FROM w) q WHERE g = 'b'
SELECT * FROM (SELECT DISTINCT g, f FROM n) q WHERE g = 'a' AND f
SELECT * FROM (SELECT DISTINCT ON (g) g, id, i FROM n ORDER BY g, id) q WHERE i IS NULL
SELECT * FROM (SELECT DISTINCT ON (g) g, id FROM n ORDER BY g, id) q WHERE id > 2
SELECT * FROM (SELECT id, i FROM n ORDER BY id LIMIT 5) q WHERE i > 0
SELECT * FROM (SELECT id FROM n WHERE i > 0 UNION ALL SELECT k FROM l) q WHERE id = 2
SELECT * FROM (SELECT k FROM l EXCEPT SELECT k FROM r) q WHERE k > 1
SELECT * FROM (SELECT l.k, v, w FROM l LEFT JOIN r ON l.k = r.k) q WHERE w IS NULL
SELECT * FROM (SELECT l.k, v, w FROM l LEFT JOIN r ON l.k = r.k) q WHERE w IS DISTINCT FROM 'r2'
SELECT * FROM (SELECT l.k, v, w FROM l LEFT JOIN r ON l.k = r.k) q WHERE w <> 'r2' OR w IS NULL
SELECT * FROM (SELECT l.k, v, w FROM l LEFT JOIN r ON l.k = r.k) q WHERE CASE WHEN w IS NULL THEN true ELSE w = 'r2' END
SELECT * FROM (SELECT l.k, v, w FROM l LEFT JOIN r ON l.k = r.k) q WHERE coalesce(w, 'none') = 'none'
SELECT * FROM (SELECT l.k, v, r.k AS k2, w FROM l FULL JOIN r ON l.k = r.k) q WHERE k > 1 OR k2 > 3
SELECT * FROM (SELECT l.k, v, r.k AS k2, w FROM l FULL JOIN r ON l.k = r.k) q WHERE k > 1 AND k2 > 1
SELECT * FROM (SELECT l.k, v, r.k AS k2, w FROM l FULL JOIN r ON l.k = r.k) q WHERE NOT (k > 1)
SELECT * FROM (SELECT l.k, v, r.k AS k2, w FROM l FULL JOIN r ON l.k = r.k) q WHERE k IN (1, 2) OR k2 IS NULL
SELECT * FROM (SELECT id, 10 / i AS y FROM n WHERE i <> 0) q WHERE y > 3
SELECT * FROM (SELECT id, CASE WHEN i <> 0 THEN 10 / i END AS y FROM n) q WHERE y > 3
SELECT id FROM n WHERE CASE WHEN i = 0 THEN 1 ELSE 10 / i END > 3
SELECT id FROM n WHERE CASE WHEN i <> 0 THEN 10 / i > 3 ELSE false END
SELECT id FROM n WHERE CASE WHEN i <> 0 THEN 10 / i > 3 END
SELECT id FROM n WHERE CASE i WHEN 0 THEN true ELSE 10 / i > 3 END
SELECT id FROM n WHERE coalesce(i = 0, false) OR CASE WHEN i <> 0 THEN 10 / i > 3 END
SELECT id FROM n WHERE nullif(i, 0) IS NOT NULL AND 10 / nullif(i, 0) > 3
SELECT g, CASE WHEN min(i) = 0 THEN 0 ELSE 10 / min(i) END FROM n GROUP BY g
SELECT g FROM n GROUP BY g HAVING CASE WHEN min(i) = 0 THEN true ELSE 10 / min(i) > 3 END
SELECT sum(CASE WHEN i = 0 THEN 0 ELSE 10 / i END) FROM n WHERE i IS NOT NULL
SELECT count(*) FILTER (WHERE CASE WHEN i = 0 THEN false ELSE 10 / i > 3 END) FROM n
SELECT sum(10 / i) FILTER (WHERE i <> 0) FROM n
SELECT l.v, n.id FROM l JOIN n ON l.k = n.id AND CASE WHEN n.i = 0 THEN false ELSE 10 / n.i > 3 END
SELECT l.v, n.id FROM l LEFT JOIN n ON l.k = n.id AND CASE WHEN n.i = 0 THEN false ELSE 10 / n.i > 3 END
SELECT id FROM s WHERE CASE WHEN t ~ '^[0-9]+$' THEN t::int > 5 ELSE false END
SELECT id, CASE WHEN i = 0 THEN NULL ELSE 10 / i END FROM n WHERE i IS NOT NULL ORDER BY CASE WHEN i = 0 THEN 0 ELSE 10 / i END, id
SELECT id, sum(CASE WHEN i = 0 THEN 0 ELSE 10 / i END) OVER (ORDER BY id) FROM n WHERE i IS NOT NULL
SELECT id FROM n WHERE i = 0 OR (i IS NOT NULL AND CASE WHEN i = 0 THEN 1 ELSE 7 / i END = 7)
SELECT g, max(i) FROM n GROUP BY g ORDER BY max(i) DESC NULLS FIRST LIMIT 1
SELECT g, max(i) FROM n GROUP BY g ORDER BY max(i) DESC NULLS LAST LIMIT 3
SELECT g, min(i) FROM n GROUP BY g ORDER BY min(i) LIMIT 10
SELECT g, min(i) FROM n GROUP BY g ORDER BY min(i) NULLS FIRST LIMIT 2
SELECT g, max(x) FROM n GROUP BY g ORDER BY max(x) DESC NULLS LAST LIMIT 2
SELECT g, min(x) FROM n GROUP BY g ORDER BY min(x) NULLS FIRST LIMIT 2
SELECT g, max(f::int) FROM n GROUP BY g ORDER BY 2 DESC NULLS LAST, 1 LIMIT 2
SELECT i, max(g) FROM n GROUP BY i ORDER BY max(g) DESC NULLS LAST, i LIMIT 3
SELECT g FROM n GROUP BY g ORDER BY g NULLS FIRST LIMIT 2
SELECT DISTINCT g FROM n ORDER BY g NULLS FIRST LIMIT 2
SELECT DISTINCT x FROM n ORDER BY x DESC NULLS FIRST LIMIT 3
SELECT count(*) FROM (SELECT g FROM n GROUP BY g LIMIT 2) q
SELECT count(*) FROM (SELECT DISTINCT g, f FROM n LIMIT 3) q
SELECT min(id), max(id), min(b), max(b), min(x), max(x), min(g), max(g), count(*), count(b) FROM n
SELECT min(x) FROM n WHERE id < 3
SELECT max(x) FROM n
SELECT min(m), max(m), min(d), max(d) FROM n, c WHERE n.id = 1
SELECT count(*), count(i), count(g) FROM n
SELECT count(*) FROM n WHERE i IS NULL
SELECT count(1), count(NULL), count(*) FROM n WHERE false
SELECT max(id) FROM n WHERE id < 0
SELECT count(*) FROM n a, n b, n c WHERE a.id = b.id AND b.id = c.id
SELECT 1 FROM n WHERE 1 = 0 GROUP BY g
SELECT count(*) FROM n WHERE NULL GROUP BY g
SELECT 1 FROM e GROUP BY ROLLUP (id)
SELECT id FROM e GROUP BY CUBE (id)
SELECT id FROM e GROUP BY GROUPING SETS ((id), ())
SELECT DISTINCT 1 FROM n
SELECT DISTINCT NULL FROM n
SELECT DISTINCT 1 FROM e
SELECT 'a' FROM n GROUP BY 'a' || g
SELECT n, sum(v) OVER (o ROWS 1 PRECEDING) FROM w WINDOW o AS (PARTITION BY g ORDER BY n)
SELECT n, sum(v) OVER (o ORDER BY n) FROM w WINDOW o AS (PARTITION BY g)
SELECT n, rank() OVER (o ORDER BY v) FROM w WINDOW o AS (PARTITION BY g)
SELECT n, sum(v) OVER p FROM w WINDOW o AS (PARTITION BY g), p AS (o ORDER BY n)
SELECT n, sum(v) OVER (o) FROM w WINDOW o AS (PARTITION BY g)
SELECT n, sum(v) OVER (o RANGE BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) FROM w WINDOW o AS (PARTITION BY g ORDER BY n)
SELECT n, count(*) OVER o FROM w WINDOW o AS (ORDER BY v), p AS (ORDER BY n)
SELECT n, sum(v) OVER O FROM w WINDOW o AS (PARTITION BY g)
SELECT id, 1 IN (CASE WHEN 1 = i THEN 1 ELSE b END, 7) FROM n
SELECT id, 1 IN (CASE WHEN id = 1 THEN 0 ELSE b END, NULL) FROM n
SELECT id, 1 NOT IN (CASE WHEN id = 1 THEN 0 ELSE i END, 2) FROM n
SELECT id, i IN (CASE WHEN f THEN 1 ELSE i END, 2) FROM n
SELECT id FROM n WHERE 1 IN (CASE WHEN g = 'a' THEN id ELSE i END, 9)
SELECT id, 1 IN (coalesce(i, 1), 9), 1 IN (nullif(i, 2), 9), 1 IN (i + 1, id) FROM n WHERE id <> 5
SELECT id, 'a' IN (CASE WHEN f THEN g ELSE 'a' END, 'q') FROM n
SELECT id, 1 = ANY (ARRAY[i, id]), 1 IN (abs(id), 3) FROM n
SELECT id FROM n WHERE id IN (CASE WHEN 1 = 1 THEN 2 ELSE 3 END, 4)
