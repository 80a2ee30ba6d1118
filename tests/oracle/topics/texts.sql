-- Functions of text, patterns, and the order of texts by their bytes.
SELECT id, length(t), char_length(t), octet_length(t), bit_length(t) FROM s
SELECT id, upper(t), lower(t), initcap(t) FROM s WHERE id <> 12
SELECT id, upper(t) FROM s WHERE id = 12
SELECT id, reverse(t), left(t, 2), right(t, 2) FROM s
SELECT id, left(t, -1), right(t, -1), left(t, 0), right(t, 0) FROM s
SELECT id, substr(t, 2), substr(t, 2, 2), substring(t FROM 2 FOR 1) FROM s
SELECT id, substr(t, 0), substr(t, 0, 2), substr(t, -1, 3), substr(t, 5) FROM s
SELECT substr('abc', 2, -1)
SELECT substr('abc', 1, 0), substr('abc', 4), substr('abc', 2147483647), substring('abc' FROM -1 FOR 3)
SELECT substring('foobar' FROM 'o.b'), substring('foobar' FROM 'o(.)b')
SELECT position('b' IN t), strpos(t, 'c'), strpos(t, '') FROM s
SELECT id, trim(t), ltrim(t), rtrim(t), btrim(t), trim(BOTH 'a' FROM t), trim(LEADING 'a' FROM t), trim(TRAILING 'c' FROM t) FROM s
SELECT trim('xy' FROM 'xyabcyx'), ltrim('xyabc', 'yx'), rtrim('abcxy', 'xy'), btrim('  a ', ' ')
SELECT trim(E'\t a \n'), length(trim(E'\t a \n'))
SELECT id, replace(t, 'c', 'XX'), replace(t, '', 'x') FROM s
SELECT id, translate(t, 'abc', 'xy') FROM s
SELECT id, lpad(t, 5), lpad(t, 5, 'xy'), rpad(t, 5, 'xy'), lpad(t, 2), rpad(t, 2) FROM s
SELECT lpad('abc', -1), lpad('abc', 0), lpad('abc', 5, ''), rpad('abc', 5, '')
SELECT repeat('ab', 3), repeat('ab', 0), repeat('ab', -1)
SELECT split_part('a,b,c', ',', 2), split_part('a,b,c', ',', 9), split_part('a,b,c', ',', -1), split_part('', ',', 1)
SELECT split_part('a,b,c', ',', 0)
SELECT split_part('abc', '', 1), split_part('a--b--c', '--', 2)
SELECT ascii(t), chr(65), chr(8364) FROM s
SELECT ascii(''), chr(0)
SELECT concat('a', 1, true, 2.50, NULL, DATE '2024-01-02')
SELECT 'a' || 1, 1 || 'a', 'x' || 1.50, 'x' || true
SELECT concat_ws('-', 'a', '', NULL, 'b'), concat_ws(NULL, 'a', 'b')
SELECT format('%s-%s', 'a', 1)
SELECT starts_with(t, 'a') FROM s
SELECT overlay('abcdef' PLACING 'XX' FROM 3), overlay('abcdef' PLACING 'XX' FROM 3 FOR 1), overlay('abcdef' PLACING '' FROM 2 FOR 3)
SELECT md5(''), md5('abc'), md5(t) FROM s WHERE id = 8
SELECT encode(sha256('abc'::bytea), 'hex'), encode('abc'::bytea, 'base64'), decode('YWJj', 'base64')::text = '\x616263'
SELECT encode('abc'::bytea, 'hex')
SELECT sha256('abc') IS NOT NULL
SELECT quote_literal('a''b'), quote_ident('a b')
SELECT 'a' < 'B', 'B' < 'a', 'a' < 'ä', 'Z' < 'a', '' < 'a', 'a' < 'ab'
SELECT t FROM s ORDER BY t NULLS FIRST
SELECT t FROM s ORDER BY lower(t), t
SELECT min(t), max(t) FROM s
SELECT count(DISTINCT lower(t)) FROM s
SELECT 'a' = 'a ', 'a ' LIKE 'a', 'é' = 'é'
SELECT id FROM s WHERE t LIKE 'a_c'
SELECT id FROM s WHERE t LIKE 'a%c'
SELECT id FROM s WHERE t LIKE 'a\%c'
SELECT id FROM s WHERE t LIKE 'a\_c'
SELECT id FROM s WHERE t LIKE 'a\\c'
SELECT id FROM s WHERE t LIKE 'a!_c' ESCAPE '!'
SELECT id FROM s WHERE t LIKE 'a!%c' ESCAPE '!'
SELECT id FROM s WHERE t LIKE 'a\c' ESCAPE ''
SELECT id FROM s WHERE t LIKE 'a#%%' ESCAPE '#'
SELECT id FROM s WHERE t LIKE 'a!' ESCAPE '!'
SELECT id FROM s WHERE t NOT LIKE '%c%'
SELECT id FROM s WHERE t NOT LIKE 'a!_c' ESCAPE '!'
SELECT id FROM s WHERE t ILIKE 'ABC'
SELECT id FROM s WHERE t ILIKE 'äöÜ'
SELECT id FROM s WHERE t ILIKE 'a!_C' ESCAPE '!'
SELECT id FROM s WHERE t NOT ILIKE 'A%'
SELECT id FROM s WHERE t LIKE '___'
SELECT id FROM s WHERE t LIKE '%語'
SELECT id FROM s WHERE t LIKE '_本_'
SELECT id FROM s WHERE t LIKE 'line%two'
SELECT id FROM s WHERE t LIKE 'line_two'
SELECT id FROM s WHERE t LIKE ''
SELECT id FROM s WHERE t LIKE NULL
SELECT id FROM s WHERE t LIKE t
SELECT id FROM s WHERE 'abc' LIKE t
SELECT id FROM s WHERE t LIKE '%' || 'b' || '%'
SELECT 'a.c' LIKE 'a.c', 'abc' LIKE 'a.c', 'a*c' LIKE 'a*c', 'a+c' LIKE 'a+c', '(a)' LIKE '(a)', 'a^c' LIKE 'a^c', 'a$' LIKE 'a$'
SELECT 'a[b' LIKE 'a[b', 'a\b' LIKE 'a\\b', 'ab' LIKE '%\%'
SELECT 'abc' LIKE '%a%b%c%', 'abc' LIKE 'abc%', 'abc' LIKE '%%', 'abc' LIKE '_%_%_', 'ab' LIKE '_%_%_'
SELECT id FROM s WHERE t SIMILAR TO '(a|A).*'
SELECT id FROM s WHERE t SIMILAR TO 'a_c'
SELECT id FROM s WHERE t SIMILAR TO 'a%'
SELECT id FROM s WHERE t SIMILAR TO 'a'
SELECT id FROM s WHERE t ~ '^a.c$'
SELECT id FROM s WHERE t ~ 'b'
SELECT id FROM s WHERE t !~ 'b'
SELECT id FROM s WHERE t ~* 'ABC'
SELECT id FROM s WHERE t !~* 'ABC'
SELECT id FROM s WHERE t ~ '^$'
SELECT id FROM s WHERE t ~ '^.*$'
SELECT id FROM s WHERE t ~ '^(abc|ABC)$'
SELECT id FROM s WHERE t ~ '^abc$|^$'
SELECT id FROM s WHERE t ~ '^a' AND t ~ 'c$'
SELECT id FROM s WHERE t ~ '\d+'
SELECT id FROM s WHERE t ~ '('
SELECT regexp_replace(t, '[abc]', 'x') FROM s
SELECT regexp_replace(t, '[abc]', 'x', 'g') FROM s
SELECT regexp_replace('foobar', '(o+)(b)', '<\2\1>'), regexp_replace('abc', '', 'x'), regexp_replace('ABC', 'b', 'x', 'i')
SELECT regexp_replace('a.b.c', '\.', '', 'g'), regexp_replace('foo bar', '(\w+) (\w+)', '\2 \1'), regexp_replace('abc', 'b', '$0')
SELECT regexp_like('abc', 'B', 'i'), regexp_like('abc', '^b')
SELECT regexp_count('abcabc', 'bc'), regexp_instr('abcabc', 'c')
SELECT regexp_match('foobar', 'o(b)')
SELECT string_agg(t, ',' ORDER BY id) FROM s WHERE id < 5
SELECT string_agg(t, '') FROM s WHERE id = 2
SELECT string_agg(t, NULL ORDER BY id) FROM s WHERE id < 3
SELECT string_agg(t, ',' ORDER BY t DESC) FROM s WHERE id IN (1, 5, 9)
SELECT string_agg(DISTINCT upper(t), ',') FROM s WHERE id IN (1, 9)
SELECT string_agg(DISTINCT g, ',' ORDER BY g) FROM n
SELECT g, string_agg(i::text, '+' ORDER BY id) FROM n GROUP BY g
SELECT string_agg(t, ',' ORDER BY id) FILTER (WHERE id < 2) FROM s
SELECT string_agg(t, ',') FROM s WHERE id > 99
SELECT cast('abc' AS varchar(2)), cast('abc' AS char(2)), cast('a' AS char(3)) || 'x'
SELECT cast(1 AS varchar), cast(-1.50 AS varchar), cast(true AS varchar), cast(NULL AS varchar)
SELECT length(cast('ab' AS char(5)))
SELECT cast(12345 AS varchar(3))
SELECT id FROM s WHERE t = 501
SELECT id FROM s WHERE t > 'b'
SELECT id FROM s WHERE t IN ('abc', '', 'x')
SELECT id FROM s WHERE t BETWEEN 'A' AND 'a'
SELECT id FROM s WHERE t >= 'ÄÖü'
SELECT id FROM s WHERE lower(t) = 'abc'
SELECT id FROM s WHERE t IS DISTINCT FROM 'abc'
SELECT id FROM s WHERE t || 'x' = 'abcx'
SELECT id FROM s WHERE length(t) = 3
SELECT id FROM s WHERE substr(t, 1, 1) = 'a'
SELECT id FROM s WHERE t < 'a\c'
SELECT 'it''s', "id" FROM s WHERE id = 1
SELECT E'a\nb', E'a\\b', 'a\nb', U&'\0041', $$dollar$$
SELECT 'a' 'b'
SELECT 'abc' COLLATE "C" < 'B'
SELECT t::int FROM s WHERE id = 14
SELECT lower(NULL::text), upper(''), initcap('hello wORLD-foo_bar o''neil')
SELECT levenshtein('kitten', 'sitting')
  -- postgres: SELECT 3
SELECT array_to_string(ARRAY['a', NULL, 'b'], ','), array_to_string(ARRAY['a', NULL, 'b'], ',', '*')
SELECT string_to_array('a,b,,c', ',') = ARRAY['a', 'b', '', 'c'], string_to_array('a,b', NULL) = ARRAY['a', ',', 'b']
SELECT to_char(1234.5, '9999.99')
SELECT contains('abc', 'b'), ends_with('abc', 'c')
  -- postgres: SELECT true, true
SELECT 'abc' ^@ 'ab'
SELECT unicode('a'), instr('abc', 'c'), char_length('')
  -- postgres: SELECT 97, 3, 0
SELECT substr(t, id) FROM s
SELECT left(t, id - 3), right(t, id - 3), repeat('x', id - 3), lpad(t, id - 3, '-') FROM s
SELECT DISTINCT upper(t) FROM s WHERE id IN (1, 9)
SELECT t, count(*) OVER (PARTITION BY length(t)) FROM s
