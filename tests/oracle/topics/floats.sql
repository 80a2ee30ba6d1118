-- NaN is equal to itself and above all others; zeros of both signs are one value.
SELECT id FROM n WHERE x = 'NaN'
SELECT id FROM n WHERE x = 'NaN'::float8
SELECT id FROM n WHERE x > 1
SELECT id FROM n WHERE x > 'Infinity'::float8
SELECT id FROM n WHERE x >= 'NaN'::float8
SELECT id FROM n WHERE x < 'NaN'::float8
SELECT id FROM n WHERE x <= 1.5
SELECT id FROM n WHERE x <> x
SELECT id FROM n WHERE x = x
SELECT id FROM n WHERE x = 0
SELECT id FROM n WHERE x = -0.0::float8
SELECT id FROM n WHERE x < 0
SELECT id FROM n WHERE x IN (0, 1.5)
SELECT id FROM n WHERE x IN ('NaN'::float8, -0.0)
SELECT id FROM n WHERE x NOT IN (0)
SELECT id FROM n WHERE x BETWEEN 0 AND 2
SELECT id FROM n WHERE x BETWEEN 1 AND 'NaN'::float8
SELECT id FROM n WHERE NOT (x > 1)
SELECT id FROM n WHERE x IS DISTINCT FROM 'NaN'::float8
SELECT id FROM n WHERE x IS NOT DISTINCT FROM 0
SELECT id FROM n WHERE -x = 'NaN'::float8
SELECT g, min(x), max(x) FROM f GROUP BY g
SELECT min(x), max(x) FROM f
SELECT min(x), max(x) FROM f WHERE g = 1
SELECT min(x), max(x) FROM f WHERE g = 3
SELECT min(y), max(y) FROM f
SELECT g, min(y), max(y) FROM f GROUP BY g
SELECT g, max(x) FROM f GROUP BY g HAVING max(x) > 4
SELECT x, count(*) FROM f GROUP BY x
SELECT y, count(*) FROM f GROUP BY y
SELECT DISTINCT x FROM f
SELECT DISTINCT x FROM f WHERE x = 0
SELECT DISTINCT -x FROM f WHERE x = 0
SELECT count(DISTINCT x) FROM f
SELECT g, count(DISTINCT x) FROM f GROUP BY g
SELECT count(DISTINCT x), sum(DISTINCT x) FROM f WHERE x = 0
SELECT x FROM f WHERE g < 5 ORDER BY x
SELECT x FROM f ORDER BY x DESC NULLS LAST
SELECT x FROM f ORDER BY x LIMIT 3
SELECT x FROM f ORDER BY x DESC NULLS LAST LIMIT 2
SELECT x FROM f ORDER BY abs(x) DESC NULLS LAST LIMIT 1
SELECT a.id, b.id FROM n a JOIN n b ON a.x = b.x
SELECT a.id, b.id FROM n a LEFT JOIN n b ON a.x = -b.x
SELECT a.id, b.id FROM n a JOIN n b ON a.x = b.x * 0
SELECT n.id, f.g FROM n JOIN f ON n.x = f.x
SELECT n.id, f.g FROM n JOIN f ON n.x = f.y
SELECT n.id FROM n WHERE n.x IN (SELECT f.x FROM f)
SELECT n.id FROM n WHERE EXISTS (SELECT 1 FROM f WHERE f.x = n.x)
SELECT n.id FROM n WHERE NOT EXISTS (SELECT 1 FROM f WHERE f.x = n.x)
SELECT x FROM f UNION SELECT -x FROM f
SELECT x FROM f WHERE g = 2 INTERSECT SELECT -x FROM f
SELECT x FROM f EXCEPT SELECT -x FROM f
SELECT q, count(*) FROM (SELECT x - x AS q FROM f WHERE g = 5 UNION ALL SELECT x FROM f WHERE g = 1) s GROUP BY q
SELECT q, count(*) FROM (SELECT -x AS q FROM f UNION ALL SELECT x FROM f) s GROUP BY q
SELECT count(DISTINCT q) FROM (SELECT -x AS q FROM f WHERE x = 'NaN' UNION ALL SELECT x FROM f WHERE x = 'NaN') s
SELECT sum(x), avg(x) FROM f
SELECT g, sum(x), avg(x) FROM f GROUP BY g
SELECT sum(x) FROM f WHERE g = 5
SELECT g, rank() OVER (ORDER BY x), dense_rank() OVER (ORDER BY x) FROM f
SELECT x, row_number() OVER (ORDER BY x DESC NULLS LAST) FROM f WHERE g IN (1, 5)
SELECT g, x, max(x) OVER (PARTITION BY g), min(x) OVER (PARTITION BY g) FROM f
SELECT g, count(*) OVER (PARTITION BY x) FROM f
SELECT g, max(x) OVER (ORDER BY g, x ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM f WHERE g < 4
SELECT n, max(x) OVER (ORDER BY n ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM w
SELECT greatest(1.5::float8, 'NaN'::float8), least(1.5::float8, 'NaN'::float8)
SELECT id, greatest(x, 1), least(x, 1) FROM n
SELECT nullif(-0.0::float8, 0), nullif('NaN'::float8, 'NaN'::float8)
SELECT CASE x WHEN 'NaN'::float8 THEN 'nan' WHEN 0 THEN 'zero' ELSE 'other' END, id FROM n
SELECT 1.0::float8 / 0.0::float8
SELECT 0.0::float8 / 0.0::float8
SELECT x / 0 FROM n WHERE id = 1
SELECT sqrt(-1.0::float8)
SELECT ln(0.0::float8)
SELECT ln(-1.0::float8)
SELECT exp(1000.0::float8)
SELECT power(0.0::float8, -1.0::float8)
SELECT power(-8.0::float8, 1.0 / 3)
SELECT acos(2.0::float8)
SELECT x % 2 FROM n WHERE id IN (1, 9)
SELECT 1e308::float8 * 10
SELECT 1e-308::float8 / 1e10::float8
SELECT 0.1::float8 + 0.2::float8, 0.1::float8 + 0.2::float8 = 0.3::float8
SELECT 0.1 + 0.2, 0.1 + 0.2 = 0.3
SELECT 1.1::real::float8, 1.1::float8::real
SELECT 16777217::real, 16777217::float8
SELECT 9007199254740993::float8
SELECT b = b::float8 FROM n WHERE id = 3
SELECT id FROM n WHERE b > 9223372036854775807::float8
SELECT 9223372036854775807 = 9223372036854775807::float8
SELECT 9007199254740993 = 9007199254740992::float8
SELECT floor(-1.5::float8), ceil(-1.5::float8), trunc(-1.5::float8), round(-1.5::float8), round(2.5::float8), round(0.5::float8)
SELECT floor('NaN'::float8), abs('-Infinity'::float8), sign(-0.0::float8), sign('NaN'::float8)
SELECT isnan(x) FROM f WHERE g = 1
  -- postgres: SELECT x = 'NaN' FROM f WHERE g = 1
SELECT cast('1e400' AS float8)
SELECT cast('nan' AS float8), cast('inf' AS float8), cast('-Infinity' AS float8)
SELECT cast(' 1.5 ' AS float8)
SELECT cast('1.5x' AS float8)
SELECT cast('' AS float8)
SELECT x::text FROM f WHERE x <> 0
SELECT (-0.0::float8)::text
SELECT 1e20::float8::text, 1e15::float8::text, 1e16::float8::text, 123456789.125::float8::text, 1e-7::float8::text, 0.0001::float8::text
SELECT 100000::float8::text, 1.0::float8::text, 0.1::float8::text, 1::real::text
SELECT corr(x, i), covar_pop(x, i), stddev(x), var_samp(x) FROM n WHERE id IN (1, 4, 9)
SELECT stddev(x), var_samp(x), stddev_pop(x), var_pop(x) FROM n WHERE id = 1
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY x) FROM n WHERE id IN (1, 4, 9)
SELECT stddev(b), var_pop(b) FROM n WHERE id IN (1, 4, 7)
SELECT var_pop(v) FROM (VALUES (1000000001.0::float8), (1000000002.0), (1000000003.0)) q(v)
SELECT mod(5.5::float8::numeric, 2)
