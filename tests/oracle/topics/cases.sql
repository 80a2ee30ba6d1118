-- CASE and other guards, types of branches, and what PostgreSQL's own forms mean.
SELECT CASE WHEN id = 4 THEN 0 ELSE 1 / (id - 4) END FROM n
SELECT CASE WHEN b = 0 THEN NULL ELSE 100 / b END FROM n WHERE b IS NOT NULL
SELECT id FROM n WHERE CASE WHEN i = 0 THEN false ELSE 10 / i > 3 END
SELECT id FROM n WHERE b <> 0 AND 100 / b > 5
SELECT id FROM n WHERE 100 / b > 5 AND b <> 0 AND id IN (1, 7, 9)
SELECT id FROM s WHERE t ~ '^[0-9]+$' AND t::int > 5
SELECT CASE WHEN t ~ '^[0-9]+$' THEN t::int END FROM s
SELECT id, 1 / i FROM n WHERE i <> 0 AND i IS NOT NULL
SELECT CASE WHEN sum(i) = 0 THEN 0 ELSE 1 / sum(i) END FROM n WHERE id = 4
SELECT CASE count(i) WHEN 0 THEN NULL ELSE sum(i) / count(i) END FROM n WHERE i IS NULL
SELECT CASE WHEN true THEN 1 ELSE 2.5 END
SELECT CASE WHEN true THEN 1 ELSE 'a' END
SELECT CASE WHEN false THEN 1 END
SELECT CASE WHEN NULL THEN 1 ELSE 2 END
SELECT CASE 1 WHEN 1 THEN 'a' WHEN 1 THEN 'b' END
SELECT CASE WHEN i > 0 THEN x ELSE b END FROM n WHERE id IN (1, 2)
SELECT CASE WHEN i > 0 THEN d END FROM (SELECT 1 AS i, DATE '2024-01-01' AS d) q
SELECT CASE g WHEN 'a' THEN 1 WHEN 'b' THEN 2 ELSE 0 END, count(*) FROM n GROUP BY 1
SELECT CASE WHEN g IN ('a', 'b') THEN g ELSE 'other' END AS k, count(*) FROM n GROUP BY k
SELECT CASE WHEN f THEN 'y' WHEN NOT f THEN 'n' ELSE '?' END FROM n
SELECT CASE x WHEN 1.5 THEN 'a' END FROM n
SELECT coalesce(i, 1 / (i - i)) FROM n WHERE id = 1
SELECT coalesce(i, b, id), coalesce(NULL, g, 'none') FROM n
SELECT coalesce(i, 0.5) FROM n
SELECT nullif(i, 1), nullif(g, 'a'), nullif(i, b) FROM n
SELECT nullif(1, 1.0), nullif('a', 'b'), nullif(0, -0.0)
SELECT greatest('a', 'B', 'ab'), least(3, 1.5, 2)
SELECT i::text, f::text, b::text FROM n
SELECT true AND NULL OR false, NOT true = false, 1 + 2 * 3 - 4 / 2, 2 ^ 3 ^ 2, -2 ^ 2
SELECT NOT false AND false, 1 = 1 = true, 3 > 2 AND NOT 1 > 2
SELECT 1 < 2 IS TRUE, NULL IS NOT TRUE, 5 BETWEEN 1 AND 10 AND true
SELECT 5 BETWEEN SYMMETRIC 10 AND 1
SELECT 1 IN (1, 2) = true, 'a' || 'b' = 'ab', 1 + 1 || 'x'
SELECT 5 % 3 * 2, 10 - 3 - 2, 100 / 10 / 2, - - 5, + 5
SELECT id FROM n WHERE f
SELECT id FROM n WHERE f = 'true'
SELECT id FROM n WHERE i
SELECT id FROM n WHERE f > false
SELECT f = NOT f, f < true, f::int FROM n
SELECT true::text, 'yes'::boolean, 1::boolean
SELECT *, id + 1 FROM o
SELECT o.*, o.id FROM o
SELECT 1 AS "A b", 2 AS "select"
SELECT ID, Z FROM O
SELECT "id" FROM "o"
SELECT "ID" FROM o
SELECT count(*) AS "Count" FROM o
SELECT id FROM o AS q(a, b) WHERE a = 1
  -- postgres: SELECT 1 / 0
SELECT a FROM o AS q(a, b) WHERE a = 1
SELECT id FROM nosuch
SELECT nosuch FROM o
SELECT id FROM o, i
SELECT nosuch(id) FROM o
SELECT sum(id, z) FROM o
SELECT 1 +
SELECT id id2 FROM o WHERE id2 = 1
SELECT 1; SELECT 2
SELECT 'a' + 1
SELECT '1' + 1
SELECT '5' * '2'
SELECT 1 = '1', 1.5 = '1.5', true = 'true', DATE '2024-01-01' = '2024-01-01'
SELECT 1 = 'a'
SELECT 'abc' > 1
SELECT true = 1
SELECT DATE '2024-01-01' = 1
SELECT DATE '2024-01-01' > 'x'
SELECT id FROM n WHERE id = '1' OR id = '2'
SELECT 1e3, 1E-2, .5, 5., 0x1F
SELECT 1_000
SELECT 1::numeric / 3 > 0.333
SELECT row(1, 'a') = row(1, 'a')
SELECT gen_random_uuid() IS NOT NULL, random() BETWEEN 0 AND 1
SELECT count(*) FROM n WHERE random() < 2
SELECT pi(), degrees(pi()), radians(180), atan2(1, 1), cbrt(27), log(10), ln(2.718281828459045)
SELECT sin(0), cos(0), tan(0), cot(1), sinh(1), asinh(1), exp(1)
SELECT sind(30), cosd(60)
SELECT ceil(1.5), ceiling(-1.5), floor(-1.5), round(1.5), round(-1.5), trunc(-1.5), sign(-3)
SELECT abs(-5), abs(-5.5), abs(NULL)
SELECT version() IS NOT NULL, current_user IS NOT NULL
SELECT pg_typeof(1)
SELECT typeof(1)
SELECT cast(NULL AS int), NULL::text, CAST(NULL AS date)
SELECT id FROM o WHERE id > 1 AND id > 1 AND z > 10 OR id = 1 AND z = 10
SELECT id FROM o WHERE id BETWEEN 3 AND 1
SELECT id FROM o WHERE id = 1 OR id = 2 OR id = 3 OR id IS NULL
SELECT id FROM o WHERE NOT (id = 1 OR z = 20)
SELECT id FROM o WHERE NOT (id = 1 AND z = 20)
SELECT id FROM o WHERE id <> 1
SELECT id FROM o WHERE id != 1
SELECT id FROM o WHERE id + 1 = 3
SELECT id FROM o WHERE id * 2 > z / 10
SELECT id FROM o WHERE z % 20 = 10
SELECT id FROM o WHERE id IN (1, 2, 3) AND id NOT IN (2)
SELECT id FROM o WHERE id IN (1, 1, 1)
SELECT id FROM o WHERE id IN (1.0, 2.5)
SELECT id FROM o WHERE id IN ('1', 2)
SELECT id FROM o WHERE 1 = 1
SELECT id FROM o WHERE 1 = 2
SELECT id FROM o WHERE NULL IS NULL
SELECT id FROM o WHERE id = id
SELECT id FROM o WHERE z = z AND id <> id
SELECT id FROM o WHERE id > 2147483648
SELECT id FROM o WHERE id > -2147483649
SELECT id FROM o WHERE id::bigint * 10000000000 > 20000000000
