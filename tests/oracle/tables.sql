-- Tables of the fixed statements, as DuckDB makes them; PostgreSQL and Tidemill get the same rows.

-- numbers, with everything that may go wrong
CREATE TABLE n (id INTEGER, g VARCHAR, i INTEGER, b BIGINT, x DOUBLE, m DECIMAL(9, 2), f BOOLEAN);
INSERT INTO n VALUES
  (1, 'a', 1, 10, 1.5, 1.25, true),
  (2, 'a', -7, -3, 'NaN', -1.25, false),
  (3, 'a', NULL, 9223372036854775807, -0.0, 99999.99, NULL),
  (4, 'b', 0, 0, 0.0, 0.00, true),
  (5, 'b', 2147483647, -9223372036854775808, 'Infinity', NULL, false),
  (6, NULL, -2147483648, NULL, NULL, 0.05, NULL),
  (7, NULL, 3, 7, '-Infinity', 2.50, true),
  (8, 'c', NULL, NULL, NULL, NULL, NULL),
  (9, 'b', 2, 2, 2.5, 2.45, false);

-- both sides of joins
CREATE TABLE l (k INTEGER, v VARCHAR);
INSERT INTO l VALUES (1, 'l1'), (2, 'l2'), (2, 'l2b'), (NULL, 'l0'), (4, 'l4'), (5, NULL);
CREATE TABLE r (k INTEGER, w VARCHAR);
INSERT INTO r VALUES (2, 'r2'), (2, 'r2b'), (3, 'r3'), (NULL, 'r0'), (4, NULL), (6, 'r6');

-- subqueries
CREATE TABLE o (id INTEGER, z INTEGER);
INSERT INTO o VALUES (1, 10), (2, 20), (3, 30), (4, 40), (NULL, 50);
CREATE TABLE i (id INTEGER, z INTEGER);
INSERT INTO i VALUES (2, 5), (NULL, 50), (5, 1), (2, 20), (3, 31);
CREATE TABLE e (id INTEGER, z INTEGER, t VARCHAR, x DOUBLE, m DECIMAL(9, 2));

-- windows
CREATE TABLE w (g VARCHAR, n INTEGER, v INTEGER, x DOUBLE);
INSERT INTO w VALUES
  ('a', 1, 10, 1.5), ('a', 2, 20, NULL), ('a', 3, 30, 2.5), ('a', 4, 40, -0.5), ('a', 5, NULL, 4.5),
  ('a', 6, NULL, 0.0), ('a', 7, 70, 2.0), ('b', 8, 5, 1.0), ('b', 9, 5, 1.0), ('b', 10, NULL, 3.0),
  ('b', 11, 6, 7.0), (NULL, 12, 1, 1.0), (NULL, 13, NULL, NULL);

-- texts
CREATE TABLE s (id INTEGER, t VARCHAR);
INSERT INTO s VALUES
  (1, 'abc'), (2, ''), (3, NULL), (4, '  pad  '), (5, 'a%c'), (6, 'a_c'), (7, 'ÄÖü'), (8, '日本語'), (9, 'ABC'),
  (10, 'a\c'), (11, 'line
two'), (12, 'Straße'), (13, 'naïve café'), (14, '00501'), (15, '🙂x');

-- times
CREATE TABLE c (id INTEGER, d DATE, ts TIMESTAMP, tz TIMESTAMPTZ, tm TIME);
INSERT INTO c VALUES
  (1, '2024-02-29', '2024-02-29 23:59:59.999999', '2024-03-10 07:30:00+00', '23:59:59.999999'),
  (2, '1969-12-31', '1969-12-31 23:59:59.5', '2024-11-03 05:30:00+00', '00:00:00'),
  (3, '9999-12-31', '9999-12-31 23:59:59', '2024-11-03 06:30:00+00', '12:30:15.25'),
  (4, '0001-01-01', '0001-01-01 00:00:00', '1900-01-01 00:00:00+00', '01:02:03'),
  (5, NULL, NULL, NULL, NULL),
  (6, '2020-12-31', '2020-12-31 00:00:00', '2020-12-31 23:00:00-05', '06:00:00'),
  (7, '2021-01-03', '2021-01-03 12:00:00', '2021-06-15 12:00:00+02', '18:45:00.5');

-- floats alone: NaN and zeros in groups
CREATE TABLE f (g INTEGER, x DOUBLE, y FLOAT);
INSERT INTO f VALUES (1, 5.5, 5.5), (1, 'NaN', 'NaN'), (1, 2.5, 2.5), (2, 3.5, 3.5), (2, -0.0, -0.0), (2, 0.0, 0.0),
  (3, 'NaN', 'NaN'), (3, NULL, NULL), (4, NULL, NULL), (5, 'Infinity', 'Infinity'), (5, '-Infinity', '-Infinity');

-- integers of all sizes, at their ends
CREATE TABLE z (a SMALLINT, b INTEGER, c BIGINT);
INSERT INTO z VALUES (32767, 2147483647, 9223372036854775807), (-32768, -2147483648, -9223372036854775808), (1, 1, 1);

-- exact numbers
CREATE TABLE m (id INTEGER, p DECIMAL(4, 1), q DECIMAL(18, 6), r DECIMAL(38, 10));
INSERT INTO m VALUES (1, 0.5, 1.000001, 1234567890123456789012345678.0123456789), (2, 1.5, 2.500000, 0.0000000001),
  (3, -2.5, -0.000001, -1), (4, 999.9, 999999999999.999999, 9999999999999999999999999999.9999999999),
  (5, NULL, NULL, NULL), (6, 0.1, 0.333333, 3);
