-- Keys, columns and tables that are named twice, and names that hide others.
SELECT id FROM n ORDER BY id, id
SELECT id FROM n ORDER BY id, id DESC
SELECT id FROM n ORDER BY g, id, g DESC
SELECT DISTINCT ON (g) g, id FROM n ORDER BY g, id, g
SELECT DISTINCT ON (id) id, g FROM n ORDER BY id, id
SELECT DISTINCT ON (g, g) g, id FROM n ORDER BY g, id
SELECT g, count(*) FROM n GROUP BY g, g
SELECT g, count(*) FROM n GROUP BY 1, g
SELECT g, count(*) FROM n GROUP BY ROLLUP (g, g)
SELECT g, count(*) FROM n GROUP BY GROUPING SETS ((g), (g))
SELECT g, count(*) FROM n GROUP BY GROUPING SETS ((g, f), (f, g))
SELECT id, count(*) OVER (PARTITION BY g, g), row_number() OVER (ORDER BY id, id) FROM n
SELECT id FROM n WHERE g = 'a' AND g = 'a' OR g = 'a'
SELECT count(DISTINCT g), count(DISTINCT g) AS b FROM n
SELECT sum(i) + sum(i), sum(i) FROM n WHERE id < 5
SELECT a.id, b.id AS id2 FROM n a JOIN n b ON a.id = b.id AND a.id = b.id
SELECT a.id AS x, b.id AS y FROM n a, n b WHERE a.id = b.id AND a.id < 3
SELECT id + 1 AS id FROM o WHERE id > 1
SELECT id + 1 AS id FROM o ORDER BY id NULLS LAST
SELECT z AS id FROM o ORDER BY id
SELECT -z AS id FROM o ORDER BY id
SELECT z AS id FROM o GROUP BY id, z
SELECT z AS id, count(*) FROM o GROUP BY z
SELECT max(z) AS z FROM o ORDER BY z
SELECT max(z) AS z FROM o HAVING max(z) > 10
SELECT id, z FROM o o ORDER BY o.id NULLS LAST
SELECT o.z FROM i o WHERE o.id = 2
SELECT x.id FROM o x JOIN i x2 ON x.id = x2.id JOIN o x3 ON x3.id = x.id
SELECT (SELECT z FROM o WHERE id = 1) AS z, id FROM o
SELECT (SELECT max(z) FROM i WHERE id = o.id) FROM o
SELECT id FROM o WHERE z IN (SELECT z FROM i WHERE id = 2)
SELECT id FROM o WHERE EXISTS (SELECT 1 FROM i WHERE id = o.id AND z = 20)
SELECT id FROM o WHERE id IN (SELECT o.id FROM i)
SELECT id FROM o WHERE 5 IN (SELECT z FROM i WHERE i.id = o.id)
WITH o AS (SELECT id + 100 AS id FROM o) SELECT id FROM o
WITH a AS (SELECT 1 AS x), b AS (WITH a AS (SELECT 2 AS x) SELECT x FROM a) SELECT a.x AS p, b.x AS q FROM a, b
WITH a AS (SELECT id FROM o) SELECT count(*) FROM a x JOIN a y ON x.id = y.id
WITH a AS (SELECT random() AS r) SELECT x.r = y.r FROM a x, a y
WITH a AS (SELECT id, row_number() OVER (ORDER BY z) AS rn FROM o) SELECT x.id FROM a x JOIN a y ON x.rn = y.rn + 1
SELECT q.a FROM (SELECT id AS a, z AS b FROM o) q WHERE q.b > 20 AND q.a IS NOT NULL
SELECT * FROM (SELECT 1 AS a) x CROSS JOIN (SELECT 2 AS b) y
SELECT x.*, y.b FROM (SELECT 1 AS a) x, (SELECT 2 AS b) y
SELECT o.* FROM o JOIN i USING (id)
SELECT id, o.z, i.z AS iz FROM o JOIN i USING (id)
SELECT o.id, i.id AS i2 FROM o LEFT JOIN i USING (id)
SELECT id, count(*) FROM o LEFT JOIN i USING (id) GROUP BY id
SELECT id FROM o LEFT JOIN i USING (id) WHERE id > 1 ORDER BY id
SELECT id FROM o JOIN i USING (id, z)
SELECT * FROM o JOIN i USING (id) JOIN l ON l.k = id
SELECT "g" AS "G", count(*) AS "count(*)" FROM n GROUP BY "g"
SELECT 1 AS "", 2 AS b
SELECT count(*) AS count, sum(i) AS sum FROM n WHERE id < 5
SELECT id AS "order", g AS "group" FROM n WHERE id = 1 ORDER BY "order"
SELECT "t"."id" FROM o AS "t" WHERE "t"."z" = 10
SELECT T.id FROM o AS t WHERE T.Z = 10
SELECT n.n FROM w n WHERE n.n < 3
SELECT id, CASE WHEN EXISTS (SELECT 1 FROM i WHERE i.id = o.id) THEN 1 ELSE 0 END FROM o
SELECT sum(CASE WHEN id IN (SELECT id FROM i) THEN 1 ELSE 0 END) FROM o
SELECT count(*) FILTER (WHERE id IN (SELECT id FROM i)) FROM o
SELECT id, z + (SELECT max(z) FROM i) FROM o WHERE z < (SELECT max(z) FROM i)
SELECT id, (SELECT count(*) FROM i WHERE i.id = o.id) AS c FROM o ORDER BY c DESC, id NULLS LAST
SELECT (SELECT count(*) FROM i WHERE i.id = o.id) AS c FROM o WHERE (SELECT count(*) FROM i WHERE i.id = o.id) > 0
SELECT coalesce((SELECT max(z) FROM i WHERE i.id = o.id), -1) FROM o
SELECT id, (SELECT max(z) FROM i WHERE i.id = o.id) - z FROM o
SELECT max((SELECT count(*) FROM i WHERE i.id = o.id)) FROM o
SELECT id FROM o WHERE z > (SELECT min(z) FROM i WHERE i.id = o.id) OR id = 1
SELECT id FROM o WHERE NOT (z > (SELECT min(z) FROM i WHERE i.id = o.id))
SELECT id FROM o WHERE (SELECT count(*) FROM i WHERE i.id = o.id) IN (0, 2)
SELECT id FROM o WHERE (SELECT count(*) FROM i WHERE i.z > o.z) = 0
SELECT id FROM o WHERE z = (SELECT sum(i.z) FROM i WHERE i.id = o.id HAVING count(*) > 1)
SELECT id FROM o LEFT JOIN LATERAL (SELECT max(z) AS m FROM i WHERE i.id = o.id) x ON true WHERE x.m IS NULL
SELECT o.id, x.c FROM o LEFT JOIN LATERAL (SELECT count(*) AS c FROM i WHERE i.id = o.id GROUP BY i.id) x ON true
SELECT o.id, x.c, x.s FROM o CROSS JOIN LATERAL (SELECT count(*) AS c, sum(z) AS s FROM i WHERE i.id = o.id) x
SELECT o.id, x.m FROM o JOIN LATERAL (SELECT max(z) AS m FROM i WHERE i.id = o.id) x ON x.m > o.z - 10
WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 3) SELECT a.n AS x, b.n AS y FROM t a, t b WHERE a.n < b.n
WITH RECURSIVE t(n, s) AS (SELECT 1, 'a' UNION ALL SELECT n + 1, s || 'a' FROM t WHERE n < 3) SELECT * FROM t
WITH RECURSIVE t(a) AS (SELECT k FROM l WHERE k = 1 UNION SELECT r.k FROM r JOIN t ON r.k = t.a + 1) SELECT a FROM t
WITH RECURSIVE t(n) AS (SELECT NULL::int UNION SELECT n FROM t) SELECT n FROM t
WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n * 2 FROM t WHERE n < 100) SELECT max(n), count(*) FROM t
WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT n FROM t LIMIT 3
