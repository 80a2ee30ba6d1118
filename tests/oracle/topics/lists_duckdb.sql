-- judge: duckdb
-- Lists and structs.
SELECT unnest([1, 2, NULL])
SELECT id, unnest(v) FROM (VALUES (1, [1, 2]), (2, []), (3, NULL), (4, [NULL])) q(id, v)
SELECT q.id, u.x FROM (VALUES (1, [1, 2]), (2, [3])) q(id, v) CROSS JOIN UNNEST(q.v) AS u(x)
SELECT q.id, u.x FROM (VALUES (1, [1, 2]), (2, [3]), (3, NULL)) q(id, v), UNNEST(q.v) AS u(x)
SELECT q.id, u.x FROM (VALUES (1, [1, 2]), (2, NULL)) q(id, v) LEFT JOIN UNNEST(q.v) AS u(x) ON true
SELECT * FROM UNNEST([1, 2, 3]) AS u(x)
SELECT sum(x) FROM UNNEST([1, 2, 3]) AS u(x)
SELECT unnest([1, 2]), unnest([3, 4, 5])
SELECT [1, 2, 3][1], [1, 2, 3][-1], [1, 2, 3][5], [1, 2, 3][0], [1, 2, 3][2:3]
SELECT array_length([1, 2, NULL]), array_length([]), len([1]), cardinality([1, 2])
  -- duckdb: SELECT 3, 0, 1, 2
SELECT array_append([1], 2), array_prepend(0, [1]), array_concat([1], [2, 3])
  -- duckdb: SELECT list_append([1], 2), list_prepend(0, [1]), list_concat([1], [2, 3])
SELECT array_contains([1, 2], 2), array_has([1, NULL], 3), array_position([5, 6], 6)
  -- duckdb: SELECT true, false, 2
SELECT array_sort([3, 1, NULL, 2]), array_distinct([1, 1, 2]), array_reverse([1, 2])
  -- duckdb: SELECT [NULL, 1, 2, 3], [1, 2], [2, 1]
SELECT [1, 2] = [1, 2], [1, 2] < [1, 3], [1] < [1, 2], [1, NULL] = [1, NULL]
SELECT array_slice([1, 2, 3, 4], 2, 3), array_slice([1, 2, 3], -2, -1)
SELECT list FROM (VALUES ([1, 2]), ([1]), (NULL), ([2])) q(list) ORDER BY list NULLS FIRST
SELECT list, count(*) FROM (VALUES ([1, 2]), ([1, 2]), (NULL), ([NULL])) q(list) GROUP BY list
SELECT DISTINCT list FROM (VALUES ([1.0, 'NaN'::double]), ([1.0, 'NaN'::double])) q(list)
SELECT range(1, 4), range(5, 1), generate_series(1, 3)
SELECT named_struct('a', 1, 'b', 'x')
  -- duckdb: SELECT {'a': 1, 'b': 'x'}
SELECT named_struct('a', 1, 'b', 'x')['b']
  -- duckdb: SELECT 'x'
SELECT s.a FROM (SELECT named_struct('a', 7) AS s) s
  -- duckdb: SELECT 7
SELECT {'a': 1, 'b': NULL}
SELECT s['a'], count(*) FROM (VALUES ({'a': 1}), ({'a': 1}), (NULL)) q(s) GROUP BY 1
SELECT array_to_string([1, 2], '-')
SELECT list_max([1, NULL, 3]), list_min([2, 1])
  -- duckdb: SELECT 3, 1
SELECT flatten([[1], [2, 3]])
SELECT string_split('a,b', ',')
  -- duckdb: SELECT ['a', 'b']
SELECT array_agg(x ORDER BY x DESC) FROM UNNEST([1, 3, 2]) AS u(x)
SELECT map(['a', 'b'], [1, 2])['a']
  -- duckdb: SELECT 1
