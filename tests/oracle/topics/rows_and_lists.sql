-- rows and lists with NULL inside, windows by name, frames that slide, orders by what may be missing
SELECT left(t, id - 3), right(t, id - 3) FROM s
SELECT repeat('x', id - 3) FROM s
SELECT lpad(t, id - 3, '-') FROM s
SELECT (1, 2) = (1, 2), (1, 2) < (1, 3), (1, NULL) = (1, 2), (1, NULL) <> (2, 3)
SELECT id FROM o WHERE (id, z) = (1, 10)
SELECT id FROM o WHERE (id, z) IN ((1, 10), (2, 20))
SELECT id FROM o WHERE (id, z) >= (2, 20) ORDER BY id
SELECT 1 << 2 + 1
SELECT 1 + 2 << 1
SELECT 5 & 3 = 1
SELECT nth_value(v, 0) OVER (ORDER BY n) FROM w
SELECT regr_r2(1, id) FROM n
SELECT repeat('x', -1), lpad('abc', -1), left('abc', -1), right('abc', -1), left('abc', -5)
SELECT date_trunc('hour', ts) - date_trunc('day', ts) FROM c WHERE id IN (1,6)
SELECT percentile_cont(0.95) WITHIN GROUP (ORDER BY v) FROM w
SELECT variance(m), stddev(m) FROM n WHERE id IN (1, 4, 7, 9)
SELECT cast(ts AS timestamp(0)), cast(ts AS timestamp(3)) FROM c WHERE id <> 4 and id <> 3
WITH a AS (SELECT random() AS r) SELECT x.r = x.r FROM a x
SELECT id, 5 > ANY (ARRAY[i, id]), 5 <> ALL (ARRAY[i, id]) FROM n
SELECT n, stddev(v) OVER (ORDER BY n ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) FROM w
SELECT n, corr(v, n) OVER (ORDER BY n ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) FROM w
SELECT g, percentile_cont(0.5) WITHIN GROUP (ORDER BY v DESC), count(*) FROM w GROUP BY g
SELECT percentile_cont(0.3) WITHIN GROUP (ORDER BY x) FROM f
SELECT g, percentile_cont(0.25) WITHIN GROUP (ORDER BY n) FILTER (WHERE n > 2) FROM w GROUP BY g
SELECT id, (i, id) IN ((1, 1), (NULL, 3)) FROM n
SELECT id FROM n WHERE (i, id) NOT IN ((1, 1), (2, 9))
SELECT (id, z) = (SELECT id, z FROM o LIMIT 1) FROM o
SELECT lpad(t, 3, '-'), rpad(t, -1) FROM s
SELECT TIMESTAMP '2024-01-02 03:04:05+02', cast('2024-01-02T03:04:05Z' AS timestamp)
SELECT cast('2024-01-02 03:04:05.678' AS timestamp(0))
SELECT sign(-2.5), ceiling(1.2), every(id > 0) FROM n
SELECT variance(id), stddev(id) FROM n WHERE id IN (1, 4, 7, 9)
SELECT id FROM n WHERE (g, id) > ('a', 2) ORDER BY id
SELECT count(*) FROM n a JOIN n b ON (a.g, a.id) = (b.g, b.id)
SELECT id FROM n WHERE NOT f IS DISTINCT FROM true OR g = 'b'
SELECT id FROM c WHERE tm BETWEEN TIME '01:00' AND TIME '13:00'
SELECT id FROM c WHERE tm >= TIME '12:30:15.25'
