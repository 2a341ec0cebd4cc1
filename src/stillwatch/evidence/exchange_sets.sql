-- Exchanges by the set of jobs that they carry and their account runs, which is numbered by the first that carries it.
-- Sets are told apart by two sums of random marks of their jobs.
WITH marked AS (
  SELECT j.exchange_no, j.account_no, CAST(sum(m.first) AS BIGINT) AS first, CAST(sum(m.second) AS BIGINT) AS second
  FROM job_traffic AS j
  JOIN account_jobs AS a ON a.job = j.job AND a.account_no = j.account_no
  JOIN job_marks AS m ON m.job = j.job
  GROUP BY j.exchange_no, j.account_no
)
SELECT x.exchange_no, x.account_no, s.set_no
FROM marked AS x
JOIN (SELECT first, second, min(exchange_no) AS set_no FROM marked GROUP BY first, second) AS s
  ON s.first = x.first AND s.second = x.second
