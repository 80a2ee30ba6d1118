-- Joins of all kinds, with repeated keys and with NULL among them.
SELECT l.k, v, w FROM l JOIN r ON l.k = r.k
SELECT l.k, v, r.k, w FROM l LEFT JOIN r ON l.k = r.k
SELECT l.k, v, r.k, w FROM l RIGHT JOIN r ON l.k = r.k
SELECT l.k, v, r.k, w FROM l FULL JOIN r ON l.k = r.k
SELECT * FROM l JOIN r USING (k)
SELECT * FROM l LEFT JOIN r USING (k)
SELECT * FROM l RIGHT JOIN r USING (k)
SELECT * FROM l FULL JOIN r USING (k)
SELECT k, count(*) FROM l FULL JOIN r USING (k) GROUP BY k
SELECT k FROM l RIGHT JOIN r USING (k) WHERE k > 2
SELECT l.k, r.k, k FROM l FULL JOIN r USING (k)
SELECT * FROM l NATURAL JOIN r
SELECT * FROM l NATURAL LEFT JOIN r
SELECT * FROM l NATURAL FULL JOIN r
SELECT * FROM o NATURAL JOIN i
SELECT * FROM l a JOIN l b USING (k) JOIN r USING (k)
SELECT k, a.v, b.v, w FROM l a LEFT JOIN l b USING (k) LEFT JOIN r USING (k)
SELECT l.*, r.* FROM l JOIN r USING (k)
SELECT v, w FROM l CROSS JOIN r WHERE l.k = 1
SELECT v, w FROM l, r WHERE l.k = r.k AND w IS NULL
SELECT v, w FROM l LEFT JOIN r ON l.k = r.k AND w = 'r2'
SELECT v, w FROM l LEFT JOIN r ON l.k = r.k AND v = 'l2'
SELECT v, w FROM l LEFT JOIN r ON l.k = r.k WHERE w = 'r2'
SELECT v, w FROM l LEFT JOIN r ON l.k = r.k WHERE w IS NULL
SELECT v, w FROM l LEFT JOIN r ON l.k = r.k AND l.k > 2
SELECT v, w FROM l LEFT JOIN r ON false
SELECT v, w FROM l RIGHT JOIN r ON l.k = r.k AND v = 'l2'
SELECT v, w FROM l FULL JOIN r ON l.k = r.k AND v = 'l2'
SELECT v, w FROM l FULL JOIN r ON l.k = r.k WHERE v IS NULL OR w IS NULL
SELECT v, w FROM l FULL JOIN r ON true
SELECT v, w FROM l FULL JOIN r ON false
SELECT v, w FROM l FULL JOIN r ON l.k < r.k
SELECT v, w FROM l LEFT JOIN r ON l.k < r.k
SELECT v, w FROM l LEFT JOIN r ON l.k IS NOT DISTINCT FROM r.k
SELECT v, w FROM l JOIN r ON l.k IS NOT DISTINCT FROM r.k
SELECT v, w FROM l FULL JOIN r ON l.k IS NOT DISTINCT FROM r.k
SELECT v, w FROM l JOIN r ON l.k = r.k OR (l.k IS NULL AND r.k IS NULL)
SELECT v, w FROM l JOIN r ON l.k = r.k + 1
SELECT v, w FROM l LEFT JOIN r ON l.k = r.k OR v = 'l0'
SELECT l.v, e.t FROM l LEFT JOIN e ON l.k = e.id
SELECT l.v, e.t FROM l RIGHT JOIN e ON l.k = e.id
SELECT l.v, e.t FROM l FULL JOIN e ON l.k = e.id
SELECT l.v, e.t FROM l CROSS JOIN e
SELECT a.v, b.v, w FROM l a JOIN l b ON a.k = b.k LEFT JOIN r ON b.k = r.k AND a.v = b.v
SELECT a.v, b.v FROM l a LEFT JOIN (l b JOIN r ON b.k = r.k) ON a.k = b.k
SELECT a.v, w FROM l a LEFT JOIN r ON a.k = r.k LEFT JOIN o ON o.id = r.k WHERE o.z IS NULL
SELECT a.v, r.w, o.z FROM l a LEFT JOIN r ON a.k = r.k FULL JOIN o ON o.id = r.k
SELECT l.v, q.c FROM l LEFT JOIN (SELECT k, count(*) AS c FROM r GROUP BY k) q ON q.k = l.k
SELECT l.v, coalesce(q.c, 0) FROM l LEFT JOIN (SELECT k, count(*) AS c FROM r GROUP BY k) q ON q.k = l.k
SELECT l.v, q.one FROM l LEFT JOIN (SELECT k, 1 AS one FROM r) q ON q.k = l.k
SELECT l.v, q.one IS NULL FROM l LEFT JOIN (SELECT DISTINCT k, 1 AS one FROM r) q ON q.k = l.k
SELECT count(*) FROM l, r
SELECT count(*) FROM l LEFT JOIN r ON l.k = r.k WHERE r.k IS NULL
SELECT count(r.k), count(*) FROM l LEFT JOIN r ON l.k = r.k
SELECT sum(l.k), sum(r.k) FROM l FULL JOIN r ON l.k = r.k
SELECT l.v, lat.w FROM l, LATERAL (SELECT w FROM r WHERE r.k = l.k) lat
SELECT l.v, lat.w FROM l LEFT JOIN LATERAL (SELECT w FROM r WHERE r.k = l.k) lat ON true
SELECT l.v, lat.c FROM l LEFT JOIN LATERAL (SELECT count(*) AS c FROM r WHERE r.k = l.k) lat ON true
SELECT l.v, lat.c FROM l, LATERAL (SELECT count(*) AS c FROM r WHERE r.k = l.k) lat
SELECT l.v, lat.w FROM l CROSS JOIN LATERAL (SELECT w FROM r WHERE r.k = l.k ORDER BY w LIMIT 1) lat
SELECT l.v, lat.s FROM l, LATERAL (SELECT sum(z) AS s FROM o WHERE o.id < l.k) lat
SELECT l.v, lat.x FROM l, LATERAL (SELECT l.k + 1 AS x) lat
SELECT l.v, g.x FROM l, LATERAL generate_series(1, l.k) AS g(x)
SELECT a.k FROM l a WHERE a.k IN (SELECT r.k FROM r JOIN l ON l.k = r.k)
SELECT a.id, b.id FROM o a JOIN o b ON a.z BETWEEN b.z - 10 AND b.z + 10
SELECT a.id, b.id FROM o a JOIN o b ON a.id + b.id = 4
SELECT a.id, b.id FROM o a JOIN o b ON a.id = b.id AND a.z <> b.z
SELECT a.id, n.id FROM o a JOIN n ON a.id = n.b
SELECT a.id, n.id FROM o a JOIN n ON a.id = n.x
SELECT a.id, n.id FROM o a JOIN n ON a.id = n.m
SELECT a.id, s.id FROM o a JOIN s ON a.id::text = s.t
SELECT v, w FROM l JOIN r ON (l.k, l.v) = (r.k, 'l2')
SELECT x.k FROM (SELECT k FROM l UNION ALL SELECT k FROM r) x JOIN (SELECT DISTINCT k FROM r) y ON x.k = y.k
SELECT l.k FROM l LEFT JOIN r ON l.k = r.k GROUP BY l.k HAVING count(r.w) = 0
SELECT l.v FROM l LEFT JOIN r ON l.k = r.k AND r.w LIKE 'r2%' WHERE r.w IS NOT NULL
SELECT l.v, r.w FROM l LEFT JOIN r ON l.k = r.k ORDER BY l.v NULLS FIRST, r.w NULLS FIRST LIMIT 3
SELECT l.v, r.w FROM l LEFT JOIN r ON l.k = r.k ORDER BY l.v NULLS FIRST, r.w NULLS FIRST LIMIT 3 OFFSET 2
SELECT DISTINCT l.k FROM l FULL JOIN r ON l.k = r.k
SELECT count(DISTINCT coalesce(l.k, r.k)) FROM l FULL JOIN r ON l.k = r.k
SELECT l.k, r.k FROM l FULL JOIN r ON l.k = r.k WHERE coalesce(l.k, r.k) > 3
SELECT l.k, r.k FROM l FULL JOIN r ON l.k = r.k WHERE l.k > 1
SELECT l.k, r.k FROM l LEFT JOIN r ON l.k = r.k WHERE r.k IS NULL OR r.k > 3
SELECT l.k, r.k FROM l LEFT JOIN r ON l.k = r.k WHERE (r.k > 3) IS NOT TRUE
SELECT l.k, r.k FROM l LEFT JOIN r ON l.k = r.k WHERE coalesce(r.k, 0) = 0
SELECT a.id, b.id AS id2 FROM n b RIGHT JOIN n a ON b.g = a.g WHERE a.f OR (a.id <> 99 AND a.id <> b.id)
SELECT a.id, b.id AS id2 FROM n a LEFT JOIN n b ON b.g = a.g WHERE a.f OR (a.id <> 99 AND a.id <> b.id)
SELECT a.id, b.id AS id2 FROM n b RIGHT JOIN n a ON b.g = a.g WHERE a.f OR a.id NOT IN (99, b.id)
SELECT a.id, b.id AS id2 FROM n b RIGHT JOIN n a ON b.g = a.g WHERE (a.f OR a.id > 3) AND (a.f OR a.id <> b.id)
SELECT a.id, b.id AS id2 FROM n b FULL JOIN n a ON b.g = a.g AND b.i = a.i WHERE a.f OR (a.id <> 99 AND a.id <> b.id)
SELECT a.k, b.k AS k2 FROM r b RIGHT JOIN l a ON b.k = a.k WHERE a.v = 'l1' OR (a.v <> 'x' AND a.k = b.k)
SELECT a.k, b.k AS k2 FROM r b RIGHT JOIN l a ON b.k < a.k WHERE a.v = 'l1' OR (a.v <> 'x' AND a.k <> b.k + 1)
SELECT a.id, b.id AS id2 FROM o a JOIN i b ON a.z > b.z WHERE a.id = 1 OR (a.id <> 99 AND a.id <> b.id)
SELECT a.id, b.id AS x FROM n a LEFT JOIN (SELECT id FROM n WHERE id = 2) b ON b.id = a.id ORDER BY b.id NULLS FIRST, a.id DESC
SELECT a.id, b.c FROM n a LEFT JOIN (SELECT id, 'x' AS c FROM n WHERE id IN (2, 5)) b ON b.id = a.id ORDER BY b.c NULLS FIRST, a.id
SELECT a.id FROM n a LEFT JOIN (SELECT id, 'x' AS c FROM n WHERE id IN (2, 5)) b ON b.id = a.id ORDER BY b.c NULLS LAST, a.id LIMIT 3
SELECT a.id, b.c FROM (SELECT id, 1 AS c FROM n WHERE id IN (2, 5)) b RIGHT JOIN n a ON b.id = a.id ORDER BY b.c NULLS FIRST, a.id
SELECT a.id, b.c FROM (SELECT id, 1 AS c FROM n WHERE id IN (2, 5)) b FULL JOIN n a ON b.id = a.id ORDER BY b.c NULLS FIRST, a.id
SELECT a.id, row_number() OVER (ORDER BY b.c NULLS LAST, a.id) FROM n a LEFT JOIN (SELECT id, 1 AS c FROM n WHERE id IN (2, 5)) b ON b.id = a.id
SELECT a.id, sum(a.id) OVER (PARTITION BY b.c ORDER BY a.id) FROM n a LEFT JOIN (SELECT id, 1 AS c FROM n WHERE id IN (2, 5)) b ON b.id = a.id
SELECT a.id FROM n a JOIN (SELECT id, 1 AS c FROM n WHERE id IN (2, 5)) b ON b.id <= a.id ORDER BY b.c, a.id, b.id
SELECT a.id, a.g, b.id AS x FROM n a LEFT JOIN n b ON a.id = b.i AND b.g = 'a' ORDER BY b.g NULLS FIRST, a.id
SELECT a.id, b.id AS x FROM n a LEFT JOIN n b ON a.id = b.id AND b.i = 1 WHERE a.g = 'a' ORDER BY a.g, b.i NULLS FIRST, a.id DESC
