-- What people who come from elsewhere write first.
SELECT count(*) AS total, count(*) * 100.0 / (SELECT count(*) FROM n) AS share FROM n WHERE g = 'a'
SELECT g, count(*) * 1.0 / sum(count(*)) OVER () FROM n GROUP BY g
SELECT g, round(avg(id), 2) FROM n GROUP BY g
SELECT g, round(avg(m), 2), round(sum(m) / count(*), 3) FROM n GROUP BY g
SELECT round(avg(x)::numeric, 2) FROM n WHERE id IN (1, 4, 9)
SELECT round(100.0 * 1 / 3, 2), round(2.0 / 3, 4), 100 * 1 / 3
SELECT 1 / 2, 1.0 / 2, 1 / 2.0, 1::float8 / 2, 3 / 2 * 2.0
SELECT sum(i) / count(*), sum(i) * 1.0 / count(*), avg(i) FROM n WHERE id IN (1, 2, 7)
SELECT extract(year FROM d)::int AS y, extract(month FROM d)::int AS m, count(*) FROM c GROUP BY 1, 2
SELECT date_trunc('month', d)::date, count(*) FROM c WHERE id <> 4 GROUP BY 1
SELECT to_char(d, 'YYYY-MM'), count(*) FROM c GROUP BY 1
SELECT d::text, count(*) FROM c GROUP BY d::text
SELECT ts::date, count(*) FROM c GROUP BY ts::date
SELECT max(d) - min(d) FROM c WHERE id IN (1, 6, 7)
SELECT d, lag(d) OVER (ORDER BY d), d - lag(d) OVER (ORDER BY d) FROM c
SELECT ts, lead(ts) OVER (ORDER BY ts) - ts FROM c WHERE id IN (1, 6, 7)
SELECT extract(epoch FROM (ts - TIMESTAMP '2020-01-01 00:00:00')) / 3600 FROM c WHERE id IN (1, 6, 7)
SELECT extract(day FROM (TIMESTAMP '2024-03-01 12:00:00' - TIMESTAMP '2024-02-01 00:00:00'))
SELECT DATE '2024-03-01' - 7, DATE '2024-03-01' - INTERVAL '7 days'
SELECT current_date - DATE '2024-01-01' > 0
SELECT now() - INTERVAL '1 day' < now(), current_date + 1 > current_date
SELECT count(*) FROM c WHERE ts >= '2024-01-01' AND ts < '2025-01-01'
SELECT count(*) FROM c WHERE ts BETWEEN '2024-02-01' AND '2024-02-29'
SELECT count(*) FROM c WHERE d BETWEEN '2024-02-01' AND '2024-02-29'
SELECT count(*) FROM c WHERE ts::date = '2024-02-29'
SELECT count(*) FROM c WHERE tz >= '2024-11-03' AND tz < '2024-11-04'
SELECT count(*) FROM c WHERE d = '2024-2-29'
SELECT coalesce(g, 'unknown') AS g, count(*) FROM n GROUP BY 1 ORDER BY 2 DESC, 1
SELECT coalesce(g, 'unknown') AS grp, count(*) AS c FROM n GROUP BY grp HAVING count(*) > 1 ORDER BY c DESC, grp
SELECT g, sum(i) AS total FROM n WHERE id <> 5 GROUP BY g ORDER BY total DESC NULLS LAST
SELECT g, array_agg(id ORDER BY id) FROM n GROUP BY g
  -- duckdb: SELECT g, list(id ORDER BY id) FROM n GROUP BY g
SELECT g, string_agg(id::text, ', ' ORDER BY id DESC) FROM n GROUP BY g
SELECT string_agg(DISTINCT g, ',' ORDER BY g DESC) FROM n
SELECT count(DISTINCT g), count(DISTINCT coalesce(g, '')) FROM n
SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY g ORDER BY i DESC NULLS LAST, id) AS rn FROM n) q WHERE rn = 1
SELECT g, id FROM n a WHERE id = (SELECT max(id) FROM n b WHERE b.g = a.g)
SELECT g, id FROM n a WHERE (g, id) IN (SELECT g, max(id) FROM n GROUP BY g)
SELECT a.* FROM n a LEFT JOIN n b ON a.g = b.g AND b.id > a.id WHERE b.id IS NULL
SELECT id FROM o EXCEPT SELECT id FROM i
SELECT o.id FROM o LEFT JOIN i ON o.id = i.id WHERE i.id IS NULL
SELECT id FROM o WHERE id NOT IN (SELECT id FROM i WHERE id IS NOT NULL)
SELECT id FROM o WHERE NOT EXISTS (SELECT * FROM i WHERE i.id = o.id)
WITH t AS (SELECT g, count(*) AS c FROM n GROUP BY g), u AS (SELECT max(c) AS m FROM t) SELECT t.g FROM t, u WHERE t.c = u.m
WITH a AS (SELECT 1 AS x), b AS (SELECT x + 1 AS x FROM a) SELECT a.x, b.x AS y FROM a, b
WITH t(a, b) AS (VALUES (1, 'x'), (2, 'y')) SELECT a, b FROM t WHERE a > 1
WITH t AS MATERIALIZED (SELECT 1 AS a) SELECT a FROM t
SELECT x.a, y.b FROM (VALUES (1, 'p'), (2, 'q')) AS x(a, n) JOIN (VALUES (1, true), (3, false)) AS y(a, b) ON x.a = y.a
SELECT sum(v) FILTER (WHERE g = 'a') AS a, sum(v) FILTER (WHERE g = 'b') AS b FROM w
SELECT sum(CASE WHEN g = 'a' THEN v END), sum(CASE WHEN g = 'b' THEN v ELSE 0 END) FROM w
SELECT n, v, avg(v) OVER (ORDER BY n ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) FROM w
SELECT n, sum(v) OVER (ORDER BY n), round(sum(v) OVER (ORDER BY n) * 100.0 / sum(v) OVER (), 1) FROM w
SELECT n, v - lag(v) OVER (ORDER BY n), coalesce(lag(v) OVER (ORDER BY n), 0) FROM w
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY v), percentile_cont(0.95) WITHIN GROUP (ORDER BY v) FROM w
SELECT g, percentile_cont(0.5) WITHIN GROUP (ORDER BY v) FROM w GROUP BY g
SELECT width_bucket(v, 0, 100, 4), count(*) FROM w GROUP BY 1
SELECT v / 10 * 10 AS bin, count(*) FROM w GROUP BY bin ORDER BY bin NULLS LAST
SELECT floor(x), count(*) FROM w GROUP BY floor(x)
SELECT ntile(4) OVER (ORDER BY v NULLS LAST, n) AS q, v FROM w
SELECT md5(t) = md5(t), length(md5(t)) FROM s WHERE id = 1
SELECT lower(trim(t)), count(*) FROM s GROUP BY 1
SELECT split_part('a@b.com', '@', 2), substring('a@b.com' FROM position('@' IN 'a@b.com') + 1)
SELECT regexp_replace('tel: +1 (23)', '[^0-9]', '', 'g'), regexp_replace('aaa', 'a', 'b')
SELECT t FROM s WHERE t ILIKE '%AB%'
SELECT t FROM s WHERE lower(t) LIKE '%' || lower('B') || '%'
SELECT t FROM s WHERE t IN ('abc', NULL)
SELECT t FROM s WHERE t NOT IN ('abc', 'ABC')
SELECT 'It''s' || ' ok', 'a"b', 'tab	x'
SELECT CONCAT(g, '-', id) FROM n
SELECT g || '-' || id FROM n
SELECT id, CAST(i AS VARCHAR) || '%' FROM n
SELECT lpad(id::text, 3, '0') FROM n
SELECT to_char(id, '000') FROM n
SELECT id % 2 = 0 AS even, count(*) FROM n GROUP BY even
SELECT i FROM n ORDER BY i DESC LIMIT 3
SELECT i FROM n ORDER BY i LIMIT 3
SELECT id FROM n ORDER BY random() LIMIT 0
SELECT generate_series(1, 3)
SELECT unnest(ARRAY[1, 2, 3])
SELECT (SELECT count(*) FROM n) - (SELECT count(*) FROM o)
SELECT EXISTS (SELECT 1 FROM n WHERE id = 1)
SELECT NOT EXISTS (SELECT 1 FROM e)
SELECT ARRAY[1, 2] @> ARRAY[1], 1 = ANY (ARRAY[1, 2])
SELECT coalesce(max(id), 0) + 1 FROM e
SELECT greatest(max(i), max(id)) FROM n
SELECT least(1, 2.5), greatest('a', 'b'), greatest(DATE '2024-01-01', DATE '2024-02-01')
SELECT 10 % 3, -10 % 3, mod(10, 3), 10.5 % 3, power(2, 10), sqrt(16), abs(-3), sign(-2.5), ceil(1.2), floor(-1.2)
SELECT trunc(1.999), trunc(-1.999), trunc(1.999, 1), round(1.45, 1), round(-0.5), round(1e15 + 0.5)
SELECT 1.5::int, 2.5::int, '7'::int, 7::text, 'true'::boolean, '2024-01-01'::date, '1.5'::numeric
SELECT 0.1 + 0.2 = 0.3, 1.1 * 1.1, 1.10 + 2.20, 3.0 * 2, 10 / 4.0
SELECT 19.99 * 3, 19.99 * 100, 0.07 * 100, 1.005 * 1000, 4.35 * 100
SELECT sum(p) FROM (VALUES (0.1), (0.2), (0.3)) q(p)
SELECT sum(p) = 0.6 FROM (VALUES (0.1), (0.2), (0.3)) q(p)
SELECT avg(p) FROM (VALUES (0.1), (0.2)) q(p)
SELECT * FROM (VALUES (1.10), (2.2)) q(p) WHERE p = 1.1
SELECT 9999999999999999.0, 12345678.12345678, 0.1::text, 1e2::text, 100000000.0::text
SELECT 2147483647 + 1, 4294967296, 9223372036854775807, 100000 * 100000
SELECT 123456789 * 987654321, 1000000 * 1000000
SELECT sum(id * 1000000000) FROM n
SELECT id FROM n WHERE id = '3'
SELECT id FROM n WHERE id > '3' AND id < '10'
SELECT id FROM n WHERE id::text > '3'
SELECT id FROM n WHERE m = '1.250'
SELECT id FROM n WHERE f = 'yes'
SELECT id FROM n WHERE f IS true
SELECT NULL = NULL, NULL IS NULL, NULL <> 1, NULL || 'x', NULL + 1
SELECT SUM(I) AS "Sum", Count(*) FROM N
SELECT n.id AS "Id", n."i" FROM n AS n WHERE N.ID = 1
SELECT id /* comment */ FROM o -- end
SELECT id FROM o WHERE id IN (1,2,3) ORDER BY id LIMIT 2 OFFSET 1;
select id from o order by id desc nulls last fetch first 1 row only
