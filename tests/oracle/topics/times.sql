-- Dates, times of day, moments, intervals and zones.
SELECT id FROM c WHERE ts < '9999-12-31'
SELECT id FROM c WHERE ts < '9999-12-31'::date
SELECT id FROM c WHERE ts >= DATE '2020-01-01' AND ts < DATE '9999-12-31'
SELECT id FROM c WHERE d < '9999-12-31'
SELECT id FROM c WHERE d = '2024-02-29'
SELECT id FROM c WHERE d > ts
SELECT id FROM c WHERE d = ts
SELECT id FROM c WHERE ts > '2020-12-31 00:00:00.0000001'
SELECT id FROM c WHERE ts BETWEEN '0001-01-01' AND '2021-01-01'
SELECT id FROM c WHERE extract(year FROM ts) < 9999
SELECT id FROM c WHERE extract(year FROM ts) = 2024
SELECT id FROM c WHERE extract(year FROM ts) <> 2024
SELECT id FROM c WHERE extract(year FROM ts) = 9999
SELECT id FROM c WHERE extract(year FROM ts) >= 1
SELECT id FROM c WHERE extract(year FROM ts) > 2020
SELECT id FROM c WHERE extract(year FROM d) < 9999
SELECT id FROM c WHERE extract(year FROM d) = 2024
SELECT id FROM c WHERE extract(year FROM d) IN (2024, 1969)
SELECT id FROM c WHERE extract(year FROM d) BETWEEN 1900 AND 2021
SELECT id FROM c WHERE extract(year FROM d) <= 1
SELECT id FROM c WHERE extract(year FROM tz) = 2020
SELECT id FROM c WHERE extract(year FROM tz) > 1900
SELECT id FROM c WHERE extract(year FROM ts) = 2024.0
SELECT id FROM c WHERE extract(year FROM ts) > 2020.5
SELECT id FROM c WHERE extract(year FROM ts) = 99999
SELECT id FROM c WHERE date_trunc('year', ts) = '2024-01-01'
SELECT id FROM c WHERE date_trunc('month', d) = '2024-02-01'
SELECT id FROM c WHERE date_trunc('day', ts) <= '2020-12-31'
SELECT id FROM c WHERE date_trunc('month', ts) > '2020-12-15'
SELECT id FROM c WHERE date_trunc('month', ts) = '2020-12-15'
SELECT id FROM c WHERE cast(ts AS date) = '2024-02-29'
SELECT id FROM c WHERE cast(ts AS date) > '2020-12-31'
SELECT id FROM c WHERE cast(ts AS date) <= '2020-12-31'
SELECT id FROM c WHERE tz = '2024-11-03 05:30:00+00'
SELECT id FROM c WHERE tz > '2024-03-10 02:00:00-05'
SELECT id FROM c WHERE tm > '12:00'
SELECT id FROM c WHERE tm = '18:45:00.5'
SELECT id, extract(year FROM d), extract(month FROM d), extract(day FROM d) FROM c
SELECT id, extract(dow FROM d), extract(isodow FROM d), extract(doy FROM d), extract(week FROM d), extract(quarter FROM d) FROM c
SELECT id, extract(isoyear FROM d), extract(decade FROM d), extract(century FROM d), extract(millennium FROM d) FROM c
SELECT id, extract(hour FROM ts), extract(minute FROM ts), extract(second FROM ts) FROM c
SELECT id, extract(milliseconds FROM ts), extract(microseconds FROM ts) FROM c
SELECT id, extract(epoch FROM ts) FROM c
SELECT id, extract(epoch FROM d), extract(epoch FROM tz) FROM c
SELECT id, extract(hour FROM tm), extract(second FROM tm), extract(epoch FROM tm) FROM c
SELECT id, date_part('second', ts), date_part('epoch', ts) FROM c
SELECT extract(epoch FROM INTERVAL '1 month'), extract(day FROM INTERVAL '40 days'), extract(hour FROM INTERVAL '30 hours'), extract(month FROM INTERVAL '14 months')
SELECT extract(hour FROM d) FROM c WHERE id = 1
SELECT id, date_trunc('year', ts), date_trunc('quarter', ts), date_trunc('week', ts), date_trunc('day', ts) FROM c
SELECT id, date_trunc('hour', ts), date_trunc('second', ts), date_trunc('millisecond', ts) FROM c
SELECT id, date_trunc('month', d), date_trunc('week', d) FROM c
SELECT date_trunc('decade', TIMESTAMP '2024-05-06'), date_trunc('century', TIMESTAMP '2024-05-06')
SELECT date_trunc('hour', INTERVAL '1 day 02:03:04')
SELECT date_trunc('fortnight', ts) FROM c
SELECT d + 1, d - 1 FROM c
SELECT d + INTERVAL '1 month' FROM c WHERE id IN (1, 2)
SELECT DATE '2024-01-31' + INTERVAL '1 month', DATE '2023-01-31' + INTERVAL '1 month', DATE '2024-03-31' - INTERVAL '1 month'
SELECT DATE '2024-02-29' + INTERVAL '1 year', DATE '2024-02-29' - INTERVAL '4 years'
SELECT DATE '2024-01-01' + INTERVAL '36 hours', DATE '2024-01-01' + INTERVAL '1 hour'
SELECT d + INTERVAL '90 minutes' FROM c WHERE id = 1
SELECT ts + INTERVAL '1 day 2 hours', ts - INTERVAL '0.5 second' FROM c WHERE id IN (1, 2)
SELECT ts + INTERVAL '1 month 1 day 1 hour' FROM c WHERE id IN (1, 6)
SELECT INTERVAL '1 day' + d FROM c WHERE id = 1
SELECT d - DATE '2024-01-01' FROM c
SELECT DATE '2024-03-01' - DATE '2024-02-01'
SELECT ts - TIMESTAMP '2020-01-01 00:00:00' FROM c WHERE id IN (1, 2, 6)
SELECT tz - TIMESTAMPTZ '2024-01-01 00:00:00+00' FROM c WHERE id IN (1, 2)
SELECT tm - TIME '01:00' FROM c WHERE id = 1
SELECT tm + INTERVAL '1 hour' FROM c WHERE id IN (1, 7)
SELECT TIME '23:30' + INTERVAL '1 hour'
SELECT d + tm FROM c WHERE id = 7
SELECT TIMESTAMP '2024-12-31 00:00:00' - DATE '2024-01-01'
SELECT age(TIMESTAMP '2024-03-01', TIMESTAMP '2023-01-15')
SELECT ts > d + INTERVAL '1 hour' FROM c
SELECT INTERVAL '1 month' = INTERVAL '30 days', INTERVAL '24 hours' = INTERVAL '1 day'
SELECT INTERVAL '1 month' > INTERVAL '29 days', INTERVAL '1 year' = INTERVAL '12 months'
SELECT INTERVAL '1 day' * 3, INTERVAL '1 hour' / 2, INTERVAL '1 day' - INTERVAL '1 hour', -INTERVAL '1 day'
SELECT INTERVAL '1 month', INTERVAL '1 year 2 months 3 days 04:05:06', INTERVAL '1.5 days', INTERVAL '90 minutes'
SELECT INTERVAL '1' DAY, INTERVAL '2' MONTH, INTERVAL '3' HOUR
SELECT INTERVAL '1-2' YEAR TO MONTH
SELECT INTERVAL '-1 day', INTERVAL '1 week', INTERVAL '3 quarters'
SELECT sum(v) FROM (VALUES (INTERVAL '1 day'), (INTERVAL '2 hours')) q(v)
SELECT max(v) FROM (VALUES (INTERVAL '1 month'), (INTERVAL '40 days')) q(v)
SELECT v FROM (VALUES (INTERVAL '1 month'), (INTERVAL '29 days'), (INTERVAL '31 days')) q(v) ORDER BY v
SELECT cast('2024-02-30' AS date)
SELECT cast('2023-02-29' AS date)
SELECT cast('2024-13-01' AS date)
SELECT cast('24-01-01' AS date)
SELECT cast('2024-1-2' AS date), cast('20240102' AS date)
SELECT cast('01/02/2024' AS date)
SELECT cast('2024-01-02 03:04:05' AS date)
SELECT cast('' AS date)
SELECT cast('2024-01-02T03:04:05.123456789' AS timestamp)
SELECT cast('2024-01-02 03:04:05.1234567' AS timestamp)
SELECT cast('2024-01-02 24:00:00' AS timestamp)
SELECT cast('2024-01-02 25:00:00' AS timestamp)
SELECT cast('2024-01-02 23:59:60' AS timestamp)
SELECT cast('9999-12-31 23:59:59' AS timestamp), cast('0001-01-01' AS timestamp), cast('1600-01-01 00:00:00' AS timestamp)
SELECT cast('2024-01-02' AS timestamp), cast('2024-01-02 03:04' AS timestamp)
SELECT cast('2024-01-02 03:04:05+02' AS timestamp)
SELECT cast('2024-01-02 03:04:05+02' AS timestamptz), cast('2024-01-02 03:04:05Z' AS timestamptz)
SELECT cast('2024-01-02 03:04:05 America/New_York' AS timestamptz)
SELECT TIMESTAMP '2024-01-02 03:04:05+02:00'
SELECT TIMESTAMP '9999-12-31 23:59:59.999999', TIMESTAMP '1500-01-01 00:00:00'
SELECT DATE '0001-01-01', DATE '9999-12-31', DATE '1582-10-10'
SELECT TIME '24:00', TIME '23:59:59.999999'
SELECT TIME '25:00'
SELECT cast(ts AS date), cast(d AS timestamp), cast(ts AS time) FROM c
SELECT cast(ts AS varchar), cast(d AS varchar), cast(tm AS varchar) FROM c
SELECT cast(tz AS varchar) FROM c
SELECT d::text || '|' || ts::text FROM c
SELECT cast(tz AS date), cast(tz AS timestamp) FROM c
SELECT cast(DATE '9999-12-31' AS timestamp), cast(DATE '0001-01-01' AS timestamp)
SELECT cast(ts AS timestamp(0)), cast(ts AS timestamp(3)) FROM c
SELECT cast('2024-01-02 03:04:05.678' AS timestamp(0)), cast('2024-01-02 03:04:05.678' AS timestamp(1))
SELECT cast(TIMESTAMP '2024-01-02 03:04:05' AS timestamptz)
SELECT tz AT TIME ZONE 'America/New_York' FROM c
SELECT ts AT TIME ZONE 'America/New_York' FROM c WHERE id IN (1, 6, 7)
SELECT cast(tz AT TIME ZONE 'America/New_York' AS timestamp) FROM c
SELECT cast(tz AT TIME ZONE 'America/New_York' AS date) FROM c
SELECT extract(hour FROM tz AT TIME ZONE 'America/New_York') FROM c
SELECT extract(hour FROM tz AT TIME ZONE 'Asia/Kolkata'), extract(minute FROM tz AT TIME ZONE 'Asia/Kolkata') FROM c
SELECT date_trunc('day', tz AT TIME ZONE 'America/New_York') FROM c
SELECT (tz AT TIME ZONE 'America/New_York')::text FROM c
SELECT tz AT TIME ZONE 'Europe/Berlin' AT TIME ZONE 'America/New_York' FROM c
SELECT ts AT TIME ZONE 'UTC' AT TIME ZONE 'America/New_York' FROM c
SELECT TIMESTAMP '2024-03-10 02:30:00' AT TIME ZONE 'America/New_York'
SELECT TIMESTAMP '2024-11-03 01:30:00' AT TIME ZONE 'America/New_York'
SELECT TIMESTAMPTZ '2024-03-09 12:00:00-05' + INTERVAL '1 day'
SELECT TIMESTAMPTZ '2024-01-01 00:00:00+05:30'
SELECT tz = ts FROM c
SELECT tz::date = d FROM c
SELECT a.id, b.id FROM c a JOIN c b ON a.d = b.ts
SELECT a.id, b.id FROM c a JOIN c b ON a.ts = b.tz
SELECT min(d), max(d), min(ts), max(ts), min(tz), max(tz), min(tm), max(tm) FROM c
SELECT count(DISTINCT d) FROM c
SELECT d FROM c UNION SELECT ts FROM c
SELECT coalesce(d, ts) FROM c
SELECT CASE WHEN id > 3 THEN d ELSE ts END FROM c
SELECT greatest(d, DATE '2020-12-31'), least(ts, TIMESTAMP '2020-01-01 00:00:00') FROM c
SELECT d FROM c ORDER BY d DESC NULLS LAST LIMIT 2
SELECT to_char(ts, 'YYYY-MM-DD HH24:MI:SS') FROM c WHERE id IN (1, 2)
SELECT to_char(d, 'YYYY-MM-DD') FROM c WHERE id IN (1, 2)
SELECT to_char(d, 'Day, DD Mon YYYY') FROM c WHERE id IN (1, 2)
SELECT to_date('2024-01-02', 'YYYY-MM-DD')
SELECT to_date('02/01/2024', 'DD/MM/YYYY')
SELECT to_timestamp('2024-01-02 03:04:05', 'YYYY-MM-DD HH24:MI:SS')
SELECT to_timestamp(0), to_timestamp(1.5), to_timestamp(-1)
SELECT to_timestamp(1704164645)
SELECT to_timestamp(1704164645.123)
SELECT to_timestamp(253402300799)
SELECT make_date(2024, 2, 29)
SELECT make_date(2023, 2, 29)
SELECT make_time(1, 2, 3.5)
SELECT date_bin(INTERVAL '15 minutes', TIMESTAMP '2024-01-02 03:17:00', TIMESTAMP '2000-01-01 00:00:00')
SELECT date_bin(INTERVAL '15 minutes', TIMESTAMP '1999-01-02 03:17:00', TIMESTAMP '2000-01-01 00:00:00')
SELECT date_bin(INTERVAL '1 month', TIMESTAMP '2024-01-20', TIMESTAMP '2000-01-01')
SELECT generate_series FROM generate_series(DATE '2024-01-01', DATE '2024-01-03', INTERVAL '1 day')
  -- postgres: SELECT * FROM generate_series(DATE '2024-01-01', DATE '2024-01-03', INTERVAL '1 day')
SELECT * FROM generate_series(TIMESTAMP '2024-01-31 00:00:00', TIMESTAMP '2024-04-30 00:00:00', INTERVAL '1 month')
SELECT ts FROM c WHERE ts > now() - INTERVAL '1 day' AND ts < now()
SELECT current_date = now()::date, now() = now(), current_timestamp <= now()
SELECT isfinite(d) FROM c
SELECT DATE 'infinity' > DATE '2024-01-01'
SELECT (DATE '2024-01-01', DATE '2024-06-01') OVERLAPS (DATE '2024-05-01', DATE '2024-07-01')
SELECT justify_days(INTERVAL '40 days'), justify_hours(INTERVAL '30 hours')
SELECT sum(extract(epoch FROM ts)) FROM c WHERE id IN (1, 6, 7)
SELECT extract(year FROM d), count(*) FROM c GROUP BY extract(year FROM d)
SELECT avg(extract(year FROM d)) FROM c
SELECT date_trunc('month', ts), count(*) FROM c GROUP BY 1
SELECT id, sum(id) OVER (ORDER BY d RANGE BETWEEN INTERVAL '1 year' PRECEDING AND CURRENT ROW) FROM c WHERE id IN (1, 6, 7)
SELECT id, sum(id) OVER (ORDER BY ts RANGE BETWEEN INTERVAL '3 days' PRECEDING AND INTERVAL '1 day' FOLLOWING) FROM c WHERE id IN (1, 2, 6, 7)
