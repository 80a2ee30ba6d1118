-- Exact numbers stay exact, and are rounded half away from zero where digits are too many.
SELECT cast(1.239 AS decimal(9, 2)), cast(1.235 AS decimal(9, 2)), cast(-1.235 AS decimal(9, 2)), cast(1.225 AS decimal(9, 2))
SELECT cast('1.239' AS decimal(9, 2)), cast('1.235' AS decimal(9, 2)), cast('-1.235' AS decimal(9, 2))
SELECT cast(q AS decimal(18, 2)) FROM m WHERE id <> 4
SELECT cast(q AS decimal(10, 0)) FROM m WHERE id = 2
SELECT cast(q AS decimal(10, 2)) FROM m WHERE id = 4
SELECT cast(1.239::float8 AS decimal(9, 2)), cast(2.5::float8 AS decimal(9, 0)), cast(0.125::float8 AS decimal(9, 2))
SELECT cast(1234567.89 AS decimal(5, 2))
SELECT cast('1234567.89' AS decimal(5, 2))
SELECT cast(1000 AS decimal(3, 0))
SELECT cast('NaN'::float8 AS decimal(9, 2)) IS NULL
SELECT cast('Infinity'::float8 AS decimal(9, 2))
SELECT cast('abc' AS decimal(9, 2))
SELECT cast('' AS decimal(9, 2))
SELECT cast('1e2' AS decimal(9, 2))
SELECT cast(' 1.5 ' AS decimal(9, 2))
SELECT cast(true AS decimal(9, 2))
SELECT avg(m), sum(m), min(m), max(m) FROM n
SELECT g, avg(m), sum(m) FROM n GROUP BY g
SELECT avg(p), avg(q) FROM m
SELECT avg(r) FROM m WHERE id IN (2, 3, 6)
SELECT avg(v) FROM (VALUES (1.00::decimal(9, 2)), (1.00), (2.00)) q(v)
SELECT avg(v) FROM (VALUES (-1.00::decimal(9, 2)), (-1.00), (-3.00)) q(v)
SELECT avg(v) FROM (VALUES (2.0::decimal(3, 1)), (3.0), (3.0)) q(v)
SELECT sum(v) / 3 FROM (VALUES (2.0::decimal(3, 1)), (3.0), (3.0)) q(v)
SELECT avg(m) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM n
SELECT sum(m) OVER (ORDER BY id) FROM n
SELECT sum(r) FROM m WHERE r > 0
SELECT sum(r) FROM m
SELECT sum(v) FROM (VALUES (99999999999999999999999999999999999999::decimal(38, 0)), (1)) q(v)
SELECT r + r FROM m WHERE id = 4
SELECT r * 10 FROM m WHERE id = 4
SELECT r * r FROM m WHERE id IN (2, 3, 6)
SELECT r * r FROM m WHERE id = 1
SELECT q * q FROM m WHERE id = 4
SELECT q * q FROM m WHERE id <> 4
SELECT p * p, p + q, p - q FROM m WHERE id <> 4
SELECT m / 3 FROM n WHERE id = 1
SELECT 1.00 / 3
SELECT 1 / 3.0
SELECT 2.0 / 3, -2.0 / 3
SELECT 10.0 / 4, 1.0 / 8
SELECT q / p FROM m WHERE id IN (1, 2, 6)
SELECT m / 0 FROM n WHERE id = 1
SELECT 1.0 / 0.0
SELECT m % 1, m % 0.5 FROM n WHERE m IS NOT NULL
SELECT m % 0 FROM n WHERE id = 1
SELECT round(m, 1), trunc(m, 1) FROM n WHERE m IS NOT NULL
SELECT round(m), ceil(m), floor(m), trunc(m), abs(m), sign(m), -m FROM n WHERE m IS NOT NULL
SELECT round(2.345, 2), round(2.355, 2), round(-2.345, 2), round(1.005, 2)
SELECT round(0.5), round(1.5), round(2.5), round(-0.5)
SELECT round(m, -1), round(15.5, -1), round(25.5, -1) FROM n WHERE id = 3
SELECT trunc(2.999, 2), trunc(-2.999, 2)
SELECT mod(5.5, 2), mod(-5.5, 2)
SELECT sqrt(2.25), power(1.5, 2), exp(0.0), ln(1.0), log(100.0)
SELECT log(2.0, 64.0), log10(1000.0)
SELECT 0.1 + 0.2, 1.10 = 1.1, 1.10::text, 1.0::text
SELECT 123456789012345678901234567890.123456789 + 1
SELECT 12345678901234567890123456789012345678 + 1
SELECT 0.12345678901234567890123456789 * 10
SELECT 1e10, 1.5e3, 1e-5
SELECT id FROM n WHERE m = 1.25
SELECT id FROM n WHERE m = 1.250
SELECT id FROM n WHERE m = 1.2501
SELECT id FROM n WHERE m > 1.2499 AND m < 1.2501
SELECT id FROM n WHERE m > 2.449
SELECT id FROM n WHERE m <= 2.4499
SELECT id FROM n WHERE m IN (1.25, 0.05)
SELECT id FROM n WHERE m IN (1.251, 0.05)
SELECT id FROM n WHERE m = 1.25::float8
SELECT id FROM n WHERE m = 0
SELECT id FROM n WHERE m > i
SELECT id FROM n WHERE m = x
SELECT id FROM n WHERE m BETWEEN 0.051 AND 2.501
SELECT id FROM n WHERE m = '1.25'
SELECT id FROM n WHERE m > 99999999999
SELECT id FROM n WHERE m = 123456789.12
SELECT id FROM n WHERE cast(m AS decimal(5, 1)) = 1.3
SELECT id FROM n WHERE cast(m AS int) = 1
SELECT id FROM n WHERE cast(m AS int) > 1
SELECT id FROM n WHERE cast(x AS int) = 2 AND id IN (1, 9)
SELECT id FROM n WHERE cast(i AS varchar) > '1'
SELECT id FROM n WHERE cast(id AS varchar) = '01'
SELECT id FROM n WHERE cast(id AS float8) = 1.5
SELECT m, count(*) FROM n GROUP BY m
SELECT m::text, m::float8, m::int FROM n WHERE m IS NOT NULL
SELECT a.id, b.id FROM m a JOIN m b ON a.p = b.q
SELECT a.id, n.id FROM m a JOIN n ON a.p = n.m
SELECT a.id, n.id FROM m a JOIN n ON a.p = n.x
SELECT p FROM m UNION SELECT q FROM m
SELECT p FROM m INTERSECT SELECT m FROM n
SELECT p FROM m EXCEPT SELECT m FROM n
SELECT coalesce(p, q, 0), CASE WHEN id = 1 THEN p ELSE q END FROM m WHERE id <> 4
SELECT coalesce(p, 0.123) FROM m
SELECT greatest(p, q), least(p, q) FROM m WHERE id <> 5
SELECT greatest(p, 1.25), least(p, 1.25) FROM m WHERE id <> 5
SELECT sum(p * 1.055) FROM m
SELECT sum(p) * 1.055, sum(p) / 7 FROM m
SELECT sum(i * m) FROM n
SELECT sum(m * (1 - 0.05) * (1 + 0.07)) FROM n
SELECT m * 1.5::float8, m + x FROM n WHERE id = 1
SELECT m * 1.055 FROM n WHERE m IS NOT NULL
SELECT stddev(m), variance(m), stddev_pop(m), var_pop(m) FROM n WHERE id IN (1, 4, 7, 9)
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY m) FROM n WHERE id IN (1, 4, 7, 9)
SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY m) FROM n WHERE id IN (1, 4, 7, 9)
SELECT median(m) FROM n WHERE id IN (1, 4, 7, 9)
  -- postgres: SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY m) FROM n WHERE id IN (1, 4, 7, 9)
SELECT median(i) FROM n WHERE id IN (1, 7)
  -- postgres: SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY i) FROM n WHERE id IN (1, 7)
SELECT median(i) FROM n WHERE id IN (1, 4)
  -- postgres: SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY i) FROM n WHERE id IN (1, 4)
SELECT median(b) FROM n WHERE id IN (3, 5)
  -- postgres: SELECT -0.5
SELECT percentile_cont(0.25) WITHIN GROUP (ORDER BY i) FROM n
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY i DESC) FROM n WHERE id IN (1, 2, 7)
