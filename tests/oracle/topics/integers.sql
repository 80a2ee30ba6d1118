-- Overflow is an error, a division of integers cuts toward zero.
SELECT sum(b) FROM n WHERE id IN (3, 1)
SELECT sum(b) FROM n
SELECT sum(c) FROM z
SELECT sum(c) FROM z WHERE c > 0
SELECT sum(a), sum(b) FROM z
SELECT avg(c) FROM z WHERE c > 0
SELECT avg(b), avg(a) FROM z
SELECT sum(c) OVER (ORDER BY c ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) FROM z
SELECT sum(c) OVER () FROM z WHERE c > 0
SELECT a, sum(c) FROM z WHERE c > 0 GROUP BY GROUPING SETS ((a), ())
SELECT sum(DISTINCT c) FROM z WHERE c > 0
SELECT b + 1 FROM n WHERE id = 3
SELECT b - 1 FROM n WHERE id = 5
SELECT b * 2 FROM n WHERE id = 3
SELECT -b FROM n WHERE id = 5
SELECT abs(b) FROM n WHERE id = 5
SELECT i + 1 FROM n WHERE id = 5
SELECT i * i FROM n WHERE id = 5
SELECT a + 1::smallint FROM z WHERE a > 1
SELECT a * a FROM z WHERE a > 1
SELECT b + c FROM z WHERE a = 1
SELECT -i FROM n WHERE id = 6
SELECT abs(i) FROM n WHERE id = 6
SELECT -a FROM z WHERE a < 0
SELECT abs(a) FROM z WHERE a < 0
SELECT 9223372036854775807 + 1
SELECT 9223372036854775808
SELECT -9223372036854775808
SELECT 99999999999999999999
SELECT 99999999999999999999 + 1
SELECT 9223372036854775807 * 2
SELECT c / -1 FROM z WHERE c < 0
SELECT c % -1 FROM z WHERE c < 0
SELECT b / -1 FROM n WHERE id = 5
SELECT b % -1 FROM n WHERE id = 5
SELECT 7 / 2, -7 / 2, 7 / -2, 7 % 3, -7 % 3, 7 % -3
SELECT i / 2, i % 2 FROM n WHERE id IN (1, 2, 7)
SELECT mod(7, 3), mod(-7, 3)
SELECT mod(i, 2) FROM n WHERE id IN (1, 2, 7)
SELECT div(7, 2), div(-7, 2)
SELECT 1 / 0
SELECT 1 % 0
SELECT i / 0 FROM n WHERE id = 1
SELECT i / (i - 1) FROM n WHERE id = 1
SELECT NULL / 0
SELECT id FROM n WHERE i <> 0 AND 10 / i > 3
SELECT id FROM n WHERE i = 0 OR 10 / i > 3
SELECT CASE WHEN i = 0 THEN 0 ELSE 10 / i END FROM n WHERE i IS NOT NULL
SELECT CASE i WHEN 0 THEN 0 ELSE 10 / i END FROM n WHERE i IS NOT NULL
SELECT coalesce(nullif(i, 0), 1) / 1 FROM n
SELECT 10 / nullif(i, 0) FROM n WHERE id IN (1, 4)
SELECT sum(10 / i) FROM n WHERE i <> 0
SELECT sum(CASE WHEN i <> 0 THEN 10 / i END) FROM n
SELECT CASE WHEN true THEN 1 ELSE 1 / 0 END
SELECT coalesce(1, 1 / 0)
SELECT id FROM (SELECT id, i FROM n WHERE i <> 0 AND i IS NOT NULL) q WHERE 10 / i > 3
SELECT 2147483647::int + 1::int
SELECT 32767::smallint + 1::smallint
SELECT 2147483648::int
SELECT 40000::smallint
SELECT cast(3000000000 AS int)
SELECT cast(b AS int) FROM n WHERE id = 3
SELECT cast(i AS smallint) FROM n WHERE id = 5
SELECT cast('9223372036854775808' AS bigint)
SELECT cast('2147483648' AS int)
SELECT cast('12abc' AS int)
SELECT cast('' AS int)
SELECT cast(' 12 ' AS int)
SELECT cast('1.5' AS int)
SELECT cast('1e3' AS int)
SELECT cast('+5' AS int), cast('-0' AS int)
SELECT cast('0x1F' AS int)
SELECT cast(1.5 AS int), cast(2.5 AS int), cast(-1.5 AS int), cast(-2.5 AS int), cast(0.5 AS int)
SELECT cast(1.5::float8 AS int), cast(2.5::float8 AS int), cast(-1.5::float8 AS int), cast(0.5::float8 AS int)
SELECT cast(x AS int) FROM n WHERE id = 1
SELECT cast(x AS int) FROM n WHERE id = 2
SELECT cast(x AS bigint) FROM n WHERE id = 5
SELECT cast(m AS int) FROM n WHERE m IS NOT NULL
SELECT cast(1e20::float8 AS bigint)
SELECT cast(9223372036854775807::float8 AS bigint)
SELECT cast(true AS int), cast(0 AS boolean), cast(5 AS boolean)
SELECT cast('t' AS boolean), cast('no' AS boolean), cast('1' AS boolean), cast('off' AS boolean)
SELECT cast('maybe' AS boolean)
SELECT 5 & 3, 5 | 3, 5 # 3, ~5, 1 << 4, 256 >> 4
  -- postgres: SELECT 5 & 3, 5 | 3, 5 # 3, ~5, 1 << 4, 256 >> 4
SELECT 1 << 31, 1::bigint << 62
SELECT 2 ^ 3, power(2, 3), power(2, 0.5)
SELECT bit_and(i), bit_or(i), bit_xor(i) FROM n WHERE id IN (1, 7, 9)
SELECT gcd(12, 18), lcm(4, 6), factorial(5)
SELECT factorial(25)
SELECT lcm(9223372036854775807, 2)
SELECT power(10, 20), power(10::numeric, 20)
SELECT sign(i), abs(i) FROM n WHERE id IN (1, 2, 4)
SELECT avg(i), sum(i) FROM n WHERE id IN (1, 2, 7)
SELECT avg(i) FROM n WHERE id IN (5, 6)
SELECT min(b), max(b), count(b) FROM n
SELECT count(*) + count(i) FROM n
SELECT id FROM n WHERE i > 2147483648
SELECT id FROM n WHERE i < 9999999999
SELECT id FROM n WHERE i = 1.0
SELECT id FROM n WHERE i > 0.5
SELECT id FROM n WHERE i = 1.5
SELECT id FROM n WHERE i < 2.5 AND i > 1.5
SELECT id FROM n WHERE b = 9223372036854775807
SELECT id FROM n WHERE b < 9223372036854775808
SELECT id FROM n WHERE b > 1e18
SELECT id FROM n WHERE i = '3'
SELECT id FROM n WHERE i > 'x'
SELECT id FROM n WHERE i = '1.5'
SELECT id FROM n WHERE i IN ('1', '3')
SELECT i + '1' FROM n WHERE id = 1
SELECT to_hex(255), to_hex(-1)
SELECT width_bucket(5.35, 0.024, 10.06, 5)
SELECT round(1234567, -3), trunc(1234567, -3)
SELECT round(12345, -1), round(-12345, -1)
SELECT generate_series FROM generate_series(1, 3)
  -- postgres: SELECT * FROM generate_series(1, 3)
SELECT * FROM generate_series(5, 1)
SELECT * FROM generate_series(5, 1, -2)
SELECT * FROM generate_series(1, 5, 0)
