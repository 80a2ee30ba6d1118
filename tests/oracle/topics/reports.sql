-- what reports are made of: comparisons with all rows, values that are not there, rounded sums, shares, quarters
SELECT z FROM o WHERE z > ALL (SELECT z FROM o WHERE id = 2)
SELECT z FROM o WHERE z = ANY (SELECT z FROM o WHERE id = 2)
SELECT z FROM o WHERE z <= ALL (SELECT z FROM o)
SELECT k FROM l GROUP BY k HAVING count(v) >= ALL (SELECT count(v) FROM l GROUP BY k)
WITH q AS (SELECT g, sum(id) AS s FROM n GROUP BY g) SELECT g FROM q WHERE s >= ALL (SELECT s FROM q)
SELECT id FROM o WHERE z = ANY (SELECT o.z FROM i JOIN o ON o.id = i.id)
SELECT g, max(id) FROM n GROUP BY g HAVING max(id) IN (SELECT max(id) FROM n)
SELECT id FROM o WHERE id NOT IN (SELECT id FROM o WHERE z > 20 AND id IS NOT NULL)
SELECT id, z > ALL (SELECT z FROM i), z < ANY (SELECT z FROM i) AS b FROM o
SELECT id FROM o WHERE NOT z > ANY (SELECT z FROM o WHERE id = 2)
SELECT id FROM o a WHERE z >= ALL (SELECT z FROM o b WHERE b.id = a.id)
SELECT CASE WHEN (SELECT 1 FROM n WHERE id = 99) IS NULL THEN 'none' ELSE 'some' END
SELECT id FROM o WHERE coalesce((SELECT 1 FROM n WHERE id = 99), 0) = 0
SELECT id, coalesce((SELECT count(*) FROM i WHERE i.id = o.id GROUP BY i.id), -1) AS c FROM o
SELECT id FROM o WHERE (SELECT count(*) FROM i WHERE i.id = o.id GROUP BY i.id) IS NULL
SELECT id, (SELECT count(*) FROM i WHERE i.id = o.id) AS c FROM o
SELECT coalesce((SELECT 1 FROM n WHERE id = 99), 0) AS c
SELECT (SELECT coalesce(g, 'x') FROM n WHERE id = 99) IS NULL
SELECT id FROM n WHERE round(m, 1) IN (1.3, 2.5)
SELECT id FROM n WHERE m IN (SELECT round(m, 1) FROM n)
SELECT a.id, b.id AS b FROM n a JOIN n b ON round(a.m, 1) = b.m
SELECT id FROM n WHERE round(m, 2) = 2.45
SELECT g, round(avg(m), 2) AS r FROM n GROUP BY g HAVING round(avg(m), 2) > 0.5
SELECT round(m), round(m, 5), round(-m, 0), round(m, -1) FROM n
SELECT g, coalesce(round(sum(i)::numeric / nullif(count(i), 0), 2), 0) AS r FROM n WHERE id <> 5 GROUP BY g
SELECT g, count(*) * 100 / sum(count(*)) OVER () AS p FROM n GROUP BY g
SELECT sum(b) / 3 FROM n WHERE id IN (1, 7)
SELECT sum(id) / 2 FROM n
SELECT id, ceil(extract(month FROM d) / 3) AS q FROM c
SELECT id, extract(year FROM d) / 10 AS q FROM c
SELECT extract(year FROM d) AS y, count(*) FROM c GROUP BY extract(year FROM d)
SELECT id FROM n WHERE id * 0.1 = 0.3
SELECT id * 1.1 AS k, id / 3.0 AS t, id - 0.5 AS s FROM n
SELECT (id * 0.5)::int AS k FROM n
SELECT sum(id * 0.1), avg(id * 0.1) FROM n
SELECT id, coalesce(i, 0) AS i FROM n ORDER BY i IS NULL, id LIMIT 3
SELECT id, coalesce(i, 0) AS i FROM n ORDER BY i, id LIMIT 3
SELECT -id AS id FROM n ORDER BY id
SELECT id, z AS z FROM o ORDER BY z + 0
SELECT count(r.*) FROM l LEFT JOIN r ON l.k = r.k
SELECT array_to_string(array_remove(ARRAY[1, 2, 1], 1), ',') AS a, array_to_string(array_replace(ARRAY[1, 2, 1], 1, 9), ',') AS b
SELECT cast('xyz' AS char)
SELECT DATE '2024-01-31' + (SELECT max(v) FROM (VALUES (INTERVAL '1 month')) q(v))
SELECT max(ts - TIMESTAMP '2020-01-01') FROM c WHERE id IN (1, 6, 7)
SELECT DISTINCT ts - TIMESTAMP '2020-01-01' FROM c WHERE id IN (1, 6, 7)
SELECT extract(second FROM ts - TIMESTAMP '2021-01-03 11:59:58.5') FROM c WHERE id = 7
SELECT g, sum(m) AS m FROM n GROUP BY g ORDER BY sum(m) DESC NULLS LAST, g
SELECT g, max(id) AS id FROM n GROUP BY g ORDER BY max(id)
SELECT g, sum(m) / count(*) AS m FROM n GROUP BY g ORDER BY sum(m) / count(*) NULLS FIRST, g
SELECT g, sum(m) AS m FROM n GROUP BY g ORDER BY -sum(m) NULLS FIRST, g
SELECT extract(milliseconds FROM ts - TIMESTAMP '2021-01-03 11:59:58.5') FROM c WHERE id = 7
SELECT extract(second FROM INTERVAL '1.5 seconds')
SELECT extract(minute FROM ts - TIMESTAMP '2021-01-03 11:59:58.5') FROM c WHERE id = 7
SELECT g, count(*) AS c FROM n GROUP BY g ORDER BY count(*) DESC, g
SELECT g, sum(10 / i) FILTER (WHERE i <> 0) FROM n GROUP BY g
SELECT coalesce(d, '2000-01-01') FROM c
SELECT coalesce(ts, '2000-01-01 12:00:00') FROM c WHERE id <> 4
SELECT id FROM c WHERE coalesce(d, '2000-01-01') > '2020-01-01'
SELECT tz AT TIME ZONE '+02' FROM c
SELECT string_agg(g, ',') FROM (SELECT g FROM n ORDER BY id) q
SELECT regexp_replace('foobar', 'foo|foobar', 'X')
SELECT array_length(ARRAY[]::int[], 1), (ARRAY[1, 2, 3])[-1]
SELECT avg(k)::int FROM (VALUES (2), (3)) q(k)
SELECT sum(10 / i) FILTER (WHERE i <> 0), g FROM n GROUP BY g
SELECT extract(epoch FROM INTERVAL '1 year')
