-- Which values of a column each account sends with each set of jobs.
SELECT DISTINCT s.set_no, s.account_no, t.{column} AS value
FROM exchange_sets AS s
JOIN traffic AS t ON t.exchange_no = s.exchange_no
WHERE t.{column} IS NOT NULL
