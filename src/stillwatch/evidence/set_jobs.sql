-- The jobs of each set.
SELECT s.set_no, j.job
FROM (SELECT DISTINCT set_no FROM exchange_sets) AS s
JOIN job_traffic AS j ON j.exchange_no = s.set_no
JOIN account_jobs AS a ON a.job = j.job AND a.account_no = j.account_no
