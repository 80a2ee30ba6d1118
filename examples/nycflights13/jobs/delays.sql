-- Which airlines lose the most time on the way out of New York, and in what wind?
SELECT a.name                                            AS airline,
       f.origin,
       count(*)                                          AS flights,
       round(avg(f.dep_delay), 1)                        AS mean_delay_min,
       round(100.0 * sum(CASE WHEN f.dep_delay > 60 THEN 1 ELSE 0 END) / count(*), 1) AS late_percent,
       round(avg(w.wind_speed), 1)                       AS mean_wind_mph
FROM flights f
JOIN airlines a ON a.carrier = f.carrier
LEFT JOIN weather w ON w.origin = f.origin AND w.time_hour = f.time_hour
WHERE f.dep_delay IS NOT NULL
GROUP BY a.name, f.origin
HAVING count(*) > 1000
ORDER BY mean_delay_min DESC, airline, f.origin
LIMIT 12
