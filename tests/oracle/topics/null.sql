-- NULL in comparisons, in lists, in keys.
SELECT NULL = NULL, NULL <> NULL, NULL IS NULL, (1 = NULL) IS NULL
SELECT id FROM n WHERE NOT (f = true)
SELECT id FROM n WHERE f IS NOT TRUE
SELECT id FROM n WHERE f IS UNKNOWN
SELECT id, f AND NULL, f OR NULL, NOT f FROM n
SELECT id, i IN (1, NULL), i NOT IN (1, NULL) FROM n
SELECT id, i IN (NULL), i NOT IN (NULL) FROM n
SELECT id FROM n WHERE i NOT IN (1, NULL)
SELECT id, i BETWEEN NULL AND 3, i NOT BETWEEN NULL AND 0 FROM n
SELECT id, i IS DISTINCT FROM 1, i IS NOT DISTINCT FROM NULL FROM n
SELECT id, i IS DISTINCT FROM b FROM n
SELECT coalesce(NULL, NULL, 3), nullif(1, 1), nullif(NULL, 1), nullif(1, NULL)
SELECT greatest(1, NULL, 3), least(1, NULL, 3), greatest(NULL, NULL)
SELECT id, greatest(i, 0), least(i, 0) FROM n
SELECT 'a' || NULL, concat('a', NULL, 'b'), concat_ws(',', 'a', NULL, 'b')
SELECT count(*), count(i), count(DISTINCT i), count(NULL) FROM n
SELECT sum(i), avg(i), min(i), max(i) FROM n WHERE i IS NULL
SELECT sum(id), count(id), min(id), max(t) FROM e
SELECT count(*) FROM e HAVING count(*) > 0
SELECT count(*) FROM e GROUP BY ()
SELECT g, count(*) FROM n GROUP BY g
SELECT DISTINCT g FROM n
SELECT f, count(*) FROM n GROUP BY f
SELECT CASE NULL WHEN NULL THEN 1 ELSE 2 END
SELECT id, CASE i WHEN 1 THEN 'one' WHEN NULL THEN 'null' ELSE 'other' END FROM n
SELECT id, CASE WHEN i > 0 THEN 'pos' END FROM n
SELECT bool_and(f), bool_or(f), every(f) FROM n
SELECT bool_and(f), bool_or(f) FROM n WHERE f IS NULL
SELECT g FROM n ORDER BY g NULLS FIRST, id
SELECT g, id FROM n ORDER BY g DESC, id
SELECT g, id FROM n ORDER BY g, id DESC
SELECT i FROM n ORDER BY i DESC NULLS LAST, id
SELECT id FROM n ORDER BY f, id
SELECT id FROM n ORDER BY f DESC, id
SELECT id FROM n ORDER BY i IS NULL, i, id
SELECT id FROM n ORDER BY (i > 0) NULLS FIRST, id
SELECT (1, NULL) = (1, NULL)
SELECT (1, 2) = (1, 2), (1, 2) < (1, 3), (1, NULL) < (2, 1)
SELECT id FROM o WHERE (id, z) IN (SELECT id, z FROM i)
SELECT id FROM o WHERE (id, z) NOT IN (SELECT id, z FROM i WHERE id IS NOT NULL)
SELECT ROW(1, NULL) IS NULL, NULL::int IS NOT NULL
SELECT num_nulls(1, NULL), num_nonnulls(1, NULL)
SELECT NOT NULL, NULL AND FALSE, NULL OR TRUE
SELECT sum(CASE WHEN f THEN 1 ELSE 0 END), count(*) FILTER (WHERE f), count(*) FILTER (WHERE NOT f) FROM n
SELECT array_agg(i ORDER BY id) FROM n
  -- duckdb: SELECT list(i ORDER BY id) FROM n
SELECT length(NULL), upper(NULL), substr('abc', NULL), substr(NULL, 1)
SELECT t FROM s WHERE t <> ''
SELECT t FROM s WHERE t = '' OR t IS NULL
SELECT count(*) FROM s WHERE t LIKE '%'
SELECT id FROM n WHERE i = NULL
SELECT id FROM n WHERE NULL
SELECT id FROM n WHERE i > 0 OR NULL
SELECT id FROM n WHERE (i > 0) IS NOT FALSE
SELECT string_agg(t, ',') FROM s WHERE t IS NULL
SELECT g, sum(i) FROM n GROUP BY g HAVING sum(i) IS NULL
SELECT 1 WHERE NULL IS DISTINCT FROM NULL
SELECT coalesce(sum(i), 0) FROM n WHERE false
SELECT id, coalesce(g, '-') || coalesce(i::text, '-') FROM n
SELECT DISTINCT i IS NULL, g FROM n
